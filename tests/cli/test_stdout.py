"""Whatever third parties print: stdout has the answer and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LANTERNS = Path(__file__).parents[1] / "contract"
TURNGYM = [sys.executable, "-c", "import sys; from turngym.cli import main; sys.exit(main())"]

NOISY = """
import os
print("noise of an import")
import lanterns
from turngym.envs import Entry, register as add

def tasks():
    print("noise of tasks")
    return ["count"]

def missing():
    os.system("echo noise of a child")

class Lanterns(lanterns.Lanterns):
    pass

def register():
    print("noise of an entry point")
    add(Entry("noisy/Lanterns-v0", "noisy", "Loud.", "noisy:Lanterns", "noisy:tasks", "noisy:missing"))
"""

FILES = {
    "noisy.py": NOISY,
    "noisy-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: noisy\nVersion: 1.0\n",
    "noisy-1.0.dist-info/entry_points.txt": "[gymnasium.envs]\nturngym = noisy:register\n",
    "noisy.yaml": "{name: noisy, workers: 1, slots: 1, environment: {id: noisy/Lanterns-v0, task: count}}",
}


@pytest.fixture
def say(tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run a command where a noisy package is installed."""
    for file, text in FILES.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{LANTERNS}"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*TURNGYM, *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert "noise of an import\n" in done.stderr
        return done

    return run


def test_list(say) -> None:
    done = say("list", "--json")
    (found,) = [entry for entry in json.loads(done.stdout)["environments"] if entry["id"] == "noisy/Lanterns-v0"]
    assert (found["tasks"], found["ready"]) == (1, True)
    assert "noise of a child" in done.stderr


def test_play(say) -> None:
    done = say("play", "noisy/Lanterns-v0", "--episodes", "1", "--json")
    assert json.loads(done.stdout)["success_rate"] == 1.0


def test_eval(say) -> None:
    done = say("eval", "noisy.yaml", "--policy", "oracle", "--episodes", "1", "--json")
    assert json.loads(done.stdout)["success_rate"] == 1.0


def test_train(say) -> None:
    done = say("train", "noisy.yaml", "--set", "policy.model=./nobody", "--json")
    assert (done.returncode, done.stdout) == (2, "")
