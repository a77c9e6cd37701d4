"""The tools of a browser environment, and what mouse and keyboard do for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from turngym.envs.browser.keyboard import typing
from turngym.envs.browser.protocol import Event, Key, Move, Press, Release, Wheel
from turngym.envs.browser.screen import Node
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


def element_tools() -> list[Tool]:
    """Return the by-element tools: elements are numbered as the observation lists them."""
    element: Schema = {"type": "integer", "minimum": 0, "maximum": MOST_ELEMENTS - 1}
    return [
        Tool("click_element", "Click the element of that number.", {"element": element}),
        Tool("fill_element", "Replace an element's text.", {"element": element, "text": {"type": "string"}}),
    ]


def events(call: ToolCall, to_page: ToPage, nodes: Sequence[Node] = ()) -> tuple[Event, ...]:
    """Return what mouse and keyboard do for a call; raise :class:`Refused` where that is impossible.

    ``nodes`` are the elements that by-element tools count.
    """
    arguments = call["arguments"]
    match call["name"]:
        case "click":
            return click(*_point(arguments, to_page))
        case "double_click":
            x, y = _point(arguments, to_page)
            return (*click(x, y), Press(x, y, 2), Release(x, y, 2))
        case "drag":
            return drag(_point(arguments, to_page), _point(arguments, to_page, "to_x", "to_y"))
        case "type":
            return _typed(arguments["text"])
        case "press":
            return (Key(arguments["key"]),)
        case "scroll":
            x, y = _point(arguments, to_page)
            return (Move(x, y), Wheel(x, y, arguments["dx"], arguments["dy"]))
        case "click_element":
            node = _node(arguments, nodes)
            return click(node.x, node.y)
        case "fill_element":
            node = _node(arguments, nodes)
            return (*click(node.x, node.y), Key("Control+a"), *_typed(arguments["text"]))
        case _:
            return ()


def click(x: float, y: float) -> tuple[Event, ...]:
    """Return one click at a page position."""
    return (Move(x, y), Press(x, y), Release(x, y))


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


def _node(arguments: dict[str, Any], nodes: Sequence[Node]) -> Node:
    number = int(arguments["element"])
    if number >= len(nodes):
        raise Refused(f"there is no element {number}: the page shows {len(nodes)}")
    return nodes[number]


def _typed(text: str) -> tuple[Event, ...]:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused("text is not valid Unicode (it has a surrogate without its other half)") from None
    return typing(text)
