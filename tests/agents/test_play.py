"""Playing a built-in policy: what is refused before anything starts."""

import gymnasium as gym
import pytest
import yaml

from turngym.agents import play as playing
from turngym.agents.episodes.store import EpisodeStore
from turngym.agents.play import play
from turngym.envs import BadInput, Episode, InfraError, StopReason, Task

MINIWOB = "turngym/MiniWoB-v0"
FAKE = {"backend": "fake"}


def test_the_oracle_does_not_start_on_tasks_it_may_not_know(monkeypatch, tmp_path):
    monkeypatch.setattr(playing, "EnvPool", None)  # starting one would raise
    with pytest.raises(BadInput, match=r"^\d+ of the 134 tasks of turngym/MiniWoB-v0 have an oracle: choose one"):
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


LAMPS = """
from turngym.envs import Entry, register

register(Entry("mine/Lamps-v0", "lamps", "Lamps.", "lanterns:Lanterns", "lanterns:task_names", ""))
"""


@pytest.fixture
def lamps(monkeypatch, tmp_path):
    """An environment of someone's module, which registers it when it is imported."""
    from turngym.envs import registry

    (tmp_path / "lamps.py").write_text(LAMPS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    yield "lamps:mine/Lamps-v0"
    del gym.registry["mine/Lamps-v0"]


def test_where_every_task_has_an_oracle_none_needs_to_be_named(lamps):
    assert play(lamps, episodes=2, workers=1)["success_rate"] == 1.0


def test_where_everything_broke_there_are_no_figures_but_the_episodes_are_there(monkeypatch, tmp_path):
    out = tmp_path / "run"
    monkeypatch.setattr(playing, "stream", lambda *_, **__: iter([(0, broken("a")), (1, broken("b"))]))
    with pytest.raises(InfraError, match=r"all 2 episodes broke, the first by: the bulb is out"):
        play(MINIWOB, task="click-color", env_kwargs=FAKE, episodes=2, workers=1, out=out)
    with EpisodeStore(out) as store:
        assert store.count(stop_reason="infra_error") == 2
    with pytest.raises(BadInput, match="holds a run already"):
        play(MINIWOB, task="click-color", env_kwargs=FAKE, episodes=2, workers=1, out=out)


def broken(name):
    task = Task("click-color", seed=1)
    failure = {"kind": "env_error", "message": "the bulb is out"}
    return Episode(name, MINIWOB, FAKE, task, (), None, False, True, StopReason.INFRA_ERROR, failure, policy="oracle")


def test_a_recording_says_how_it_was_made(tmp_path):
    out = tmp_path / "run"
    play(MINIWOB, task="click-color", policy="noop", env_kwargs={**FAKE, "max_turns": 1}, episodes=1, seed=3, out=out)
    recipe = yaml.safe_load((out / "run.yaml").read_text())
    assert recipe["environment"] == {"id": MINIWOB, "task": "click-color", **FAKE, "max_turns": 1}
    assert (recipe["play"], recipe["seed"]) == ({"policy": "noop", "episodes": 1}, 3)
    assert recipe["versions"]["turngym"]
