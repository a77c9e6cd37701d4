"""Playing a built-in policy: what is refused before anything starts."""

import pytest

from turngym.agents import play as playing
from turngym.agents.play import play
from turngym.envs import BadInput, Entry

MINIWOB = "turngym/MiniWoB-v0"
FAKE = {"backend": "fake"}


def test_the_oracle_does_not_start_on_tasks_it_may_not_know(monkeypatch, tmp_path):
    monkeypatch.setattr(playing, "EnvPool", None)  # starting one would raise
    with pytest.raises(BadInput, match=r"^\d+ of the 134 tasks of turngym/MiniWoB-v0 have an oracle: .* --task$"):
        play(MINIWOB, env_kwargs=FAKE, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("policy", "arguments"),
    [
        ("oracle", {"task": "click-color", "env_kwargs": FAKE}),
        ("oracle", {"env_kwargs": {**FAKE, "task": "click-color"}}),
        ("noop", {"env_kwargs": {**FAKE, "max_turns": 1}}),
    ],
)
def test_it_starts_on_one_it_knows_and_others_on_any(policy, arguments):
    assert play(MINIWOB, policy=policy, episodes=1, workers=1, **arguments)["episodes"] == 1


def test_where_every_task_has_an_oracle_none_needs_to_be_named(monkeypatch):
    lanterns = Entry("lanterns:Lanterns-v0", "tests", "Lanterns.", "lanterns:Lanterns", "lanterns:task_names", "")
    monkeypatch.setattr(playing, "find", lambda env_id: lanterns)
    assert play(lanterns.id, episodes=2, workers=1)["success_rate"] == 1.0
