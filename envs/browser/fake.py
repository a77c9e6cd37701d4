"""A browser without a browser: one page, drawn and answered in Python, behind the same protocol.

It plays ``click-color`` as the real page does (four coloured boxes, one of them asked for) and answers the calls that
:mod:`turngym.envs.browser.miniwob` makes to its script, whatever the page's address. It dies or hangs on demand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from turngym.envs.browser.protocol import Cookie, Event, Happening, Press, Release, Size
from turngym.envs.types import Image, InfraError

COLORS = {
    "red": (255, 0, 0), "blue": (0, 0, 255), "lime": (0, 255, 0), "black": (0, 0, 0), "yellow": (255, 255, 0),
    "cyan": (0, 255, 255), "magenta": (255, 0, 255), "grey": (128, 128, 128),
}  # fmt: skip
SIDE = 50
BOXES = ((24, 78), (86, 78), (24, 142), (86, 142))
"""Upper left corners of the boxes, pixels."""


class FakeBrowser:
    """A browser that is only pretended. :meth:`die` and :meth:`hang` make the next call fail as a real one would."""

    def __init__(self) -> None:
        self._failure: InfraError | None = None
        self._closed = False
        self.pages = 0
        """Pages now open."""

    @property
    def alive(self) -> bool:
        """Whether it can still be used."""
        return self._failure is None and not self._closed

    def new_context(
        self, size: Size, script: str = "", window: Size | None = None, hosts: Sequence[str] | None = None
    ) -> FakeContext:
        """Open a context."""
        return FakeContext(self, size)

    def new_page(
        self, size: Size, script: str = "", window: Size | None = None, hosts: Sequence[str] | None = None
    ) -> FakePage:
        """Open a page."""
        self.check()
        self.pages += 1
        return FakePage(self, size)

    def close(self) -> None:
        """Close the browser."""
        self._closed = True

    def die(self) -> None:
        """Be found dead by the next call."""
        self._failure = InfraError("browser_died", "the browser ended")

    def hang(self) -> None:
        """Be found hung by the next call."""
        self._failure = InfraError("browser_hung", "the browser did not answer within 0 s")

    def check(self) -> None:
        """Raise if it cannot be used."""
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise InfraError("browser_died", "the browser is gone")


class FakeContext:
    """A context of a :class:`FakeBrowser`: pages, and cookies that nobody asks for."""

    def __init__(self, browser: FakeBrowser, size: Size) -> None:
        self._browser, self._size = browser, size
        self._pages: list[FakePage] = []

    def new_page(self) -> FakePage:
        """Open a page."""
        self._pages.append(self._browser.new_page(self._size))
        return self._pages[-1]

    def add_cookies(self, cookies: Sequence[Cookie]) -> None:
        """Take cookies."""
        self._browser.check()

    def reset(self) -> None:
        """Close its pages."""
        for page in self._pages:
            page.close()
        self._pages.clear()

    def close(self) -> None:
        """Close its pages."""
        self.reset()


class FakePage:
    """The page of a :class:`FakeBrowser`."""

    def __init__(self, browser: FakeBrowser, size: Size) -> None:
        self._browser = browser
        self._size = size
        self._open = True
        self._colors: list[str] = []
        self._wanted = ""
        self._pressed: tuple[float, float] | None = None
        self._done, self._reward = False, 0.0
        self._url = "about:blank"

    @property
    def url(self) -> str:
        """Its address."""
        return self._url

    def goto(self, url: str) -> None:
        """Accept any address."""
        self._browser.check()
        self._url = url

    def evaluate(self, js: str) -> Any:
        """Answer ``turngym.NAME(JSON arguments)`` and the like of the script for elements; anything else is null."""
        self._browser.check()
        match = re.fullmatch(r"(?:turngym\.|window\.turngymElements\?\.)(\w+)\((.*)\)", js)
        if match is None:
            return None
        return getattr(self, f"_js_{match[1]}")(*json.loads(f"[{match[2]}]"))

    def perform(self, events: Sequence[Event]) -> None:
        """Take clicks."""
        self._browser.check()
        for event in events:
            if isinstance(event, Press):
                self._pressed = (event.x, event.y)
            elif isinstance(event, Release) and self._pressed == (event.x, event.y) and not self._done:
                self._click(event.x, event.y)

    def go(self, steps: int) -> bool:
        """Go nowhere: there is one page."""
        return False

    def settle(self, seconds: float) -> None:
        """Be quiet at once."""
        self._browser.check()

    def interact(self, events: Sequence[Event], js: str, draw: bool = True) -> tuple[Any, Image | None]:
        """Take clicks, answer, draw."""
        self.perform(events)
        return self.evaluate(js), self.draw() if draw else None

    def happenings(self) -> list[Happening]:
        """Return nothing: nothing happens."""
        return []

    def command(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Refuse: there is no browser behind it."""
        raise InfraError("page_error", f"a fake page knows no {method}")

    def close(self) -> None:
        """Close the page."""
        self._browser.pages -= self._open
        self._open = False

    def _click(self, x: float, y: float) -> None:
        for color, (left, top) in zip(self._colors, BOXES, strict=True):
            if left <= x < left + SIDE and top <= y < top + SIDE:
                self._done, self._reward = True, 1.0 if color == self._wanted else -1.0

    def draw(self) -> Image:
        """Draw the boxes."""
        self._browser.check()
        width, height = self._size
        frame = np.full((height, width, 3), 255, np.uint8)
        for color, (left, top) in zip(self._colors, BOXES, strict=False):
            frame[top : top + SIDE, left : left + SIDE] = COLORS[color]
        return frame

    def _state(self) -> dict[str, Any]:
        return {"ready": True, "done": self._done, "reward": self._reward}

    def _js_start(self, seed: int, mode: str, width: int, height: int, most: int) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        self._colors = [str(color) for color in rng.permutation(list(COLORS))[: len(BOXES)]]
        self._wanted = self._colors[int(rng.integers(len(BOXES)))]
        self._done, self._reward, self._pressed = False, 0.0, None
        return {**self._state(), "instruction": f"Click on the {self._wanted} colored box."}

    def _js_step(self, duration: int) -> dict[str, Any]:
        return self._state()

    def _js_look(self, probe: None) -> dict[str, Any]:
        return {"elements": self._elements(), "probe": probe}

    def _js_list(self) -> dict[str, Any]:
        return {"elements": self._elements()}

    def _js_locate(self, number: int) -> dict[str, Any]:
        if number >= len(self._colors):
            return {"refusal": f"there is no element {number}"}
        left, top = BOXES[number]
        return {"x": left + SIDE / 2, "y": top + SIDE / 2}

    def _js_put(self, number: int, text: str) -> dict[str, Any]:
        return {"put": False}

    def _js_choose(self, number: int, option: str) -> dict[str, Any]:
        return {"refusal": f"element {number} is a div, not a list of options"}

    def _js_html(self, longest: int) -> dict[str, Any]:
        text = " ".join(f'<div id="{at}"> {color} </div>' for at, color in enumerate(self._colors))
        return {"text": text[:longest], "length": len(text), "elements": self._elements()}

    def _elements(self) -> list[dict[str, Any]]:
        plain = {"role": "div", "id": "", "value": "", "width": SIDE, "height": SIDE, "usable": True, "reached": True}
        plain |= dict.fromkeys(("checked", "disabled", "focused", "marked", "clicked"), False)
        return [
            {"number": number, "name": color, "kind": color, "left": left, "top": top}
            | {"x": left + SIDE / 2, "y": top + SIDE / 2}
            | plain
            for number, (color, (left, top)) in enumerate(zip(self._colors, BOXES, strict=False))
        ]
