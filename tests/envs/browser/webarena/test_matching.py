"""How texts and addresses are compared: closed cases, each worked out by hand from the published scorers."""

import pytest

from turngym.envs.browser.webarena.matching import (
    clean,
    equals,
    excludes,
    has_part,
    includes,
    is_at,
    is_inequality,
    is_within,
    satisfies,
    words,
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (" Red ", "red"), ("'Red'", "red"), ('"Red"', "red"), ("''Red''", "'red'"), ("'Red\"", "'red\""),
        ("' Red'", " red"), ("'", "'"), ("''", ""), ("", ""), ("It's", "it's"), ("ÄÖ", "äö"), ("“Red”", "“red”"),
    ],
)  # fmt: skip
def test_clean(text, cleaned):
    assert clean(text) == cleaned


def test_equality_is_of_the_whole_text():
    assert equals("Red", " 'red' ")
    assert not equals("red", "red.")
    assert not equals("red", "a red kite")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("3.", ["3", "."]), ("$3, or 1,000.", ["$", "3", ",", "or", "1,000", "."]), ("(3)", ["(", "3", ")"]),
        ("3 items. 4 left", ["3", "items", ".", "4", "left"]), ("3.5", ["3.5"]), ("10:30", ["10:30"]),
        ("at: 3", ["at", ":", "3"]), ("it's", ["it", "'s"]), ("don't", ["do", "n't"]), ("'3'", ["'", "3", "'"]),
        ("3%", ["3", "%"]), ("3-5", ["3-5"]), ("3--5", ["3", "--", "5"]), ("3...", ["3", "..."]), ("5/10", ["5/10"]),
        ("“3”", ["“", "3", "”"]), ('"3."', ['"', "3", ".", '"']), ("", []),
    ],
)  # fmt: skip
def test_words(text, parts):
    assert words(text) == parts


@pytest.mark.parametrize(
    ("reference", "text", "as_text", "as_word"),
    [
        ("3", "There are 3.", True, True),
        ("3", "There are 13", True, False),
        ("3", "1934", True, False),
        ("3", "$3", True, True),
        ("3", "3,000", True, False),
        ("3", "4", False, False),
        ("13", "There are 130", True, False),
        ("3-5", "1-3-5", True, False),
        ("red kite", "bored kites, a tired kite", True, True),  # two words are sought as they stand
        ("'3'", "13", True, False),  # quotes do not make it longer
        ("Red", "a RED kite", True, True),
        ("red", "bored", True, False),
    ],
)
def test_a_single_word_has_to_be_a_word(reference, text, as_text, as_word):
    assert includes(reference, text) is as_text
    assert includes(reference, text, as_word=True) is as_word


@pytest.mark.parametrize(
    ("reference", "text", "absent"),
    [
        ("old", "the old one", False), ("old", "golden", True), ("old", "Old!", False), ("10", "100", True),
        ("old one", "the gold ones", False), ("old one", "old, one", True), ("10%", "110%", False), ("x", "", True),
    ],
)  # fmt: skip
def test_excludes(reference, text, absent):
    assert excludes(reference, text) is absent


@pytest.mark.parametrize(
    ("inequality", "text", "holds"),
    [
        (">= 12", "12", True), (">= 12", "11", False), ("> 12", "12", False), ("> 12", "13", True),
        ("< 600", "600", False),
        ("< 600", "599", True), ("<= 600", "600", True), ("== 2", "2", True), ("== 2", "2.0", True),
        ("== 2", "20", False),
        ("<70", "69.99", True), ("== 1000", "1,000", True), (">= -3", "-2", True), ("== 0.3", str(0.1 + 0.2), True),
        ("< 0.3", str(0.1 + 0.2), False), (" >=  5 ", " '7' ", True), ("> 1", "two", False), ("< 10", "", False),
        ("> 1", "inf", False), ("== 1", "nan", False), ("< 10", "$5", False), ("> 1", "1_000", False),
        ("> x", "3", False),
        ("<= 5", "6", False),
    ],
)  # fmt: skip
def test_inequalities(inequality, text, holds):
    assert satisfies(inequality, text) is holds


def test_what_is_an_inequality():
    assert all(map(is_inequality, ["< 3", ">=3", "== 1.5", " <= -2 "]))
    assert not any(map(is_inequality, ["3", "= 3", "!= 3", "< ", "< 3 4", "x < 3", "> 1e3", ""]))


@pytest.mark.parametrize(
    ("gold", "url", "exact", "within"),
    [
        ("http://h/a", "http://h/a", True, True),
        ("http://h/a/", "http://h/a", True, True),
        ("http://h/a", "http://h/a/", True, True),
        ("http://h/a", "http://h/a/b", False, True),
        ("http://h/a", "http://h/ab", False, True),
        ("http://h/a/b", "http://h/a", False, False),
        ("http://h/a", "https://h/a", False, True),  # the scheme does not count there
        ("http://h/a", "http://www.h/a", False, True),  # a part of host and path
        ("http://h/a", "http://g/a", False, False),
        ("http://h/a", "http://g/?to=h/a", False, False),  # not of the query
        ("http://localhost:7/a", "http://127.0.0.1:7/a", True, True),
        ("http://127.0.0.1:7/a", "http://localhost:7/a", True, True),
        ("http://localhost:7/a", "http://127.0.0.1:8/a", False, False),
        ("http://mylocalhost/a", "http://my127.0.0.1/a", False, False),
        ("http://h/a |OR| http://h/b", "http://h/b", True, True),
        ("http://h/a |OR| http://h/b", "http://h/c", False, False),
        ("http://h/a?x=1", "http://h/a?x=1", True, True),
        ("http://h/a?x=1", "http://h/a?y=2&x=1", False, True),
        ("http://h/a?x=1", "http://h/a?x=2", False, False),
        ("http://h/a?x=1", "http://h/a", False, False),
        ("http://h/a?x=1&y=2", "http://h/a?x=1", False, False),
        ("http://h/a?x=1", "http://h/a?x=3&x=1", False, True),
        ("http://h/a", "http://h/a?x=1", False, True),
        ("http://h/a?x=1 |OR| http://h/b?x=2", "http://h/a?x=2", False, True),  # values are pooled
        ("http://h/a?x=1 |OR| http://h/b?x=2", "http://h/b?x=1", False, True),
        ("http://h/a?x=1 |OR| http://h/b", "http://h/b", True, False),  # and so are keys
        ("http://h/a?q=a+b", "http://h/a?q=a%20b", False, True),
        ("http://h/a#one", "http://h/a#two", False, True),
        ("f/boats", "http://h/f/boats/1", False, True),
        ("http://h/a", "about:blank", False, False),
        ("http://h/a", "http://[broken/a", False, False),
    ],
)
def test_addresses(gold, url, exact, within):
    assert is_at(gold, url) is exact
    assert is_within(gold, url) is within


@pytest.mark.parametrize(
    ("gold", "url", "is_part"),
    [
        ("http://h/a", "http://h/ab", True), ("http://h/a/", "http://h/a?x=1", True),
        ("http://h/a", "https://h/a", False),
        ("http://h/a?x=1&y=2", "http://h/a?x=1&y=2&z=3", True), ("http://h/a?x=1", "http://h/a?y=2&x=1", False),
        ("http://h/a |OR| http://h/b", "http://h/b/c", True), ("http://localhost:7/a", "http://127.0.0.1:7/a", True),
        ("http://h/a", "http://[broken/a", False),
    ],
)  # fmt: skip
def test_addresses_by_their_letters(gold, url, is_part):
    assert has_part(gold, url) is is_part
