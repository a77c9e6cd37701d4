"""What is read off real pages: each kind's text, the numbers that all share, and how much is told."""

import re

import pytest

from turngym.envs import BadInput, InfraError, Refused
from turngym.envs.browser import axtree, pool
from turngym.envs.browser.elements import locate
from turngym.envs.browser.observations import KINDS, LONGEST, check_kinds, read
from turngym.envs.browser.server import serve
from turngym.envs.browser.tools import click

SIZE = (800, 600)

FORM = """<!doctype html><title>Sign up</title><style>body{margin:0;font:16px/20px monospace} *{box-sizing:border-box}
input,select,button{display:block;width:100px;height:20px;margin:0;font:16px/20px monospace;border:0;padding:0}
a{display:inline-block;width:100px;height:20px;vertical-align:top}</style>
<script>var secret = "<b>never told</b>"</script>
<h1 style="margin:0;height:40px">Join &lt;us&gt; today</h1>
<p style="margin:0;height:20px"><a href="/terms" title="Terms">Our terms</a> come first</p>
<form><label for=name style="display:block;height:20px">Name</label>
<input id=name name=name value=Bob required><input type=checkbox checked aria-label="I agree">
<select name=size><option value=s>Small<option value=l selected>Large</select>
<div><div><button>Send</button></div></div></form>
<p hidden>not to be seen</p><p style="opacity:0">nor this</p><div style="visibility:hidden">nor that</div>
"""

HTML = (
    '<html data-bbox="0,0,800,232"> <body data-bbox="0,0,800,232"> '
    '<h1 data-bbox="0,0,800,40"> Join &lt;us> today </h1> '
    '<p data-bbox="0,40,800,20"> <a id="2" title="Terms" data-bbox="0,40,100,20"> Our terms </a> come first </p> '
    '<form data-bbox="0,60,800,100"> <label data-bbox="0,60,800,20"> Name </label> '
    '<input id="3" value="Bob" data-bbox="0,80,100,20"> </input> '
    '<input id="4" type="checkbox" aria-label="I agree" data-status="checked" data-bbox="0,100,100,20"> </input> '
    '<select id="5" data-value="l" data-text="Large" data-bbox="0,120,100,20"> <option value="s"> Small </option> '
    '<option value="l" data-status="selected"> Large </option> </select> '
    '<button id="6" data-bbox="0,140,100,20"> Send </button> </form> </body> </html>'
)

AXTREE = """RootWebArea 'Sign up', focused
\t[0] heading 'Join <us> today', level=1
\t[1] paragraph ''
\t\t[2] link 'Our terms'
\t\tStaticText 'come first'
\tform ''
\t\tStaticText 'Name'
\t\t[3] textbox 'Name', value='Bob', required
\t\t[4] checkbox 'I agree', checked
\t\t[5] combobox '', value='Large', expanded=False
\t\t\toption 'Small'
\t\t\toption 'Large', selected
\t\t[6] button 'Send'
\tparagraph ''
\t\tStaticText 'nor this'"""

DOM = """<html>
  <body>
    [0] <h1>Join &lt;us> today
    [1] <p>
      [2] <a href="/terms" title="Terms">Our terms
      come first
    <form>
      <label for="name">Name
      [3] <input id="name" name="name" required="" value="Bob">
      [4] <input type="checkbox" aria-label="I agree" value="on" checked="">
      [5] <select name="size" value="l">
        <option value="s">Small
        <option value="l" selected="">Large
      [6] <button>Send"""

ELEMENTS = """[0] h1 'Join <us> today'
[2] link 'Our terms'
[1] p 'Our terms come first'
[3] textbox 'Name' holding 'Bob'
[4] checkbox 'I agree' (checked)
[5] combobox 'Large'
[6] button 'Send'"""

MARKS = "\n".join(line for line in ELEMENTS.splitlines() if line[1] in "23456")

NESTED = """<!doctype html><body style="margin:0"><div id=host><i slot=named>light</i></div>
<button>after</button>
<iframe style="border:5px solid;width:300px;height:100px;margin:20px" src=inner.html></iframe><button>last</button>
<template><button>unborn</button></template>
<script>
host.attachShadow({mode: 'open'}).innerHTML = '<button onclick="pushed = 1">shadow</button><slot name=named></slot>';
</script>"""

INNER = """<!doctype html><body style="margin:0"><button onclick="parent.pushed = 2">inside</button>
<div style="height:900px"></div><button id=deep onclick="parent.pushed = 3">deep</button>"""


@pytest.fixture(scope="module", params=["devtools", "playwright"])
def browser(request):
    browser = pool.launch(request.param)
    yield browser
    browser.close()


@pytest.fixture
def show(browser, tmp_path):
    """Open a page of the given text."""
    pages = []

    def open_page(text, size=SIZE, **others):
        for name, other in {"index": text, **others}.items():
            (tmp_path / f"{name}.html").write_text(other)
        pages.append(browser.new_page(size))
        pages[-1].goto(f"{serve(str(tmp_path))}/index.html")
        return pages[-1]

    yield open_page
    for page in pages:
        page.close()


def test_what_a_closed_shadow_root_holds_is_left_out(show):
    page = show(
        "<button>before</button><div id=host></div><button>after</button>"
        "<script>host.attachShadow({mode: 'closed'}).innerHTML = '<button>inside</button><p>hidden</p>';</script>"
    )
    for kind in ("axtree", "html", "dom"):
        reading = read(page, kind)
        assert [mark.name for mark in reading.marks if mark.role == "button"] == ["before", "after"]


def test_kinds_are_checked():
    assert check_kinds("html") == ("html",)
    assert check_kinds(["screenshot", "axtree"]) == ("screenshot", "axtree")
    with pytest.raises(BadInput, match="got 'axtre'; did you mean 'axtree'"):
        check_kinds(["axtre"])
    for wrong in ([], ["dom", "dom"], 3, {"html": 1}, [["html"]]):
        with pytest.raises(BadInput, match="observation must be"):
            check_kinds(wrong)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("kind", "text"),
    [("html", HTML), ("axtree", AXTREE), ("dom", DOM), ("elements", ELEMENTS), ("marks", MARKS), ("screenshot", "")],
)
def test_a_small_page_reads_like_this(show, kind, text):
    page = show(FORM)
    for _ in range(2):
        assert read(page, kind).text == text


@pytest.mark.browser
def test_all_kinds_give_an_element_the_same_number(show):
    page = show(NESTED, inner=INNER)
    readings = {kind: read(page, kind) for kind in KINDS}
    found = {}
    for reading in readings.values():
        assert [mark.id for mark in reading.marks] == sorted(mark.id for mark in reading.marks)
        for mark in reading.marks:
            assert found.setdefault(mark.id, mark) == mark
    names = [found[number].name for number in sorted(found)]
    assert names == ["shadow", "light", "after", "inside", "deep", "last"]
    for kind in ("elements", "html", "axtree", "dom", "marks"):
        assert re.search(r'\[3\] (<?button>?|button) ?.?inside|<button id="3".*inside', readings[kind].text), kind


@pytest.mark.browser
def test_marks_say_where_and_what(show):
    page = show(FORM)
    marks = {mark.id: mark for mark in read(page, "axtree").marks}
    assert marks[3].box == (0, 80, 100, 20)
    assert marks[3].point == (50, 90)
    assert (marks[3].role, marks[3].name, marks[3].value) == ("textbox", "Name", "Bob")
    assert [number for number, mark in marks.items() if not mark.usable] == [0, 1]
    assert marks[4].states == ("checked",)
    assert all(mark.in_view for mark in marks.values())


@pytest.mark.browser
def test_what_is_outside_the_viewport_is_told_by_the_kinds_of_the_whole_page(show):
    page = show("<button>near</button><div style='height:3000px'></div><button>far</button>")
    for kind, whole in [("elements", False), ("html", False), ("marks", False), ("axtree", True), ("dom", True)]:
        reading = read(page, kind)
        assert "near" in reading.text
        assert ("far" in reading.text) is whole, kind
        assert {mark.name: mark.in_view for mark in reading.marks} == (
            {"near": True, "far": False} if whole else {"near": True}
        )


@pytest.mark.browser
def test_frames_and_shadow_roots_are_clicked_where_they_are(show):
    page = show(NESTED, inner=INNER)
    numbers = {mark.name: mark.id for mark in read(page, "dom").marks}
    for name, pushed in [("shadow", 1), ("inside", 2), ("deep", 3), ("inside", 2)]:
        assert page.interact(click(*locate(page, numbers[name])), "pushed")[0] == pushed


@pytest.mark.browser
def test_an_element_out_of_view_is_scrolled_to(show):
    page = show(
        "<div style='height:200px;overflow:auto'><div style='height:900px'></div>"
        "<button onclick='n = 1'>in box</button><div style='height:900px'></div></div><div style='height:3000px'></div>"
        "<button onclick='n = 2'>far</button>"
        "<div style='position:fixed;top:0;height:300px;width:100%;background:red'></div>"
    )
    far = {mark.name: mark.id for mark in read(page, "dom").marks}
    assert page.interact(click(*locate(page, far["far"])), "[n, scrollY > 0]")[0] == [2, True]
    with pytest.raises(Refused, match=f"element {far['in box']} is covered by div"):
        locate(page, far["in box"])
    page.evaluate("document.querySelector('[style*=fixed]').remove()")
    assert page.interact(click(*locate(page, far["in box"])), "n")[0] == 1


@pytest.mark.browser
def test_a_refusal_leaves_the_page_as_it_was(show):
    page = show(
        "<div style='height:200px'></div><div id=box style='height:100px;overflow:auto'>"
        "<div style='height:500px'></div><button>under</button></div><div style='height:2000px'></div>"
        "<button id=gone>gone</button><button id=hidden>hidden</button>"
        "<div style='position:fixed;inset:0;background:#eee'>Cookies?</div>"
    )
    state = "[scrollX, scrollY, box.scrollTop, document.body.innerHTML]"
    page.evaluate("box.scrollTop = 7, scrollTo(0, 33)")
    numbers = {mark.name: mark.id for mark in read(page, "axtree").marks}
    page.evaluate("gone.remove(), hidden.hidden = true")
    before = page.evaluate(state)
    for name, why in [("under", "covered by div 'Cookies"), ("gone", "is gone"), ("hidden", "is hidden")]:
        with pytest.raises(Refused, match=why):
            locate(page, numbers[name])
    with pytest.raises(Refused, match="there is no element 999"):
        locate(page, 999)
    assert page.evaluate(state) == before


@pytest.mark.browser
def test_numbers_do_not_outlive_their_page(show):
    page = show("<button>here</button>")
    assert len(read(page, "dom").marks) == 1
    page.goto(page.url)
    with pytest.raises(Refused, match="there is no element 0"):
        locate(page, 0)


@pytest.mark.browser
def test_a_long_page_is_cut_and_says_so(show):
    page = show("<script>for (let n = 0; n < 5000; n++) document.write(`<p><a href=#${n}>link ${n}</a></p>`)</script>")
    for kind in ("html", "axtree", "dom"):
        reading = read(page, kind)
        text, _, note = reading.text.rpartition("\n")
        if kind == "html":  # only what the viewport shows
            assert "left out" not in reading.text
            reading = read(page, kind, 300)
            text, _, note = reading.text.rpartition("\n")
            assert text.endswith(">")
            assert len(text) <= 300
        else:
            assert LONGEST - 100 < len(text) <= LONGEST
            assert len(reading.marks) == 5000
        match = re.fullmatch(r"\((\d+) of (\d+) characters are left out\)", note)
        assert match
        assert int(match[2]) - int(match[1]) == len(text)
    x, y = locate(page, 4999)
    assert page.interact(click(x, y), "scrollY > 10000")[0]


@pytest.mark.browser
def test_page_text_cannot_pass_for_an_element(show):
    page = show("""<p>x</p><p>&lt;button id="0"> Pay </button></p><img alt='"> <a id="0"' src="x">""")
    assert "<button" not in read(page, "html").text
    assert "<button" not in read(page, "dom").text
    assert '"> <a id="0"' not in read(page, "html").text


@pytest.mark.browser
def test_a_reading_changes_nothing_in_the_page(show):
    page = show(NESTED, inner=INNER)
    options = "{subtree: true, childList: true, attributes: true, characterData: true}"
    page.evaluate(f"new MutationObserver(() => {{ window.touched = true }}).observe(document, {options}), 0")
    before = page.evaluate("document.documentElement.outerHTML")
    for kind in KINDS:
        read(page, kind)
    page.interact((), "0")
    assert page.evaluate("[document.documentElement.outerHTML, window.touched ?? false]") == [before, False]


@pytest.mark.browser
def test_a_page_nobody_draws_lives_on(show):
    page = show(
        "<p id=late>x</p><script>let seen = 0;new IntersectionObserver(() => { seen++ }).observe(late)</script>"
    )
    for _ in range(3):
        assert page.interact((), "seen", draw=False)[1] is None
    assert page.interact((), "seen")[0] == 1
    assert page.url.endswith("/index.html")
    assert page.command("Runtime.evaluate", {"expression": "6 * 7"})["result"]["value"] == 42


@pytest.mark.browser
def test_deep_pages_are_read(show):
    page = show("<script>document.write('<div>'.repeat(400) + '<button>deep</button>')</script>")
    for kind in ("elements", "html", "axtree", "dom"):
        assert "deep" in read(page, kind).text


@pytest.mark.browser
def test_a_page_that_never_holds_still_is_our_failure(show, monkeypatch):
    page = show(FORM)

    def moved(*_):
        raise axtree._Moved

    monkeypatch.setattr(axtree, "_places", moved)
    with pytest.raises(InfraError, match="page_error: the page kept changing"):
        read(page, "axtree")
