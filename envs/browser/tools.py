"""The tools of a browser environment, and what mouse and keyboard do for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from turngym.envs.browser import elements
from turngym.envs.browser.keyboard import typing
from turngym.envs.browser.observations import draws, numbers
from turngym.envs.browser.protocol import Event, Key, Move, Page, Press, Release, Wheel
from turngym.envs.core import Refused
from turngym.envs.spaces import Schema, Tool
from turngym.envs.types import ToolCall

PRESSABLE = (
    "Enter", "Backspace", "Delete", "Tab", "Escape", " ", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home",
    "End", "PageUp", "PageDown", "Shift+Tab", "Control+a", "Control+c", "Control+v", "Control+x", "Control+z",
    *"abcdefghijklmnopqrstuvwxyz0123456789",
)  # fmt: skip
"""Keys of the ``press`` tool."""
SCROLL = 1000
"""Largest distance of one ``scroll``, page pixels."""
DRAG_STEPS = 4
"""Pointer moves of a ``drag``: pages want to see the pointer on its way."""

MOST_ELEMENTS = 200
"""Elements that by-element tools can name."""

ToPage = Callable[[int, int], tuple[int, int] | None]


def tools(width: int, height: int) -> list[Tool]:
    """Return the tools of an environment whose images are ``width`` x ``height`` pixels."""
    x: Schema = {"type": "integer", "minimum": 0, "maximum": width - 1}
    y: Schema = {"type": "integer", "minimum": 0, "maximum": height - 1}
    distance: Schema = {"type": "integer", "minimum": -SCROLL, "maximum": SCROLL}
    return [
        Tool("click", "Click at (x, y).", {"x": x, "y": y}),
        Tool("double_click", "Click twice at (x, y).", {"x": x, "y": y}),
        Tool("drag", "Drag from (x, y) to (to_x, to_y).", {"x": x, "y": y, "to_x": x, "to_y": y}),
        Tool("type", "Type text with the keyboard; a newline is Enter.", {"text": {"type": "string"}}),
        Tool("press", "Press one key or combination.", {"key": {"enum": list(PRESSABLE)}}),
        Tool(
            "scroll",
            "Scroll by (dx, dy) pixels with the pointer at (x, y); positive dy is down.",
            {"x": x, "y": y, "dx": distance, "dy": distance},
        ),
        Tool("wait", "Do nothing for a moment.", {}),
    ]


def element_tools(most: int = MOST_ELEMENTS) -> list[Tool]:
    """Return the by-element tools: elements are numbered as the observation lists them, up to ``most``."""
    element: Schema = {
        "type": "integer",
        "minimum": 0,
        "maximum": most - 1,
        "description": "Number of the element in the observation.",
    }
    text: Schema = {"type": "string", "description": "What the element is to hold; replaces what it holds."}
    enter: Schema = {"type": "boolean", "default": False, "description": "Whether to press Enter afterwards."}
    option: Schema = {"type": "string", "description": "The option's label."}
    return [
        Tool("click_element", "Click the element of that number.", {"element": element}),
        Tool("double_click_element", "Click the element twice.", {"element": element}),
        Tool("right_click_element", "Click the element with the right button.", {"element": element}),
        Tool("hover_element", "Move the pointer onto the element.", {"element": element}),
        Tool("fill_element", "Replace an element's text.", {"element": element, "text": text, "enter": enter}),
        Tool("select_option", "Choose an option of a list.", {"element": element, "option": option}),
    ]


def site_tools() -> list[Tool]:
    """Return what an environment of whole web sites has besides: moving about, tabs, and the answer."""
    direction: Schema = {"enum": ["up", "down"], "description": "Where to."}
    url: Schema = {"type": "string", "minLength": 1, "description": "The address, with its scheme."}
    tab: Schema = {"type": "integer", "minimum": 0, "description": "The tab's number, counted from 0."}
    text: Schema = {
        "type": "string",
        "description": "The answer alone, or empty where nothing was asked; N/A says that the task cannot be done.",
    }
    return [
        Tool("scroll_page", "Scroll the page by most of a screen.", {"direction": direction}),
        Tool("goto", "Load an address in this tab.", {"url": url}),
        Tool("back", "Go back to the page before.", {}),
        Tool("forward", "Go forward again.", {}),
        Tool("new_tab", "Open an empty tab and switch to it.", {}),
        Tool("switch_tab", "Switch to another tab.", {"tab": tab}),
        Tool("close_tab", "Close a tab.", {"tab": tab}),
        Tool("answer", "End the task with an answer.", {"text": text}),
    ]


def tools_for(kinds: Sequence[str], width: int, height: int, most: int = MOST_ELEMENTS) -> list[Tool]:
    """Return the tools that fit what is seen: positions where there are pictures, numbers where there are numbers."""
    pointing = [tool for tool in tools(width, height) if draws(kinds) or "x" not in tool.parameters]
    return pointing + (element_tools(most) if numbers(kinds) else [])


def events(call: ToolCall, to_page: ToPage, page: Page) -> tuple[Event, ...]:
    """Return what mouse and keyboard do for a call; raise :class:`Refused` where that is impossible.

    An element that a call names is looked up on ``page`` and scrolled into view. What mouse and keyboard cannot do
    (choosing from a list that opens outside the page, filling a date field) is done at once, by script.
    """
    arguments = call["arguments"]
    match call["name"]:
        case "click":
            return click(*_point(arguments, to_page))
        case "double_click":
            return double_click(*_point(arguments, to_page))
        case "drag":
            return drag(_point(arguments, to_page), _point(arguments, to_page, "to_x", "to_y"))
        case "type":
            return _typed(arguments["text"])
        case "press":
            return (Key(arguments["key"]),)
        case "scroll":
            x, y = _point(arguments, to_page)
            return (Move(x, y), Wheel(x, y, arguments["dx"], arguments["dy"]))
        case name if "element" in arguments:
            return _by_element(name, int(arguments["element"]), arguments, page)
        case _:
            return ()


def _by_element(name: str, element: int, arguments: dict[str, Any], page: Page) -> tuple[Event, ...]:
    if name == "select_option":
        elements.choose(page, element, _valid(arguments["option"]))
        return ()
    if name == "fill_element":
        return _fill(element, arguments["text"], bool(arguments.get("enter", False)), page)
    x, y = elements.locate(page, element)
    match name:
        case "click_element":
            return click(x, y)
        case "double_click_element":
            return double_click(x, y)
        case "right_click_element":
            return (Move(x, y), Press(x, y, button="right"), Release(x, y, button="right"))
        case _:
            return (Move(x, y),)


def _fill(element: int, text: str, enter: bool, page: Page) -> tuple[Event, ...]:
    typed = _typed(text)
    done = (Key("Enter"),) if enter else ()
    if elements.put(page, element, text):
        return done
    x, y = elements.locate(page, element)
    return (*click(x, y), Key("Control+a"), *(typed or (Key("Delete"),)), *done)


def click(x: float, y: float) -> tuple[Event, ...]:
    """Return one click at a page position."""
    return (Move(x, y), Press(x, y), Release(x, y))


def double_click(x: float, y: float) -> tuple[Event, ...]:
    """Return a double click at a page position."""
    return (*click(x, y), Press(x, y, 2), Release(x, y, 2))


def drag(start: tuple[float, float], end: tuple[float, float]) -> tuple[Event, ...]:
    """Return a drag between two page positions, in a straight line."""
    (x, y), (to_x, to_y) = start, end
    fractions = [step / DRAG_STEPS for step in range(1, DRAG_STEPS + 1)]
    path = [Move(x + (to_x - x) * f, y + (to_y - y) * f, held=True) for f in fractions]
    return (Move(x, y), Press(x, y), *path, Release(to_x, to_y))


def _point(arguments: dict[str, Any], to_page: ToPage, x: str = "x", y: str = "y") -> tuple[int, int]:
    # JSON Schema counts 5.0 as an integer.
    point = to_page(int(arguments[x]), int(arguments[y]))
    if point is None:
        raise Refused(f"({arguments[x]}, {arguments[y]}) is outside the page")
    return point


def _typed(text: str) -> tuple[Event, ...]:
    return typing(_valid(text))


def _valid(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused("text is not valid Unicode (it has a surrogate without its other half)") from None
    return text
