"""Oracles: what to do next, and after that, in a MiniWoB++ page, read off its DOM.

An oracle is a function of the screen as it is, so it is asked again every turn and never keeps a plan. Coordinates of
its calls are page pixels.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from turngym.envs.browser.screen import Node, Screen
from turngym.envs.types import ToolCall

Calls = list[ToolCall]


@dataclass(frozen=True, slots=True)
class Oracle:
    """A plan, and a JavaScript expression for what it needs beyond the visible elements."""

    plan: Callable[[Screen], Calls]
    probe: str = "null"


def call(name: str, **arguments: Any) -> ToolCall:
    """Return a tool call."""
    return {"name": name, "arguments": arguments}


def click(node: Node) -> ToolCall:
    """Return a click on the middle of a node."""
    return call("click", x=node.x, y=node.y)


def fill(node: Node, text: str) -> Calls:
    """Return what is left to do until a field holds ``text`` and nothing else."""
    if node.value == text:
        return []
    calls = [] if node.focused else [click(node)]
    if node.value and not (node.focused and node.marked):
        calls.append(call("press", key="Control+a"))
    return [*calls, call("type", text=text)]


def submit(screen: Screen, name: str = "Submit") -> Calls:
    """Return the click on a button."""
    return [click(screen.find(role="button", name=name))]


# Plans that serve several tasks -------------------------------------------------------------------------------


def pointing(shapes: str) -> Oracle:
    """Click in the middle of all shapes that a selector finds, then submit."""
    middle = (
        "((...all) => { const boxes = all.map((one) => one.getBoundingClientRect());"
        " const mean = (of) => boxes.reduce((sum, box) => sum + of(box), 0) / boxes.length;"
        " return boxes.length ? {x: mean((box) => box.x + box.width / 2), y: mean((box) => box.y + box.height / 2)}"
        " : null; })"
    )
    found = (f"{middle}(...document.querySelectorAll('{selector}'))" for selector in (shapes, "#blue-circle"))
    return Oracle(_point, "({{goal: {}, marked: {}}})".format(*found))


def clicks(pattern: str, attribute: str = "name", **wanted: Any) -> Oracle:
    """Click the node whose ``attribute`` the instruction names."""
    return Oracle(lambda screen: [click(screen.find(**{attribute: screen.words(pattern)[0]}, **wanted))])


def fields(texts: Callable[[Screen], Mapping[str, str]], button: str = "Submit", probe: str = "null") -> Oracle:
    """Fill fields, given by id, then press a button."""

    def plan(screen: Screen) -> Calls:
        filling = [step for id, text in texts(screen).items() for step in fill(screen.find(id=id), text)]
        return filling + submit(screen, button)

    return Oracle(plan, probe)


def choices(role: str, pattern: str = "Select (.*) and click Submit") -> Oracle:
    """Make exactly the named boxes checked, then submit."""

    def plan(screen: Screen) -> Calls:
        wanted = screen.words(pattern)[0].split(", ")
        wrong = [node for node in screen.all(role) if node.checked != (node.name in wanted)]
        # A radio button goes out when another is chosen.
        wrong = [node for node in wrong if role == "checkbox" or not node.checked]
        return [click(node) for node in wrong] + submit(screen)

    return Oracle(plan)


def _middle(box: Mapping[str, float]) -> dict[str, float]:
    return {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}


# Plans for one task each --------------------------------------------------------------------------------------


def _button_sequence(screen: Screen) -> Calls:
    return [click(node) for node in (screen.find(name="ONE"), screen.find(name="TWO")) if not node.clicked]


def _collapsible(screen: Screen) -> Calls:
    opening = [] if screen.all("tabpanel") else [click(screen.all("tab")[0])]
    return [*opening, click(screen.find(name="Submit"))]


def _ascending_numbers(screen: Screen) -> Calls:
    # The numbers turn into blank squares at the first click, and a square goes when it is clicked.
    left = screen.all("text") or screen.all("rect")
    return [click(node) for node in sorted(left, key=lambda node: int(node.name))]


def _nth_textbox(screen: Screen) -> Calls:
    return [click(screen.find(id="tt" + screen.words(r"the (\d)")[0]))]


def _choose_list(screen: Screen) -> Calls:
    wanted, chosen = screen.words("Select (.*) from the list")[0], screen.find(role="combobox")
    if chosen.name == wanted:
        return submit(screen)
    names, open_at = screen.probe["names"], screen.probe["focused"]
    opening = [] if open_at >= 0 else [click(chosen)]
    distance = names.index(wanted) - (open_at if open_at >= 0 else names.index(chosen.name))
    key = "ArrowDown" if distance > 0 else "ArrowUp"
    done = call("click", **_middle(screen.probe["button"]))  # the open list may cover the button
    return [*opening, *[call("press", key=key)] * abs(distance), call("press", key="Enter"), done]


def _slider(screen: Screen) -> Calls:
    distance = int(screen.words(r"Select (-?\d+)")[0]) - screen.probe["value"]
    if distance == 0:
        return submit(screen)
    track, low, high = screen.probe["track"], screen.probe["min"], screen.probe["max"]
    key = call("press", key="ArrowRight" if distance > 0 else "ArrowLeft")
    if screen.probe["focused"] and abs(distance) <= 5:
        return [key] * abs(distance) + submit(screen)
    share, place = (screen.probe["value"] + distance - low) / (high - low), _middle(track)
    share = min(0.98, max(0.02, share))  # the ends of the track are reached with keys
    if screen.probe["vertical"]:
        place["y"] = track["y"] + track["height"] * (1 - share)
    else:
        place["x"] = track["x"] + track["width"] * share
    return [call("click", **place), *submit(screen)]


def _spinner(screen: Screen) -> Calls:
    field = screen.find(id="spinner")
    distance = int(screen.words(r"Select (-?\d+)")[0]) - int(field.value)
    if distance == 0:
        return submit(screen)
    key = call("press", key="ArrowUp" if distance > 0 else "ArrowDown")
    return [*([] if field.focused else [click(field)]), *[key] * abs(distance), *submit(screen)]


def _dropdown_then_button(screen: Screen) -> Calls:
    wanted, button = screen.words('Choose (.*) from .* labeled "(.*)"')
    page = screen.probe
    done = call("click", **_middle(page["buttons"][button]))
    if not page["open"]:
        return [done] if page["chosen"] == wanted else [call("click", **_middle(page["box"])), done]
    place = _middle(page["list"])
    if shown := [node for node in screen.all("li") if node.name == wanted]:
        return [click(shown[0]), done]
    return [call("scroll", **place, dx=0, dy=round(_middle(page["rows"][wanted])["y"] - place["y"])), done]


def _drag_box(screen: Screen) -> Calls:
    small, large = screen.find(id="draggableSmall"), screen.probe
    goal = _middle(large)
    if max(abs(small.x - goal["x"]), abs(small.y - goal["y"])) < 3:
        return submit(screen)
    return [call("drag", x=small.x, y=small.y, to_x=goal["x"], to_y=goal["y"]), *submit(screen)]


def _shades(screen: Screen) -> Calls:
    color = screen.words("shades of (.*) and")[0]
    return [click(node) for node in screen.all("span") if node.kind == color and not node.clicked] + submit(screen)


def _highlight(screen: Screen) -> Calls:
    box = screen.probe["box"]
    right, bottom = box["x"] + box["width"] - 1, box["y"] + box["height"]
    # From within the first line to within the last: lines are 11 pixels high.
    marking = call("drag", x=box["x"], y=box["y"] + 5, to_x=right, to_y=bottom - 5)
    return submit(screen) if screen.probe["marked"] else [marking, *submit(screen)]


def _point(screen: Screen) -> Calls:
    goal, marked = screen.probe["goal"], screen.probe["marked"]
    if marked and math.hypot(marked["x"] - goal["x"], marked["y"] - goal["y"]) < 3:
        return submit(screen)
    return [call("click", **goal), *submit(screen)]


def _scroll_text(screen: Screen) -> Calls:
    down = screen.words("to the (bottom|top)")[0] == "bottom"
    area, rest = screen.find(role="textbox"), screen.probe["below" if down else "above"]
    turns = -(-rest // 1000)
    return [call("scroll", x=area.x, y=area.y, dx=0, dy=1000 if down else -1000)] * turns + submit(screen)


# Texts for forms ----------------------------------------------------------------------------------------------


def _quoted(id: str) -> Callable[[Screen], Mapping[str, str]]:
    return lambda screen: {id: screen.words('"(.*?)"')[0]}


def _cased(screen: Screen) -> Mapping[str, str]:
    text, case = screen.words('"(.*?)" in all (upper|lower) case')
    return {"tt": text.upper() if case == "upper" else text.lower()}


def _table_value(screen: Screen) -> Mapping[str, str]:
    cells = [node.name for node in screen.all("td")]
    return {"tt": cells[cells.index(screen.words("value of (.*) into")[0]) + 1]}


def _arithmetic(screen: Screen) -> Mapping[str, str]:
    left, sign, right = re.fullmatch(r"(\d+) ([-+x*]) (\d+) =", screen.find(id="math-problem").name).groups()  # type: ignore[union-attr]
    a, b = int(left), int(right)
    return {"math-answer": str(a + b if sign == "+" else a - b if sign == "-" else a * b)}


def _box(selector: str) -> str:
    """JavaScript for the box of an element, which is a node only while its middle is visible."""
    box = f"document.querySelector('{selector}').getBoundingClientRect()"
    return f"(({{x, y, width, height}}) => ({{x, y, width, height}}))({box})"


QUOTED = r'"(.*)"'

ORACLES: dict[str, Oracle] = {
    "click-test": Oracle(lambda screen: [click(screen.all("button")[0])]),
    "click-test-2": clicks(r"button (\w+)\."),
    "click-test-transfer": clicks(r"button (\w+)\."),
    "click-button": clicks(QUOTED, role="button"),
    "unicode-test": clicks(QUOTED, role="button"),
    "click-link": clicks(QUOTED, role="span"),
    "click-color": clicks("on the (.*) colored", role="div"),
    "click-tab": clicks(r"on (Tab #\d)", role="tab"),
    "click-widget": clicks(QUOTED, "kind"),
    "grid-coordinate": clicks(r"(\(.*\))", "id"),
    "click-dialog": Oracle(lambda screen: [click(screen.find(role="button", name="Close"))]),
    "click-dialog-2": Oracle(
        lambda screen: [click(screen.find(role="button", name=screen.words(QUOTED)[0].replace("x", "Close")))]
    ),
    "focus-text": Oracle(lambda screen: [click(screen.all("textbox")[0])]),
    "focus-text-2": Oracle(_nth_textbox),
    "click-button-sequence": Oracle(_button_sequence),
    "click-collapsible": Oracle(_collapsible),
    "ascending-numbers": Oracle(_ascending_numbers),
    "enter-text": fields(_quoted("tt")),
    "enter-text-dynamic": fields(_quoted("tt")),
    "enter-text-2": fields(_cased),
    "enter-password": fields(lambda screen: dict.fromkeys(("password", "verify"), screen.words(QUOTED)[0])),
    "login-user": fields(
        lambda screen: dict(zip(("username", "password"), screen.words('"(.*?)".*"(.*?)"'), strict=True)), "Login"
    ),
    "read-table": fields(_table_value),
    "simple-arithmetic": fields(_arithmetic),
    "text-transform": fields(
        lambda screen: {"tt": screen.probe}, probe="document.querySelector('#captcha').textContent"
    ),
    "copy-paste": fields(
        lambda screen: {"answer-input": screen.probe}, probe="document.querySelector('#to-copy').value"
    ),
    "use-spinner": Oracle(_spinner),
    "click-checkboxes": choices("checkbox"),
    "click-checkboxes-transfer": choices("checkbox"),
    "click-checkboxes-large": choices("checkbox"),
    "click-option": choices("radio"),
    "choose-list": Oracle(
        _choose_list,
        "(([...all]) => ({names: all.map((option) => option.text), focused: all.indexOf(document.activeElement),"
        f" button: {_box('#area button')}}}))(document.querySelectorAll('#options option'))",
    ),
    "use-slider": Oracle(
        _slider,
        "({value: $('#slider').slider('value'), min: $('#slider').slider('option', 'min'),"
        " max: $('#slider').slider('option', 'max'), focused: document.activeElement.matches('.ui-slider-handle'),"
        " vertical: $('#slider').slider('option', 'orientation') === 'vertical',"
        f" track: {_box('#slider')}}})",
    ),
    "form-sequence-3": Oracle(
        _dropdown_then_button,
        "(({box, named}) => ({chosen: $('#dropdown').val(), open: $('.selectric-open').length > 0,"
        " box: box($('.selectric')[0]), list: box($('.selectric-scroll')[0]),"
        " rows: named('.selectric-scroll li'), buttons: named('#buttons button')}))"
        "((box => ({box, named: (all) => Object.fromEntries($(all).get().map((one) => [one.innerText, box(one)]))}))"
        "((one) => one.getBoundingClientRect().toJSON()))",
    ),
    "drag-box": Oracle(_drag_box, _box("#draggableLarge")),
    "click-shades": Oracle(_shades),
    "highlight-text": Oracle(
        _highlight,
        f"({{box: {_box('#randomText')}, marked: String(getSelection()).trim()"
        " === document.querySelector('#randomText').innerText.trim()})",
    ),
    "circle-center": pointing(".black-circle"),
    "find-midpoint": pointing(".black-circle"),
    "scroll-text-2": Oracle(
        _scroll_text,
        "((area) => ({above: area.scrollTop, below: area.scrollHeight - area.clientHeight - area.scrollTop}))"
        "(document.querySelector('textarea'))",
    ),
}
"""Every oracle by the name of its task."""
