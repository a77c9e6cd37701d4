"""`turngym check` and `turngym bench`: what machines and people are told of an environment, and the exit code."""

from __future__ import annotations

import json

import pytest
from faulty_lanterns import FAULTS

from .conftest import MINIWOB, Command

SOUND, FAULTY, NO_ORACLE = "lanterns:Lanterns-v0", "faulty_lanterns:Deaf-v0", "faulty_lanterns:NoOracle-v0"
STATES = ("passed", "skipped", "failed")


def test_a_sound_environment_is_done(turngym: Command) -> None:
    said = turngym("check", SOUND, "--quick", "--json")
    answer = json.loads(said.out)
    assert (said.code, said.err) == (0, "")
    assert set(answer) == {"passed", "failed", "skipped"}
    assert (answer["failed"], answer["skipped"]) == ([], [])
    assert {"oracle", "same_seed"} <= set(answer["passed"])


def test_a_faulty_one_is_a_failure_that_is_named_and_explained(turngym: Command) -> None:
    said = turngym("check", FAULTY, "--quick", "--json")
    answer = json.loads(said.out)
    assert (said.code, said.err) == (1, "")
    assert {tuple(failure) for failure in answer["failed"]} == {("name", "why")}
    assert {failure["name"] for failure in answer["failed"]} == FAULTS["Deaf-v0"]
    assert all(failure["why"] for failure in answer["failed"])
    assert not {failure["name"] for failure in answer["failed"]} & set(answer["passed"])


def test_people_read_a_line_a_check_and_the_count(turngym: Command) -> None:
    said = turngym("check", FAULTY, "--quick")
    *lines, count = said.out.splitlines()
    names = {state: [line.split()[1] for line in lines if line.split()[0] == state] for state in STATES}
    assert (said.code, said.err) == (1, "")
    assert {name.rstrip(":") for name in names["failed"]} == FAULTS["Deaf-v0"]
    assert {"oracle", "same_seed"} <= set(names["passed"])
    assert count == f"{FAULTY}: {len(names['passed'])} passed, {len(names['failed'])} failed"
    assert len(lines) == sum(map(len, names.values()))


def test_what_is_skipped_is_no_failure_and_says_why(turngym: Command) -> None:
    said = turngym("check", NO_ORACLE, "--quick")
    *lines, count = said.out.splitlines()
    assert (said.code, said.err) == (0, "")
    assert [line.partition(": ")[0] for line in lines if not line.startswith("passed")] == ["skipped oracle"]
    assert "skipped oracle: no oracle" in said.out
    assert count == f"{NO_ORACLE}: {len(lines) - 1} passed, 0 failed"


@pytest.mark.browser
def test_bench_says_what_is_promised(turngym: Command) -> None:
    said = turngym("bench", MINIWOB, "--task", "click-test", "--seconds", "0.5", "--workers", "1", "--json")
    answer = json.loads(said.out)  # one object, and nothing beside it
    promised = ["steps_per_s", "resets_per_s", "reset_ms_p50", "step_ms_p50", "step_ms_p99", "rss_mb", "bytes_per_step"]
    assert (said.code, said.err) == (0, "")
    assert {key: answer[key] for key in promised if not answer[key] > 0} == {}
    assert (answer["env"], answer["task"], answer["workers"]) == (MINIWOB, "click-test", 1)
