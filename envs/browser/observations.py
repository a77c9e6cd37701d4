"""What a policy sees of a page: the kinds of observation, as text and as numbered elements.

All kinds count the same elements with the same numbers, so kinds can be combined and one ``click_element`` fits all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from turngym.envs.browser import axtree, elements
from turngym.envs.browser.elements import Mark
from turngym.envs.browser.protocol import Page
from turngym.envs.scenario import nearest
from turngym.envs.types import BadInput

__all__ = ["KINDS", "LONGEST", "Mark", "Reading", "check_kinds", "draws", "numbers", "read"]

LONGEST = 40_000
"""Characters of a reading; what is beyond is left out, and said to be."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a kind of observation says of a page."""

    text: str = ""
    marks: tuple[Mark, ...] = ()
    """The elements that are numbered, in document order."""


def check_kinds(wanted: object) -> tuple[str, ...]:
    """Return the kinds that one name or a list of names asks for; :class:`BadInput` for what is none."""
    kinds = (wanted,) if isinstance(wanted, str) else tuple(wanted) if isinstance(wanted, list | tuple) else ()
    for kind in kinds:
        if not isinstance(kind, str) or kind not in KINDS:
            raise BadInput(
                f"observation must be one of {', '.join(KINDS)}, or a list of them, got {kind!r}"
                f"{nearest(str(kind), list(KINDS))}"
            )
    if not kinds or len(set(kinds)) < len(kinds):
        raise BadInput(f"observation must be a kind or a list of different kinds, got {wanted!r}")
    return kinds


def draws(kinds: Sequence[str]) -> bool:
    """Whether the kinds need a picture of the page. A list of ``elements`` comes with the screenshot it was made of."""
    return any(kind in ("screenshot", "elements", "marks") for kind in kinds)


def numbers(kinds: Sequence[str]) -> bool:
    """Whether the kinds number elements, so that there are tools which take a number."""
    return any(kind != "screenshot" for kind in kinds)


def read(page: Page, kind: str, longest: int = LONGEST) -> Reading:
    """Read a page; the text has at most ``longest`` characters and a line that says how many were left out."""
    text, length, marks = KINDS[kind](page, longest)
    if length > len(text):
        text += f"\n({length - len(text)} of {length} characters are left out)"
    return Reading(text, marks)


Text = tuple[str, int, tuple[Mark, ...]]
"""A text, cut to the longest allowed; how long it was; the elements it numbers."""


def _screenshot(page: Page, longest: int) -> Text:
    return "", 0, ()


def _elements(page: Page, longest: int) -> Text:
    return _listing(elements.marks(elements.ask(page, "list")["elements"]), longest)


def _marks(page: Page, longest: int) -> Text:
    shown = elements.marks(elements.ask(page, "list")["elements"])
    return _listing(tuple(mark for mark in shown if mark.usable), longest)


def _listing(shown: tuple[Mark, ...], longest: int) -> Text:
    return *axtree.cut("\n".join(map(str, shown)), longest), tuple(sorted(shown, key=lambda mark: mark.id))


def _by_script(function: str) -> Callable[[Page, int], Text]:
    def text(page: Page, longest: int) -> Text:
        answer = elements.ask(page, function, longest)
        return answer["text"], answer["length"], elements.marks(answer["elements"])

    return text


KINDS: dict[str, Callable[[Page, int], Text]] = {
    "screenshot": _screenshot,
    "elements": _elements,
    "html": _by_script("html"),
    "axtree": axtree.read,
    "dom": _by_script("dom"),
    "marks": _marks,
}
"""``screenshot``: the picture. ``elements``: the picture, and a list of what can be used or read where it shows.
``html``: simplified HTML of what the viewport shows, as WebRL and WebAgent-R1 give it. ``axtree``: the accessibility
tree, as WebArena and BrowserGym do. ``dom``: all visible elements with their attributes. ``marks``: the picture with a
numbered box around all that can be used, and the list of these (set-of-marks)."""
