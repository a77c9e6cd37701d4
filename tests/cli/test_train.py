"""The smallest whole recipe, in a real browser: trained, evaluated, interrupted and gone on with."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from turngym.agents.episodes.store import EpisodeStore

from .conftest import Command

pytestmark = pytest.mark.browser

SMALL = {
    "warm_start.episodes": 8,
    "warm_start.steps": 2,
    "warm_start.until": "null",
    "train.groups": 1,
    "train.group_size": 2,
    "evaluate.episodes": 2,
    "workers": 1,
    "slots": 2,
}


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
    go_on = interrupt(begin, "step 1: ", tmp_path)
    step = newest(tmp_path)
    assert step >= 1
    with EpisodeStore(tmp_path / "run") as store:
        assert {"warm_start", "before", "train"} <= set(store.counts("phase"))
    assert interrupt(go_on, "going on from run/checkpoints/", tmp_path) == go_on
    assert newest(tmp_path) >= step


def interrupt(command: list[str], words: str, folder: Path) -> list[str]:
    """Run ``command``, press Ctrl-C once it says ``words``, and return the command that it names to go on with."""
    program = [sys.executable, "-c", "import sys; from turngym.cli import main; sys.exit(main())", *command[1:]]
    with subprocess.Popen(program, cwd=folder, stderr=subprocess.PIPE, text=True, start_new_session=True) as training:
        assert training.stderr is not None
        try:
            assert any(words in line for line in training.stderr)
            training.send_signal(signal.SIGINT)
            last = training.stderr.read()
            assert training.wait(timeout=120) == 130
        finally:
            training.kill()
    assert "Traceback" not in last
    (line,) = (line for line in last.splitlines() if line.startswith("turngym: "))
    found = re.fullmatch("turngym: interrupted; what was finished is in run; go on with: (.*)", line)
    assert found
    return shlex.split(found[1])


def newest(folder: Path) -> int:
    return max(int(path.name) for path in (folder / "run" / "checkpoints").glob("[0-9]*"))
