"""The fork server of one site: runs in the site's own virtual environment, standard library only.

    python zygote.py build SITE FOLDER      make the pristine state and whatever else the application reads
    python zygote.py run SITE FOLDER OWNER  serve private copies of it, as told on stdin, until stdin or OWNER ends

The application is loaded once; each copy is a forked child with a state folder of its own, so that a new episode costs
a copy of some files and a fork. SITE is the folder with the site's scripts. Its ``serve.py`` has three functions:

    build(folder)                   writes folder/pristine, all that the running application writes, and next to it
                                    what it only reads. The path is another one at run time.
    load(folder, state)             runs once, in the fork server: imports the application and answers a first request
                                    out of ``state``, a copy of the pristine state; closes what a child may not share.
    serve(state, listener, ready)   runs in a forked child: calls ``ready()`` when it can answer, then answers what
                                    comes on the listening socket, for ever. What it starts must die with it
                                    (:func:`die_with_parent`) or stay in its process group.

One JSON object a line each way. Requests name what to do and the copy it is for: open (makes its socket; host, port,
in_place: serve the pristine state itself), restore, alive, close. Answers hold ``error`` or what was asked for.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import random
import select
import shutil
import signal
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

START_TIMEOUT = 60.0
"""Longest wait until a child can answer, seconds."""
PREFIX = "turngym-site-"
BACKLOG = 128


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent, whose id is given, dies (Linux); usable as preexec_fn."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)  # it died before we asked


@dataclass
class Copy:
    """One private running copy of the application."""

    listener: socket.socket
    state: Path
    in_place: bool
    pid: int | None = None

    def alive(self) -> bool:
        """Whether its process runs; one that has ended is cleared away."""
        if self.pid is None:
            return False
        if os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            return True
        self._kill_group(self.pid)  # what it may have started
        self.pid = None
        return False

    def kill(self) -> None:
        """End its process, and whatever that started."""
        if self.pid is None:
            return
        self._kill_group(self.pid)
        os.waitpid(self.pid, 0)
        self.pid = None

    def _kill_group(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)

    def hang_up(self) -> None:
        """Drop connections that came for the process before: its requests are not for the next one."""
        self.listener.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.listener.accept()[0].close()
        self.listener.setblocking(True)


class Zygote:
    """The fork server: the loaded application and its copies."""

    def __init__(self, app: ModuleType, folder: Path, scratch: Path) -> None:
        self._app = app
        self._pristine = folder / "pristine"
        self._scratch = scratch
        self._copies: dict[int, Copy] = {}
        self.private: list[int] = []
        """File descriptors that children must not hold."""
        warm = scratch / "warm"
        shutil.copytree(self._pristine, warm)
        app.load(folder, warm)
        gc.collect()
        gc.freeze()  # a collection would touch, and so copy, every page that a child shares with us

    def open(self, copy: int, host: str, port: int, in_place: bool) -> dict[str, Any]:
        """Make a copy's socket, on a free port if ``port`` is 0. It lives as long as the copy, whatever serves it."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        state = self._pristine if in_place else self._scratch / str(copy)
        self._copies[copy] = Copy(listener, state, in_place)
        return {"port": listener.getsockname()[1]}

    def restore(self, copy: int) -> dict[str, Any]:
        """Serve the pristine state: end the copy's process, if there is one, and fork another."""
        it = self._copies[copy]
        it.kill()
        it.hang_up()
        if not it.in_place:
            shutil.rmtree(it.state, ignore_errors=True)
            shutil.copytree(self._pristine, it.state, copy_function=shutil.copyfile)
        answers, ready = os.pipe()
        me = os.getpid()
        it.pid = os.fork()
        if it.pid == 0:
            os.close(answers)
            self._be(it, ready, me)
        with contextlib.suppress(OSError):  # the child does the same; whoever is first
            os.setpgid(it.pid, it.pid)
        os.close(ready)
        try:
            if not select.select([answers], [], [], START_TIMEOUT)[0]:
                it.kill()
                return {"error": f"it was not ready within {START_TIMEOUT:g} s"}
            if not os.read(answers, 1):
                it.kill()
                return {"error": "it ended before it was ready"}
        finally:
            os.close(answers)
        return {"pid": it.pid}

    def _be(self, copy: Copy, ready: int, parent: int) -> NoReturn:
        """Be the process that serves a copy."""
        try:
            die_with_parent(parent)
            with contextlib.suppress(OSError):
                os.setpgid(0, 0)
            for other in self._copies.values():
                if other is not copy:
                    other.listener.close()
            for fd in self.private:
                os.close(fd)
            random.seed(0)

            def is_ready() -> None:
                os.write(ready, b"1")
                os.close(ready)

            self._app.serve(copy.state, copy.listener, is_ready)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(1)

    def alive(self, copy: int) -> dict[str, Any]:
        """Say whether a copy is being served."""
        return {"alive": copy in self._copies and self._copies[copy].alive()}

    def close(self, copy: int) -> dict[str, Any]:
        """End a copy and remove its state."""
        if copy in self._copies:
            it = self._copies.pop(copy)
            it.kill()
            it.listener.close()
            if not it.in_place:
                shutil.rmtree(it.state, ignore_errors=True)
        return {}

    def end(self) -> None:
        """End all copies."""
        for copy in list(self._copies):
            self.close(copy)


def _scratch_folder() -> tuple[Path, int]:
    """Make a folder for private states, and remove those of fork servers that were killed.

    Who lives holds a lock on a file in its folder; unlike most locks this kind is not inherited by children.
    """
    above = Path(tempfile.gettempdir())
    for left in above.glob(PREFIX + "*"):
        with contextlib.suppress(OSError), (left / "lock").open("r+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
    mine = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = os.open(mine / "making", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    fcntl.lockf(lock, fcntl.LOCK_EX)
    (mine / "making").rename(mine / "lock")  # never there without being locked
    return mine, lock


def _watch(owner: int) -> int | None:
    """Return a file descriptor that can be read when the owner has ended; None where there is no such thing."""
    try:
        watch = os.pidfd_open(owner)
    except (AttributeError, OSError):
        watch = None
    if os.getppid() != owner:
        os._exit(1)
    return watch


def run(app: ModuleType, folder: Path, owner: int) -> None:
    """Do what is asked on stdin, until it ends or the owner does."""
    watch = _watch(owner)
    out = os.dup(1)
    os.dup2(2, 1)  # what the application prints is for the log
    with (folder / "in-use").open() as in_use:
        fcntl.flock(in_use, fcntl.LOCK_SH)  # as long as somebody has this, nobody removes the folder
        scratch, lock = _scratch_folder()
        zygote = None
        try:
            zygote = Zygote(app, folder, scratch)
            zygote.private = [0, out, lock, in_use.fileno(), *([] if watch is None else [watch])]
            _answer_requests(zygote, out, watch)
        finally:
            if zygote is not None:
                zygote.end()
            shutil.rmtree(scratch, ignore_errors=True)


def _answer_requests(zygote: Zygote, out: int, watch: int | None) -> None:
    ends = [0] if watch is None else [0, watch]
    os.write(out, b"{}\n")  # loaded
    pending = b""
    while True:
        if watch in select.select(ends, [], [])[0]:
            return
        data = os.read(0, 1 << 16)
        if not data:
            return
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            request = json.loads(line)
            try:
                answer = getattr(zygote, request.pop("do"))(**request)
            except (OSError, KeyError) as error:
                answer = {"error": str(error)}
            try:
                os.write(out, json.dumps(answer).encode() + b"\n")
            except BrokenPipeError:
                return


def main(what: str, site: str, folder: str, owner: str = "0") -> None:
    """Carry out one of the two commands above."""
    scripts = Path(site)
    sys.path.append(str(scripts.parent))  # last, so that what is there hides no package
    app = importlib.import_module(f"{scripts.name}.serve")
    if what == "build":
        app.build(Path(folder))
    else:
        run(app, Path(folder), int(owner))


if __name__ == "__main__":
    main(*sys.argv[1:])
