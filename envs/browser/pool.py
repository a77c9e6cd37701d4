"""One browser a process, shared by all environments in it and gone with the last of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal

from turngym.envs.browser import chromium
from turngym.envs.browser.protocol import Browser

Backend = Literal["devtools", "playwright", "fake"]


@dataclass
class _Shared:
    browser: Browser
    users: int = 0


_SHARED: dict[Backend, _Shared] = {}
_LOCK = threading.Lock()


def default_backend() -> Backend:
    """``devtools`` where there is a headless shell, else ``playwright``."""
    return "devtools" if chromium.headless_shell() else "playwright"


def launch(backend: Backend) -> Browser:
    """Start a browser of one's own."""
    match backend:
        case "devtools":
            from turngym.envs.browser.devtools import DevToolsBrowser

            return DevToolsBrowser()
        case "playwright":
            from turngym.envs.browser.playwright_backend import PlaywrightBrowser

            return PlaywrightBrowser()
        case "fake":
            from turngym.envs.browser.fake import FakeBrowser

            return FakeBrowser()


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
