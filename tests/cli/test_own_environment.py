"""An environment of the reader's own, in a file of the folder they are in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import gymnasium as gym
import pytest

from turngym.envs import Entry, register, registry

from .conftest import Command

LANTERNS = Path(__file__).parents[1] / "contract"
PROGRAM = [sys.executable, "-c", "import sys; from turngym.cli import main; sys.exit(main())"]
LAMPS = """
import lanterns
from turngym.envs import Entry, register

register(Entry("mine/Lamps-v0", "lamps", "Lamps.", "lanterns:Lanterns", "lanterns:task_names", "lanterns:missing"))
"""
RECIPE = """
name: lamps
environment: {id: "lamps:mine/Lamps-v0"}
evaluate: {episodes: 2}
workers: 1
slots: 1
"""

Say = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def say(tmp_path: Path) -> Say:
    """Run the command line as a program, in a folder with an environment in it."""
    (tmp_path / "lamps.py").write_text(LAMPS)
    (tmp_path / "lamps.yaml").write_text(RECIPE)
    environment = {**os.environ, "PYTHONPATH": str(LANTERNS)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
        )

    return run


def test_it_is_played_replayed_and_measured(say: Say) -> None:
    played = say("play", "lamps:mine/Lamps-v0", "--episodes", "2", "--workers", "1", "--out", "run", "--json")
    assert json.loads(played.stdout)["success_rate"] == 1.0
    measured = say("eval", "lamps.yaml", "--policy", "oracle", "--json")
    assert json.loads(measured.stdout)["success_rate"] == 1.0

    refused = say("replay", "run")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.endswith("if you trust it, --import lamps\n")
    assert json.loads(say("replay", "run", "--import", "lamps", "--json").stdout)["identical"] == 2
    refused = say("replay", "run", "--import", "lumps")
    assert refused.stderr == "turngym: --import: cannot import 'lumps': ModuleNotFoundError: No module named 'lumps'\n"


def test_what_breaks_is_said(say: Say, tmp_path: Path) -> None:
    torn = """
import lanterns

class Torn(lanterns.Lanterns):
    def act(self, call):
        return super().act(call) if self.count % 2 else {}[call["name"]]

lanterns.Lanterns = Torn
"""
    (tmp_path / "lamps.py").write_text(torn + LAMPS)
    played = say("play", "lamps:mine/Lamps-v0", "--episodes", "12", "--workers", "1", "--json")
    answer = json.loads(played.stdout)
    assert (played.returncode, answer["success_rate"]) == (0, 1.0)
    assert 0 < answer["episodes"] < 12
    last = played.stderr.splitlines()[-1]
    assert last.startswith(f"turngym: {answer['infra_errors']} attempts broke on our side, the first by env_error: Key")


def test_its_tasks_are_listed(say: Say) -> None:
    assert say("list", "lamps:mine/Lamps-v0").stdout == "count\n"
    listed = json.loads(say("list", "lamps:mine/Lamps-v0", "--json").stdout)
    assert listed == {"id": "mine/Lamps-v0", "tasks": [{"name": "count", "oracle": True}]}


def test_one_that_is_broken_does_not_hide_the_others(turngym: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    register(Entry("mine/Torn-v0", "lamps", "Lamps.", "lanterns:Lanterns", "torn:names", "torn:missing"))
    try:
        listed = {entry["id"]: entry for entry in json.loads(turngym("list", "--json").out)["environments"]}
        assert not listed["mine/Torn-v0"]["ready"]
        assert listed["mine/Torn-v0"]["missing"] == (
            "broken: an environment's entry names 'torn:missing': No module named 'torn'"
        )
        assert "turngym/MiniWoB-v0" in listed
        assert "broken" in turngym("list").out
    finally:
        del gym.registry["mine/Torn-v0"]
