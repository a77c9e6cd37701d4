"""Any Chromium through Playwright: portable, and slower, since its frames wait for the display's refresh."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoAnswer
from pathlib import Path
from typing import IO, Any, TypeVar

from playwright.sync_api import Browser as PlaywrightsBrowser
from playwright.sync_api import Error, Playwright, sync_playwright

from turngym.envs.browser import chromium
from turngym.envs.browser.playwright_page import PlaywrightContext, PlaywrightPage
from turngym.envs.browser.protocol import LAUNCH_TIMEOUT, TIMEOUT, Size
from turngym.envs.types import BadInput, InfraError

T = TypeVar("T")

PATIENCE = 5.0
"""Longest wait for a browser to close until more is done about it, seconds."""


VARIABLE = "TURNGYM_PLAYWRIGHT"
"""Environment variable: which browser Playwright drives. ``headed`` (the Chromium of this machine, in a window),
``firefox`` or ``webkit`` (Playwright's own, from ``playwright install``), or the address of a browser that runs
already: ``http://host:9222`` (Chromium's remote debugging) or ``ws://...`` (a Playwright server). Empty: headless
Chromium."""


def check_variable() -> str:
    """Return what the variable says; :class:`BadInput` if that is none of these."""
    how = os.environ.get(VARIABLE, "")
    if how not in ("", "headed", "firefox", "webkit") and not how.startswith(
        ("http://", "https://", "ws://", "wss://")
    ):
        raise BadInput(f"{VARIABLE}={how}: expected headed, firefox, webkit, or an http:// or ws:// address")
    return how


class PlaywrightBrowser:
    """A browser that Playwright drives. ``timeout`` is the longest wait for an answer, in seconds.

    Playwright's synchronous API belongs to one thread and does not go together with an event loop there, so it has a
    thread of its own.
    """

    def __init__(self, path: str | None = None, timeout: float = TIMEOUT) -> None:
        self.timeout = timeout
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="turngym-playwright")
        self._alive = True
        self._driver: int | None = None
        self._pipe: IO[bytes] | None = None
        self._playwright: Playwright | None = None
        self._browser: PlaywrightsBrowser | None = None
        how = check_variable()
        executable = path or ("" if how.startswith(("http", "ws")) else chromium.find(headed=how == "headed"))
        self.do(lambda: self._launch(how, executable), LAUNCH_TIMEOUT)
        _OPEN.add(self)

    def _launch(self, how: str, path: str) -> None:
        state = random.getstate()
        manager = sync_playwright()
        self._playwright = manager.start()
        random.setstate(state)  # Playwright draws its call ids from the global generator, which is not ours to move.
        self._driver, self._pipe = _driver_of(manager)
        limit = LAUNCH_TIMEOUT * 1000
        if how.startswith("ws"):
            self._browser = self._playwright.chromium.connect(how, timeout=limit)
        elif how.startswith("http"):
            self._browser = self._playwright.chromium.connect_over_cdp(how, timeout=limit)
        elif how in ("firefox", "webkit"):
            self._browser = getattr(self._playwright, how).launch(timeout=limit, handle_sigint=False)
        else:
            self._browser = self._playwright.chromium.launch(
                timeout=limit,
                executable_path=path,
                headless=how != "headed",
                args=[flag for flag in chromium.FLAGS if how != "headed" or flag != "--headless"],
                env={**os.environ, **chromium.ENVIRONMENT},
                handle_sigint=False,
            )

    @property
    def alive(self) -> bool:
        """Whether it can still be used."""
        return self._alive

    def do(self, work: Callable[[], T], timeout: float | None = None) -> T:
        """Do work in Playwright's thread, with a time limit, and turn its errors into ours."""
        if not self.alive:
            raise InfraError("browser_died", "the browser is gone")
        timeout = timeout or self.timeout
        try:
            return self._thread.submit(work).result(timeout)
        except NoAnswer:
            self._end(hung=True)
            raise InfraError("browser_hung", f"the browser did not answer within {timeout:g} s") from None
        except Error as error:
            message = error.message.splitlines()[0]
            if self._connected():
                raise InfraError("page_error", message) from None
            self._end(hung=False)
            raise InfraError("browser_died", message) from None

    @property
    def is_chromium(self) -> bool:
        """Whether it speaks the DevTools protocol."""
        return self.browser.browser_type.name == "chromium"

    @property
    def browser(self) -> PlaywrightsBrowser:
        """Playwright's own; only inside :meth:`do`."""
        assert self._browser is not None
        return self._browser

    def new_context(
        self, size: Size, script: str = "", window: Size | None = None, hosts: Sequence[str] | None = None
    ) -> PlaywrightContext:
        """Open a context."""
        return PlaywrightContext(self, size, script, window or size, hosts)

    def new_page(
        self, size: Size, script: str = "", window: Size | None = None, hosts: Sequence[str] | None = None
    ) -> PlaywrightPage:
        """Open a page in a context of its own."""
        return PlaywrightPage(PlaywrightContext(self, size, script, window or size, hosts), owns_context=True)

    def close(self) -> None:
        """Close the browser and Playwright."""
        if self._alive:
            self._end(hung=False)

    def abandon(self) -> None:
        """Let go of the driver, in a forked child: Playwright's thread does not exist there."""
        self._alive = False
        if self._pipe is not None:
            self._pipe.close()

    def _connected(self) -> bool:
        return self._browser is not None and self._browser.is_connected()

    def _end(self, *, hung: bool) -> None:
        """Stop the driver: it takes the browser and its temporary folders with it."""
        self._alive = False
        _OPEN.discard(self)
        stopping = self._thread.submit(self._stop)
        # Playwright's thread waits for a browser that hangs. Told to terminate, the driver closes the browser, cleans
        # up and lets the thread go; told again, it kills a browser that does not close.
        for terminate in (hung, True, True):
            if terminate and self._driver is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._driver, signal.SIGTERM)
            with contextlib.suppress(NoAnswer, Error):
                stopping.result(min(self.timeout, PATIENCE))
            if stopping.done():
                break
        self._thread.shutdown(wait=False)

    def _stop(self) -> None:
        if self._playwright is not None:
            self._playwright.stop()


_OPEN: weakref.WeakSet[PlaywrightBrowser] = weakref.WeakSet()


def _after_fork() -> None:
    # The driver ends when its pipe is closed: a forked child, which has a copy, must not keep it from that.
    for browser in list(_OPEN):
        browser.abandon()
    _OPEN.clear()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_after_fork)


def _driver_of(manager: Any) -> tuple[int | None, IO[bytes] | None]:
    """Return the process id of Playwright's driver and the pipe that it listens to.

    The driver must be ended when it waits for a browser that hangs. Playwright does not show it; if a later version
    keeps it elsewhere, Linux still knows.
    """
    try:
        process = manager._client._transport._proc
        return process.pid, process.stdin.get_extra_info("pipe")
    except AttributeError:
        return _child_of_this_thread(), None


def _child_of_this_thread() -> int | None:
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    pids = children.read_text().split() if children.exists() else []
    return int(pids[0]) if pids else None
