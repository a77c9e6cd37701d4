"""The nouns: frozen, and the few words they say themselves."""

import copy
import dataclasses
import pickle

import pytest

from turngym.envs import TERMINAL, BadInput, Episode, InfraError, StopReason, Task, Turn

OBSERVATION = {"text": "Go.", "images": ()}


def turn(reward=0.0, **signals):
    return Turn(OBSERVATION, "go", {"name": "go", "arguments": {}}, reward, signals)


def episode(*turns):
    return Episode("e", "test/X-v0", {}, Task("t"), turns, None, True, False, StopReason.SUCCESS)


def test_the_nouns_are_frozen():
    for noun in (Task("t"), turn(), episode()):
        name = dataclasses.fields(noun)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(noun, name, None)


def test_an_episodes_reward_is_the_sum_of_its_turns():
    assert episode().reward == 0
    assert episode(turn(0.25), turn(-1.0), turn(1.0)).reward == 0.25


def test_success_is_the_verifiers_word_at_the_last_turn():
    assert episode(turn(), turn(success=1.0)).success
    assert not episode(turn(success=1.0), turn(success=0.5)).success
    assert not episode(turn(reward=1.0)).success
    assert not episode().success


def test_stop_reasons_are_words_and_each_terminates_or_truncates():
    assert StopReason("turn_limit") is StopReason.TURN_LIMIT
    assert f"{StopReason.INFRA_ERROR}" == "infra_error"
    assert {"success", "failure", "answered", "policy_stop"} == TERMINAL


@pytest.mark.parametrize("travel", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_a_failure_travels_between_processes(travel):
    error = travel(InfraError("browser_died", "it is gone"))
    assert (error.kind, error.message, str(error)) == ("browser_died", "it is gone", "browser_died: it is gone")


def test_bad_input_is_no_infrastructure_failure():
    assert not issubclass(BadInput, InfraError)
    assert str(pickle.loads(pickle.dumps(BadInput("no such task")))) == "no such task"
