"""Scores of recorded episodes, without any environment."""

from __future__ import annotations

from dataclasses import replace as changed

import pytest

from turngym.agents.episodes.score import score
from turngym.agents.episodes.store import EpisodeStore
from turngym.envs.types import BadInput, Reward, StopReason


@pytest.fixture
def store(tmp_path, make):
    """Two successes, a failure, and one that broke."""
    with EpisodeStore(tmp_path / "episodes.db", "a") as store:
        store.add([make("a"), make("b"), make("c", success=False)])
        store.add([make("d", success=False, stop_reason=StopReason.INFRA_ERROR, terminated=False, truncated=True)])
        yield store


def test_infrastructure_failures_are_no_part_of_a_mean(store):
    assert score(store, "default") == {
        "episodes": 3,
        "rubric": "default",
        "mean": 2 / 3,
        "per_term": {"reward": 2 / 3, "success": 2 / 3},
        "infra_errors": 1,
    }
    assert score(store, "brevity")["mean"] == 2 / 3


def test_no_episodes_no_mean(tmp_path):
    with EpisodeStore(tmp_path / "e.db", "a") as store:
        assert score(store, "success")["mean"] is None


def test_saved_scores_are_in_the_store(store, tmp_path):
    score(store, "success")
    assert store.scores("success") == {}
    score(store, "success", save=True)
    kept = store.scores("success")
    assert {id: terms[0].value for id, terms in kept.items()} == {"a": 1.0, "b": 1.0, "c": 0.0}
    assert kept["a"] == (Reward("success", 1.0, evidence="success"),)
    with EpisodeStore(tmp_path / "episodes.db") as reading, pytest.raises(BadInput, match="readonly"):
        score(reading, "success", save=True)


def test_a_rubric_from_a_file(store, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from turngym.envs.types import Reward\n"
        "def rubric(episode):\n"
        "    return [Reward('turns', len(episode.turns), 0.5), Reward('c', episode.id == 'c', 3.0)]\n"
    )
    found = score(store, str(tmp_path / "mine.py"), save=True)
    assert (found["mean"], found["per_term"]) == (0.5 + 1.0, {"turns": 1.0, "c": 1 / 3})
    assert len(store.scores(str(tmp_path / "mine.py"))) == 3


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("return episode.turns[9]", r"mine\.py', episode 'a': IndexError: tuple index out of range"),
        ("return [1.0]", "episode 'a': expected Reward terms, got float"),
        ("return 1.0", "episode 'a': TypeError"),
        ("return [Reward('x', float('nan'))]", "episode 'a': the score is nan"),
        ("return [Reward('x', 1.0), Reward('y', 'much')]", "episode 'a': TypeError"),
    ],
)
def test_a_rubric_that_fails_names_the_episode_and_saves_nothing(store, tmp_path, body, why):
    (tmp_path / "mine.py").write_text(f"from turngym.envs.types import Reward\ndef rubric(episode):\n    {body}\n")
    with pytest.raises(BadInput, match=why):
        score(store, str(tmp_path / "mine.py"), save=True)
    assert store.scores(str(tmp_path / "mine.py")) == {}


def test_default_uses_each_tasks_own_rubric(tmp_path, make):
    short = changed(make("a").task, rubric="brevity", max_turns=2)
    unknown = changed(short, rubric="brevty")
    file = changed(short, rubric=str(tmp_path / "planted.py"))
    (tmp_path / "planted.py").write_text("raise SystemExit('a recording ran a file')")
    with EpisodeStore(tmp_path / "e.db", "a") as store:
        store.add([make("a", task=short), make("b")])
        assert score(store, "default")["per_term"] == {"brevity": 1.0, "reward": 1.0, "success": 1.0}
        for task in (unknown, file):
            store.add([make("c", task=task)], replace=True)
            with pytest.raises(BadInput, match="unknown rubric"):
                score(store, "default")
