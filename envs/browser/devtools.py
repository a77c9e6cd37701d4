"""Chromium over its DevTools pipe, standard library only, drawing frames on demand.

With frames on demand (``HeadlessExperimental.beginFrame``) a screenshot costs what drawing it costs; otherwise it waits
for the display's refresh, 17 or 33 ms. The browser is spoken to over two pipes and has neither a port nor a profile
folder: it lives in memory, and ends when this process does, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from turngym.envs.browser import cbor, chromium
from turngym.envs.browser.devtools_page import Command, DevToolsContext, DevToolsPage, Message
from turngym.envs.browser.protocol import LAUNCH_TIMEOUT, TIMEOUT, Size
from turngym.envs.types import InfraError

Listener = Callable[[Message], None]

READ = 1 << 16
"""Bytes read at once: what a pipe holds."""


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
        self._unwanted: set[int] = set()
        self._listeners: dict[str, Listener] = {}
        self.watchers: list[Listener] = []
        """Told of the events that belong to no page's session."""
        executable = path or chromium.find()  # first: there may be none
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  (unlinked at birth)
        self._pid: int | None = None
        theirs_in, self._write = _pipe()
        self._read, theirs_out = _pipe()
        stderr = self._stderr.fileno()
        wiring: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1)]
        wiring += [(os.POSIX_SPAWN_DUP2, a, b) for a, b in ((stderr, 2), (theirs_in, 3), (theirs_out, 4))]
        flags = (*chromium.FLAGS, *chromium.FRAMES_ON_DEMAND, "--incognito", "--remote-debugging-pipe=cbor")
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
        if hasattr(os, "SCHED_BATCH"):
            # A frame passes through ten threads: one that wakes another goes on until it has to wait itself.
            with contextlib.suppress(OSError):  # it may not be allowed, or have ended already
                os.sched_setscheduler(self._pid, os.SCHED_BATCH, os.sched_param(0))
        os.set_blocking(self._write, False)
        _OPEN.add(self)
        self.call("Browser.getVersion")
        self.timeout = timeout

    @property
    def alive(self) -> bool:
        """Whether it can still be used."""
        return self._pid is not None

    def new_context(
        self, size: Size, script: str = "", window: Size | None = None, hosts: Sequence[str] | None = None
    ) -> DevToolsContext:
        """Open a context."""
        with self.lock:
            return DevToolsContext(self, size, script, window or size, hosts)

    def new_page(
        self, size: Size, script: str = "", window: Size | None = None, hosts: Sequence[str] | None = None
    ) -> DevToolsPage:
        """Open a page in a context of its own."""
        with self.lock:
            return DevToolsPage(DevToolsContext(self, size, script, window or size, hosts), owns_context=True)

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
        ids, data = [], b""
        for method, params in commands:
            self._id += 1
            ids.append(self._id)
            message: Message = {"id": self._id, "method": method, "params": params}
            if session is not None:
                message["sessionId"] = session
            data += cbor.encode(message)
        # More than the pipe holds waits for the browser to read; it does so however much of its own is still unread.
        deadline = time.monotonic() + self.timeout
        while data:
            try:
                data = data[os.write(self._write, data) :]
            except BlockingIOError:
                if not self._ready(self._write, deadline):
                    raise self.hung() from None
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
        return self.wait_until(lambda: number in self._answers, within)

    def disregard(self, number: int) -> None:
        """Never mind the answer to the command with this id, whether it has come or not."""
        if self._answers.pop(number, None) is None:
            self._unwanted.add(number)

    def call(self, method: str, params: Message | None = None, session: str | None = None) -> Message:
        """Send one command and wait for its answer."""
        with self.lock:
            return self.wait(self.send([(method, params or {})], session)[0])

    def post(self, method: str, params: Message, session: str | None = None) -> None:
        """Send one command and never mind its answer."""
        self.disregard(self.send([(method, params)], session)[0])

    def wait_until(self, happened: Callable[[], bool], within: float) -> bool:
        """Take in what the browser says until ``happened``; False if it has not within so many seconds."""
        deadline = time.monotonic() + within
        while not happened():
            if not self._ready(self._read, deadline):
                return False
            self._receive()
        return True

    def listen(self, session: str, listener: Listener | None) -> None:
        """Have the events of a session told to ``listener`` as they come; None ends that."""
        if listener is None:
            self._listeners.pop(session, None)
        else:
            self._listeners[session] = listener

    def _ready(self, end: int, deadline: float) -> bool:
        """Wait until one of the two ends can be used; False after the deadline."""
        if self._pid is None:
            raise InfraError("browser_died", "the browser is gone")
        poll = select.poll()
        poll.register(end, select.POLLOUT if end == self._write else select.POLLIN)
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))

    def _receive(self) -> None:
        data = os.read(self._read, READ)
        if not data:
            raise self._died()
        self._buffer += data
        for message in cbor.take(self._buffer):
            if "id" in message:
                if message["id"] in self._unwanted:
                    self._unwanted.remove(message["id"])
                else:
                    self._answers[message["id"]] = message
            elif message["method"] == "Inspector.targetCrashed":
                # Frames that the page owes may never come, and one owed frame blocks those of all pages.
                self.close()
                raise InfraError("browser_died", "a page crashed")
            elif "sessionId" not in message:
                for watcher in self.watchers:
                    watcher(message)
            elif listener := self._listeners.get(message["sessionId"]):
                listener(message)

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
