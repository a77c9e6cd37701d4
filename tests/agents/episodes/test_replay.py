"""Replay: what happened happens again, and where it does not, the first difference is named and drawn."""

from __future__ import annotations

import sys
from dataclasses import replace as changed

import numpy as np
import pytest
from PIL import Image

from turngym.agents.episodes.replay import draw, replay
from turngym.agents.episodes.store import EpisodeStore
from turngym.agents.policies import oracle
from turngym.agents.rollout import Start, rollout
from turngym.agents.workers import EnvPool
from turngym.envs.types import BadInput, InfraError, StopReason, Task, ToolCall


@pytest.fixture
def store(tmp_path):
    with EpisodeStore(tmp_path / "episodes.db", "a") as store:
        yield store


def again(store, tmp_path, ids=None):
    return replay(store, ids, pictures=tmp_path / "replay")


NONSENSE: list[ToolCall] = [
    {"name": "press", "arguments": {"index": 0}},
    {"name": "", "arguments": {"error": "no call in the completion"}},
    {"name": "fly", "arguments": {}},
    {"name": "press", "arguments": {"index": 50}},
    {"name": "press", "arguments": {"index": 0}},
    {"name": "press", "arguments": {"index": 0}},
]


def test_recorded_episodes_are_identical(store, tmp_path, play, lights):
    store.add([play(f"s{seed}", seed) for seed in range(5)])
    store.add([play("nonsense", 1, NONSENSE), play("stopped", 2, []), play("wide", 3, lights=6, max_turns=9)])
    store.add([changed(play("cut", 4, NONSENSE[:2]), stop_reason=StopReason.TOKEN_LIMIT, truncated=True)])
    store.add([changed(play("unborn", 5, []), final=None, stop_reason=StopReason.INFRA_ERROR)])
    assert store.get("nonsense").stop_reason is StopReason.TURN_LIMIT
    assert [turn.error is None for turn in store.get("nonsense").turns] == [True, False, False, False, True, True]
    lights.made, ticks = 0, []
    report = replay(store, pictures=tmp_path / "replay", progress=lambda: ticks.append(1))
    assert report == {"episodes": 10, "identical": 9, "diverged": [], "failed": [], "empty": 1}
    assert lights.made == 2  # One for each set of keywords.
    assert len(ticks) == 10
    assert not (tmp_path / "replay").exists()


@pytest.mark.parametrize("look", [0, 2, 3])
def test_one_pixel_is_found_named_and_drawn(store, tmp_path, play, lights, look):
    calls = NONSENSE[:1] + [{"name": "press", "arguments": {"index": n}} for n in (0, 0)]
    store.add([play("../../a b", 7, calls)])
    lights.looks, lights.perturb_look = 0, look
    [found] = again(store, tmp_path)["diverged"]
    assert (found["episode"], found["turn"]) == ("../../a b", look)
    assert found["what"] == "image 0: 1 of 256 pixels differ, the first at x=9, y=5"
    [picture] = (tmp_path / "replay").iterdir()
    assert found["picture"] == str(picture)
    with Image.open(picture) as image:
        assert image.width > 3 * 32
        pixels = np.array(image)
    assert (pixels == [220, 0, 120]).all(axis=2).any()


def test_a_difference_in_a_refused_call_is_seen_in_the_text(store, tmp_path, play):
    episode = play("a", 1, NONSENSE[:4])
    turn = episode.turns[2]
    store.add([changed(episode, turns=(*episode.turns[:2], changed(turn, error="no wings"), episode.turns[3]))])
    [found] = again(store, tmp_path)["diverged"]
    assert found["turn"] == 2
    assert found["what"] == "error: at character 0 expected 'no wings', got \"unknown tool 'fly'; \""


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"reward": 0.25}, "reward: expected 0.25, got 1.0"),
        ({"signals": {"success": 0.0}}, "signals: expected {'success': 0.0}, got {'success': 1.0}"),
    ],
)
def test_a_different_outcome_of_a_turn(store, tmp_path, play, fields, what):
    episode = play("a", 1)
    last = len(episode.turns) - 1
    store.add([changed(episode, turns=(*episode.turns[:-1], changed(episode.turns[-1], **fields)))])
    [found] = again(store, tmp_path)["diverged"]
    assert (found["turn"], found["what"]) == (last, what)
    assert found["picture"] is not None


def test_a_different_end(store, tmp_path, play):
    episode = play("ended", 1)
    store.add([changed(episode, terminated=False, truncated=True)])
    store.add([changed(episode, id="why", stop_reason=StopReason.ANSWERED)])
    store.add([changed(episode, id="early", turns=(*episode.turns, episode.turns[-1]))])
    store.add([changed(episode, id="text", final={"text": "Put all lights off.", "images": ()})])
    store.add([changed(episode, id="count", final={"text": "Put all lights on.", "images": ()})])
    found = {one["episode"]: one["what"] for one in again(store, tmp_path)["diverged"]}
    assert found == {
        "ended": "terminated: expected False, got True",
        "why": "stop reason: expected answered, got success",
        "early": "terminated: expected False, got True",
        "text": "text: at character 16 expected 'Put all lights off.', got 'Put all lights on.'",
        "count": "expected 0 images, got 1",
    }


def test_an_episode_that_broke_is_replayed_up_to_the_failure(store, tmp_path, play, lights):
    lights.break_at_step = 2
    broken = play("broken", 1, [NONSENSE[0]] * 5)
    assert (broken.stop_reason, len(broken.turns), broken.final) == (StopReason.INFRA_ERROR, 3, None)
    lights.break_at_step = None
    store.add([broken])
    assert again(store, tmp_path)["identical"] == 1
    lights.looks, lights.perturb_look = 0, 2
    assert [one["turn"] for one in again(store, tmp_path)["diverged"]] == [2]


def test_a_failure_now_is_a_failure_and_the_next_episode_starts_afresh(store, tmp_path, play, lights):
    store.add([play("long", 1, NONSENSE), play("short", 2, NONSENSE[:1])])
    lights.made, lights.break_at_step = 0, 1
    report = again(store, tmp_path)
    assert report["failed"] == [{"episode": "long", "infra_error": {"kind": "lamp_broke", "message": "no light"}}]
    assert (report["identical"], report["diverged"]) == (1, [])
    assert lights.made == 2


def test_a_reset_that_fails_is_a_failure(store, tmp_path, play, lights, monkeypatch):
    def broken(*_):
        raise InfraError("no_power", "dark")

    store.add([play("a", 1)])
    monkeypatch.setattr(lights, "start", broken)
    assert again(store, tmp_path)["failed"][0]["infra_error"] == {"kind": "no_power", "message": "dark"}


def test_a_replay_slower_than_the_episodes_time_limit_is_no_divergence(store, tmp_path, play, lights, monkeypatch):
    store.add([play("a", 1, NONSENSE[:2])])
    monkeypatch.setattr(lights, "_limit", lambda self: StopReason.TIME_LIMIT)
    report = again(store, tmp_path)
    assert [one["infra_error"]["kind"] for one in report["failed"]] == ["time_limit"]
    assert report["diverged"] == []


def test_only_the_episodes_asked_for(store, tmp_path, play):
    store.add([play("a", 1), play("b", 2)])
    assert again(store, tmp_path, ["b"])["episodes"] == 1
    with pytest.raises(BadInput, match="no episode 'c'"):
        again(store, tmp_path, ["c"])


def test_a_recording_cannot_choose_a_module_to_import(store, tmp_path, play):
    store.add([changed(play("a", 1), env_id="antigravity:test/Lights-v0")])
    assert again(store, tmp_path)["identical"] == 1
    store.add([changed(play("b", 1), env_id="antigravity:test/Lamps-v0")])
    with pytest.raises(BadInput, match="unknown environment 'test/Lamps-v0'"):
        again(store, tmp_path)
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("module", ["x; rm -rf ~", "$(reboot)", "\x1b[2J", "a b", "a..b", "-x"])
def test_what_a_recording_says_is_suggested_only_where_it_is_the_name_of_a_module(store, tmp_path, play, module):
    store.add([changed(play("a", 1), env_id=f"{module}:test/Lamps-v0")])
    with pytest.raises(BadInput) as refusal:
        again(store, tmp_path)
    assert module not in str(refusal.value)
    assert "--import" not in str(refusal.value)


def test_an_episode_of_the_test_split_is_replayed_there(store, tmp_path):
    held_out = Start("held-out", Task("click-color", seed=3, split="test"))
    kwargs = {"task": "click-color", "backend": "fake"}
    with EnvPool("turngym/MiniWoB-v0", kwargs, workers=1, hints=("solution",)) as pool:
        store.add(rollout(pool, oracle(), [held_out]))
    assert again(store, tmp_path)["identical"] == 1


def test_keywords_that_no_longer_fit(store, tmp_path, play):
    store.add([changed(play("a", 1), env_kwargs={"lamps": 3})])
    with pytest.raises(BadInput, match=r"episode 'a': test/Lights-v0 cannot be made: .*lamps"):
        again(store, tmp_path)


def test_environments_are_closed_when_the_replay_is_interrupted(store, tmp_path, play, lights, monkeypatch):
    closed = []
    monkeypatch.setattr(lights, "close", lambda self: closed.append(self))
    store.add([play("a", 1), play("b", 1)])
    closed.clear()

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replay(store, pictures=tmp_path, progress=interrupt)
    assert len(closed) == 1


def test_the_drawing_has_room_for_pictures_of_two_sizes():
    picture = draw(np.zeros((10, 20, 3), np.uint8), np.full((30, 5, 3), 200, np.uint8))
    assert picture.dtype == np.uint8
    assert picture.shape == (30 * 8 + 20, 3 * 20 * 8 + 16, 3)
