"""BrowserGym's dialect: one call a turn, such as ``click('12')`` or ``fill('12', 'text')``, in a code fence or not.

Elements go by their number in quotes, positions through ``mouse_...`` and ``keyboard_...``. Beyond BrowserGym, ``fill``
takes ``enter=True`` and ``tab_close`` a tab's number; a tool that it has no function for goes by its own name. What
BrowserGym has and this has not is told what does it instead.

Source: Le Sellier De Chezelles et al., The BrowserGym Ecosystem for Web Agent Research, 2024.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from turngym.agents.dialects.calls import (
    Call,
    Malformed,
    blanks,
    given,
    nameless,
    parse,
    shorten,
    spell,
    whole,
    without_thought,
)
from turngym.envs import ToolCall

Values = dict[str, Any]

_FENCE = re.compile(r"```(?:python|py)?[ \t]*\n?(.*?)```", re.DOTALL)
_ACTION = re.compile(r"<action>(.*?)</action>", re.DOTALL)
_A_PAGE = 600
"""Pixels that ``scroll`` is written with for most of a screen."""


def _same(*names: str) -> Callable[[Values], Values]:
    """Keep these arguments as they are."""
    return lambda got: given(**{name: got[name] for name in names})


def _element(got: Values) -> Values:
    if got.get("bid") is None:
        raise Malformed("it needs an element")
    return {"element": whole(got["bid"])}


def _scroll(got: Values) -> Values:
    across, down = got["delta_x"], got["delta_y"]
    if across not in (None, 0) or not isinstance(down, int | float) or down == 0:
        raise Malformed("the page scrolls up or down")
    return {"direction": "down" if down > 0 else "up"}


def _option(got: Values) -> Values:
    options = got["options"] if isinstance(got["options"], list) else [got["options"]]
    if len(options) != 1 or options[0] is None:
        raise Malformed("it takes one option")
    return {**_element(got), "option": options[0]}


@dataclass(frozen=True, slots=True)
class Action:
    """What one of BrowserGym's functions comes to."""

    tool: str
    parameters: tuple[str, ...] = ()
    arguments: Callable[[Values], Values] = lambda got: {}
    """From the function's arguments, by name, to the tool's."""


_DRAG = ("from_x", "from_y", "to_x", "to_y")

ACTIONS: dict[str, Action] = {
    "noop": Action("wait", ("wait_ms",)),
    "click": Action("click_element", ("bid", "button", "modifiers"), _element),
    "dblclick": Action("double_click_element", ("bid", "button", "modifiers"), _element),
    "hover": Action("hover_element", ("bid",), _element),
    "fill": Action(
        "fill_element",
        ("bid", "value", "enter"),
        lambda got: {**_element(got), **given(text=got["value"], enter=got["enter"])},
    ),
    "clear": Action("fill_element", ("bid",), lambda got: {**_element(got), "text": ""}),
    "select_option": Action("select_option", ("bid", "options"), _option),
    "scroll": Action("scroll_page", ("delta_x", "delta_y"), _scroll),
    "scroll_at": Action("scroll", ("x", "y", "dx", "dy"), _same("x", "y", "dx", "dy")),
    "mouse_click": Action("click", ("x", "y", "button"), _same("x", "y")),
    "mouse_dblclick": Action("double_click", ("x", "y", "button"), _same("x", "y")),
    "mouse_drag_and_drop": Action(
        "drag", _DRAG, lambda got: given(x=got["from_x"], y=got["from_y"], to_x=got["to_x"], to_y=got["to_y"])
    ),
    "keyboard_type": Action("type", ("text",), _same("text")),
    "keyboard_insert_text": Action("type", ("text",), _same("text")),
    "keyboard_press": Action("press", ("key",), _same("key")),
    "goto": Action("goto", ("url",), _same("url")),
    "go_back": Action("back"),
    "go_forward": Action("forward"),
    "new_tab": Action("new_tab"),
    "tab_focus": Action("switch_tab", ("index",), lambda got: given(tab=got["index"])),
    "tab_close": Action("close_tab", ("index",), lambda got: given(tab=got["index"])),
    "send_msg_to_user": Action("answer", ("text",), _same("text")),
    "report_infeasible": Action("answer", ("reason",), lambda got: {"text": "N/A"}),
}
"""BrowserGym's functions, with their parameters in order."""

INSTEAD = {
    "press": "keyboard_press('Enter') presses where the focus is, which click('12') and fill('12', 'x') move",
    "focus": "click('12') moves the focus",
    "check": "click('12') does it",
    "uncheck": "click('12') does it",
    "drag_and_drop": "mouse_drag_and_drop(1, 2, 3, 4) takes positions",
    "upload_file": "files are not uploaded here",
}
"""BrowserGym's functions that no tool carries out, and what does it instead."""

FORMS: dict[str, Callable[[Values], str]] = {
    "wait": lambda got: spell("noop"),
    "click_element": lambda got: spell("click", _bid(got)),
    "double_click_element": lambda got: spell("dblclick", _bid(got)),
    "right_click_element": lambda got: spell("click", _bid(got), button="right"),
    "hover_element": lambda got: spell("hover", _bid(got)),
    "fill_element": lambda got: spell("fill", _bid(got), got["text"], **given(enter=got.get("enter"))),
    "select_option": lambda got: spell("select_option", _bid(got), got["option"]),
    "scroll_page": lambda got: spell("scroll", 0, {"down": _A_PAGE, "up": -_A_PAGE}[got["direction"]]),
    "scroll": lambda got: spell("scroll_at", *(got[name] for name in ("x", "y", "dx", "dy"))),
    "click": lambda got: spell("mouse_click", got["x"], got["y"]),
    "double_click": lambda got: spell("mouse_dblclick", got["x"], got["y"]),
    "drag": lambda got: spell("mouse_drag_and_drop", *(got[name] for name in ("x", "y", "to_x", "to_y"))),
    "type": lambda got: spell("keyboard_type", got["text"]),
    "press": lambda got: spell("keyboard_press", got["key"]),
    "goto": lambda got: spell("goto", got["url"]),
    "back": lambda got: spell("go_back"),
    "forward": lambda got: spell("go_forward"),
    "new_tab": lambda got: spell("new_tab"),
    "switch_tab": lambda got: spell("tab_focus", got["tab"]),
    "close_tab": lambda got: spell("tab_close", got["tab"]),
    "answer": lambda got: spell("send_msg_to_user", got["text"]),
}
"""How each tool is written."""


def _bid(got: Values) -> str:
    return str(got["element"])


def manual(tools: list[dict[str, Any]]) -> str:
    """List the functions, one a line with what it does."""
    return "\n".join(f"- {_form(tool['function'])}: {tool['function']['description']}" for tool in tools)


def _form(function: dict[str, Any]) -> str:
    name = function["name"]
    if name == "scroll_page":
        return "scroll(0, <pixels>)"  # of which only the sign counts
    return FORMS[name](blanks(function)) if name in FORMS else spell(name, **blanks(function))


def write(call: ToolCall) -> str:
    """Write a call in a code fence; a thought goes before it."""
    return f"```\n{_function(call)}\n```"


def _function(call: ToolCall) -> str:
    """Write a call as BrowserGym's function where that says all of it, else by the tool's own name."""
    name, got = call["name"], dict(call["arguments"])
    if name in FORMS:
        try:
            text = FORMS[name](got)
            if _meaning(parse(text)) == call:
                return text
        except (KeyError, TypeError, Malformed):
            pass
    return spell(name, **got)


def read(completion: str) -> ToolCall:
    """Read the only call of a completion: in a code fence, between ``<action>`` tags, or on a line of its own."""
    said = without_thought(completion)
    for pattern in (_FENCE, _ACTION):
        if found := pattern.findall(said):
            if len(found) > 1:
                return nameless(f"expected one action, found {len(found)}")
            return _read(found[0])
    lines = [line for line in said.splitlines() if re.match(r"\s*\w+\(", line)]
    return _read(lines[0] if len(lines) == 1 and "\n" in said.strip() else said)


def _read(text: str) -> ToolCall:
    try:
        return _meaning(parse(text))
    except Malformed as why:
        return nameless(f"expected one action such as click('12'), got {shorten(text)!r}: {why}")


def _meaning(call: Call) -> ToolCall:
    action = ACTIONS.get(call.name)
    if action is None or _is_own(call):
        if call.name in INSTEAD and (call.positional or "bid" in call.named or "from_bid" in call.named):
            raise Malformed(f"there is no {call.name} of elements: {INSTEAD[call.name]}")
        if call.positional:
            raise Malformed(f"there is no {call.name} with arguments that have no name")
        return {"name": call.name, "arguments": call.named}
    got = call.bind(*action.parameters)
    tool = action.tool
    if got.get("button") == "right" and call.name == "click":
        tool = "right_click_element"
    elif got.get("button") not in (None, "left"):
        raise Malformed(f"there is no {call.name} with button {got['button']!r}")
    if got.get("modifiers"):
        raise Malformed("there are no held keys")
    return {"name": tool, "arguments": action.arguments(got)}


def _is_own(call: Call) -> bool:
    """Whether a name that is both a tool's and BrowserGym's is meant as the tool's: by its arguments' names."""
    return call.name in FORMS and bool(call.named) and not set(call.named) <= set(ACTIONS[call.name].parameters)
