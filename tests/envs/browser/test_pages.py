"""The promises of the browser protocol, held by both real backends."""

from importlib import resources

import pytest

from turngym.envs import InfraError
from turngym.envs.browser import pool
from turngym.envs.browser.keyboard import typing
from turngym.envs.browser.protocol import Key, Move, Press, Release, Text, Wheel
from turngym.envs.browser.server import serve
from turngym.envs.browser.tools import click, drag

pytestmark = pytest.mark.browser

SCRIPTS = resources.files("turngym.envs.browser").joinpath("scripts")
PAGE_SCRIPT = "".join(SCRIPTS.joinpath(name).read_text() for name in ("page.js", "mute.js"))
SIZE = (160, 210)


@pytest.fixture(scope="module", params=["devtools", "playwright"])
def browser(request):
    browser = pool.launch(request.param)
    yield browser
    browser.close()


@pytest.fixture
def page(browser):
    page = browser.new_page(SIZE, PAGE_SCRIPT)
    yield page
    page.close()


def show(page, body):
    page.goto("data:text/html;charset=utf-8,<!doctype html><body style='margin:0'>" + body.replace("#", "%23"))


def test_input_then_script_then_frame_in_that_order(page):
    show(
        page,
        "<script>let n = 0; addEventListener('click', () => {"
        " document.body.style.background = `rgb(${++n}, 0, 0)`; });</script>",
    )
    for count in range(1, 61):
        value, image = page.interact(click(50 + count, 50), "n")
        assert value == count
        assert image.shape == (210, 160, 3)
        assert tuple(image[200, 150]) == (count, 0, 0)
        value, image = page.interact((), f"document.body.style.background = 'rgb({count}, 9, 0)'")
        assert tuple(image[200, 150]) == (count, 9, 0)


def test_a_drag_is_seen_as_presses_and_moves_on_the_way(page):
    show(
        page,
        "<script>let seen = []; for (const kind of ['mousedown', 'mousemove', 'mouseup'])"
        " addEventListener(kind, (event) => seen.push([kind, event.clientX, event.clientY, event.buttons]));</script>",
    )
    page.interact((Move(5, 5),), "seen.length = 0")
    value, _ = page.interact(drag((10, 20), (50, 60)), "seen")
    assert value[0] == ["mousemove", 10, 20, 0]
    assert value[1] == ["mousedown", 10, 20, 1]
    assert value[2:-1] == [["mousemove", 10 + step, 20 + step, 1] for step in (10, 20, 30, 40)]
    assert value[-1] == ["mouseup", 50, 60, 0]


def test_the_wheel_has_scrolled_before_the_script_looks(page):
    show(page, "<div id=area style='height:100px;overflow:auto'><div style='height:5000px'>x</div></div>")
    for turn in range(1, 11):
        assert page.interact((Move(50, 50), Wheel(50, 50, 0, 40)), "area.scrollTop")[0] == 40 * turn
    assert page.interact((Move(50, 50), Wheel(50, 50, 0, -1000)), "area.scrollTop")[0] == 0


def test_a_pointer_that_only_moves_is_noticed(page):
    show(page, "<div id=area style='height:100px'></div><style>#area:hover{background:rgb(0,0,255)}</style>")
    _, image = page.interact((Move(50, 50),), "0")
    assert tuple(image[10, 10]) == (0, 0, 255)
    _, image = page.interact((Move(50, 150),), "0")
    assert tuple(image[10, 10]) == (255, 255, 255)


def test_any_text_can_be_typed(page):
    show(page, "<textarea id=area rows=8></textarea>")
    text = 'It\'s "5 < 6" & 100% \\ #1\nnaïve 日本語 😀👩‍👩‍👧 ~`!\n\nend'
    value, _ = page.interact((*click(30, 30), *typing(text)), "area.value")
    assert value == text


def test_keys_tell_pages_what_they_are(page):
    show(
        page,
        "<input id=field><script>let seen = []; field.addEventListener('keydown',"
        " (event) => seen.push([event.key, event.code, event.keyCode, event.ctrlKey]));</script>",
    )
    keys = (Key("a"), Key("A"), Key("?"), Key("Enter"), Key("ArrowLeft"), Key(" "), Key("Control+a"))
    value, _ = page.interact((*click(30, 10), *keys), "seen.filter(([key]) => key !== 'Control')")
    assert value == [
        ["a", "KeyA", 65, False], ["A", "KeyA", 65, False], ["?", "Slash", 191, False], ["Enter", "Enter", 13, False],
        ["ArrowLeft", "ArrowLeft", 37, False], [" ", "Space", 32, False], ["a", "KeyA", 65, True],
    ]  # fmt: skip


def test_enter_submits_and_tab_moves_on(page):
    show(
        page,
        "<form onsubmit='done = true; return false'><input id=a><input id=b><button>Go</button></form>"
        "<script>let done = false</script>",
    )
    value, _ = page.interact((*click(30, 10), *typing("x\ty")), "[a.value, b.value, done]")
    assert value == ["x", "y", False]
    assert page.interact(typing("\n"), "done")[0] is True


def test_the_clipboard_is_the_pages_own(browser, page):
    other = browser.new_page(SIZE, PAGE_SCRIPT)
    for each, text in ((page, "mine"), (other, "theirs")):
        show(each, f"<input id=field value={text}>")
        each.interact((*click(30, 10), Key("Control+a")), "0")
        each.interact((Key("Control+c"), Key("End")), "0")
    assert page.interact((Key("Control+v"),), "field.value")[0] == "minemine"
    assert page.interact((Key("Control+a"), Key("Control+x")), "field.value")[0] == ""
    assert other.interact((Key("Control+v"),), "field.value")[0] == "theirstheirs"
    other.close()


def test_a_list_of_choices_opens_where_pictures_show_it(page):
    show(page, "<select id=list><option>one<option>two<option>three</select>")
    _, closed = page.interact((), "0")
    options = "[...list.options].map((option) => option.getBoundingClientRect().height > 0)"
    value, opened = page.interact(click(20, 10), options)
    assert value == [True, True, True]
    assert (opened[60:] != closed[60:]).any()
    place = page.evaluate("(({x, y, width, height}) => [x + width / 2, y + height / 2])"
                          "(list.options[2].getBoundingClientRect())")  # fmt: skip
    assert page.interact(click(*place), "list.value")[0] == "three"


def test_what_could_not_be_shown_does_not_happen(page):
    show(
        page,
        "<button onclick='answers = [alert(1), confirm(2), prompt(3), window.open(location)]'"
        " style='height:40px'>ask</button>"
        "<input type=time id=time><input type=color id=color><input type=file id=file>",
    )
    assert page.interact(click(10, 20), "answers")[0] == [None, True, None, None]
    for place in page.evaluate("[time, color, file].map((field) => field.getBoundingClientRect())"
                               ".map(({x, y, width, height}) => [x + width - 8, y + height / 2])"):  # fmt: skip
        value, _ = page.interact((*click(*place), Key(" ")), "7")
        assert value == 7


def test_no_way_to_ask_shows_the_clock_on_the_wall(page):
    show(page, "x")
    ask = (
        "[new Date().toISOString(), new Intl.DateTimeFormat('en-US', {timeZone: 'UTC'}).format(),"
        " document.lastModified, performance.timeOrigin, crypto.randomUUID().length]"
    )
    said = ["2024-01-15T09:00:00.000Z", "1/15/2024", "01/15/2024 09:00:00", 1705309200000, 36]
    assert page.evaluate(ask) == said


def test_time_passes_only_when_told(page):
    show(
        page,
        "<script>let log = []; setTimeout(() => log.push('timeout'), 50); setInterval(() => log.push('tick'), 40);"
        " const began = Date.now(); let frames = 0;"
        " requestAnimationFrame(function frame() { frames++; requestAnimationFrame(frame); });</script>",
    )
    look = "[log, frames, Date.now() - began, performance.now(), new Date().toISOString()]"
    assert page.interact((), look)[0] == [[], 0, 0, 0, "2024-01-15T09:00:00.000Z"]
    assert page.interact((Move(5, 5),), look)[0] == [[], 0, 0, 0, "2024-01-15T09:00:00.000Z"]
    value, _ = page.interact((), f"turngymPage.advance(100), {look}")
    assert value == [["tick", "timeout", "tick"], 6, 100, 100, "2024-01-15T09:00:00.100Z"]
    value, _ = page.interact((), f"turngymPage.rewind(), {look}")
    assert value[2:] == [0, 0, "2024-01-15T09:00:00.000Z"]


def test_frames_inside_the_page_share_its_time(page, tmp_path):
    (tmp_path / "inner.html").write_text(
        "<script>setTimeout(() => parent.heard = Date.now() - parent.began, 30)</script>"
    )
    (tmp_path / "outer.html").write_text("<script>began = Date.now()</script><iframe src=inner.html></iframe>")
    page.goto(serve(str(tmp_path)) + "/outer.html")
    assert page.evaluate("window.heard ?? null") is None
    assert page.evaluate("turngymPage.advance(100), heard") == 30


def test_pages_that_never_rest_come_to_an_end_of_each_advance(page):
    show(page, "<script>let n = 0; (function again() { n++; setTimeout(again, 0); })();</script>")
    assert page.evaluate("turngymPage.advance(100), n") == 101


def test_nothing_blinks_or_fades(page):
    show(
        page,
        "<style>input{transition:width 1s}.wide{width:150px}@keyframes k{from{left:0}to{left:99px}}"
        "p{position:absolute;animation:k 1s infinite}</style><input id=field><p>x</p>",
    )
    _, first = page.interact((*click(30, 10), Text("abc")), "field.className = 'wide'")
    for _ in range(5):
        _, image = page.interact((), "0")
        assert (image == first).all()


def test_randomness_starts_equal(browser, page):
    other = browser.new_page(SIZE, PAGE_SCRIPT)
    draws = []
    for each in (page, other):
        show(each, "<script>const drawn = [Math.random(), Math.random(), Math.random()]</script>")
        draws.append(each.evaluate("drawn"))
    other.close()
    assert draws[0] == draws[1]
    assert len(set(draws[0])) == 3
    assert all(0 <= draw < 1 for draw in draws[0])


def test_the_window_may_be_larger_than_the_picture(browser):
    page = browser.new_page(SIZE, "", (500, 320))
    show(page, "<div style='position:fixed;right:0;top:0;width:400px;height:9px;background:red'></div>")
    value, image = page.interact((), "[innerWidth, innerHeight]")
    assert value == [500, 320]
    assert image.shape == (210, 160, 3)
    assert tuple(image[4, 99]) == (255, 255, 255)
    assert tuple(image[4, 101]) == (255, 0, 0)
    page.close()


def test_contexts_share_nothing(browser, page, tmp_path):
    (tmp_path / "index.html").write_text("<p>here")
    address = serve(str(tmp_path)) + "/index.html"
    other = browser.new_page(SIZE)
    for each in (page, other):
        each.goto(address)
    page.evaluate("localStorage.setItem('key', 'mine'), document.cookie = 'key=mine'")
    assert page.evaluate("[localStorage.getItem('key'), document.cookie]") == ["mine", "key=mine"]
    assert other.evaluate("[localStorage.getItem('key'), document.cookie]") == [None, ""]
    other.close()


def test_promises_are_waited_for(page):
    show(page, "x")
    assert page.evaluate("Promise.resolve({a: [1, null]})") == {"a": [1, None]}


def test_a_script_that_fails_is_a_page_error_and_the_browser_lives(browser, page):
    show(page, "x")
    with pytest.raises(InfraError, match=r"page_error.*nobody"):
        page.evaluate("nobody()")
    with pytest.raises(InfraError, match="page_error"):
        page.goto("http://127.0.0.1:1/")
    assert browser.alive
    other = browser.new_page(SIZE)
    show(other, "x")
    assert other.interact((Press(5, 5), Release(5, 5)), "1")[0] == 1
    other.close()


def test_closing_again_is_nothing(browser):
    page = browser.new_page(SIZE)
    page.close()
    page.close()
    assert browser.alive
