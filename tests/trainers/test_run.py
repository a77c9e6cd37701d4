"""A run's folder: checkpoints are whole, and found again."""

from pathlib import Path

import pytest
import torch

from turngym.agents.models.vlm import VLM
from turngym.envs import InfraError
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
