"""A run's folder: checkpoints are whole, and found again."""

import errno
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from turngym.agents.models.vlm import VLM
from turngym.envs import BadInput, InfraError
from turngym.envs.scenario import parse
from turngym.trainers.run import Run, load_state

from .conftest import build


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "run", parse({"name": "n", "environment": {"id": "turngym/MiniWoB-v0"}}, "test"), resume=False)
    yield run
    run.close()


def broken(*_):
    raise OSError("it broke")


def test_a_checkpoint_of_the_same_step_stays_whole_at_every_moment(run, monkeypatch):
    vlm = build()
    folder = run.save_checkpoint(3, vlm, {"before": None})
    with monkeypatch.context() as patch, pytest.raises(InfraError, match="disk_error"):
        for name in ("rename", "replace"):  # whatever puts the new one in its place
            patch.setattr(Path, name, broken)
        run.save_checkpoint(3, vlm, {"before": 1.0})
    assert run.newest_checkpoint() == folder
    assert load_state(folder)["before"] is None
    run.save_checkpoint(3, vlm, {"before": 1.0})
    assert load_state(folder)["before"] == 1.0
    weights = VLM.load(str(folder)).model.state_dict()
    assert all(torch.equal(weight, weights[key]) for key, weight in vlm.model.state_dict().items())


def test_the_newest_checkpoint_is_the_one_of_the_highest_step(run):
    assert run.newest_checkpoint() is None
    for name in ("9", "10", "10.bak", "11x", ".12.partial"):
        (run.folder / "checkpoints" / name).mkdir(parents=True)
        (run.folder / "checkpoints" / name / "trainer.pt").touch()
    (run.folder / "checkpoints" / "20").mkdir()  # a model alone: nothing to go on from
    assert run.newest_checkpoint() == run.folder / "checkpoints" / "10"


def test_a_run_says_for_tensorboard_what_it_says_in_its_metrics(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run.log("train", {"step": 1, "success": 0.5})
    run.log("train", {"step": 2, "success": 0.75})
    events = EventAccumulator(str(run.folder / "tensorboard")).Reload()
    assert events.Tags()["scalars"] == ["train/success"]
    assert [(event.step, event.value) for event in events.Scalars("train/success")] == [(1, 0.5), (2, 0.75)]
    rows = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert [(row["step"], row["success"]) for row in rows] == [(1, 0.5), (2, 0.75)]


def test_a_full_disk_is_one_line_whoever_meets_it(run, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run._board, "_file", SimpleNamespace(write=full, close=lambda: None))
    monkeypatch.setattr(run._board._records, "_writer", run._board._file)
    with pytest.raises(InfraError, match=f"{run.folder}: No space left on device") as failure:
        run.log("train", {"step": 1, "success": 0.5})
    assert failure.value.kind == "disk_full"


def test_what_is_made_again_is_forgotten_first(run):
    for phase, step in (("warm_start", 1), ("train", 1), ("train", 2), ("train", 3)):
        run.log(phase, {"step": step})
    run.forget_after(2)
    rows = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert [(row["phase"], row["step"]) for row in rows] == [("warm_start", 1), ("train", 1), ("train", 2)]
    run.forget_after(None)
    assert (run.folder / "metrics.jsonl").read_text() == ""


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("run.yaml", "name: [", "run.yaml: not valid YAML"),
        ("run.yaml", "", "run.yaml: a recipe is a mapping of keys, got NoneType"),
        ("run.yaml", "name: other", "run.yaml: cannot resume: 'name' differs"),
        ("checkpoints/1/trainer.pt", "not a checkpoint", "checkpoints/1/trainer.pt: damaged"),
        ("checkpoints/1/trainer.pt", "", "checkpoints/1/trainer.pt: damaged"),
    ],
)
def test_a_damaged_run_is_not_gone_on_with(run, file, text, says):
    (run.folder / file).parent.mkdir(parents=True, exist_ok=True)
    (run.folder / file).write_text(text)
    with pytest.raises(BadInput, match=says):
        Run(run.folder, run.scenario, resume=True)


def test_what_was_evaluated_is_no_training_to_go_on_with(run):
    path = run.folder / "run.yaml"
    path.write_text(path.read_text() + "eval: {policy: random}\n")
    with pytest.raises(BadInput, match="cannot resume: 'eval' differs"):
        Run(run.folder, run.scenario, resume=True)
