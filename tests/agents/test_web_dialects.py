"""The dialects of published web agents: every tool there and back, and what models write instead."""

import numpy as np
import pytest

from turngym.agents import dialects, prompts
from turngym.envs import ToolCallSpace
from turngym.envs.browser.tools import PRESSABLE, element_tools, site_tools, tools

SPACE = ToolCallSpace([*tools(1280, 720), *element_tools(), *site_tools()])
R1, GYM = dialects.find("webagent-r1"), dialects.find("browsergym")

TEXTS = (
    "", "x", 'She said "yes", and \'no\'', "two\nlines\r\n\tand a tab", "back\\slash \\n \\x41", "</answer><answer>",
    "<think></think>", "```\nclick('1')\n```", "é 日本語 🦊 \u2028 \x00 \x85", "\ud83d",
    "message=\"a\", element=\"1\")",
    "# Note: no comment", "</action>", "N/A", "None", "12", "{braces} %s",
)  # fmt: skip


def call(name, **arguments):
    return {"name": name, "arguments": arguments}


def every_call():
    """Calls of every tool: drawn ones, and each text argument with each hard text."""
    SPACE.seed(0)
    calls = [SPACE.sample() for _ in range(1500)]
    assert {drawn["name"] for drawn in calls} == set(SPACE.names)
    for text in TEXTS:
        calls += [
            call("type", text=text),
            call("fill_element", element=3, text=text),
            call("fill_element", element=3, text=text, enter=True),
            call("fill_element", element=3, text=text, enter=False),
            call("select_option", element=0, option=text),
            call("goto", url=text),
            call("answer", text=text),
        ]
    calls += [call("press", key=key) for key in PRESSABLE]
    # What no tool takes travels too: the environment says what is wrong with it.
    calls += [call("click_element", element="abc"), call("click", x=1), call("click", x=1.5, y=-2, z=[1, {"a": None}])]
    calls += [call("unheard_of"), call("scroll_page", direction="left"), call("wait", seconds=True)]
    return calls


@pytest.mark.parametrize("dialect", [R1, GYM], ids=["webagent-r1", "browsergym"])
def test_what_is_written_is_read_back(dialect):
    for made in every_call():
        text = dialect.write(made)
        assert dialect.read(text) == made, text
        thought = "<think> Should I click('3')? <answer>exit()</answer> ```goto('x')``` </think>\n"
        assert dialect.read(thought + text) == made, text
        assert dialect.read("hm.</think> " + text) == made, text


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (call("click_element", element=12), 'do(action="Click", element="12")'),
        (call("right_click_element", element=1), 'do(action="Right Click", element="1")'),
        (call("fill_element", element=2, text="a b"), 'do(action="Type", argument="a b", element="2")'),
        (call("fill_element", element=2, text="a", enter=True), 'do(action="Search", argument="a", element="2")'),
        (call("hover_element", element=2), 'do(action="Hover", element="2")'),
        (call("scroll_page", direction="up"), 'do(action="Scroll Up")'),
        (call("scroll_page", direction="down"), 'do(action="Scroll Down")'),
        (call("press", key="Enter"), 'do(action="Press Enter")'),
        (call("switch_tab", tab=1), 'do(action="Switch Tab", argument="1")'),
        (
            call("select_option", element=4, option="May"),
            'do(action="Select Dropdown Option", argument="May", element="4")',
        ),
        (call("wait"), 'do(action="Wait")'),
        (call("answer", text="42"), 'exit(message="42")'),
        (call("back"), "go_backward()"),
        (call("forward"), "go_forward()"),
        (call("goto", url="http://a/"), 'goto(url="http://a/")'),
    ],
)
def test_webagent_r1_is_written_as_published(made, text):
    assert R1.write(made) == f"<answer>{text}</answer>"


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("do(action='Click', element=12)", call("click_element", element=12)),
        ('do("Click", None, "12")', call("click_element", element=12)),
        ('do(action="Click", argument=None, element="[12]")', call("click_element", element=12)),
        ('do(action="click", element="12")', call("click_element", element=12)),
        ('do(action="press_enter")', call("press", key="Enter")),
        ("# Element: (\"'big'\n# Note: 3\ndo(action=\"Click\", element=\"7\")", call("click_element", element=7)),
        ('do(action="go backward")', call("back")),
        ("exit()", call("answer", text="")),
        ('exit("done")', call("answer", text="done")),
        ('exit(message=None)', call("answer", text="")),
        ('exit(message="He said "hi", twice")', call("answer", text='He said "hi", twice')),
        ('exit(message="one\ntwo\n# three")', call("answer", text="one\ntwo\n# three")),
        ("exit(message='it's (here)')", call("answer", text="it's (here)")),
        (
            'do(action="Type", argument="a "b" \n c", element="3")',
            call("fill_element", element=3, text='a "b" \n c'),
        ),
        ('do(action="Type", argument=5, element="3")', call("fill_element", element=3, text="5")),
        ('do(action="Type", argument="", element="3")', call("fill_element", element=3, text="")),
    ],
)  # fmt: skip
def test_webagent_r1_reads_what_models_write(text, made):
    for completion in (
        f"<answer>{text}</answer>",
        f"<think>so</think>\n<answer> {text} </answer>",
        f"Well: <answer>\n{text}\n</answer>.",
    ):
        assert R1.read(completion) == made


@pytest.mark.parametrize(
    ("completion", "why"),
    [
        ("", "expected one <answer>...</answer>, found 0"),
        ('do(action="Click", element="1")', "found 0"),
        ("<think><answer>go_backward()</answer></think>", "found 0"),
        ("<answer>go_backward()</answer><answer>go_backward()</answer>", "found 2"),
        ("<answer></answer>", "cannot parse action"),
        ("<answer>click the button</answer>", "cannot parse action click the button"),
        ("<answer>go_backward()\ngo_forward()</answer>", "cannot parse action"),
        ('<answer>do(action="Click", element="1"</answer>', "cannot parse action"),
        ("<answer>do(action=open('x'))</answer>", "cannot parse action"),
        ("<answer>__import__('os').system('true')</answer>", "cannot parse action"),
        ("<answer>exit(**{'message': 'x'})</answer>", "cannot parse action"),
        ('<answer>exit(message="a", message="b")</answer>', "cannot parse action"),
        ("<answer>do(action=f'Click', element='1')</answer>", "cannot parse action"),
        ("<answer>do(1j)</answer>", "cannot parse action"),
        ('<answer>do(action="Fly")</answer>', "there is no action 'Fly'"),
        ("<answer>do()</answer>", "there is no action 'None'"),
        ('<answer>do(action="Exit", argument="x")</answer>', "there is no action 'Exit'"),
        ('<answer>do(action="Click")</answer>', "it needs element"),
        ('<answer>do(action="Type", element="3")</answer>', "it needs argument"),
        ('<answer>do(action="Click", element="1", why="x")</answer>', "takes no argument 'why'"),
        ('<answer>exit("a", "b")</answer>', "exit takes at most 1 arguments"),
        ('<answer>exit("a", message="b")</answer>', "got message twice"),
        ("<answer>go_backward(2)</answer>", "takes at most 0"),
        ("<answer>goto('x')</answer>", "the arguments of goto go by name"),
    ],
)
def test_webagent_r1_says_what_is_wrong(completion, why):
    read = R1.read(completion)
    assert read["name"] == ""
    assert why in read["arguments"]["error"]
    assert "Make sure there is only one action enclosed by <answer> and </answer>." in read["arguments"]["error"]
    # It reaches the policy whole: an environment cuts what is longer.
    assert SPACE.explain(read) == read["arguments"]["error"]


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (call("click_element", element=12), 'click("12")'),
        (call("right_click_element", element=12), 'click("12", button="right")'),
        (call("fill_element", element=2, text="it's"), 'fill("2", "it\'s")'),
        (call("fill_element", element=2, text="a", enter=True), 'fill("2", "a", enter=True)'),
        (call("scroll_page", direction="down"), "scroll(0, 600)"),
        (call("scroll", x=1, y=2, dx=0, dy=-5), "scroll_at(1, 2, 0, -5)"),
        (call("click", x=3, y=4), "mouse_click(3, 4)"),
        (call("drag", x=1, y=2, to_x=3, to_y=4), "mouse_drag_and_drop(1, 2, 3, 4)"),
        (call("type", text="a"), 'keyboard_type("a")'),
        (call("press", key="Tab"), 'keyboard_press("Tab")'),
        (call("switch_tab", tab=1), "tab_focus(1)"),
        (call("close_tab", tab=1), "tab_close(1)"),
        (call("answer", text="42"), 'send_msg_to_user("42")'),
        (call("wait"), "noop()"),
    ],
)
def test_browsergym_is_written_as_published(made, text):
    assert GYM.write(made) == f"```\n{text}\n```"


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("click('12')", call("click_element", element=12)),
        ("click('12', 'right')", call("right_click_element", element=12)),
        ("click(bid='12', button='left')", call("click_element", element=12)),
        ("noop(1000)", call("wait")),
        ("scroll(0, -200.5)", call("scroll_page", direction="up")),
        ("select_option('4', ['May'])", call("select_option", element=4, option="May")),
        ("clear('4')", call("fill_element", element=4, text="")),
        ("report_infeasible('there is no such thing')", call("answer", text="N/A")),
        ("mouse_click(3, 4)", call("click", x=3, y=4)),
        ("click(x=3, y=4)", call("click", x=3, y=4)),
        ("scroll(x=1, y=2, dx=0, dy=9)", call("scroll", x=1, y=2, dx=0, dy=9)),
    ],
)
def test_browsergym_reads_what_models_write(text, made):
    for completion in (text, f" {text}\n", f"```python\n{text}\n```", f"I will.\n```\n{text}\n```\nDone.",
                       f"<think>click('1')</think>{text}",
                       f"First this:\n{text}", f"<action>\n{text}\n</action>"):  # fmt: skip
        assert GYM.read(completion) == made


@pytest.mark.parametrize(
    ("completion", "why"),
    [
        ("", "not one call"),
        ("I click the button.", "not one call"),
        ("click('1')\nclick('2')", "not one call"),
        ("```\nclick('1')\n```\n```\nclick('2')\n```", "found 2"),
        ("```\nclick('1'); click('2')\n```", "not one call"),
        ("page.click('1')", "not one call"),
        ("click(open('x'))", "not a plain value"),
        ("click()", "it needs an element"),
        ("fly('1')", "there is no fly"),
        ("press('12', 'Enter')", "there is no press of elements: keyboard_press('Enter') presses where the focus is"),
        ("check(bid='12')", "there is no check of elements: click('12') does it"),
        ("drag_and_drop('12', '13')", "there is no drag_and_drop of elements: mouse_drag_and_drop(1, 2, 3, 4) takes"),
        ("click('1', button='middle')", "no click with button 'middle'"),
        ("click('1', modifiers=['Alt'])", "no held keys"),
        ("scroll(200, 0)", "up or down"),
        ("select_option('4', ['May', 'June'])", "one option"),
        ("new_tab(3)", "takes at most 0"),
    ],
)
def test_browsergym_says_what_is_wrong(completion, why):
    read = GYM.read(completion)
    assert read["name"] == ""
    assert why in read["arguments"]["error"]


@pytest.mark.parametrize("dialect", [R1, GYM], ids=["webagent-r1", "browsergym"])
def test_nothing_that_a_model_says_raises(dialect):
    rng = np.random.default_rng(0)
    hard = [
        "(" * 100_000, "[" * 100_000, "-" * 100_000 + "1", "a" * 200_000 + "()", "f(" + "9" * 5000 + ")",
        "f('\\ud83d')",
        "f('\\N{nothing}')", "f(\x00)", "f('\ud83d')", "exit(message=\"" + '", ' * 4000, "f(" + "{1:" * 200 + ")",
        "do(" + " " * 9000, "exit(message='" + "' " * 4000 + "x)", "#" * 5000, "f(1, *a)", "f(**a)", "lambda: 0",
        "f(a.b.c)", "f('\\d')", "```" * 999, "<answer>" * 999, "</think>" * 999, "f(x=1, x=2)", "f({[]: 1})",
        "f({**a})",
        "do(action=['Click'], element={'a': 1})", "do(action='Switch Tab', argument=['1'])", "f(0x1)", "f(b'a')",
    ]  # fmt: skip
    pieces = ['do(action="Click"', "exit(", "click('1')", ")", '"', "'", "\\", "\n", ",", "element=", "```", "</think>"]
    hard += ["".join(rng.choice(pieces, 12)) for _ in range(500)]
    for text in hard:
        for completion in (text, f"<answer>{text}</answer>", f"```\n{text}\n```", f"<think>{text}"):
            read = dialect.read(completion)
            assert set(read) == {"name", "arguments"}
            assert isinstance(read["name"], str)
            assert isinstance(read["arguments"], dict)
            SPACE.explain(read)


@pytest.mark.parametrize("dialect", [R1, GYM], ids=["webagent-r1", "browsergym"])
def test_the_manual_has_a_line_for_every_tool(dialect):
    lines = dialect.manual(SPACE.tools).splitlines()
    assert len(lines) == len(SPACE.tools)
    assert len(set(lines)) == len(lines)
    assert any('goto(url="<url>")' in line or 'goto("<url>")' in line for line in lines)
    few = dialect.manual(ToolCallSpace(tools(84, 112)).tools)
    assert "<element>" not in few
    assert "<id>" not in few


def test_the_prompt_of_webagent_r1_takes_the_manual():
    prompt = prompts.read("webagent_r1")
    assert prompt.count("{tools}") == 1
    assert R1.manual(SPACE.tools) in prompt.replace("{tools}", R1.manual(SPACE.tools))
    assert all(tag in prompt for tag in ("<think>", "</think>", "<answer>", "</answer>"))
