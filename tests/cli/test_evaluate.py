"""`turngym eval` keeps a run like the others: other commands find it, and Ctrl-C says where it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from turngym.agents.episodes.store import EpisodeStore

from .conftest import Command

SMALL = """
name: small
environment: {id: turngym/MiniWoB-v0, task: click-color, backend: fake}
evaluate: {episodes: 3}
workers: 1
slots: 1
"""


@pytest.fixture(autouse=True)
def small(turngym: Command) -> None:
    Path("small.yaml").write_text(SMALL)


def test_it_is_kept_and_other_commands_read_it(turngym: Command) -> None:
    said = turngym("eval", "small.yaml", "--policy", "oracle", "--out", "run", "--json")
    answer = json.loads(said.out)
    assert said.code == 0
    assert (answer["run"], answer["episodes"], answer["success_rate"]) == ("run", 3, 1.0)
    assert json.loads(Path("run/summary.json").read_text()) == answer
    scored = turngym("score", "run", "--rubric", "success", "--json")
    assert (scored.code, json.loads(scored.out)["mean"]) == (0, 1.0)
    assert turngym("view", "run", "--export", "report.html").code == 0
    assert "Evaluation" in Path("report.html").read_text("utf-8")

    again = turngym("eval", "small.yaml", "--policy", "oracle", "--out", "run")
    assert (again.code, again.err) == (2, "turngym: run holds a run already: choose another --out\n")


def test_without_out_it_makes_a_flat_run_that_is_not_taken_for_training(turngym: Command) -> None:
    said = turngym("eval", "small.yaml", "--policy", "noop", "--episodes", 1, "--json")
    (run,) = Path("runs").iterdir()
    assert json.loads(said.out)["run"] == str(run)
    assert run.name.startswith("small-eval-")
    resumed = turngym("train", "small.yaml", "--resume")
    assert resumed.code == 2 and "--resume: there is no runs/small-TIME here" in resumed.err


def test_ctrl_c_says_where_what_was_finished_is(turngym: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turngym.agents.rollout.KEEP_EVERY", 1)
    original = EpisodeStore.add

    def add(self: EpisodeStore, *episodes: object, **how: bool) -> None:
        original(self, *episodes, **how)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(EpisodeStore, "add", add)
    said = turngym("eval", "small.yaml", "--policy", "noop", "--out", "run")
    assert (said.code, said.out) == (130, "")
    assert said.err == "turngym: interrupted; what was finished is in run\n"
    with EpisodeStore("run") as store:
        assert len(store) >= 1
