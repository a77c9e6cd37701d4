"""Elements used by number, in real pages."""

import pytest

from turngym.envs import Refused
from turngym.envs.browser import elements, pool
from turngym.envs.browser.elements import Mark
from turngym.envs.browser.miniwob import MiniWoBEnv
from turngym.envs.browser.observations import read
from turngym.envs.browser.oracles import ORACLES
from turngym.envs.browser.tools import events
from turngym.envs.browser.view import View

SIZE = (800, 600)
VIEW = View(SIZE, SIZE)

FIELDS = """<!doctype html><input id=text value=old><textarea id=area>one
two</textarea><input type=date id=date value=2024-01-15><input type=range id=range min=0 max=10 value=5>
<div contenteditable=true id=rich>old</div><input id=shut disabled type=date>
<select id=one><option value=a>Apple<option value=b>Big  pear<option value=c disabled>Cherry</select>
<select id=two multiple size=3><option selected>x<option selected>y<option>z</select>
<button id=menu>menu</button>
<label>Tick <input type=checkbox id=tick style="opacity:0"></label>
<script>let log = [];
for (const kind of ['input', 'change', 'dblclick', 'contextmenu', 'mouseenter', 'keydown', 'auxclick'])
  document.body.addEventListener(kind, ({type, target, key}) => { log.push([type, target.id, key ?? '']) }, true)
</script>"""


@pytest.fixture(scope="module", params=["devtools", "playwright"])
def browser(request):
    browser = pool.launch(request.param)
    yield browser
    browser.close()


@pytest.fixture
def page(browser, tmp_path):
    page = browser.new_page(SIZE)
    (tmp_path / "index.html").write_text(FIELDS)
    page.goto((tmp_path / "index.html").as_uri())
    yield page
    page.close()


@pytest.fixture
def use(page):
    """Use an element by its ``id`` attribute and return the value of a script."""
    line = {text.partition('id="')[2].partition('"')[0]: text for text in read(page, "dom").text.splitlines()}
    numbers = {name: int(text.partition("[")[2].partition("]")[0]) for name, text in line.items() if "[" in text}

    def do(tool, name, js, **arguments):
        call = {"name": tool, "arguments": {"element": numbers[name], **arguments}}
        return page.interact(events(call, VIEW.to_page, page), js)[0]

    return do


@pytest.mark.browser
def test_fields_hold_what_they_are_filled_with(use):
    assert use("fill_element", "text", "text.value", text="It's 5 < 6, é 😀") == "It's 5 < 6, é 😀"
    assert use("fill_element", "text", "text.value", text="") == ""
    assert use("fill_element", "area", "area.value", text="three\nfour") == "three\nfour"
    assert use("fill_element", "rich", "rich.innerText", text="new") == "new"
    assert use("fill_element", "text", "log.slice(-2)", text="x", enter=True) == [
        ["keydown", "text", "Enter"],
        ["change", "text", ""],
    ]


@pytest.mark.browser
def test_fields_that_take_no_typing_are_filled_all_the_same(use):
    assert use("fill_element", "date", "[date.value, log]", text="2024-02-29") == [
        "2024-02-29",
        [["input", "date", ""], ["change", "date", ""]],
    ]
    assert use("fill_element", "range", "range.value", text="7") == "7"
    for name, text, why in [("date", "tomorrow", "does not fit"), ("date", "2023-02-29", "does not fit"),
                            ("range", "11", "does not fit"), ("shut", "2024-01-01", "is disabled")]:  # fmt: skip
        with pytest.raises(Refused, match=why):
            use("fill_element", name, "0", text=text)
    assert use("hover_element", "date", "[date.value, range.value]") == ["2024-02-29", "7"]


@pytest.mark.browser
def test_options_are_chosen_by_label_or_value(use):
    told = "[one.value, log.splice(0)]"
    both = [["input", "one", ""], ["change", "one", ""]]
    assert use("select_option", "one", told, option="Big pear") == ["b", both]
    assert use("select_option", "one", told, option="a") == ["a", both]
    assert use("select_option", "one", told, option="BIG PEAR") == ["b", both]
    assert use("select_option", "two", "[...two.selectedOptions].map(o => o.text)", option="z") == ["z"]
    for name, option, why in [
        ("one", "Plum", "has no option 'Plum': it has 'Apple', 'Big pear', 'Cherry'"),
        ("one", "Cherry", "option 'Cherry' is disabled"),
        ("menu", "x", "is a button, not a list of options"),
    ]:
        with pytest.raises(Refused, match=why):
            use("select_option", name, "0", option=option)
    assert use("hover_element", "one", "one.value") == "b"


@pytest.mark.browser
@pytest.mark.parametrize(
    ("tool", "name", "more"),
    [
        ("fill_element", "text", {"text": "x"}),
        ("fill_element", "date", {"text": "2024-02-29"}),
        ("select_option", "one", {"option": "Big pear"}),
        ("click_element", "menu", {}),
    ],
)
def test_nothing_is_done_to_what_is_covered(page, use, tool, name, more):
    page.evaluate("cover = document.createElement('div'), cover.style = 'position:fixed;inset:0;background:#eee',"
                  "document.body.append(cover), 0")  # fmt: skip
    with pytest.raises(Refused, match="is covered by div"):
        use(tool, name, "0", **more)
    values = "[text.value, date.value, one.value, log.filter(([type]) => type !== 'mouseenter')]"
    assert page.evaluate(values) == ["old", "2024-01-15", "a", []]
    page.evaluate("cover.remove()")
    use(tool, name, "0", **more)
    assert tool == "click_element" or page.evaluate(values) != ["old", "2024-01-15", "a", []]


@pytest.mark.browser
def test_double_and_right_clicks_arrive(use):
    assert ["dblclick", "menu", ""] in use("double_click_element", "menu", "log")
    assert ["contextmenu", "menu", ""] in use("right_click_element", "menu", "log")
    assert ["mouseenter", "area", ""] in use("hover_element", "area", "log")


@pytest.mark.browser
def test_the_label_of_a_box_that_is_not_seen_stands_for_it(page):
    (label,) = [mark for mark in read(page, "elements").marks if mark.role == "label"]
    call = {"name": "click_element", "arguments": {"element": label.id}}
    assert page.interact(events(call, VIEW.to_page, page), "tick.checked")[0] is True


@pytest.mark.browser
def test_what_listens_to_the_pointer_is_usable_where_the_script_came_first(browser, tmp_path):
    (tmp_path / "index.html").write_text(
        "<i class=star style='display:inline-block;width:9px;height:9px'></i><b>plain</b><u onmouseover=x>no</u>"
        "<script>document.querySelector('i').addEventListener('click', () => { n = 1 })</script>"
    )
    page = browser.new_page(SIZE, elements.SCRIPT)
    page.goto((tmp_path / "index.html").as_uri())
    assert [mark.name for mark in read(page, "marks").marks] == ["star"]
    page.close()
    page = browser.new_page(SIZE)
    page.goto((tmp_path / "index.html").as_uri())
    assert read(page, "marks").marks == ()
    assert page.evaluate("String(EventTarget.prototype.addEventListener)").count("native code") == 1
    page.close()


@pytest.mark.browser
def test_the_script_comes_once(page):
    elements.ask(page, "list")
    page.evaluate("mine = turngymElements")
    page.evaluate(elements.SCRIPT)
    assert page.evaluate("mine === turngymElements")


@pytest.mark.browser
@pytest.mark.parametrize("observation", ["html", "axtree", "dom", ["marks", "html"]])
def test_miniwob_is_played_by_number(observation):
    env = MiniWoBEnv(task="login-user", observation=observation)
    try:
        for seed in range(3):
            observed, info = env.reset(seed=seed)
            user, password = info["instruction"].split('"')[1::2]
            fields = [mark.id for mark in read(env._page, "dom").marks if mark.role == "textbox"]
            (button,) = [mark.id for mark in read(env._page, "dom").marks if mark.role == "button"]
            assert len(observed["images"]) == (1 if "marks" in observation else 0)
            for field, text in zip(fields, (user, password), strict=True):
                env.step({"name": "fill_element", "arguments": {"element": field, "text": text}})
            assert env.step({"name": "click_element", "arguments": {"element": button}})[1] == 1.0
    finally:
        env.close()


@pytest.mark.browser
def test_oracles_play_without_pictures_where_clicks_and_keys_will_do():
    needs_pictures, rewards = set(), {}
    for task in ORACLES:
        env = MiniWoBEnv(task=task, observation="axtree", max_turns=60)
        try:
            env.reset(seed=1)
            over, reward = False, 0.0
            while not over:
                _, reward, terminated, truncated, info = env.step(env.solution()[0])
                assert info["error"] is None, task
                over = terminated or truncated
            rewards[task] = reward
        except NotImplementedError as reason:
            assert "needs a picture" in str(reason)
            needs_pictures.add(task)
        finally:
            env.close()
    # One page among them pays for nearness, and a click's numbers are whole.
    assert rewards == dict.fromkeys(rewards, 1.0) | {"circle-center": pytest.approx(1.0, abs=0.1)}
    assert len(rewards) > len(needs_pictures)


@pytest.mark.browser
def test_miniwob_without_pictures_plays_as_with_them():
    fill, click = "fill_element", "click_element"
    calls = [(fill, 1, {"text": "a"}), (fill, 3, {"text": "b c"}), (click, 0, {}), ("hover_element", 4, {}),
             (fill, 1, {"text": "d"}), (click, 99, {}), (click, 2, {}), (click, 4, {})]  # fmt: skip
    told = []
    for observation in (["axtree"], ["screenshot", "axtree"]):
        env = MiniWoBEnv(task="login-user", observation=observation)
        seen = [env.reset(seed=5)[0]["text"]]
        for name, element, more in calls:
            observed, reward, *_, info = env.step({"name": name, "arguments": {"element": element, **more}})
            seen += [observed["text"], reward, info["error"]]
        env.close()
        told.append(seen)
    assert told[0] == told[1]
    assert told[0][-2:] == [-1.0, None]
    assert "value='d'" in told[0][-3]


def test_a_mark_is_told_in_a_line():
    field = Mark(3, "textbox", "Name", (0, 0, 9, 9), (4, 4), True, value="x", states=("focused",))
    assert str(field) == "[3] textbox 'Name' holding 'x' (focused)"
    assert str(Mark(12, "button", "Go", (0, 0, 9, 9), (4, 4), True, value="x")) == "[12] button 'Go'"
