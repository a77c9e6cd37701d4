"""Find the browser on this machine, and the flags it is launched with. Never a download."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from turngym.envs.types import BadInput

if TYPE_CHECKING:
    from turngym.envs.browser.protocol import Page

VARIABLE = "TURNGYM_CHROMIUM"
"""Environment variable that overrides the search with the path of an executable."""

INSTALL = "apt-get install -y chromium-headless-shell"

HEADLESS_SHELLS = ("/usr/lib/chromium/chromium-headless-shell", "chromium-headless-shell", "chrome-headless-shell")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-breakpad",
    "--mute-audio",
    "--disable-extensions",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--font-render-hinting=none",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--disable-background-timer-throttling",
    "--disable-lcd-text",
    "--disable-smooth-scrolling",
    "--lang=en-US",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",  # what is not allowed a host is not allowed it by UDP
)
"""For pages that look alike everywhere, in a process that does nothing of its own accord."""

ENVIRONMENT = {"TZ": "UTC", "LANGUAGE": "en_US"}
"""Variables a page could notice."""

FRAMES_ON_DEMAND = (
    "--enable-begin-frame-control",
    "--run-all-compositor-stages-before-draw",
    "--disable-new-content-rendering-timeout",
    "--disable-threaded-animation",
    "--disable-threaded-scrolling",
    "--disable-checker-imaging",
    "--disable-image-animation-resync",
    "--disable-partial-raster",
    "--in-process-gpu",  # without a GPU, a process of its own for it is one more to pass each frame on
    "--default-tile-width=512",
    "--default-tile-height=512",
)
"""A headless shell with these draws when asked to and at no other time."""


def _search(names: tuple[str, ...]) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


def headless_shell() -> str | None:
    """Return the path of a headless shell, which alone can draw on demand; None if there is none."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return chosen if "headless-shell" in Path(chosen).name or "headless_shell" in Path(chosen).name else None
    return _search(HEADLESS_SHELLS)


def find(*, headed: bool = False) -> str:
    """Return the path of the browser; :class:`BadInput` says how to get one.

    A headless shell is preferred, but where ``headed``: it has no windows.
    """
    chosen = os.environ.get(VARIABLE)
    path = shutil.which(chosen) if chosen else _search(BROWSERS if headed else HEADLESS_SHELLS + BROWSERS)
    if path is None and chosen:
        raise BadInput(f"{VARIABLE}={chosen}: not an executable file")
    if path is None:
        raise BadInput(f"no Chromium found: run `{INSTALL}`, or set {VARIABLE} to the path of one")
    return path


def go(page: Page, steps: int) -> bool:
    """Go so many steps on in the history of a page; False where there is no page, or but the blank first one."""
    history = page.command("Page.getNavigationHistory")
    at = history["currentIndex"] + steps
    if not 1 <= at < len(history["entries"]):
        return False
    page.command("Page.navigateToHistoryEntry", {"entryId": history["entries"][at]["id"]})
    return True
