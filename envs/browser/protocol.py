"""What a browser backend is: a browser makes pages, a page takes input and shows itself. Nothing here does anything.

Positions are CSS pixels of the viewport. Every method raises :class:`turngym.envs.types.InfraError` when the browser
dies (``browser_died``), does not answer in time (``browser_hung``) or its page fails (``page_error``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from turngym.envs.types import Image

Size = tuple[int, int]
"""Width and height, CSS pixels."""

Button = Literal["left", "right"]

TIMEOUT = 30.0
"""Longest wait for an answer, seconds."""
LAUNCH_TIMEOUT = 90.0
"""Longest wait for a browser to start, seconds: longer, for machines that are busy starting many."""


@dataclass(frozen=True, slots=True)
class Move:
    """The pointer moves to (x, y)."""

    x: float
    y: float
    held: bool = False
    """Whether the left button is down."""


@dataclass(frozen=True, slots=True)
class Press:
    """A button goes down at (x, y)."""

    x: float
    y: float
    clicks: int = 1
    """1, or 2 for the second click of a double click."""
    button: Button = "left"


@dataclass(frozen=True, slots=True)
class Release:
    """A button comes up at (x, y)."""

    x: float
    y: float
    clicks: int = 1
    button: Button = "left"


@dataclass(frozen=True, slots=True)
class Wheel:
    """The wheel turns at (x, y), where the pointer already is; positive dy scrolls down."""

    x: float
    y: float
    dx: float
    dy: float


@dataclass(frozen=True, slots=True)
class Key:
    """A key is pressed and released: one of ``keyboard.KEYS``, with held modifiers as in ``Control+a``."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is on no key arrives at once, as from an input method."""

    text: str


Event = Move | Press | Release | Wheel | Key | Text


class Page(Protocol):
    """One page in a context of its own: no cookie, storage or cache is shared with another page."""

    def goto(self, url: str) -> None:
        """Load ``url`` and wait for its load event."""

    def evaluate(self, js: str) -> Any:
        """Return the JSON value of a JavaScript expression; of a promise, what it resolves to."""

    def interact(self, events: Sequence[Event], js: str, draw: bool = True) -> tuple[Any, Image | None]:
        """Let ``events`` happen, then evaluate ``js``, then draw.

        Returns the value of ``js`` and the picture, shape (H, W, 3), uint8. One call, so that a backend can send all
        of it at once. Without ``draw`` there is no picture, though the page still passes a frame.
        """

    @property
    def url(self) -> str:
        """The address of the page."""

    def command(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send the page a command of the DevTools protocol and return its result."""

    def close(self) -> None:
        """Close the page and its context; again is a no-op, and so it is when the browser is gone."""


class Browser(Protocol):
    """A running browser."""

    @property
    def alive(self) -> bool:
        """Whether it can still be used. A browser that died or hung once is never used again."""

    def new_page(self, size: Size, script: str = "", window: Size | None = None) -> Page:
        """Open a page in a new context, of which pictures show the upper left ``size`` (width, height) pixels.

        ``window`` is the size of the window that the page is laid out for, by default the same. ``script`` runs in
        every document before the document's own scripts.
        """

    def close(self) -> None:
        """Close the browser and all its pages; again is a no-op."""
