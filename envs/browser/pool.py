"""One browser a process, shared by all environments in it and gone with the last of them."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, get_args

from turngym.envs.browser import catalogue, chromium
from turngym.envs.browser.protocol import TIMEOUT, Browser
from turngym.envs.types import BadInput

Backend = Literal["devtools", "playwright", "fake"]

TIMEOUT_VARIABLE = "TURNGYM_BROWSER_TIMEOUT"
"""Environment variable: the longest wait for a browser's answer, seconds."""


@dataclass
class _Shared:
    browser: Browser
    users: int = 0


_SHARED: dict[Backend, _Shared] = {}
_LOCK = threading.Lock()


def refuse_backend(name: object) -> None:
    """Raise :class:`BadInput` for what is no backend's name; None stands for :func:`default_backend`."""
    if name not in (None, *get_args(Backend)):
        raise BadInput(f"backend must be one of {', '.join(get_args(Backend))}, got {name!r}")


def default_backend() -> Backend:
    """``devtools`` where there is a headless shell, else ``playwright``."""
    return "devtools" if chromium.headless_shell() else "playwright"


def playwright_is_here() -> bool:
    """Whether the playwright package is installed; it is not imported."""
    return find_spec("playwright") is not None


def missing() -> str | None:
    """Return the command that makes a browser ready here, or None if one is."""
    try:
        chromium.find()
    except BadInput:
        return f"unset {chromium.VARIABLE}" if os.environ.get(chromium.VARIABLE) else chromium.INSTALL
    return catalogue.INSTALL if default_backend() == "playwright" and not playwright_is_here() else None


def launch(backend: Backend) -> Browser:
    """Start a browser of one's own."""
    timeout = _timeout()
    match backend:
        case "devtools":
            from turngym.envs.browser.devtools import DevToolsBrowser

            if chromium.headless_shell() is None:
                raise BadInput(f"backend 'devtools' needs a headless shell: run `{chromium.INSTALL}`")
            return DevToolsBrowser(timeout=timeout)
        case "playwright":
            if not playwright_is_here():
                raise BadInput(f"backend 'playwright' needs the playwright package: run `{catalogue.INSTALL}`")
            from turngym.envs.browser.playwright_backend import PlaywrightBrowser

            return PlaywrightBrowser(timeout=timeout)
        case "fake":
            from turngym.envs.browser.fake import FakeBrowser

            return FakeBrowser()


def _timeout() -> float:
    text = os.environ.get(TIMEOUT_VARIABLE, str(TIMEOUT))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise BadInput(f"{TIMEOUT_VARIABLE}={text}: expected seconds above 0")
    return seconds


def shared_browser(backend: Backend) -> Browser:
    """Borrow this process's browser: launched for the first user, replaced if it died. Hand it to :func:`release`."""
    with _LOCK:
        shared = _SHARED.get(backend)
        if shared is None or not shared.browser.alive:
            shared = _SHARED[backend] = _Shared(launch(backend))
        shared.users += 1
        return shared.browser


def release(browser: Browser) -> None:
    """Give a borrowed browser back; the last user's closes it."""
    with _LOCK:
        for backend, shared in list(_SHARED.items()):
            if shared.browser is browser:
                shared.users -= 1
                if shared.users == 0:
                    del _SHARED[backend]
                    browser.close()
