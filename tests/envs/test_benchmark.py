"""The benchmark measures what it says, and says what stopped it. No test looks at how fast anything is."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from turngym.envs import BadInput, InfraError
from turngym.envs.benchmark import Figures, bench, descendants, memory, size

LANTERNS = "lanterns:Lanterns-v0"


@pytest.fixture
def child():
    """A process with a process of its own: their ids, the child's first."""
    script = """
import subprocess, sys
grandchild = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print(grandchild.pid, flush=True)
input()
grandchild.communicate(b"\\n")
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield process.pid, int(process.stdout.readline())
    process.communicate("\n")


def test_every_promised_figure_is_there_and_plausible():
    figures = bench(LANTERNS, seconds=0.5, workers=2)
    assert set(figures) == set(Figures.__annotations__)
    assert (figures["env"], figures["task"], figures["workers"]) == (LANTERNS, None, 2)
    for key in ("steps_per_s", "resets_per_s", "reset_ms_p50", "step_ms_p50", "rss_mb"):
        assert figures[key] > 0, key
    assert figures["step_ms_p99"] >= figures["step_ms_p50"]
    assert figures["memory"] in ("pss", "rss")
    assert figures["infra_error_share"] == 0.0


def test_task_and_keywords_reach_the_workers():
    figures = bench("faulty_lanterns:Picky-v0", task="count", seconds=0.1, workers=1, kwargs={"max_turns": 5})
    assert figures["task"] == "count"


def test_failures_of_ours_are_counted_and_not_timed():
    figures = bench("faulty_lanterns:BreaksNowAndThen-v0", seconds=0.3, workers=1)
    assert 0.0 < figures["infra_error_share"] < 1.0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"env_id": "turngym/MiniWob-v0"}, "did you mean 'turngym/MiniWoB-v0'"),
        ({"env_id": "nosuch:X-v0"}, "cannot import 'nosuch'"),
        ({"env_id": "lanterns:X-v0"}, "unknown environment 'lanterns:X-v0'"),
        ({"env_id": LANTERNS, "task": "juggle"}, "juggle"),
        ({"env_id": LANTERNS, "seconds": 0}, "seconds > 0"),
        ({"env_id": LANTERNS, "workers": 0}, "at least 1 worker"),
    ],
)
def test_bad_input_is_refused(arguments, says):
    with pytest.raises(BadInput, match=says):
        bench(**{"workers": 2, "seconds": 0.1, **arguments})


def test_a_worker_that_cannot_start_is_the_reason():
    with pytest.raises(InfraError, match="lamp_broke"):
        bench("faulty_lanterns:NeverStarts-v0", seconds=0.1, workers=2)


def test_size_counts_png_and_utf8():
    blank, noise = np.zeros((50, 40, 3), np.uint8), np.random.default_rng(0).integers(0, 256, (50, 40, 3), np.uint8)
    assert size({"text": "é漢", "images": ()}) == 5
    assert size({"text": "", "images": (blank,)}) < 300
    assert size({"text": "", "images": (noise,)}) > noise.size
    assert size({"text": "", "images": (blank, blank)}) == 2 * size({"text": "", "images": (blank,)})


def test_descendants_are_found_and_their_memory_added(child):
    pids = list(descendants([child[0]]))
    assert pids == list(child)
    assert set(child) <= set(descendants([os.getpid()]))
    alone, _ = memory([child[1]])
    both, counted = memory([child[0]])
    assert 0 < alone < both
    assert counted in ("pss", "rss")


def test_a_process_that_is_gone_has_no_memory(child):
    assert memory([2**22 + 1])[0] == 0.0


def test_nothing_is_left_behind():
    before = set(descendants([os.getpid()]))
    bench(LANTERNS, seconds=0.1, workers=1)
    # The resource tracker of multiprocessing stays with its owner.
    left = set(descendants([os.getpid()])) - before
    commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in left]
    assert [command for command in commands if "resource_tracker" not in command] == []
