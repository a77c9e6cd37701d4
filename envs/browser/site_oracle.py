"""Follow an oracle's script on a web site: each step becomes the calls that fit the page as it is."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from turngym.envs.browser import elements
from turngym.envs.browser.protocol import Page
from turngym.envs.browser.tools import SCROLL
from turngym.envs.types import BadInput, InfraError, ToolCall

Step = Mapping[str, Any]
"""``{"goto": address}``, ``{"click": selector}``, ``{"fill": selector, "text": ..., "enter": bool}``,
``{"select": selector, "option": label}``, ``{"press": key}`` or ``{"answer": text}``; selectors are CSS, and mean
the first visible element that they find."""

KINDS: Sequence[Mapping[str, type]] = (
    {"goto": str},
    {"click": str},
    {"fill": str, "text": str},
    {"fill": str, "text": str, "enter": bool},
    {"select": str, "option": str},
    {"press": str},
    {"answer": str},
)
"""The keys of every kind of step, and what they hold."""

FIND = """((selector, option) => {
  let node = [...document.querySelectorAll(selector)].find((one) => one.checkVisibility({visibilityProperty: true}));
  if (node && option !== null) node = [...node.options].find((one) => one.label.trim() === option.trim()) || null;
  if (!node) return null;
  const box = [...node.getClientRects()].sort((a, b) => b.width - a.width)[0] || node.getBoundingClientRect();
  return {x: box.left + box.width / 2, y: box.top + box.height / 2, width: innerWidth, height: innerHeight};
})"""


def checked(steps: object, where: str) -> tuple[Step, ...]:
    """Return an oracle's steps as a task file has them; :class:`BadInput` that names the one that is none."""
    if not isinstance(steps, list):
        raise BadInput(f"{where}: expected a list of steps, got {type(steps).__name__}")
    for number, step in enumerate(steps):
        held = {key: type(value) for key, value in step.items()} if isinstance(step, dict) else None
        if held not in KINDS:
            kinds = "; ".join(", ".join(f"{key} ({kind.__name__})" for key, kind in keys.items()) for keys in KINDS)
            raise BadInput(f"{where}[{number}]: expected one of {kinds}; got {json.dumps(step)[:80]}")
    return tuple(steps)


class Script:
    """Where an attempt stands in an oracle's steps.

    ``steps`` are those of :data:`Step`; ``start`` is the address that they begin at. Whoever does something else than
    :meth:`calls` said is sent back to the start: what the script did until then may be done twice.
    """

    def __init__(self, steps: Sequence[Step], start: str) -> None:
        self._steps, self._again = list(steps), {"goto": start}
        self._at = 0
        self._pending: list[ToolCall] = []
        self._ends_step = False

    def calls(
        self, page: Page, numbered: bool, to_image: Callable[[float, float], tuple[float, float]]
    ) -> list[ToolCall]:
        """Return the next calls on ``page``; by element where elements are ``numbered``, else by position."""
        if not self._pending and self._at < len(self._steps):
            self._pending, self._ends_step = _Finder(page, numbered, to_image).calls(self._steps[self._at])
        return list(self._pending)

    def did(self, call: ToolCall) -> None:
        """Take note of a call that was carried out."""
        if self._pending and call == self._pending[0]:
            self._pending.pop(0)
            if not self._pending and self._ends_step:
                self._at += 1
            return
        self._pending = []
        if self._at > 0 or self._steps[0] != self._again:
            self._steps = [self._again, *(step for step in self._steps if step is not self._again)]
            self._at = 0


class _Finder:
    """Turns steps into calls."""

    def __init__(self, page: Page, numbered: bool, to_image: Callable[[float, float], tuple[float, float]]) -> None:
        self._page, self._numbered, self._to_image = page, numbered, to_image

    def calls(self, step: Step) -> tuple[list[ToolCall], bool]:
        """Return the calls of a step, and whether they end it or only bring it nearer (scrolling)."""
        match step:
            case {"goto": url}:
                return [_call("goto", url=url)], True
            case {"press": key}:
                return [_call("press", key=key)], True
            case {"answer": text}:
                return [_call("answer", text=text)], True
            case {"click": selector}:
                return self._use(selector, "click_element", [])
            case {"fill": selector, "text": text}:
                enter = bool(step.get("enter", False))
                typed = [_call("type", text=text + "\n" * enter)] if text else [_call("press", key="Delete")]
                by_hand = [_call("press", key="Control+a"), *typed]
                return self._use(selector, "fill_element", by_hand, text=text, enter=enter)
            case {"select": selector, "option": option}:
                return self._select(selector, option)
        raise ValueError(f"unchecked step {step!r}")

    def _select(self, selector: str, option: str) -> tuple[list[ToolCall], bool]:
        if self._numbered:
            return self._use(selector, "select_option", [], option=option)
        # The list opens in the page; once it is open, its option has a place.
        place = self._find(selector, option)
        is_open = place is not None and self._page.evaluate(
            f"document.querySelector({json.dumps(selector)}).matches(':open')"
        )
        if is_open and place is not None:
            return self._point(place, [])
        return self._use(selector, "click_element", [])[0], False

    def _use(self, selector: str, tool: str, by_hand: list[ToolCall], **arguments: Any) -> tuple[list[ToolCall], bool]:
        place = self._find(selector)
        if place is None:
            raise InfraError("no_oracle", f"the page {self._page.url} shows nothing at {selector!r}")
        if not self._numbered:
            return self._point(place, by_hand)
        number = elements.ask(self._page, "numberOf", selector)["number"]
        if number is not None:
            return [_call(tool, element=number, **arguments)], True
        if 0 <= place["y"] < place["height"]:
            raise InfraError("no_oracle", f"the page {self._page.url} numbers nothing at {selector!r}")
        return [_call("scroll_page", direction="down" if place["y"] > 0 else "up")], False

    def _find(self, selector: str, option: str | None = None) -> dict[str, float] | None:
        found: dict[str, float] | None = self._page.evaluate(f"{FIND}({json.dumps(selector)}, {json.dumps(option)})")
        return found

    def _point(self, place: Mapping[str, float], then: list[ToolCall]) -> tuple[list[ToolCall], bool]:
        middle = self._pixel(place["width"] / 2, place["height"] / 2)
        off = place["y"] - place["height"] / 2
        if not 0 <= place["y"] < place["height"]:
            distance = round(max(-SCROLL, min(SCROLL, off)))
            return [_call("scroll", **middle, dx=0, dy=distance)], False
        return [_call("click", **self._pixel(place["x"], place["y"])), *then], True

    def _pixel(self, x: float, y: float) -> dict[str, int]:
        across, down = self._to_image(x, y)
        return {"x": math.floor(across), "y": math.floor(down)}


def _call(name: str, **arguments: Any) -> ToolCall:
    return {"name": name, "arguments": arguments}
