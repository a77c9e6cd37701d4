"""The elements of a page by number: what they are, where a click reaches them, and what is done to them by script.

``scripts/elements.js`` lists and numbers them, in document order; it is put into a page when first asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from turngym.envs.browser.protocol import Page
from turngym.envs.core import Refused

SCRIPT = resources.files("turngym.envs.browser").joinpath("scripts", "elements.js").read_text()


@dataclass(frozen=True, slots=True)
class Mark:
    """A numbered element; positions are pixels of the viewport."""

    id: int
    role: str
    name: str
    box: tuple[float, float, float, float]
    """Left, top, width and height."""
    point: tuple[float, float]
    """Where a click reaches it, if it is ``in_view``; else its middle."""
    in_view: bool
    """Whether a click reaches it as the page is now scrolled."""
    usable: bool = True
    """False for what can only be read."""
    value: str = ""
    states: tuple[str, ...] = ()
    """Some of ``checked``, ``disabled`` and ``focused``."""

    @classmethod
    def read(cls, item: Mapping[str, Any]) -> Mark:
        """Read a mark from what the page's script says of it."""
        return cls(
            item["number"],
            item["role"],
            item["name"],
            (item["left"], item["top"], item["width"], item["height"]),
            (item["x"], item["y"]),
            item["reached"],
            item["usable"],
            item["value"],
            tuple(state for state in ("checked", "disabled", "focused") if item[state]),
        )

    def __str__(self) -> str:
        value = f" holding {self.value!r}" if self.value and self.role in ("textbox", "searchbox", "spinbutton") else ""
        return f"[{self.id}] {self.role} {self.name!r}{value}" + (f" ({', '.join(self.states)})" if self.states else "")


def marks(items: Iterable[Mapping[str, Any]]) -> tuple[Mark, ...]:
    """Read what the page's script lists; elements beyond the largest number have none and are left out."""
    return tuple(Mark.read(item) for item in items if item["number"] is not None)


def ask(page: Page, function: str, *arguments: Any) -> dict[str, Any]:
    """Call a function of the page's script, bringing the script into the page if it is not there."""
    js = f"window.turngymElements?.{function}({json.dumps(arguments)[1:-1]})"
    answer = page.evaluate(js)
    if answer is None:
        page.evaluate(SCRIPT)
        answer = page.evaluate(js)
    return dict(answer)


def locate(page: Page, element: int) -> tuple[float, float]:
    """Return a point of the viewport where a click reaches an element, scrolled into view if need be.

    Raises :class:`Refused` if the last reading of the page gave no element that number, or if the element is gone,
    hidden or covered; the page is then as it was.
    """
    answer = _accepted(ask(page, "locate", element))
    return float(answer["x"]), float(answer["y"])


def choose(page: Page, element: int, option: str) -> None:
    """Choose an option of a list by its label or value; raise :class:`Refused` if that cannot be done."""
    _accepted(ask(page, "choose", element, option))


def put(page: Page, element: int, text: str) -> bool:
    """Fill a field of a kind that takes no typing (dates, times, ranges, colours); False if it is of another kind.

    Raises :class:`Refused` for text that the field does not take.
    """
    return bool(_accepted(ask(page, "put", element, text))["put"])


def _accepted(answer: dict[str, Any]) -> dict[str, Any]:
    if "refusal" in answer:
        raise Refused(answer["refusal"])
    return answer
