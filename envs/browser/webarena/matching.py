"""How texts and addresses are compared: pure functions, after WebArena's scorer and VisualWebArena's additions to it.

References: Zhou et al., "WebArena", ICLR 2024; Koh et al., "VisualWebArena", ACL 2024; their public evaluation code.
"""

from __future__ import annotations

import math
import re
from urllib.parse import parse_qs, urlsplit

ALTERNATIVE = " |OR| "
"""Between alternatives, in references and in addresses."""

_NUMBER = r"[+-]?\d+(?:\.\d+)?"
_INEQUALITY = re.compile(rf"\s*(<=|>=|==|<|>)\s*({_NUMBER})\s*")

# What the Penn Treebank's tokenisation, which the published scorer relies on, sets apart from words.
_APART = re.compile(r"""[][(){}<>;@#$%&?!*"`“”‘’«»]|''|--+|\.{2,}|[:,](?=\D|$)|(?<!\.)\.(?=['"\])}>»”’]*(?:\s|$))""")
_CONTRACTION = re.compile(r"(?<=\w)('s|'m|'d|'re|'ve|'ll|n't)(?!\w)")
_QUOTE = re.compile(r"(?<!\S)'|'(?!\S)")


def clean(text: str) -> str:
    """Strip white space, drop one pair of matching quotes, lower the case."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    return text.lower()


def words(text: str) -> list[str]:
    """Split a text into words and punctuation: ``$3, or 1,000.`` is ``$ 3 , or 1,000 .``."""
    text = _QUOTE.sub(" ' ", _APART.sub(r" \g<0> ", text))
    return _CONTRACTION.sub(r" \1", text).split()


def equals(reference: str, text: str) -> bool:
    """Whether both are the same once cleaned."""
    return clean(reference) == clean(text)


def includes(reference: str, text: str, *, as_word: bool = False) -> bool:
    """Whether the text contains the reference.

    With ``as_word``, a reference that is a single word has to be a word of the text: ``13`` is not in ``1934 or 130``.
    """
    sought, text = clean(reference), clean(text)
    return sought in (words(text) if as_word and len(words(sought)) == 1 else text)


def excludes(reference: str, text: str) -> bool:
    """Whether the text does not contain the reference: a single word not as a word, anything longer not at all."""
    return not includes(reference, text, as_word=True)


def is_inequality(text: str) -> bool:
    """Whether a text is a comparison with a number, such as ``>= 12``."""
    return _INEQUALITY.fullmatch(text) is not None


def satisfies(inequality: str, text: str) -> bool:
    """Whether a text is a number (commas between digits allowed) for which the inequality holds.

    Numbers closer than 1e-8 are equal. Anything but a number satisfies nothing.
    """
    match = _INEQUALITY.fullmatch(inequality)
    number = clean(text).replace(",", "")
    if match is None or re.fullmatch(_NUMBER, number) is None:
        return False
    left, right = float(number), float(match[2])
    equal = math.isclose(left, right, rel_tol=0.0, abs_tol=1e-8)
    match match[1]:
        case "==":
            return equal
        case "<=":
            return equal or left < right
        case ">=":
            return equal or left > right
        case "<":
            return not equal and left < right
    return not equal and left > right


def _address(url: str) -> str:
    return re.sub(r"(?<![\w.-])localhost(?![\w.-])", "127.0.0.1", url.strip().rstrip("/"))


def is_at(gold: str, url: str) -> bool:
    """Whether an address is one of those in ``gold``, to the letter but for a final slash and localhost's name."""
    return _address(url) in [_address(one) for one in gold.split(ALTERNATIVE)]


def has_part(gold: str, url: str) -> bool:
    """Whether an address contains one of those in ``gold`` to the letter ("GOLD in PRED" of WebArena-Lite)."""
    return any(_address(one) in _address(url) for one in gold.split(ALTERNATIVE))


def is_within(gold: str, url: str) -> bool:
    """Whether an address contains one of those in ``gold`` by its parts ("GOLD in PRED" of WebArena).

    Host and path of one of them have to be a part of the address's; each query key that any of them names has to have
    one of the values that they give it. Fragments do not count.
    """
    references = [urlsplit(_address(one)) for one in gold.split(ALTERNATIVE)]
    try:
        here = urlsplit(_address(url))
    except ValueError:  # what a browser shows need not be what urllib takes for an address
        return False
    query = parse_qs(here.query)
    allowed: dict[str, set[str]] = {}
    for reference in references:
        for key, values in parse_qs(reference.query).items():
            allowed.setdefault(key, set()).update(values)
    placed = any(reference.netloc + reference.path in here.netloc + here.path for reference in references)
    return placed and all(not values.isdisjoint(query.get(key, ())) for key, values in allowed.items())
