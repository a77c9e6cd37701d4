"""What a run does about memory, and how much of it it takes."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from types import TracebackType
from typing import Self

from turngym.envs.benchmark import memory

EVERY = 5.0
"""Seconds between two looks; each reads a file of /proc for every process."""


class PeakMemory:
    """The most memory that this process and its descendants (workers, browsers) took while it was open."""

    def __init__(self) -> None:
        self.mb = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.mb = max(self.mb, memory([os.getpid()])[0])
            if self._over.wait(EVERY):
                return


def keep_freed_memory() -> None:
    """Ask glibc to hand out freed memory again rather than return it to the kernel; elsewhere nothing happens.

    By default each tensor above 128 KiB is a mapping of its own, whose pages are cleared anew at every use: growing a
    key-value cache then costs more than the products it serves (measured: 0.37 of sampling, 0.07 with this).
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # musl has none
        mallopt(-3, 1 << 25)  # M_MMAP_THRESHOLD, at the most that every glibc takes
        mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD
