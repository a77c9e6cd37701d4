"""TurnEnv: what it does for every family, seen through the lanterns."""

import re

import gymnasium as gym
import lanterns
import numpy as np
import pytest

from turngym.envs import BadInput, InfraError, Refused, StopReason, Task, TurnEnv
from turngym.envs.core import Outcome

WAIT = {"name": "wait", "arguments": {}}
UNKNOWN = {"name": "fly", "arguments": {}}
INFO_KEYS = {"task", "instruction", "signals", "error", "stop_reason", "infra_error"}


class Scripted(lanterns.Lanterns):
    """The lanterns, where ``act`` does as it is told."""

    script = staticmethod(lambda: Outcome())

    def act(self, call):
        return self.script()


@pytest.fixture
def env():
    env = lanterns.Lanterns()
    env.reset(seed=3)
    return env


def test_reset_returns_the_start_of_an_episode():
    observation, info = lanterns.Lanterns().reset(seed=3)
    assert observation["text"] == "Put out every lantern, then answer with how many were lit."
    assert [(image.shape, image.dtype) for image in observation["images"]] == [((16, 24, 3), np.dtype(np.uint8))]
    assert set(info) == INFO_KEYS
    assert info == {
        "task": "count",
        "instruction": observation["text"],
        "signals": {},
        "error": None,
        "stop_reason": None,
        "infra_error": None,
    }


def test_the_task_carries_seed_instruction_and_limit(env):
    assert (env.task.id, env.task.seed, env.task.max_turns) == ("count", 3, 6)
    assert env.task.instruction.startswith("Put out")


def test_there_is_no_task_before_the_first_reset():
    with pytest.raises(BadInput, match="before the first reset"):
        _ = lanterns.Lanterns().task


def test_a_seed_decides_the_start_and_no_seed_continues_the_stream():
    one, other = lanterns.Lanterns(), lanterns.Lanterns()
    for seed in (5, None, None):
        a, b = (env.reset(seed=seed)[0]["images"][0] for env in (one, other))
        assert np.array_equal(a, b)


def test_options_pick_a_task_by_name_or_as_a_task():
    env = lanterns.Lanterns()
    env.reset(seed=0, options={"task": "count"})
    assert env.task.max_turns == 6
    env.reset(seed=0, options={"task": Task("mine", max_turns=2, floor=0.1)})
    assert (env.task.id, env.task.max_turns, env.task.floor) == ("mine", 2, 0.1)


def test_options_pick_a_split_over_the_constructors():
    env = lanterns.Lanterns(split="train")
    env.reset(seed=0, options={"split": "test"})
    assert env.task.split == "test"
    assert env.look()[0].max() % 2 == 1


UNUSABLE = [
    ({"task": "juggle"}, "juggle"),
    ({"taks": "count"}, "taks"),
    ({"split": "tset"}, "split must be 'train' or 'test', got 'tset'"),
    ({"split": None}, "split must be"),
    ({"split": ["test"]}, "split must be"),
    ({"task": Task("count", split="tset")}, "split must be"),
    ({"task": 5}, "reset option 'task' must be a name or a Task, got 5"),
    ({"task": ["count"]}, "reset option 'task'"),
]


@pytest.mark.parametrize(("options", "says"), UNUSABLE)
def test_unusable_options_are_bad_input(options, says):
    with pytest.raises(BadInput, match=says):
        lanterns.Lanterns().reset(seed=0, options=options)


def test_max_turns_overrides_the_task_and_must_be_positive():
    env = lanterns.Lanterns(max_turns=1)
    env.reset(seed=0)
    assert env.task.max_turns == 1
    *_, truncated, info = env.step(WAIT)
    assert truncated
    assert info["stop_reason"] == "turn_limit"
    for wrong in (0, -1, "abc", "3", 2.5, True, [3]):
        with pytest.raises(BadInput, match=re.escape(f"max_turns must be an integer of at least 1, got {wrong!r}")):
            lanterns.Lanterns(max_turns=wrong)


def test_the_oracles_calls_succeed(env):
    for call in env.solution():
        _, reward, terminated, truncated, info = env.step(call)
        assert info["error"] is None
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert info["stop_reason"] == "success"
    assert info["signals"] == {"success": 1.0}


def test_a_wrong_answer_is_a_failure_and_terminates(env):
    _, reward, terminated, truncated, info = env.step({"name": "answer", "arguments": {"text": "9"}})
    assert (reward, terminated, truncated, info["stop_reason"]) == (0.0, True, False, "failure")


def test_a_call_outside_the_space_never_reaches_the_world(env):
    env.act = None  # calling it would raise
    before = env.look()[0]
    observation, reward, terminated, truncated, info = env.step(UNKNOWN)
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert "fly" in info["error"]
    assert observation["text"] == f"{env.task.instruction}\nError: {info['error']}"
    assert np.array_equal(observation["images"][0], before)


def test_a_call_that_the_world_refuses_costs_a_turn_and_says_why(env):
    lit = env.solution()[0]["arguments"]
    env.step({"name": "put_out", "arguments": lit})
    observation, reward, terminated, truncated, info = env.step({"name": "put_out", "arguments": lit})
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert info["error"] == "that lantern is not lit"
    assert observation["text"].endswith("\nError: that lantern is not lit")


def test_a_refused_call_keeps_the_signals_and_the_next_accepted_one_clears_the_error(env):
    env.step(WAIT)
    assert env.step(UNKNOWN)[4]["signals"] == {"success": 0.0}
    observation, *_, info = env.step(WAIT)
    assert info["error"] is None
    assert "Error" not in observation["text"]


def test_refused_calls_count_towards_the_turn_limit():
    env = lanterns.Lanterns(max_turns=3)
    env.reset(seed=0)
    ends = [env.step(UNKNOWN)[2:4] for _ in range(3)]
    assert ends == [(False, False), (False, False), (False, True)]


def test_a_call_that_ends_the_task_on_the_last_turn_is_not_cut():
    env = lanterns.Lanterns(max_turns=1)
    env.reset(seed=0)
    _, _, terminated, truncated, info = env.step({"name": "answer", "arguments": {"text": "9"}})
    assert (terminated, truncated, info["stop_reason"]) == (True, False, "failure")


def test_the_time_limit_is_measured_between_turns():
    env = lanterns.Lanterns()
    env.reset(seed=0, options={"task": Task("mine", max_seconds=-1.0)})
    _, _, terminated, truncated, info = env.step(WAIT)
    assert (terminated, truncated, info["stop_reason"]) == (False, True, "time_limit")


@pytest.mark.parametrize("stop", list(StopReason))
def test_every_stop_reason_sets_exactly_one_flag(stop):
    env = Scripted()
    env.script = lambda: Outcome(stop=stop)
    env.reset(seed=0)
    _, _, terminated, truncated, info = env.step(WAIT)
    assert terminated != truncated
    assert terminated == (stop in {"success", "failure", "answered", "policy_stop"})
    assert info["stop_reason"] == stop
    assert type(info["stop_reason"]) is str


def test_stepping_an_episode_that_is_over_needs_a_reset(env):
    env.step({"name": "answer", "arguments": {"text": "9"}})
    with pytest.raises(gym.error.ResetNeeded):
        env.step(WAIT)
    with pytest.raises(gym.error.ResetNeeded):
        lanterns.Lanterns().step(WAIT)
    env.reset()
    assert env.step(WAIT)[2:4] == (False, False)


def test_what_a_tool_returns_is_shown_once():
    env = Scripted()
    env.reset(seed=0)
    env.script = lambda: Outcome(result="It is warm.")
    assert env.step(WAIT)[0]["text"].splitlines()[1:] == ["It is warm."]
    env.script = lambda: Outcome()
    assert env.step(WAIT)[0]["text"].splitlines()[1:] == []


def test_a_familys_description_stands_between_instruction_and_result():
    env = Scripted()
    env.describe = lambda: "Six lanterns."
    env.script = lambda: Outcome(result="It is warm.")
    assert env.reset(seed=0)[0]["text"].splitlines()[1:] == ["Six lanterns."]
    assert env.step(WAIT)[0]["text"].splitlines()[1:] == ["Six lanterns.", "It is warm."]


def _break():
    raise InfraError("lamp_broke", "the glass is cracked")


def test_an_infrastructure_failure_has_one_form():
    env = Scripted()
    first, _ = env.reset(seed=0)
    env.script = _break
    observation, reward, terminated, truncated, info = env.step(WAIT)
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["stop_reason"] == "infra_error"
    assert info["infra_error"] == {"kind": "lamp_broke", "message": "the glass is cracked"}
    assert set(info) == INFO_KEYS
    assert np.array_equal(observation["images"][0], first["images"][0])
    with pytest.raises(gym.error.ResetNeeded):
        env.step(WAIT)


def test_a_failure_while_looking_is_an_infrastructure_failure_too():
    env = Scripted()
    env.reset(seed=0)
    env.look = _break
    assert env.step(WAIT)[4]["infra_error"]["kind"] == "lamp_broke"


def test_reset_raises_an_infrastructure_failure_and_leaves_no_episode():
    env = Scripted()
    env.reset(seed=0)
    env.start = lambda task, rng: _break()
    with pytest.raises(InfraError, match="lamp_broke: the glass is cracked"):
        env.reset(seed=0)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(WAIT)


def test_other_exceptions_are_bugs_and_are_not_swallowed():
    env = Scripted()
    env.reset(seed=0)

    def bug():
        raise KeyError("lamp")

    env.script = bug
    with pytest.raises(KeyError):
        env.step(WAIT)


def test_nothing_a_caller_does_to_a_return_reaches_the_next():
    env = lanterns.Lanterns()
    observation, info = env.reset(seed=0)
    clean = observation["images"][0].copy()
    observation["images"][0][...] = 0
    info["signals"]["success"] = 9.0
    observation, *_, info = env.step(UNKNOWN)
    assert np.array_equal(observation["images"][0], clean)
    assert info["signals"] == {}


def test_render_returns_the_newest_picture_where_it_was_asked_for():
    env = lanterns.Lanterns(render_mode="rgb_array")
    assert env.render() is None
    observation, _ = env.reset(seed=0)
    assert np.array_equal(env.render(), observation["images"][-1])
    silent = lanterns.Lanterns()
    silent.reset(seed=0)
    assert silent.render() is None


@pytest.mark.parametrize("method", ["find_task", "start", "look", "act", "solution", "elements"])
def test_the_base_leaves_these_to_the_family(method):
    arguments = {"find_task": 2, "start": 2, "act": 1}.get(method, 0)
    with pytest.raises(NotImplementedError):
        getattr(TurnEnv(), method)(*[None] * arguments)


def test_refused_is_not_an_infrastructure_failure():
    assert not issubclass(Refused, InfraError)
