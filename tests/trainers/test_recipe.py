"""A whole recipe on a pretended browser: what it leaves, and that whatever ends it early costs nothing but time."""

import json
import shutil
import signal
from pathlib import Path

import pytest
import torch

from turngym.agents.episodes.store import EpisodeStore
from turngym.agents.models.vlm import VLM
from turngym.envs import BadInput, InfraError
from turngym.envs.scenario import parse
from turngym.trainers import grpo, recipe
from turngym.trainers.evaluate import evaluate
from turngym.trainers.recipe import train
from turngym.trainers.run import Run, load_state

# Two workers, and fewer slots than episodes: which worker answers first must not matter.
RECIPE = {
    "name": "small",
    "environment": {
        "id": "turngym/MiniWoB-v0",
        "task": "click-color",
        "backend": "fake",
        "image_size": [56, 84],
        "max_turns": 2,
    },
    "policy": {"model": "tiny-qwen2_5_vl", "context": {"images": 1}, "max_new_tokens": 12},
    "warm_start": {"episodes": 16, "steps": 4, "batch_size": 8, "until": 1.0,
                   "check_every": 4, "check_episodes": 4},
    "train": {"groups": 2, "group_size": 4, "steps": 4, "checkpoint_every": 2, "entropy": 0.1, "entropy_target": 0.5,
              "replay": 0.5, "kl": 0.05, "rubric": str(Path(__file__).with_name("letters.py"))},
    "evaluate": {"episodes": 6},
    "workers": 2,
    "slots": 2,
}  # fmt: skip


def quietly(out, changes=None, **more):
    return train(parse({**RECIPE, **(changes or {})}, "test"), out=out, report=lambda line: None, **more)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A whole small run."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    said = []
    return out, train(parse(RECIPE, "test"), out=out, report=said.append), said


@pytest.fixture
def halfway(whole, tmp_path):
    """The same run as it was when two of its four steps were taken."""
    again = tmp_path / "again"
    shutil.copytree(whole[0], again)
    shutil.rmtree(again / "checkpoints" / "4")
    (again / "summary.json").unlink()
    return again


def rows(run, phase="train"):
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [row for row in lines if row["phase"] == phase]


def checkpoints(run):
    return sorted(int(path.name) for path in (run / "checkpoints").iterdir())


def assert_same_end(one, other):
    """Two runs came to the same weights on the same way, and it was one."""
    assert all(row["rows"] > 0 for row in rows(one))
    assert rows(one)[-1]["kl_reference"] > 0
    weights, others = (VLM.load(str(run / "checkpoints" / "4")).model.state_dict() for run in (one, other))
    assert all(torch.equal(weights[key], others[key]) for key in weights)
    states = [load_state(run / "checkpoints" / "4")["state"] for run in (one, other)]
    assert states[0]["entropy_weight"] == states[1]["entropy_weight"]
    keys = ("step", "success", "loss", "grad_norm", "entropy", "kl_reference")
    ways = [[{key: row.get(key) for key in keys} for row in rows(run)] for run in (one, other)]
    assert ways[0] == ways[1]


def test_a_run_leaves_everything_in_its_folder(whole):
    out, summary, said = whole
    assert {"run.yaml", "episodes.db", "metrics.jsonl", "summary.json", "report.html", "checkpoints"} <= {
        p.name for p in out.iterdir()
    }
    assert json.loads((out / "summary.json").read_text()) == summary
    assert {"run", "success_before", "success_after", "steps", "episodes", "wall_s"} <= summary.keys()
    assert (summary["steps"], summary["episodes"], summary["infra_errors"]) == (4, 32, 0)
    assert any("the gate is open" in line for line in said)
    assert [row["step"] for row in rows(out)] == [1, 2, 3, 4]
    assert [row["step"] for row in rows(out, "warm_start")] == [1, 2, 3, 4]
    assert "success" in rows(out, "warm_start")[3]
    assert checkpoints(out) == [0, 2, 4]
    assert VLM.load(str(out / "checkpoints" / "4")).model.config.model_type == "qwen2_5_vl"
    with EpisodeStore(out) as store:
        assert store.counts("phase") == {"warm_start": 16, "check": 4, "before": 6, "train": 32, "after": 6}


def test_a_resumed_run_is_the_run_that_never_stopped(whole, halfway):
    out, summary, _ = whole
    resumed = quietly(halfway, resume=True)
    for key in ("success_before", "success_after", "steps", "episodes"):
        assert resumed[key] == summary[key], key
    assert_same_end(out, halfway)


def test_a_model_folder_may_have_a_name_like_a_tiny_ones(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="unknown model 'tiny_qwen2_5_vl'"):
        recipe._refuse_model("tiny_qwen2_5_vl")
    (tmp_path / "tiny_qwen2_5_vl").mkdir()
    (tmp_path / "tiny_qwen2_5_vl" / "config.json").touch()
    recipe._refuse_model("tiny_qwen2_5_vl")


def test_a_folder_is_not_used_twice_and_only_a_run_of_the_same_recipe_is_resumed(whole, tmp_path):
    out, _, _ = whole
    with pytest.raises(BadInput, match="holds a run already"):
        quietly(out)
    with pytest.raises(BadInput, match="no run to resume"):
        quietly(tmp_path, resume=True)
    with pytest.raises(BadInput, match="cannot resume: 'seed' differs"):
        quietly(out, {"seed": 3}, resume=True)


@pytest.mark.parametrize("end", [KeyboardInterrupt(), InfraError("browser_died", "all of them"), BadInput("a rubric")])
def test_what_ends_a_run_between_steps_keeps_the_last_whole_one(halfway, monkeypatch, end):
    original, calls = grpo.gather, []

    def gather(*args):
        calls.append(args)
        if len(calls) == 2:
            raise end
        return original(*args)

    monkeypatch.setattr(grpo, "gather", gather)
    with pytest.raises(type(end)):
        quietly(halfway, resume=True)
    assert checkpoints(halfway) == [0, 2, 3]
    assert load_state(halfway / "checkpoints" / "3")["state"]["step"] == 3


def test_an_interrupt_in_an_update_lands_behind_its_record(whole, tmp_path, monkeypatch):
    run, original = tmp_path / "run", grpo.update

    def update(*args):
        signal.raise_signal(signal.SIGINT)
        return original(*args)

    monkeypatch.setattr(grpo, "update", update)
    with pytest.raises(KeyboardInterrupt):
        quietly(run)
    assert [row["step"] for row in rows(run)] == [1]
    assert checkpoints(run) == [0, 1]
    saved = load_state(run / "checkpoints" / "1")
    assert (saved["state"]["step"], saved["episodes"]) == (1, 8)
    with EpisodeStore(run) as store:
        assert store.count(phase="train") == store.count(phase="train", step=0) == 8
    monkeypatch.undo()
    quietly(run, resume=True)
    assert_same_end(whole[0], run)


def test_a_step_that_could_not_be_recorded_is_made_again(halfway, monkeypatch):
    def keep(self, episodes):
        raise InfraError("disk_full", "no room")

    monkeypatch.setattr(Run, "keep", keep)
    with pytest.raises(InfraError, match="no room"):
        quietly(halfway, resume=True)
    assert checkpoints(halfway) == [0, 2]


def test_an_interrupt_while_the_first_success_is_measured_does_not_cost_the_warm_start(whole, tmp_path, monkeypatch):
    run, one_step = tmp_path / "run", {"train": {**RECIPE["train"], "steps": 1}}

    class Interrupted(EpisodeStore):
        """Hears Ctrl-C when the first held-out episodes have come."""

        def add(self, episodes, **how):
            super().add(episodes, **how)
            if episodes[0].phase == "before":
                raise KeyboardInterrupt

    monkeypatch.setattr("turngym.trainers.run.EpisodeStore", Interrupted)
    monkeypatch.setattr("turngym.agents.rollout.KEEP_EVERY", 2)
    with pytest.raises(KeyboardInterrupt):
        quietly(run, one_step)
    assert checkpoints(run) == [0]
    with EpisodeStore(run) as store:
        assert 2 <= store.count(phase="before") < 6
    monkeypatch.undo()
    monkeypatch.delattr(recipe, "_demonstrate")
    resumed = quietly(run, one_step, resume=True)
    for key in ("success_before", "ci95_before"):
        assert resumed[key] == whole[1][key]


@pytest.mark.parametrize("phase", ["warm_start", "check"])
def test_episodes_that_were_finished_before_an_interrupt_are_kept(tmp_path, monkeypatch, phase):
    run, original = tmp_path / "run", recipe.rollout

    def rollout(pool, policy, starts, **more):
        if more["phase"] == phase:
            policy = Impatient(policy)
        return original(pool, policy, starts, **more)

    class Impatient:
        """Is interrupted in its fourth decision: a third one comes after the end of the first episodes."""

        version, name, calls = 0, "impatient", 0

        def __init__(self, policy):
            self._act = policy.act

        def act(self, views):
            self.calls += 1
            if self.calls == 4:
                raise KeyboardInterrupt
            return self._act(views)

    monkeypatch.setattr(recipe, "rollout", rollout)
    with pytest.raises(KeyboardInterrupt):
        quietly(run, {"slots": 1})
    with EpisodeStore(run) as store:
        assert store.count(phase=phase) > 0


def test_a_clumsy_demonstrator_clicks_on_elements_though_nothing_else_asks_for_them(tmp_path):
    settings = {**RECIPE["warm_start"], "mistakes": 0.9, "grounding": False, "screen_reading": 0, "steps": 1}
    quietly(tmp_path / "run", {"warm_start": settings, "train": {**RECIPE["train"], "steps": 1}})
    with EpisodeStore(tmp_path / "run") as store:
        shown = [episode for episode in store.episodes() if episode.phase == "warm_start"]
    assert {turn.call["name"] for episode in shown for turn in episode.turns} == {"click"}
    assert len({str(turn.call) for episode in shown for turn in episode.turns}) > 3


def test_a_rubric_that_fails_in_training_is_told_in_one_line(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text("def rubric(episode):\n    return 1 / 0\n")
    changes = {"warm_start": None, "train": {**RECIPE["train"], "rubric": str(mine)}}
    with pytest.raises(
        BadInput, match=r"mine\.py', episode 'train-00000-000-00': ZeroDivisionError: division by zero$"
    ):
        quietly(tmp_path / "run", changes)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"train": {"rubric": "brevty"}}, "brevity"),
        ({"policy": {"dialect": "klingon"}}, "klingon"),
        ({"policy": {"prompt": "toolz"}}, "toolz"),
        ({"policy": {"model": "tiny-gpt"}}, "tiny-gpt"),
    ],
)
def test_a_name_that_nothing_has_is_found_before_anything_is_made(tmp_path, changes, names):
    with pytest.raises(BadInput, match=names):
        quietly(tmp_path / "run", changes)
    assert list(tmp_path.iterdir()) == []


def test_evaluation_of_a_checkpoint_and_of_built_in_policies(whole):
    out, summary, _ = whole
    scenario = parse(RECIPE, "test")
    found = evaluate(scenario, checkpoint=out / "checkpoints" / "4")
    assert found["success_rate"] == summary["success_after"]
    assert found["ci95"] == summary["ci95_after"]
    assert found["run"] is None
    assert evaluate(scenario, policy="oracle", episodes=5)["success_rate"] == 1.0
    with pytest.raises(BadInput, match="unknown policy 'orakle'"):
        evaluate(scenario, policy="orakle")
    with pytest.raises(BadInput, match="no model in"):
        evaluate(scenario, checkpoint=out / "nothing")
