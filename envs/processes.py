"""Ctrl-C, held back for a moment, and worker processes: it is their owner's to hear, and they die with it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing import resource_tracker
from types import FrameType


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let a block finish before SIGINT is heard; then let whoever listened before hear it.

    That raises KeyboardInterrupt, or, within another such block, waits for its end too. Used where state is half
    changed. Outside the main thread, where Python delivers no signals, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(number)

    before = signal.signal(signal.SIGINT, hear)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if not heard:
        return
    if callable(before):
        before(heard[0], None)
    elif before != signal.SIG_IGN or heard[0] != signal.SIGINT:  # the command line sends SIGTERM this way too
        raise KeyboardInterrupt


@contextlib.contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Start worker processes inside: Ctrl-C does not reach them, and reaches this process afterwards.

    Ctrl-C goes to the whole group of processes; the owner decides what ends. The processes inherit a block of the
    signal, which holds from their first moment on.
    """
    resource_tracker.ensure_running()  # started later, by multiprocessing, it would lift the block
    with uninterrupted():  # as well: where there are other threads, one of them gets the signal
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def belong_to(owner: int) -> None:
    """Begin a worker process: ignore Ctrl-C for good, and on Linux be killed when the process ``owner`` dies.

    Elsewhere a closed pipe has to tell the worker that it is alone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # for the browsers that it starts
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != owner:
        os._exit(1)  # it died before we asked
