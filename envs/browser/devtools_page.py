"""Pages of a browser behind a DevTools pipe: tabs in isolated contexts, drawn on demand."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image as Pictures

from turngym.envs.browser import chromium
from turngym.envs.browser.keyboard import MODIFIERS, split
from turngym.envs.browser.protocol import (
    EVALUATIONS,
    FLUSH,
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
    from turngym.envs.browser.devtools import DevToolsBrowser

Message = dict[str, Any]
Command = tuple[str, Message]

DRAW: Message = {"screenshot": {"format": "png", "optimizeForSpeed": True}}
FRAME_ATTEMPTS = 5
"""Frames asked for until one comes with a picture: a frame in which nothing changed may come without."""
FIRST_FRAMES = 3
"""Frames until a new document is sure to be shown; after one, an eighth of all clicks were lost, after two none."""
BUTTONS = {"left": 1, "right": 2}
"""Bits of the DevTools protocol's ``buttons``."""
PATIENCE = 0.25
"""Seconds until input that is not acknowledged is given a frame."""
REASON_SECONDS = 0.5
"""Longest wait for the reason that a page stays where it is, seconds."""
STOP_SECONDS = 2.0
"""Longest wait for loading to stop when told to, seconds."""
BLANK = "/turngym-blank"
"""Path of an empty page that every host has; no server is asked for it."""
STORAGE = "file_systems,indexeddb,local_storage,websql,service_workers,cache_storage,storage_buckets"
"""Kinds of storage that do not outlast an episode."""


class DevToolsContext:
    """A context of a :class:`~turngym.envs.browser.devtools.DevToolsBrowser`."""

    def __init__(
        self, browser: DevToolsBrowser, size: Size, script: str, window: Size, hosts: Sequence[str] | None
    ) -> None:
        self.browser, self.size, self.script, self.window, self.hosts = browser, size, script, window, hosts
        self.pages: dict[str, DevToolsPage] = {}
        """By target id."""
        self._blank: DevToolsPage | None = None
        params: Message = {}
        if hosts is not None:
            # Not even the loopback interface is reached past the proxy, but for these.
            params = {"proxyServer": NOWHERE, "proxyBypassList": ";".join(["<-loopback>", *hosts])}
        self._id: str | None = browser.call("Target.createBrowserContext", params)["browserContextId"]
        if hosts is not None:
            refuse = {"behavior": "deny", "browserContextId": self._id, "eventsEnabled": True}
            browser.call("Browser.setDownloadBehavior", refuse)
            browser.call("Target.setDiscoverTargets", {"discover": True, "filter": [{"type": "page"}]})
            browser.watchers.append(self._watch)

    @property
    def id(self) -> str | None:
        """The browser's name for it; None once it is closed."""
        return self._id

    def new_page(self) -> DevToolsPage:
        """Open a blank page."""
        with self.browser.lock:
            page, self._blank = self._blank, None
            return page or DevToolsPage(self)

    def add_cookies(self, cookies: Sequence[Cookie]) -> None:
        """Set cookies."""
        self.browser.call("Storage.setCookies", {"cookies": list(cookies), "browserContextId": self._id})

    def reset(self) -> None:
        """Close all pages, and forget cookies and storage.

        Where there is one host alone, a page stays, emptied, to be the next new one: its process is warm.
        """
        with self.browser.lock:
            self._blank = None
            pages = list(self.pages.values())
            for page in pages[1:]:
                page.close()
            origins = [f"{scheme}://{host}" for scheme in ("http", "https") for host in self.hosts or ()]
            for kept in pages[:1]:
                stays = len(self.hosts or ()) == 1 and kept.empty(origins[0])
                if not stays:
                    kept.goto("about:blank")
                # What was stored is reached from a page alone, and a page may store as long as it is shown.
                for origin in origins:
                    kept.command("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": STORAGE})
                if stays:
                    self._blank = kept
                else:
                    kept.close()
            self.browser.call("Storage.clearCookies", {"browserContextId": self._id})

    def close(self) -> None:
        """Close it with its pages."""
        context, self._id = self._id, None
        for page in list(self.pages.values()):
            page.forget()
        with contextlib.suppress(ValueError):
            self.browser.watchers.remove(self._watch)
        if context is not None and self.browser.alive:
            with contextlib.suppress(InfraError):
                self.browser.call("Target.disposeBrowserContext", {"browserContextId": context})

    def _watch(self, event: Message) -> None:
        params = event["params"]
        if event["method"] == "Browser.downloadWillBegin":
            # A frame within a page is no target of ours: then it is told with the page that was opened first.
            page = self.pages.get(params["frameId"]) or next(iter(self.pages.values()), None)
            if page is not None:
                page.note("download", params["suggestedFilename"])
        elif event["method"] == "Target.targetCreated":
            info = params["targetInfo"]
            if info.get("openerId") in self.pages and info["targetId"] not in self.pages:
                # A tab that a page opened by itself draws by itself; the page has told what it was to show.
                self.browser.post("Target.closeTarget", {"targetId": info["targetId"]})


class DevToolsPage:
    """A page of a :class:`DevToolsContext`; ``owns_context`` if it takes the context with it when it is closed."""

    def __init__(self, context: DevToolsContext, *, owns_context: bool = False) -> None:
        self._browser, self._context, self._owns_context = context.browser, context, owns_context
        self._last: Image | None = None
        self._loads = 0
        self._loading: set[str] = set()
        self._happenings: list[Happening] = []
        self._url = "about:blank"
        self._fresh = False
        self._unreachable = ""
        self._left = False
        """Whether the page began to be left since it was last waited for."""
        browser, size = self._browser, context.size
        target: Message = {"url": self._url, "width": size[0], "height": size[1], "enableBeginFrameControl": True}
        self._target: str = browser.call("Target.createTarget", {**target, "browserContextId": context.id})["targetId"]
        context.pages[self._target] = self
        attach = {"targetId": self._target, "flatten": True}
        self._session: str = browser.call("Target.attachToTarget", attach)["sessionId"]
        browser.listen(self._session, self._hear)
        for method, params in self._settings():
            browser.call(method, params, self._session)

    def _settings(self) -> list[Command]:
        size, window, script = self._context.size, self._context.window, self._context.script
        # Each page behaves as the one in front; otherwise only the last one clicked would show a focus and take keys.
        settings: list[Command] = [
            ("Inspector.enable", {}),
            ("Page.enable", {}),
            ("Emulation.setFocusEmulationEnabled", {"enabled": True}),
        ]
        if window != size:
            shown = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
            metrics: Message = {"width": window[0], "height": window[1], "deviceScaleFactor": 1, "mobile": False}
            settings.append(
                ("Emulation.setDeviceMetricsOverride", metrics | {"viewport": shown, "dontSetVisibleSize": True})
            )
        if script:
            settings.append(("Page.addScriptToEvaluateOnNewDocument", {"source": script}))
        if self._context.hosts is not None:
            settings.append(("Fetch.enable", {"patterns": [{"urlPattern": "*", "resourceType": "Document"}]}))
        return settings

    @property
    def url(self) -> str:
        """Its address."""
        return self._url

    def goto(self, url: str) -> None:
        """Load ``url`` and wait for its load event."""
        browser = self._browser
        with browser.lock:
            loads, happened = self._loads, len(self._happenings)
            number = browser.send([("Page.navigate", {"url": url})], self._session)[0]
            if self._guarded and not browser.has_answer(number, LOAD_SECONDS):
                self._stop()
            answer = browser.wait(number)
            if (why := answer.get("errorText")) and not self._is_told(happened):
                if not self._guarded or is_down(why):
                    raise not_loaded(url, why)
                self.note("failed", f"{url} ({why})")
            # An address within the document that is already there loads nothing.
            if "errorText" not in answer and "loaderId" in answer:
                limit = LOAD_SECONDS if self._guarded else browser.timeout
                if not browser.wait_until(lambda: self._loads > loads, limit):
                    if not self._guarded:
                        raise browser.hung()
                    self._stop()
            self._last = None
            self._show()

    def go(self, steps: int) -> bool:
        """Go back (-1) or forward (1) in its history."""
        return chromium.go(self, steps)

    def evaluate(self, js: str) -> Any:
        """Return the JSON value of a JavaScript expression."""
        for _ in range(EVALUATIONS):
            with self._browser.lock:
                try:
                    return _value(self._browser.call(*_evaluate(js), self._session))
                except InfraError as error:
                    if not self._guarded or not is_gone(error.message):
                        raise
                    self._wait_until_loaded(LOAD_SECONDS)
        raise InfraError("page_error", "the page never stays long enough to be asked")

    def perform(self, events: Sequence[Event]) -> None:
        """Let ``events`` happen; return when the page has handled all of them."""
        with self._browser.lock:
            batch: list[Event] = []
            for event in events:
                batch.append(event)
                # Moves that wait for a frame are merged: on a drag each gets its own, so that the page sees the way.
                if isinstance(event, Wheel) or (isinstance(event, Move) and event.held):
                    self._post(batch)
                    batch = []
            self._post(batch)

    def settle(self, seconds: float) -> None:
        """Wait until nothing loads any more."""
        browser = self._browser
        with browser.lock:
            # A page that is being left may not answer any more.
            number = browser.send([_evaluate(FLUSH)], self._session)[0]
            if browser.wait_until(lambda: bool(self._loading) or browser.has_answer(number), browser.timeout):
                browser.disregard(number)
                self._wait_until_loaded(seconds)
            else:
                raise browser.hung()
            if self._guarded and self._left and not self._fresh:
                self._is_told(0)
            self._left = False
            if self._guarded and self._unreachable:
                self._explain(self._unreachable)
            if self._fresh:
                self._show()

    def draw(self) -> Image:
        """Return a picture of the page as it is."""
        for _ in range(FRAME_ATTEMPTS):
            frame = self._frame(DRAW)
            if data := frame.get("screenshotData"):
                self._last = np.array(Pictures.open(io.BytesIO(data)).convert("RGB"))
                return self._last
        if self._last is None:
            raise InfraError("no_frame", "the browser drew nothing")
        return self._last

    def interact(self, events: Sequence[Event], js: str, draw: bool = True) -> tuple[Any, Image | None]:
        """Let ``events`` happen, then evaluate ``js``, then draw.

        Input, script and frame reach the page by different ways and overtake one another (one evaluation in ten came
        before the click, one frame in three before the evaluation), so each waits for the last; input is sent at once.
        """
        with self._browser.lock:
            self.perform(events)
            value = self.evaluate(js)
            if draw:
                return value, self.draw()
            self._pass_frame()
            return value, None

    def happenings(self) -> list[Happening]:
        """Return what happened since this was last asked."""
        found, self._happenings = self._happenings, []
        return found

    def note(self, kind: Any, text: str) -> None:
        """Remember that something happened."""
        self._happenings.append(Happening(kind, text))

    def command(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a DevTools command to the page and return its result."""
        return self._browser.call(method, dict(params or {}), self._session)

    def empty(self, origin: str) -> bool:
        """Leave nothing in a page of that origin but the process that draws it; False if it is somewhere else."""
        if not self._url.startswith(origin + "/"):
            return False
        self.goto(origin + BLANK)  # in the same process; what the old document does at its end, it does now
        self.evaluate("sessionStorage.clear(), window.name = '', 0")
        self.command("Page.resetNavigationHistory")
        self.happenings()
        return self._url == origin + BLANK

    def close(self) -> None:
        """Close the page."""
        if self._owns_context:
            self._context.close()
        elif self._target in self._context.pages:
            self.forget()
            if self._browser.alive:
                with contextlib.suppress(InfraError):
                    self._browser.call("Target.closeTarget", {"targetId": self._target})

    def forget(self) -> None:
        """Hear no more of a page that is being closed."""
        self._context.pages.pop(self._target, None)
        self._browser.listen(self._session, None)

    # Inside ---------------------------------------------------------------------------------------------------

    @property
    def _guarded(self) -> bool:
        """Whether it is a page of others, which may load for ever or go away under a script."""
        return self._context.hosts is not None

    def _hear(self, event: Message) -> None:
        params = event["params"]
        match event["method"]:
            case "Page.loadEventFired":
                self._loads += 1
            case "Page.frameStartedLoading":
                self._loading.add(params["frameId"])
                self._left = self._left or params["frameId"] == self._target
            case "Page.frameStoppedLoading" | "Page.frameDetached":
                self._loading.discard(params["frameId"])
            case "Page.frameNavigated" if "parentId" not in params["frame"]:
                frame = params["frame"]
                self._url = frame.get("unreachableUrl") or frame["url"] + frame.get("urlFragment", "")
                self._fresh = True
                self._unreachable = frame.get("unreachableUrl", "")
            case "Page.navigatedWithinDocument" if params["frameId"] == self._target:
                self._url = params["url"]
            case "Page.windowOpen":
                self.note("popup", params["url"])
            case "Page.javascriptDialogOpening":
                if params["type"] != "beforeunload":
                    self.note("dialog", params["message"])
                answer = {"accept": True, "promptText": params.get("defaultPrompt", "")}
                self._browser.post("Page.handleJavaScriptDialog", answer, self._session)
            case "Fetch.requestPaused":
                self._judge(params)

    def _judge(self, request: Message) -> None:
        """Let a document be loaded, or keep the page where it is."""
        url, number = request["request"]["url"], {"requestId": request["requestId"]}
        parts = urlsplit(url)
        if parts.path == BLANK and host_of(url) in (self._context.hosts or ()):
            self._browser.post("Fetch.fulfillRequest", {**number, "responseCode": 200}, self._session)
        elif parts.scheme not in ("http", "https") or host_of(url) in (self._context.hosts or ()):
            self._browser.post("Fetch.continueRequest", number, self._session)
        else:
            if request.get("frameId") == self._target:
                self.note("denied", url)
            self._browser.post("Fetch.failRequest", {**number, "errorReason": "Aborted"}, self._session)

    def _show(self) -> None:
        """Have a new document accept input: what it gets before it was shown is dropped."""
        self._fresh = self._left = False
        for _ in range(FIRST_FRAMES):
            self._pass_frame()

    def _pass_frame(self) -> None:
        """Pass a frame that nobody sees: layout, observers and lazy loading happen in frames."""
        self._frame({})

    def _frame(self, params: Message) -> Message:
        return self._browser.call("HeadlessExperimental.beginFrame", params, self._session)

    def _explain(self, url: str) -> None:
        """Say why a page shows an error of the browser's own instead of ``url``."""
        if not answers(url):
            raise not_loaded(url, "CONNECTION_FAILED")
        self.note("failed", url)
        self._unreachable = ""

    def _is_told(self, before: int) -> bool:
        """Whether it is told why a page stays although another was asked for; that may come a little later."""
        return self._browser.wait_until(lambda: len(self._happenings) > before, REASON_SECONDS)

    def _wait_until_loaded(self, seconds: float) -> None:
        if not self._browser.wait_until(lambda: not self._loading, seconds):
            self._stop()

    def _stop(self) -> None:
        self.note("slow", self._url)
        self._browser.call("Page.stopLoading", session=self._session)
        self._browser.wait_until(lambda: not self._loading, STOP_SECONDS)
        self._loading.clear()

    def _post(self, events: Sequence[Event]) -> None:
        browser = self._browser
        pending = browser.send([command for event in events for command in _commands(event)], self._session)
        # A page takes a move or a turn of the wheel in its next frame, or with the next click or key; a wheel needs a
        # frame that is really drawn, and is acknowledged before the page has seen it.
        last = events[-1] if events else None
        frame: Message = {} if isinstance(last, Wheel) else {"noDisplayUpdates": True}
        patience = 0.0 if isinstance(last, Move | Wheel) else PATIENCE
        deadline = time.monotonic() + browser.timeout
        while pending and time.monotonic() < deadline:
            if browser.has_answer(pending[0], patience):
                browser.wait(pending.pop(0))
                deadline = time.monotonic() + browser.timeout  # busy, not hung: a long text is many events
            else:
                self._frame(frame)
        if isinstance(last, Wheel):
            self._frame(frame)
        if pending:
            raise browser.hung()


def _evaluate(js: str) -> Command:
    return "Runtime.evaluate", {"expression": js, "returnByValue": True, "awaitPromise": True}


def _value(answer: Message) -> Any:
    if "exceptionDetails" in answer:
        details = answer["exceptionDetails"]
        raise InfraError("page_error", str(details.get("exception", details).get("description", details["text"])))
    return answer["result"].get("value")


def _commands(event: Event) -> list[Command]:
    """The DevTools commands that make one event happen."""
    match event:
        case Move(x, y, held):
            pressed = {"button": "left", "buttons": 1} if held else {}
            return [("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y, **pressed})]
        case Press(x, y, clicks, button) | Release(x, y, clicks, button):
            down = isinstance(event, Press)
            kind = "mousePressed" if down else "mouseReleased"
            mask = BUTTONS[button] if down else 0
            params = {"type": kind, "x": x, "y": y, "button": button, "buttons": mask, "clickCount": clicks}
            return [("Input.dispatchMouseEvent", params)]
        case Wheel(x, y, dx, dy):
            return [("Input.dispatchMouseEvent", {"type": "mouseWheel", "x": x, "y": y, "deltaX": dx, "deltaY": dy})]
        case Text(text):
            return [("Input.insertText", {"text": text})]
        case Key(name):
            return _keystrokes(name)


def _keystrokes(name: str) -> list[Command]:
    modifiers, info = split(name)
    mask = sum(MODIFIERS[modifier] for modifier in modifiers)
    key = {"key": info.key, "code": info.code, "windowsVirtualKeyCode": info.key_code, "modifiers": mask}
    types = bool(info.text) and not mask & ~MODIFIERS["Shift"]
    down = {"type": "keyDown", "text": info.text, **key} if types else {"type": "rawKeyDown", **key}
    return [("Input.dispatchKeyEvent", down), ("Input.dispatchKeyEvent", {"type": "keyUp", **key})]
