"""The memory of a run is that of its processes too."""

import platform
import subprocess
import sys

import pytest

from turngym.trainers.memory import PeakMemory

HOLD = "data = bytearray(b'x') * (200 * 2**20); print(flush=True); input()"


def test_what_a_child_took_counts_even_when_it_is_gone(monkeypatch):
    monkeypatch.setattr("turngym.trainers.memory.EVERY", 0.01)
    with PeakMemory() as alone:
        pass
    with (
        PeakMemory() as together,
        subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child,
    ):
        child.stdout.readline()
        while together.mb < alone.mb + 200 and child.poll() is None:
            together._over.wait(0.01)
        child.communicate(b"\n")
    assert together.mb > alone.mb + 200
    assert not together._thread.is_alive()


GROW = """
import resource
from turngym.trainers.memory import keep_freed_memory

{first}
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for size in range(1, 24):
    bytes([1]) * (size * 2**20)  # each larger than any before, as a key-value cache is
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages_touched(first):
    command = [sys.executable, "-c", GROW.format(first=first)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is asked")
def test_freed_memory_is_handed_out_again():
    """In processes of their own: what is asked of the allocator cannot be taken back."""
    assert pages_touched("keep_freed_memory()") < pages_touched("") / 2
