"""Any Chromium through Playwright: portable, and slower, since its frames wait for the display's refresh."""

from __future__ import annotations

import contextlib
import io
import os
import random
import signal
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoAnswer
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from PIL import Image as Pictures
from playwright.sync_api import Browser as PlaywrightsBrowser
from playwright.sync_api import BrowserContext, CDPSession, Error, FloatRect, Playwright, sync_playwright
from playwright.sync_api import Page as PlaywrightsPage

from turngym.envs.browser import chromium
from turngym.envs.browser.protocol import LAUNCH_TIMEOUT, TIMEOUT, Event, Key, Move, Press, Release, Size, Text, Wheel
from turngym.envs.types import Image, InfraError

T = TypeVar("T")

PATIENCE = 5.0
"""Longest wait for a browser to close until more is done about it, seconds."""


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
        executable = path or chromium.find()
        self.do(lambda: self._launch(executable), LAUNCH_TIMEOUT)
        _OPEN.add(self)

    def _launch(self, path: str) -> None:
        state = random.getstate()
        manager = sync_playwright()
        self._playwright = manager.start()
        random.setstate(state)  # Playwright draws its call ids from the global generator, which is not ours to move.
        self._driver, self._pipe = _driver_of(manager)
        self._browser = self._playwright.chromium.launch(
            timeout=LAUNCH_TIMEOUT * 1000,
            executable_path=path,
            args=list(chromium.FLAGS),
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

    def new_page(self, size: Size, script: str = "", window: Size | None = None) -> PlaywrightPage:
        """Open a page in a new context."""
        return PlaywrightPage(self, size, script, window or size)

    def new_context(self, window: Size) -> BrowserContext:
        """Open a context; only inside :meth:`do`."""
        assert self._browser is not None
        return self._browser.new_context(viewport={"width": window[0], "height": window[1]}, locale="en-US")

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


class PlaywrightPage:
    """One page of a :class:`PlaywrightBrowser`."""

    def __init__(self, browser: PlaywrightBrowser, size: Size, script: str, window: Size) -> None:
        self._browser = browser
        self._context: BrowserContext | None = None
        self._devtools: CDPSession | None = None
        self._clip: FloatRect = {"x": 0, "y": 0, "width": size[0], "height": size[1]}
        self._page: PlaywrightsPage = browser.do(lambda: self._open(script, window))

    def _open(self, script: str, window: Size) -> PlaywrightsPage:
        self._context = self._browser.new_context(window)
        if script:
            self._context.add_init_script(script)
        return self._context.new_page()

    def goto(self, url: str) -> None:
        """Load ``url`` and wait for its load event."""
        self._browser.do(lambda: self._page.goto(url, timeout=self._browser.timeout * 1000))

    def evaluate(self, js: str) -> Any:
        """Return the JSON value of a JavaScript expression."""
        return self._browser.do(lambda: self._page.evaluate(js))

    @property
    def url(self) -> str:
        """The address of the page."""
        return self._browser.do(lambda: self._page.url)

    def command(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send the page a command of the DevTools protocol and return its result."""
        return self._browser.do(lambda: self._session().send(method, params))

    def interact(self, events: Sequence[Event], js: str, draw: bool = True) -> tuple[Any, Image | None]:
        """Let ``events`` happen, then evaluate ``js``, then draw."""
        # A long text is many events; the time limit is for a browser that does not answer, not for one that is busy.
        for start in range(0, len(events), 100):
            self._browser.do(partial(self._perform_all, events[start : start + 100]))
        return self._browser.do(lambda: self._look(js, draw))

    def close(self) -> None:
        """Close the page and its context."""
        context, self._context = self._context, None
        if context is not None and self._browser.alive:
            with contextlib.suppress(InfraError):
                self._browser.do(context.close)

    def _session(self) -> CDPSession:
        if self._devtools is None:
            self._devtools = self._page.context.new_cdp_session(self._page)
        return self._devtools

    def _look(self, js: str, draw: bool) -> tuple[Any, Image | None]:
        value = self._page.evaluate(js)
        if not draw:
            return value, None
        png = self._page.screenshot(clip=self._clip, animations="allow", caret="initial")
        return value, np.array(Pictures.open(io.BytesIO(png)).convert("RGB"))

    def _perform_all(self, events: Sequence[Event]) -> None:
        for event in events:
            self._perform(event)

    def _perform(self, event: Event) -> None:
        mouse, keyboard = self._page.mouse, self._page.keyboard
        match event:
            case Move(x, y):
                mouse.move(x, y)
            case Press(clicks=clicks, button=button):
                mouse.down(button=button, click_count=clicks)
            case Release(clicks=clicks, button=button):
                mouse.up(button=button, click_count=clicks)
            case Wheel(dx=dx, dy=dy):
                mouse.wheel(dx, dy)
                # The wheel is acknowledged before the page has seen it: it has with the next frame.
                self._page.screenshot()
            case Key(name):
                keyboard.press(name)
            case Text(text):
                keyboard.insert_text(text)


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
