"""Everything registered passes the conformance suite: no environment opts in, none opts out."""

import pytest

from turngym.envs import entries
from turngym.envs.conformance import check

TASKS = {
    "turngym/MiniWoB-v0": ["click-color", "enter-text", "click-checkboxes"],
}
"""A few tasks for a quick look; others are checked with the one that their seed draws."""

CASES = [
    pytest.param(entry.id, task, id=f"{entry.id}-{task}", marks=[pytest.mark.browser] * (entry.family == "browser"))
    for entry in entries()
    for task in TASKS.get(entry.id, [None])
]


def test_everything_is_here():
    assert set(TASKS) <= {entry.id for entry in entries()}
    assert CASES


@pytest.mark.parametrize(("env_id", "task"), CASES)
def test_conformance(env_id, task):
    report = check(env_id, task=task, quick=True)
    assert report.failed == []
    assert [finding["name"] for finding in report.skipped] == []
