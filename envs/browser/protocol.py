"""What a browser backend is: a browser makes pages, a page takes input and shows itself. Nothing here does anything.

Positions are CSS pixels of the viewport. Every method raises :class:`turngym.envs.types.InfraError` when the browser
dies (``browser_died``), does not answer in time (``browser_hung``), its page fails (``page_error``) or who is to serve
the page does (``site_down``).
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypedDict
from urllib.parse import urlsplit

from turngym.envs.types import Image, InfraError

Size = tuple[int, int]
"""Width and height, CSS pixels."""
Button = Literal["left", "right"]

TIMEOUT = 30.0
"""Longest wait for an answer, seconds."""
LOAD_SECONDS = 10.0
"""Longest wait for a page of a context with allowed hosts to load, seconds."""
LAUNCH_TIMEOUT = 90.0
"""Longest wait for a browser to start, seconds: longer, for machines that are busy starting many."""

EVALUATIONS = 4
"""Documents, one after the other, that a script is tried in."""
GONE = ("navigated or closed", "context was destroyed", "Cannot find context", "Cannot find default execution context")
"""What a browser says of a script whose document went away under it."""

NOWHERE = "http://127.0.0.1:9"
"""A proxy that is not there: the way of a context to all hosts that are not allowed."""
FLUSH = (
    "new Promise((done) => { const way = new MessageChannel();"
    " way.port1.onmessage = () => done(0); way.port2.postMessage(0); })"
)
"""Resolves when a page has done what was waiting to be done, such as sending a form."""


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


def host_of(url: str) -> str:
    """Return the host and the port of an address, ``example.com:80``; empty for what has none or is no address."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return ""
    return f"{parts.hostname}:{port}" if parts.hostname and port else ""


def not_loaded(url: str, why: str) -> InfraError:
    """Return the failure of a page that did not load; ``why`` is Chromium's own word for it."""
    return InfraError("site_down" if is_down(why) else "page_error", f"cannot load {url}: {why}")


def is_down(why: str) -> bool:
    """Whether Chromium's word for a failure is about who serves a page, rather than about the page.

    A proxy that is not there is how other hosts are kept away: nobody is down.
    """
    return "PROXY" not in why and any(word in why for word in ("CONNECTION", "EMPTY_RESPONSE", "ADDRESS", "TIMED_OUT"))


def is_gone(why: str) -> bool:
    """Whether Chromium's word for a script's failure is that its document went away under it."""
    return any(words in why for words in GONE)


def answers(url: str) -> bool:
    """Whether anybody listens where an address points to."""
    host, _, port = host_of(url).rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2.0).close()
    except (OSError, ValueError):
        return False
    return True


class Cookie(TypedDict, total=False):
    """A cookie, as Playwright's storage states write it."""

    name: str
    value: str
    domain: str
    path: str
    expires: float
    """Seconds since 1970; -1 for the session."""
    httpOnly: bool
    secure: bool
    sameSite: Literal["Strict", "Lax", "None"]


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that a page did, or was kept from doing, that a picture of it does not show."""

    kind: Literal["dialog", "download", "denied", "popup", "slow", "failed"]
    """``dialog``: it showed a dialog, which was accepted; ``download``: it offered a file, which was refused;
    ``denied``: it wanted to leave the allowed hosts; ``popup``: it wanted a tab of its own; ``slow``: it was stopped
    while it was still loading; ``failed``: what was asked for could not be shown."""
    text: str
    """The dialog's words, the file's name, the address."""


class Page(Protocol):
    """One page: a tab of a browser context."""

    @property
    def url(self) -> str:
        """Its address."""

    def goto(self, url: str) -> None:
        """Load ``url`` and wait for its load event.

        In a context with allowed hosts, an address that is denied, that turns out to be a download or that never
        stops loading is no error but a happening.
        """

    def go(self, steps: int) -> bool:
        """Go back (-1) or forward (1) in its history; False where there is no page, or but the blank first one."""

    def evaluate(self, js: str) -> Any:
        """Return the JSON value of a JavaScript expression; of a promise, what it resolves to."""

    def perform(self, events: Sequence[Event]) -> None:
        """Let ``events`` happen; return when the page has handled all of them."""

    def settle(self, seconds: float) -> None:
        """Wait until nothing loads any more; what still does after so many seconds is stopped, and a happening.

        In a context with allowed hosts, a page that could not be loaded is an error.
        """

    def draw(self) -> Image:
        """Return a picture of it as it is, shape (H, W, 3), uint8."""

    def interact(self, events: Sequence[Event], js: str, draw: bool = True) -> tuple[Any, Image | None]:
        """Let ``events`` happen, then evaluate ``js``, then draw.

        Returns the value of ``js`` and the picture. One call, so that a backend can send all of it at once. Without
        ``draw`` there is no picture, though the page still passes a frame.
        """

    def happenings(self) -> list[Happening]:
        """Return what happened since this was last asked."""

    def command(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a DevTools command to the page and return its result. Chromium only."""

    def close(self) -> None:
        """Close it; again is a no-op, and so it is when the browser is gone."""


class Context(Protocol):
    """Pages that share cookies, storage and cache with each other and with nothing else."""

    def new_page(self) -> Page:
        """Open a blank page."""

    def add_cookies(self, cookies: Sequence[Cookie]) -> None:
        """Set cookies."""

    def reset(self) -> None:
        """Close all pages, and forget cookies and storage; what servers let browsers keep stays in the cache."""

    def close(self) -> None:
        """Close it with its pages; again is a no-op, and so it is when the browser is gone."""


class Browser(Protocol):
    """A running browser."""

    @property
    def alive(self) -> bool:
        """Whether it can still be used. A browser that died or hung once is never used again."""

    def new_context(
        self, size: Size, script: str = "", window: Size | None = None, hosts: Sequence[str] | None = None
    ) -> Context:
        """Open a context, in which pictures show the upper left ``size`` (width, height) pixels of a page.

        ``window`` is the size of the window that pages are laid out for, by default the same. ``script`` runs in
        every document before the document's own scripts. ``hosts`` are the only ones, each with its port
        (``"127.0.0.1:8000"``), that pages can reach; None: all.
        """

    def new_page(
        self, size: Size, script: str = "", window: Size | None = None, hosts: Sequence[str] | None = None
    ) -> Page:
        """Open a page in a context of its own, which is closed with it."""

    def close(self) -> None:
        """Close the browser and all its pages; again is a no-op."""
