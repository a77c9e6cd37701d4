"""The conformance suite passes what is sound and tells each fault by name."""

import dataclasses
import json

import gymnasium as gym
import lanterns
import pytest
from faulty_lanterns import FAULTS

from turngym.envs import BadInput, registry
from turngym.envs.conformance import CHECKS, Report, check, form
from turngym.envs.conformance.conduct import _same_words
from turngym.envs.conformance.subject import Broken, Skip, Subject, bad_calls, blind, idle


def names(findings):
    return {finding["name"] for finding in findings}


def test_a_sound_environment_passes_everything():
    report = check("lanterns:Lanterns-v0")
    assert report.failed == []
    assert report.skipped == []
    assert report.passed == list(CHECKS)
    assert report.ok


@pytest.mark.parametrize("env_id", FAULTS)
def test_a_fault_fails_the_checks_that_name_it_and_no_others(env_id):
    report = check(f"faulty_lanterns:{env_id}", quick=True)
    assert names(report.failed) == FAULTS[env_id]
    assert not report.ok
    for finding in report.failed:
        assert finding["why"].strip()
        assert "\n" not in finding["why"]
    told = [*report.passed, *names(report.failed), *names(report.skipped)]
    assert sorted(told) == sorted(CHECKS)


def test_every_check_is_the_word_of_some_fault():
    elsewhere = {"found"}  # see test_an_id_known_to_this_process_alone
    assert set().union(*FAULTS.values()) | elsewhere == set(CHECKS)


def test_an_id_known_to_this_process_alone_is_not_found():
    gym.register("OnlyHere-v0", lanterns.Lanterns)
    report = check("OnlyHere-v0", quick=True)
    assert names(report.failed) == {"found", "same_seed_elsewhere"}
    assert "OnlyHere" in report.failed[0]["why"]


def test_without_an_oracle_the_oracle_is_skipped_with_a_reason():
    report = check("faulty_lanterns:NoOracle-v0", quick=True)
    assert report.ok
    assert report.skipped == [{"name": "oracle", "why": "no oracle: solution() is not implemented for count"}]


@pytest.mark.parametrize("env_id", ["CountsTurns-v0", "Unsteady-v0"])
def test_a_refused_call_may_cost_a_turn_that_shows_and_what_is_said_to_be_unsteady_may_be(env_id):
    report = check(f"faulty_lanterns:{env_id}", quick=True)
    assert report.failed == []
    assert report.skipped == []


@pytest.mark.parametrize(
    ("words", "same"),
    [
        ("Turn 1 of 9", True),
        ("Turn 6 of 9", True),
        ("Turn 5 of 9", False),
        ("Turn 6 of 14 or so", False),
        ("Turn six of 9", False),
        ("Turn 1" + "0" * 10_000, False),
    ],
)
def test_numbers_may_count_the_turns_that_were_refused_and_nothing_else(words, same):
    assert _same_words("Turn 1 of 9", words, turns=5) == same


def test_seed_visible_false_allows_equal_starts():
    report = check("faulty_lanterns:SeedInvisible-v0", quick=True)
    assert report.ok
    assert names(report.skipped) == {"seeds_differ", "splits"}


def test_what_breaks_on_our_side_is_the_reason():
    (finding,) = check("faulty_lanterns:BreaksInTheMiddle-v0", quick=True).failed
    assert finding["why"] == "InfraError: lamp_broke: the glass is cracked"


@pytest.mark.parametrize("env_id", ["NeverStarts-v0", "StartsWithABug-v0"])
def test_a_world_that_never_starts_fails_its_checks_and_raises_nothing(env_id):
    report = check(f"faulty_lanterns:{env_id}", quick=True)
    assert {"gymnasium", "same_seed", "oracle", "refused_calls", "turn_limit"} <= names(report.failed)
    # What needs no start is still judged.
    assert {"found", "docstring", "tools", "samples", "picklable"} <= set(report.passed)


@pytest.mark.parametrize(
    ("env_id", "task", "says"),
    [
        ("turngym/MiniWob-v0", None, "turngym/MiniWoB-v0"),
        ("lanterns:Nothing-v0", None, "lanterns:Nothing-v0"),
        ("no_such_module:Nothing-v0", None, "no_such_module"),
    ],
)
def test_an_unknown_environment_is_bad_input(env_id, task, says):
    with pytest.raises(BadInput, match=says) as raised:
        check(env_id, task=task)
    assert "\n" not in str(raised.value)


def test_an_unknown_task_is_bad_input():
    with pytest.raises(BadInput, match="'juggle'"):
        check("lanterns:Lanterns-v0", task="juggle")


def test_task_and_keywords_reach_the_environment():
    report = check("faulty_lanterns:Picky-v0", task="count", kwargs={"max_turns": 5}, quick=True)
    assert report.ok, report.failed


def test_a_report_is_json():
    report = Report("x", ["a"], [{"name": "b", "why": "c"}], [])
    assert json.loads(json.dumps([report.passed, report.failed, report.skipped])) == [
        ["a"],
        [{"name": "b", "why": "c"}],
        [],
    ]


def test_bad_calls_are_bad_and_cover_every_way_to_be_bad():
    env = lanterns.Lanterns()
    calls = dict(bad_calls([tool["function"] for tool in env.action_space.tools]))
    assert not any(call in env.action_space for call in calls.values())
    for what in (
        "an unknown tool",
        "a completion without a call",
        "nothing",
        "put_out without row",
        "put_out with column too large",
        "put_out with column too small",
        "put_out with column of the wrong type",
        "put_out with column not a number",
        "answer with an unknown argument",
    ):
        assert what in calls


def test_blind_play_calls_every_tool_validly_and_idle_play_waits():
    env = lanterns.Lanterns()
    observation, _ = env.reset(seed=0)
    calls = [blind(env, observation, turn) for turn in range(3)]
    assert [call["name"] for call in calls] == ["put_out", "answer", "wait"]
    assert all(call in env.action_space for call in calls)
    assert idle(env, observation, 0) == {"name": "wait", "arguments": {}}


def test_quick_is_quicker():
    slow, quick = Subject("x", {}), Subject("x", {}, quick=True)
    assert len(quick.seeds) < len(slow.seeds)
    assert len(quick.episodes) < len(slow.episodes)


def test_each_check_states_its_promise_and_a_skip_is_no_failure():
    assert all((promise.__doc__ or "").strip() for promise in CHECKS.values())
    assert not issubclass(Skip, AssertionError)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"tasks": "lanterns:task_name"}, "entry names 'lanterns:task_name'"),
        ({"tasks": "lanterns:no_tasks"}, "none is listed"),
        ({"solved": "lanterns:other_tasks"}, r"\['juggle'\] are no tasks"),
        ({"missing": "lanterns:no_such"}, "entry names 'lanterns:no_such'"),
        ({"missing": "lanterns:no_electricity"}, "it was made, but run 'pay the bill'"),
    ],
)
def test_what_an_entry_names_is_looked_at(wrong, why, monkeypatch):
    monkeypatch.setattr(lanterns, "no_tasks", list, raising=False)
    monkeypatch.setattr(lanterns, "other_tasks", lambda: ["juggle"], raising=False)
    monkeypatch.setattr(lanterns, "no_electricity", lambda: "pay the bill", raising=False)
    entry = registry.find("lanterns:Lanterns-v0")
    monkeypatch.setattr(registry, "_ENTRIES", {**registry._ENTRIES, entry.id: dataclasses.replace(entry, **wrong)})
    with pytest.raises((Broken, BadInput), match=why):
        form.found(Subject("lanterns:Lanterns-v0", {}, True))
