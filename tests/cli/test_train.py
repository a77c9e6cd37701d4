"""The smallest whole recipe, in a real browser: trained, evaluated, interrupted and gone on with."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from turngym.agents.episodes.store import EpisodeStore

from .conftest import Command

pytestmark = pytest.mark.browser

SMALL = {
    "warm_start.episodes": 8,
    "warm_start.steps": 2,
    "warm_start.until": "null",
    "warm_start.overshoot": "null",
    "train.groups": 1,
    "train.group_size": 2,
    "evaluate.episodes": 2,
    "workers": 1,
    "slots": 2,
}

PATIENCE = 240.0
"""Seconds after which a program that does not say what it should is killed."""


def options(**more: object) -> list[str]:
    settings = {**SMALL, **{key.replace("__", "."): value for key, value in more.items()}}
    return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


def test_train_then_eval(turngym: Command) -> None:
    small = options(train__steps=1)
    said = turngym("train", "quickstart", *small, "--out", "run", "--json")
    answer = json.loads(said.out)
    assert said.code == 0
    assert set(answer) >= {"run", "success_before", "success_after", "steps", "episodes", "wall_s"}
    assert (answer["run"], answer["steps"]) == ("run", 1)
    assert json.loads(Path("run/summary.json").read_text()) == answer
    assert all((Path("run") / name).exists() for name in ("run.yaml", "episodes.db", "metrics.jsonl", "report.html"))
    assert "Traceback" not in said.err

    again = turngym("train", "quickstart", *small, "--out", "run")
    assert (again.code, again.out, again.err.count("\n")) == (2, "", 1)

    said = turngym("eval", "quickstart", "--checkpoint", "run/checkpoints/1", "--episodes", 2, *small, "--json")
    measured = json.loads(said.out)
    assert said.code == 0
    assert set(measured) >= {"success_rate", "ci95", "episodes", "mean_turns", "infra_errors", "metrics"}
    assert measured["episodes"] == 2


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    begin = ["turngym", "train", "quickstart", *options(train__steps=100_000, train__until="null"), "--out", "run"]
    go_on = interrupt(begin, "step 1 of ", tmp_path)
    step = newest(tmp_path)
    assert step >= 1
    with EpisodeStore(tmp_path / "run") as store:
        assert {"warm_start", "before", "train"} <= set(store.counts("phase"))
    assert interrupt(go_on, "going on from run/checkpoints/", tmp_path) == go_on
    assert newest(tmp_path) >= step


def test_killed_it_leaves_no_process_and_can_be_gone_on_with(tmp_path: Path) -> None:
    settings = options(train__steps=3, train__until="null", train__checkpoint_every=1)
    command = ["turngym", "train", "quickstart", *settings, "--out", "run"]
    with started(command, "step 1 of ", tmp_path) as training:
        assert len(processes_in(tmp_path)) > 5  # itself, a worker, a browser with processes of its own
        os.kill(training.pid, signal.SIGKILL)
        assert training.wait(timeout=60) == -signal.SIGKILL
        assert left_in(tmp_path) == []
    step = newest(tmp_path)
    assert step >= 1
    with started([*command, "--resume"], f"going on from run/checkpoints/{step}\n", tmp_path) as resumed:
        _, said = resumed.communicate(timeout=PATIENCE)
        assert left_in(tmp_path) == []
    assert (resumed.returncode, "Traceback" in said) == (0, False)
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["steps"] == 3
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if row["phase"] == "train"] == [1, 2, 3]


def interrupt(command: list[str], words: str, folder: Path) -> list[str]:
    """Run ``command``, press Ctrl-C once it says ``words``, and return the command that it names to go on with."""
    with started(command, words, folder) as training:
        assert len(processes_in(folder)) > 2  # itself and a worker at least
        training.send_signal(signal.SIGINT)
        assert training.wait(timeout=120) == 130
        assert left_in(folder) == []
        assert training.stderr is not None
        last = training.stderr.read()
    assert "Traceback" not in last
    (line,) = (line for line in last.splitlines() if line.startswith("turngym: "))
    found = re.fullmatch("turngym: interrupted; what was finished is in run; go on with: (.*)", line)
    assert found
    return shlex.split(found[1])


@contextlib.contextmanager
def started(command: list[str], words: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run ``command`` in a folder until it says ``words``; what is left of it in the end is killed."""
    program = [sys.executable, "-c", "import sys; from turngym.cli import main; sys.exit(main())", *command[1:]]
    # One thread: for a model this small, threads that wait for each other cost most of the time on a busy machine.
    quicker = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        program, cwd=folder, env=quicker, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stderr is not None
        watchdog = threading.Timer(PATIENCE, running.kill)
        watchdog.start()
        try:
            said = ""
            for line in running.stderr:
                said += line
                if words in line:
                    break
            assert words in said
            watchdog.cancel()
            yield running
        finally:
            watchdog.cancel()
            for pid in processes_in(folder):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def processes_in(folder: Path) -> list[int]:
    """List the processes that work in a folder: all that were started there, browsers in sessions of their own too."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):  # it ended, or is another user's
            if link.readlink() == folder:
                found.append(int(link.parent.name))
    return found


def left_in(folder: Path) -> list[int]:
    """List the processes that do not end within a while."""
    end = time.monotonic() + 20
    while (left := processes_in(folder)) and time.monotonic() < end:
        time.sleep(0.1)
    return left


def newest(folder: Path) -> int:
    return max(int(path.name) for path in (folder / "run" / "checkpoints").glob("[0-9]*"))
