"""The owner's side of a site's fork server (``zygote.py``): one a process and site, gone with the last of its users."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from turngym.envs.types import InfraError

SCRIPT = Path(__file__).with_name("zygote.py")
LOAD_TIMEOUT = 120.0
"""Longest wait until the application is loaded, seconds."""
TIMEOUT = 90.0
"""Longest wait for any other answer, seconds; more than a child is given to start."""
ENVIRONMENT = {"TZ": "UTC", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}


class ForkServer:
    """A running fork server of the site whose scripts and installation are given. Threads may share it."""

    def __init__(self, scripts: Path, folder: Path) -> None:
        self.site = scripts.name
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._buffer = bytearray()
        self._log = tempfile.TemporaryFile("a+b")  # noqa: SIM115  (unlinked at birth)
        python = folder / "venv" / "bin" / "python"
        command = [str(python), "-I", str(SCRIPT), "run", str(scripts), str(folder), str(os.getpid())]
        try:
            self._process: subprocess.Popen[bytes] | None = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env={**os.environ, **ENVIRONMENT},
                cwd=folder,
                start_new_session=True,  # Ctrl-C is its owner's to hear
            )
        except OSError as error:
            raise InfraError("site_down", f"{self.site}: cannot start {python}: {error.strerror}") from None
        _OPEN.add(self)
        with self._lock:
            self._receive(LOAD_TIMEOUT)

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self._process is not None and self._process.poll() is None

    def new_copy(self) -> int:
        """Return a number for a new copy."""
        return next(self._numbers)

    def ask(self, do: str, copy: int, **arguments: Any) -> dict[str, Any]:
        """Ask for something; :class:`InfraError` if it cannot be had."""
        with self._lock:
            if self._process is None or self._process.stdin is None:
                raise InfraError("site_down", f"{self.site}: its server is gone")
            request = json.dumps({"do": do, "copy": copy, **arguments}).encode() + b"\n"
            try:
                self._process.stdin.write(request)
                self._process.stdin.flush()
            except OSError:
                raise self._down("its server ended") from None
            return self._receive(TIMEOUT)

    def _receive(self, timeout: float) -> dict[str, Any]:
        if self._process is None or self._process.stdout is None:
            raise InfraError("site_down", f"{self.site}: its server is gone")
        answers = self._process.stdout.fileno()
        deadline = time.monotonic() + timeout
        while b"\n" not in self._buffer:
            if not select.select([answers], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise self._down(f"its server did not answer within {timeout:g} s")
            data = os.read(answers, 1 << 16)
            if not data:
                raise self._down("its server ended")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise InfraError("site_down", f"{self.site}: {answer['error']}{self._last_words()}")
        return answer

    def _last_words(self) -> str:
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - 4096))
        lines = self._log.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f": {last}" if last else ""

    def _down(self, why: str) -> InfraError:
        last = self._last_words()
        self._end()
        return InfraError("site_down", f"{self.site}: {why}{last}")

    def close(self) -> None:
        """End it with all its copies."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        self.abandon()
        try:
            process.wait(5.0)  # the end of its stdin ends it, and it cleans up
        except subprocess.TimeoutExpired:
            process.kill()  # its children die with it; its folder goes when the next one starts
            process.wait()

    def abandon(self) -> None:
        """Close this process's ends of the pipes."""
        _OPEN.discard(self)
        process, self._process = self._process, None
        if process is None:
            return
        for end in (process.stdin, process.stdout):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.close()
        self._log.close()

    def forget(self) -> None:
        """Let go in a forked child: the server is its parent's, and must not outlive it for the child's sake."""
        process = self._process
        self._lock = threading.Lock()  # whoever held it is not here
        self.abandon()
        if process is not None:
            process.returncode = 0  # not our child: nothing to wait for


_OPEN: set[ForkServer] = set()
_SHARED: dict[Path, tuple[ForkServer, int]] = {}
_SHARED_LOCK = threading.Lock()


def borrow(scripts: Path, folder: Path) -> ForkServer:
    """Return this process's fork server of an installation, started or, if it died, replaced. Then :func:`release`."""
    with _SHARED_LOCK:
        server, users = _SHARED.get(folder, (None, 0))
        if server is None or not server.alive:
            if server is not None:
                server.close()
            server, users = ForkServer(scripts, folder), 0
        _SHARED[folder] = (server, users + 1)
        return server


def release(server: ForkServer) -> None:
    """Give a borrowed fork server back; the last user's closes it."""
    with _SHARED_LOCK:
        for folder, (shared, users) in list(_SHARED.items()):
            if shared is server:
                if users > 1:
                    _SHARED[folder] = (server, users - 1)
                    return
                del _SHARED[folder]
        server.close()


def _after_fork() -> None:
    global _SHARED_LOCK
    for server in list(_OPEN):
        server.forget()
    _OPEN.clear()
    _SHARED.clear()
    _SHARED_LOCK = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
