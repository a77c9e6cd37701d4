"""Chromium over its DevTools pipe, standard library only, drawing frames on demand.

With frames on demand (``HeadlessExperimental.beginFrame``) a screenshot costs what drawing it costs; otherwise it waits
for the display's refresh, 17 or 33 ms. The browser is spoken to over two pipes and has neither a port nor a profile
folder: it lives in memory, and ends when this process does, however that ends.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import io
import json
import os
import select
import signal
import tempfile
import threading
import time
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image as Pictures

from turngym.envs.browser import chromium
from turngym.envs.browser.keyboard import MODIFIERS, split
from turngym.envs.browser.protocol import LAUNCH_TIMEOUT, TIMEOUT, Event, Key, Move, Press, Release, Size, Text, Wheel
from turngym.envs.types import Image, InfraError

Message = dict[str, Any]
Command = tuple[str, Message]

DRAW: Message = {"screenshot": {"format": "png", "optimizeForSpeed": True}}
FRAME_ATTEMPTS = 5
"""Frames asked for until one comes with a picture: a frame in which nothing changed may come without."""
BUTTONS = {"left": 1, "right": 2}
"""Bits of the DevTools protocol's ``buttons``."""
PATIENCE = 0.25
"""Seconds until input that is not acknowledged is given a frame."""


def _pipe() -> tuple[int, int]:
    # Ends above 10, so that none of them is 3 or 4, where the browser wants its own.
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]


class DevToolsBrowser:
    """A headless shell of our own. ``timeout`` is the longest wait for an answer, in seconds."""

    def __init__(self, path: str | None = None, timeout: float = TIMEOUT) -> None:
        self.timeout = LAUNCH_TIMEOUT
        self.lock = threading.RLock()
        """Held for a whole exchange: two frames under way at once kill the browser."""
        self._id = 0
        self._buffer = bytearray()
        self._answers: dict[int, Message] = {}
        self._events: list[Message] = []
        executable = path or chromium.find()  # first: there may be none
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  (unlinked at birth)
        self._pid: int | None = None
        theirs_in, self._write = _pipe()
        self._read, theirs_out = _pipe()
        stderr = self._stderr.fileno()
        wiring: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1)]
        wiring += [(os.POSIX_SPAWN_DUP2, a, b) for a, b in ((stderr, 2), (theirs_in, 3), (theirs_out, 4))]
        flags = (*chromium.FLAGS, *chromium.FRAMES_ON_DEMAND, "--incognito", "--remote-debugging-pipe")
        try:
            self._pid = os.posix_spawn(
                executable,
                [executable, *flags],
                {**os.environ, **chromium.ENVIRONMENT},
                file_actions=wiring,
                setsid=True,
            )
        except OSError as error:
            self.abandon()
            raise InfraError("browser_died", f"cannot start {executable}: {error.strerror}") from None
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        os.set_blocking(self._write, False)
        _OPEN.add(self)
        self.call("Browser.getVersion")
        self.timeout = timeout

    @property
    def alive(self) -> bool:
        """Whether it can still be used."""
        return self._pid is not None

    def new_page(self, size: Size, script: str = "", window: Size | None = None) -> DevToolsPage:
        """Open a page in a new context."""
        with self.lock:
            return DevToolsPage(self, size, script, window or size)

    def close(self) -> None:
        """Kill the browser with its children; it has nothing to save."""
        with self.lock:
            _OPEN.discard(self)
            if self._pid is None:
                return
            pid, self._pid = self._pid, None
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
            self.abandon()

    def abandon(self) -> None:
        """Close this process's ends of the pipes."""
        self._pid = None
        os.close(self._write)
        os.close(self._read)
        self._stderr.close()

    # The pipe -------------------------------------------------------------------------------------------------

    def send(self, commands: Sequence[Command], session: str | None = None) -> list[int]:
        """Write commands at once; return their ids."""
        if self._pid is None:
            raise InfraError("browser_died", "the browser is gone")
        ids, data = [], bytearray()
        for method, params in commands:
            self._id += 1
            ids.append(self._id)
            message: Message = {"id": self._id, "method": method, "params": params}
            if session is not None:
                message["sessionId"] = session
            data += json.dumps(message).encode() + b"\0"
        # More than the pipe holds waits for the browser to read; it does so however much of its own is still unread.
        deadline = time.monotonic() + self.timeout
        while data:
            if not self._ready(self._write, deadline):
                raise self.hung()
            try:
                del data[: os.write(self._write, data)]
            except BrokenPipeError:
                raise self._died() from None
        return ids

    def wait(self, number: int) -> Message:
        """Return the answer to the command with this id."""
        if not self.has_answer(number, self.timeout):
            raise self.hung()
        answer = self._answers.pop(number)
        if "error" in answer:
            raise InfraError("page_error", str(answer["error"].get("message")))
        result: Message = answer["result"]
        return result

    def has_answer(self, number: int, within: float = 0.0) -> bool:
        """Whether the answer to the command with this id comes within so many seconds."""
        deadline = time.monotonic() + within
        while number not in self._answers and self._ready(self._read, deadline):
            self._receive()
        return number in self._answers

    def call(self, method: str, params: Message | None = None, session: str | None = None) -> Message:
        """Send one command and wait for its answer."""
        with self.lock:
            return self.wait(self.send([(method, params or {})], session)[0])

    def wait_event(self, method: str, session: str) -> None:
        """Wait until an event has come for a session."""
        deadline = time.monotonic() + self.timeout
        while not any(e["method"] == method and e.get("sessionId") == session for e in self._events):
            if not self._ready(self._read, deadline):
                raise self.hung()
            self._receive()

    def forget_events(self, session: str) -> None:
        """Drop the events that have come for a session."""
        self._events = [event for event in self._events if event.get("sessionId") != session]

    def _ready(self, end: int, deadline: float) -> bool:
        """Wait until one of the two ends can be used; False after the deadline."""
        if self._pid is None:
            raise InfraError("browser_died", "the browser is gone")
        poll = select.poll()
        poll.register(end, select.POLLOUT if end == self._write else select.POLLIN)
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))

    def _receive(self) -> None:
        data = os.read(self._read, 1 << 20)
        if not data:
            raise self._died()
        self._buffer += data
        *messages, rest = self._buffer.split(b"\0")
        self._buffer = rest
        for raw in messages:
            message = json.loads(raw)
            if "id" in message:
                self._answers[message["id"]] = message
                continue
            self._events.append(message)
            if message["method"] == "Inspector.targetCrashed":
                # Frames that the page owes may never come, and one owed frame blocks those of all pages.
                self.close()
                raise InfraError("browser_died", "a page crashed")

    def hung(self) -> InfraError:
        """Close a browser that does not answer, and say so."""
        self.close()
        return InfraError("browser_hung", f"the browser did not answer within {self.timeout:g} s")

    def _died(self) -> InfraError:
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").splitlines()
        fatal = [line.strip() for line in lines if "FATAL" in line]
        self.close()
        return InfraError("browser_died", "the browser ended" + (f": {fatal[-1]}" if fatal else ""))


_OPEN: weakref.WeakSet[DevToolsBrowser] = weakref.WeakSet()


def _after_fork() -> None:
    # A forked child holds copies of the pipes: it must let go, or the browser would outlive its owner.
    for browser in list(_OPEN):
        browser.abandon()
    _OPEN.clear()


os.register_at_fork(after_in_child=_after_fork)


class DevToolsPage:
    """One page of a :class:`DevToolsBrowser`."""

    def __init__(self, browser: DevToolsBrowser, size: Size, script: str, window: Size) -> None:
        self._browser = browser
        self._last: Image | None = None
        self._context: str | None = browser.call("Target.createBrowserContext")["browserContextId"]
        target: Message = {"url": "about:blank", "width": size[0], "height": size[1], "enableBeginFrameControl": True}
        target_id = browser.call("Target.createTarget", {**target, "browserContextId": self._context})["targetId"]
        attach = {"targetId": target_id, "flatten": True}
        self._session: str = browser.call("Target.attachToTarget", attach)["sessionId"]
        browser.call("Inspector.enable", session=self._session)
        browser.call("Page.enable", session=self._session)
        # Each page behaves as the one in front; otherwise only the last one clicked would show a focus and take keys.
        browser.call("Emulation.setFocusEmulationEnabled", {"enabled": True}, self._session)
        if window != size:
            shown = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
            metrics: Message = {"width": window[0], "height": window[1], "deviceScaleFactor": 1, "mobile": False}
            metrics |= {"viewport": shown, "dontSetVisibleSize": True}
            browser.call("Emulation.setDeviceMetricsOverride", metrics, self._session)
        if script:
            browser.call("Page.addScriptToEvaluateOnNewDocument", {"source": script}, self._session)

    def goto(self, url: str) -> None:
        """Load ``url`` and wait for its load event."""
        browser = self._browser
        with browser.lock:
            browser.forget_events(self._session)
            result = browser.call("Page.navigate", {"url": url}, self._session)
            if "errorText" in result:
                raise InfraError("page_error", f"cannot load {url}: {result['errorText']}")
            browser.wait_event("Page.loadEventFired", self._session)
            self._last = None
            self._draw()  # a page drops what input it gets before its first frame

    def evaluate(self, js: str) -> Any:
        """Return the JSON value of a JavaScript expression."""
        return _value(self._browser.call(*_evaluate(js), self._session))

    @property
    def url(self) -> str:
        """The address of the page."""
        return str(self.evaluate("location.href"))

    def command(self, method: str, params: Message | None = None) -> Message:
        """Send the page a command of the DevTools protocol and return its result."""
        return self._browser.call(method, params, self._session)

    def interact(self, events: Sequence[Event], js: str, draw: bool = True) -> tuple[Any, Image | None]:
        """Let ``events`` happen, then evaluate ``js``, then draw.

        Input, script and frame reach the page by different ways and overtake one another (one evaluation in ten came
        before the click, one frame in three before the evaluation), so each waits for the last; input is sent at once.
        """
        browser = self._browser
        with browser.lock:
            self._dispatch(events)
            value = self.evaluate(js)
            image = self._draw() if draw else None
            if not draw:  # layout, observers and lazy loading happen in frames, seen or not
                browser.call("HeadlessExperimental.beginFrame", {}, self._session)
            browser.forget_events(self._session)
        return value, image

    def close(self) -> None:
        """Close the page and its context."""
        context, self._context = self._context, None
        if context is not None and self._browser.alive:
            with contextlib.suppress(InfraError):
                self._browser.call("Target.disposeBrowserContext", {"browserContextId": context})

    def _dispatch(self, events: Sequence[Event]) -> None:
        """Send input; return when the page has handled all of it."""
        batch: list[Event] = []
        for event in events:
            batch.append(event)
            # Moves that wait for a frame are merged: on a drag each gets its own, so that the page sees the way.
            if isinstance(event, Wheel) or (isinstance(event, Move) and event.held):
                self._settle(batch)
                batch = []
        self._settle(batch)

    def _settle(self, events: Sequence[Event]) -> None:
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
                browser.call("HeadlessExperimental.beginFrame", frame, self._session)
        if isinstance(last, Wheel):
            browser.call("HeadlessExperimental.beginFrame", frame, self._session)
        if pending:
            raise browser.hung()

    def _draw(self) -> Image:
        for _ in range(FRAME_ATTEMPTS):
            frame = self._browser.call("HeadlessExperimental.beginFrame", DRAW, self._session)
            if data := frame.get("screenshotData"):
                self._last = np.array(Pictures.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
                return self._last
        if self._last is None:
            raise InfraError("no_frame", "the browser drew nothing")
        return self._last


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
            button = {"button": "left", "buttons": 1} if held else {}
            return [("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y, **button})]
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
