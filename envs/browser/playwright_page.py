"""Pages of a browser that Playwright drives."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import numpy as np
from PIL import Image as Pictures
from playwright.sync_api import BrowserContext, CDPSession, Dialog, Download, Error, FloatRect, Route
from playwright.sync_api import Page as PlaywrightsPage
from playwright.sync_api import TimeoutError as TookTooLong

from turngym.envs.browser import chromium
from turngym.envs.browser.protocol import (
    EVALUATIONS,
    LOAD_SECONDS,
    NOWHERE,
    Cookie,
    Event,
    Happening,
    Key,
    Move,
    Press,
    Release,
    Size,
    Text,
    Wheel,
    answers,
    host_of,
    is_down,
    is_gone,
    not_loaded,
)
from turngym.envs.types import Image, InfraError

if TYPE_CHECKING:
    from turngym.envs.browser.playwright_backend import PlaywrightBrowser

BATCH = 100
"""Events that are performed within one time limit: a long text is many."""
START_MS = 30
"""Time in which a page that was acted on begins to load another, milliseconds."""
OTHERS_START_MS = 150
"""The same for Firefox and WebKit, which do not say that they begin."""
POLL_MS = 10
"""Between two looks at whether a page still loads, milliseconds."""


class PlaywrightContext:
    """A context of a :class:`~turngym.envs.browser.playwright_backend.PlaywrightBrowser`."""

    def __init__(
        self, browser: PlaywrightBrowser, size: Size, script: str, window: Size, hosts: Sequence[str] | None
    ) -> None:
        self.browser, self.size, self.hosts = browser, size, hosts
        self.pages: dict[PlaywrightsPage, PlaywrightPage] = {}
        self._opening = False
        self._renew = partial(self._open, script, window)
        self._context: BrowserContext | None = browser.do(self._renew)

    def _open(self, script: str, window: Size) -> BrowserContext:
        options: dict[str, Any] = {"viewport": {"width": window[0], "height": window[1]}, "locale": "en-US"}
        if self.hosts is not None:
            # Not even the loopback interface is reached past the proxy, but for these.
            options["proxy"] = {"server": NOWHERE, "bypass": ",".join(["<-loopback>", *self.hosts])}
            options["accept_downloads"] = False
        context = self.browser.browser.new_context(**options)
        if script:
            context.add_init_script(script)
        if self.hosts is not None:
            context.route("**/*", self._judge)
            context.on("page", self._close_popup)
        return context

    def open(self) -> PlaywrightsPage:
        """Open a page; only inside :meth:`PlaywrightBrowser.do`."""
        self._opening = True
        try:
            return self.context.new_page()
        finally:
            self._opening = False

    def _close_popup(self, page: PlaywrightsPage) -> None:
        """Close a tab that a page opened by itself: the page has told what it was to show."""
        if not self._opening:
            with contextlib.suppress(Error):
                page.close()

    @property
    def context(self) -> BrowserContext:
        """Playwright's own; only inside :meth:`PlaywrightBrowser.do`."""
        if self._context is None:
            raise InfraError("page_error", "the context is closed")
        return self._context

    def new_page(self) -> PlaywrightPage:
        """Open a blank page."""
        return PlaywrightPage(self)

    def add_cookies(self, cookies: Sequence[Cookie]) -> None:
        """Set cookies."""
        self.browser.do(lambda: self.context.add_cookies(cast(Any, list(cookies))))

    def reset(self) -> None:
        """Close all pages, and forget cookies and storage."""
        if not self.browser.is_chromium:  # which of them can be emptied of what pages stored?
            self.pages.clear()
            self.browser.do(self.context.close)
            self._context = self.browser.do(self._renew)
            return
        pages = list(self.pages.values())
        for page in pages[:-1]:
            page.close()
        for page in pages[-1:]:
            page.goto("about:blank")  # a page may store as long as it is shown
            for origin in (f"{scheme}://{host}" for scheme in ("http", "https") for host in self.hosts or ()):
                page.command("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
            page.close()
        self.browser.do(lambda: self.context.clear_cookies())

    def close(self) -> None:
        """Close it with its pages."""
        context, self._context = self._context, None
        if context is not None and self.browser.alive:
            with contextlib.suppress(InfraError):
                self.browser.do(context.close)

    def _judge(self, route: Route) -> None:
        """Let a document be loaded, or keep the page where it is."""
        request, parts = route.request, urlsplit(route.request.url)
        allowed = parts.scheme not in ("http", "https") or host_of(request.url) in (self.hosts or ())
        if allowed or not request.is_navigation_request():
            route.continue_()
            return
        if request.frame.parent_frame is None and (page := self.pages.get(request.frame.page)):
            page.note("denied", request.url)
        route.abort("aborted")


class PlaywrightPage:
    """A page of a :class:`PlaywrightContext`; ``owns_context`` if it takes the context with it when it is closed."""

    def __init__(self, context: PlaywrightContext, *, owns_context: bool = False) -> None:
        self._browser, self._context, self._owns_context = context.browser, context, owns_context
        size = context.size
        self._clip: FloatRect = {"x": 0, "y": 0, "width": size[0], "height": size[1]}
        self._happenings: list[Happening] = []
        self._loading: set[str] = set()
        self._tools: CDPSession | None = None
        self._unreachable = ""
        self._page: PlaywrightsPage = self._browser.do(self._open)
        context.pages[self._page] = self

    def _open(self) -> PlaywrightsPage:
        page = self._context.open()
        if self._guarded:
            page.on("dialog", self._accept)
            page.on("download", self._refuse)
            if not self._browser.is_chromium:
                return page
            tools = self._developer_tools(page)
            tools.on("Page.windowOpen", lambda event: self.note("popup", event["url"]))
            tools.on("Page.frameNavigated", self._notice)
            tools.on("Page.frameStartedLoading", lambda event: self._loading.add(event["frameId"]))
            tools.on("Page.frameStoppedLoading", lambda event: self._loading.discard(event["frameId"]))
            tools.on("Page.frameDetached", lambda event: self._loading.discard(event["frameId"]))
            tools.send("Page.enable")
        return page

    @property
    def url(self) -> str:
        """Its address."""
        return self._browser.do(lambda: self._page.url)

    def goto(self, url: str) -> None:
        """Load ``url`` and wait for its load event."""
        seconds = LOAD_SECONDS if self._guarded else self._browser.timeout
        self._browser.do(lambda: self._goto(url, seconds), seconds + self._browser.timeout)

    def _goto(self, url: str, seconds: float) -> None:
        before = len(self._happenings)
        try:
            self._page.goto(url, timeout=seconds * 1000)
        except TookTooLong:
            if not self._guarded:
                raise
            self._stop()
        except Error as error:
            why = error.message.splitlines()[0]
            if not self._guarded or is_down(why):
                raise not_loaded(url, why) from None
            self._page.wait_for_timeout(START_MS)  # what aborted it is told after it
            if len(self._happenings) == before and not self._unreachable:
                self.note("failed", f"{url} ({why})")

    def go(self, steps: int) -> bool:
        """Go back (-1) or forward (1) in its history."""
        if self._browser.is_chromium:
            return chromium.go(self, steps)
        return self._browser.do(lambda: self._go(steps), LOAD_SECONDS + self._browser.timeout)

    def _go(self, steps: int) -> bool:
        page = self._page
        before, there, back = page.url, page.go_back, page.go_forward
        if steps > 0:
            there, back = back, there
        there(wait_until="commit", timeout=LOAD_SECONDS * 1000)
        if page.url == "about:blank" and before != page.url:
            back(wait_until="commit", timeout=LOAD_SECONDS * 1000)
        return page.url != before

    def evaluate(self, js: str) -> Any:
        """Return the JSON value of a JavaScript expression."""
        for _ in range(EVALUATIONS):
            try:
                return self._browser.do(lambda: self._page.evaluate(js))
            except InfraError as error:
                if not self._guarded or not is_gone(error.message):
                    raise
                self.settle(LOAD_SECONDS)
        raise InfraError("page_error", "the page never stays long enough to be asked")

    def perform(self, events: Sequence[Event]) -> None:
        """Let ``events`` happen; return when the page has handled all of them."""
        # The time limit is for a browser that does not answer, not for one that is busy.
        for start in range(0, len(events), BATCH):
            self._browser.do(partial(self._perform_all, events[start : start + BATCH]))

    def settle(self, seconds: float) -> None:
        """Wait until nothing loads any more."""
        self._browser.do(lambda: self._settle(seconds), seconds + self._browser.timeout)

    def draw(self) -> Image:
        """Return a picture of the page as it is."""
        return self._browser.do(self._draw)

    def interact(self, events: Sequence[Event], js: str, draw: bool = True) -> tuple[Any, Image | None]:
        """Let ``events`` happen, then evaluate ``js``, then draw."""
        self.perform(events)
        return self._browser.do(lambda: (self._page.evaluate(js), self._draw() if draw else None))

    def happenings(self) -> list[Happening]:
        """Return what happened since this was last asked."""
        found, self._happenings = self._happenings, []
        return found

    def note(self, kind: Any, text: str) -> None:
        """Remember that something happened."""
        self._happenings.append(Happening(kind, text))

    def command(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a DevTools command to the page and return its result."""
        if not self._browser.is_chromium:
            raise InfraError("page_error", f"{method} needs Chromium")
        return self._browser.do(lambda: self._developer_tools(self._page).send(method, dict(params or {})))

    def close(self) -> None:
        """Close the page."""
        self._context.pages.pop(self._page, None)
        if self._owns_context:
            self._context.close()
        elif self._browser.alive:
            with contextlib.suppress(InfraError):
                self._browser.do(self._page.close)

    # Inside, all of it in Playwright's thread -----------------------------------------------------------------

    @property
    def _guarded(self) -> bool:
        """Whether it is a page of others, which may load for ever or go away under a script."""
        return self._context.hosts is not None

    def _developer_tools(self, page: PlaywrightsPage) -> CDPSession:
        if self._tools is None:
            self._tools = self._context.context.new_cdp_session(page)
        return self._tools

    def _accept(self, dialog: Dialog) -> None:
        if dialog.type != "beforeunload":
            self.note("dialog", dialog.message)
        dialog.accept(dialog.default_value)

    def _notice(self, event: dict[str, Any]) -> None:
        if "parentId" not in event["frame"]:
            self._unreachable = event["frame"].get("unreachableUrl", "")

    def _refuse(self, download: Download) -> None:
        self.note("download", download.suggested_filename)

    def _settle(self, seconds: float) -> None:
        if not self._browser.is_chromium:
            self._page.wait_for_timeout(OTHERS_START_MS)
            try:
                self._page.wait_for_load_state("load", timeout=seconds * 1000)
            except TookTooLong:
                self.note("slow", self._page.url)
            return
        # Nothing can be asked of a page that may be going away: it is given the time to say that something loads.
        self._page.wait_for_timeout(START_MS)
        waited = 0.0
        while self._loading and waited < seconds:
            self._page.wait_for_timeout(POLL_MS)
            waited += POLL_MS / 1000
        if self._loading:
            self._stop()
        if self._guarded and self._unreachable:
            self._explain(self._unreachable)

    def _explain(self, url: str) -> None:
        """Say why a page shows an error of the browser's own instead of ``url``."""
        self._unreachable = ""
        if host_of(url) not in (self._context.hosts or ()):  # a redirect: Playwright asks nobody about these
            self.note("denied", url)
            self._page.go_back()
        elif not answers(url):
            raise not_loaded(url, "CONNECTION_FAILED")
        else:
            self.note("failed", url)

    def _stop(self) -> None:
        self.note("slow", self._page.url)
        if self._browser.is_chromium:
            self._developer_tools(self._page).send("Page.stopLoading")
            self._loading.clear()
        else:
            self._page.evaluate("window.stop()")

    def _draw(self) -> Image:
        png = self._page.screenshot(clip=self._clip, animations="allow", caret="initial")
        return np.array(Pictures.open(io.BytesIO(png)).convert("RGB"))

    def _perform_all(self, events: Sequence[Event]) -> None:
        for event in events:
            self._perform(event)

    def _perform(self, event: Event) -> None:
        mouse, keyboard = self._page.mouse, self._page.keyboard
        match event:
            case Move(x, y):
                mouse.move(x, y)
            case Press(clicks=clicks, button=button):
                mouse.down(click_count=clicks, button=button)
            case Release(clicks=clicks, button=button):
                mouse.up(click_count=clicks, button=button)
            case Wheel(dx=dx, dy=dy):
                mouse.wheel(dx, dy)
                # The wheel is acknowledged before the page has seen it: it has with the next frame.
                self._page.screenshot()
            case Key(name):
                keyboard.press(name)
            case Text(text):
                keyboard.insert_text(text)
