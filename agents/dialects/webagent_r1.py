"""WebAgent-R1's dialect: ``<think>...</think><answer>do(action="Click", element="12")</answer>``.

One action an answer: ``do(action, argument, element)``, ``exit(message)``, ``go_backward()`` or ``go_forward()``, as
WebRL has them too. All that the published prompt offers is understood, also what its parser refused. A tool without a
published action goes by its own name: ``goto(url="...")``.

Source: Wei et al., WebAgent-R1, 2025; Qi et al., WebRL, 2024.
"""

from __future__ import annotations

import re
from collections.abc import Callable
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

_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
_HINT = "Make sure there is only one action enclosed by <answer> and </answer>."


def _click(tool: str) -> Callable[[Values], ToolCall]:
    return lambda got: _call(tool, element=whole(_needed(got, "element")))


def _fill(got: Values, **more: Any) -> ToolCall:
    return _call("fill_element", element=whole(_needed(got, "element")), text=_needed(got, "argument"), **more)


def _choose(got: Values) -> ToolCall:
    return _call("select_option", element=whole(_needed(got, "element")), option=_needed(got, "argument"))


ACTIONS: dict[str, Callable[[Values], ToolCall]] = {
    "Click": _click("click_element"),
    "Right Click": _click("right_click_element"),
    "Type": _fill,
    "Search": lambda got: _fill(got, enter=True),
    "Hover": _click("hover_element"),
    "Scroll Up": lambda got: _call("scroll_page", direction="up"),
    "Scroll Down": lambda got: _call("scroll_page", direction="down"),
    "Press Enter": lambda got: _call("press", key="Enter"),
    "Switch Tab": lambda got: _call("switch_tab", tab=whole(_needed(got, "argument"))),
    "Select Dropdown Option": _choose,
    "Wait": lambda got: _call("wait"),
    "Go Backward": lambda got: _call("back"),
    "Go Forward": lambda got: _call("forward"),
}
"""Every ``action`` of ``do`` and what it does."""

_BY_NAME = {name.lower(): action for name, action in ACTIONS.items()}

MANUAL = {
    "click_element": ('do(action="Click", element="<id>")', "Click an element."),
    "right_click_element": ('do(action="Right Click", element="<id>")', "Click an element with the right button."),
    "hover_element": ('do(action="Hover", element="<id>")', "Move the pointer onto an element."),
    "fill_element": (
        'do(action="Type", argument="<text>", element="<id>")',
        'Replace what an element holds. "Search" instead of "Type" presses Enter afterwards.',
    ),
    "select_option": (
        'do(action="Select Dropdown Option", argument="<option>", element="<id>")',
        "Choose an option of a list.",
    ),
    "scroll_page": ('do(action="Scroll Down")', '"Scroll Up" or "Scroll Down" by most of a screen.'),
    "press": ('do(action="Press Enter")', 'Press Enter; press(key="<key>") presses another key.'),
    "switch_tab": ('do(action="Switch Tab", argument="<number>")', "Switch to another tab; the first is 0."),
    "wait": ('do(action="Wait")', "Do nothing for a moment."),
    "back": ("go_backward()", "Go back to the page before."),
    "forward": ("go_forward()", "Go forward again."),
    "answer": ('exit(message="<answer>")', "End the task, with the answer if something was asked."),
}
"""How each tool with a published action is written, and what it does."""


def manual(tools: list[dict[str, Any]]) -> str:
    """List the actions, one a line with what it does; ``<id>`` stands for an element's number."""
    lines = []
    for tool in tools:
        function = tool["function"]
        plain = spell(function["name"], **blanks(function)), function["description"]
        form, about = MANUAL.get(function["name"], plain)
        lines.append(f"- {form}: {about}")
    return "\n".join(lines)


def write(call: ToolCall) -> str:
    """Write a call as the answer; a thought goes before it."""
    return f"<answer>{_action(call['name'], dict(call['arguments']))}</answer>"


def _action(name: str, got: Values) -> str:
    """Write an action in the published form where that says all of the call, else by the tool's own name."""
    element, text, option = got.get("element"), got.get("text"), got.get("option")
    numbered = type(element) is int and 0 <= element < 10**9
    match name, sorted(got):
        case (("click_element" | "right_click_element" | "hover_element"), ["element"]) if numbered:
            action = {"click_element": "Click", "right_click_element": "Right Click", "hover_element": "Hover"}[name]
            return spell("do", action=action, element=str(element))
        case "fill_element", ["element", "text"] if numbered and isinstance(text, str):
            return spell("do", action="Type", argument=text, element=str(element))
        case "fill_element", ["element", "enter", "text"] if (
            numbered and isinstance(text, str) and got["enter"] is True
        ):
            return spell("do", action="Search", argument=text, element=str(element))
        case "select_option", ["element", "option"] if numbered and isinstance(option, str):
            return spell("do", action="Select Dropdown Option", argument=option, element=str(element))
        case "scroll_page", ["direction"] if got["direction"] in ("up", "down"):
            return spell("do", action=f"Scroll {got['direction'].capitalize()}")
        case "press", ["key"] if got["key"] == "Enter":
            return spell("do", action="Press Enter")
        case "switch_tab", ["tab"] if type(got["tab"]) is int and 0 <= got["tab"] < 10**9:
            return spell("do", action="Switch Tab", argument=str(got["tab"]))
        case "wait", []:
            return spell("do", action="Wait")
        case "back", []:
            return spell("go_backward")
        case "forward", []:
            return spell("go_forward")
        case "answer", ["text"] if isinstance(text, str):
            return spell("exit", message=text)
        case _:
            return spell(name, **got)


def read(completion: str) -> ToolCall:
    """Read the action of the only answer of a completion, whether or not a thought precedes it."""
    answers = _ANSWER.findall(without_thought(completion))
    if len(answers) != 1:
        return nameless(f"expected one <answer>...</answer>, found {len(answers)}. {_HINT}")
    text = answers[0].strip()
    try:
        call = _parse(text)
    except Malformed:
        return nameless(f"cannot parse action {shorten(text)}. {_HINT}")
    try:
        return _meaning(call)
    except Malformed as why:
        return nameless(f"invalid action {shorten(text)}. {_HINT} ({why})")


def _meaning(call: Call) -> ToolCall:
    match call.name:
        case "do":
            got = call.bind("action", "argument", "element")
            action = _BY_NAME.get(" ".join(str(got["action"]).replace("_", " ").lower().split()))
            if action is None:
                raise Malformed(f"there is no action {shorten(str(got['action']))!r}")
            return action(got)
        case "exit":
            message = call.bind("message")["message"]
            return _call("answer", text="" if message is None else message)
        case "go_backward" | "go_forward":
            call.bind()
            return _call("back" if call.name == "go_backward" else "forward")
        case name:
            if call.positional:
                raise Malformed(f"the arguments of {name} go by name")
            return {"name": name, "arguments": call.named}


# What models write between quotes is often not quite Python: line breaks, and quotes that are not escaped. An argument
# then ends where the next one, or the call, does.
_ARGUMENT = re.compile(
    r"""\s*(action|argument|element|message)\s*=\s*(?:(["'])(.*?)\2|(None|\d{1,9}))\s*"""
    r"""(?:,(?=\s*(?:action|argument|element|message)\s*=)|\Z)""",
    re.DOTALL,
)
_COMMENTS = re.compile(r"\A(?:\s*#[^\n]*(?:\n|\Z))+")
_LONGEST_LOOSE = 10_000
"""Characters of an action that is read in spite of missing escapes."""


def _parse(text: str) -> Call:
    """Read an action as Python; where it is none for want of escapes, by where its arguments begin and end."""
    # Comments ahead of an action name its element; they may hold anything.
    text = _COMMENTS.sub("", text).strip()
    try:
        return parse(text)
    except Malformed:
        name, _, inside = text.partition("(")
        if name not in ("do", "exit") or not inside.endswith(")") or len(inside) > _LONGEST_LOOSE:
            raise
    named: Values = {}
    at, inside = 0, inside[:-1]
    while at < len(inside):
        found = _ARGUMENT.match(inside, at)
        if found is None or found[1] in named:
            raise Malformed("it is not one call of a function")
        named[found[1]] = found[3] if found[2] else None if found[4] == "None" else int(found[4])
        at = found.end()
    return Call(name, (), named)


def _needed(got: Values, name: str) -> Any:
    if got[name] is None:
        raise Malformed(f"it needs {name}")
    return str(got[name]) if name == "argument" else got[name]


def _call(name: str, **arguments: Any) -> ToolCall:
    return {"name": name, "arguments": given(**arguments)}
