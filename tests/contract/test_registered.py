"""Everything that ships passes the conformance suite: no environment opts in, none opts out."""

import pytest

from turngym.envs.conformance import check
from turngym.envs.registry import SHIPPED

WAYS = {
    "turngym/MiniWoB-v0": [
        {},
        {"task": "click-color"},
        {"task": "enter-text"},
        {"task": "click-checkboxes", "observation": "elements"},
        {"task": "click-tab", "observation": ["screenshot", "axtree", "html", "marks"]},
        {"task": "login-user", "observation": ["axtree"]},
        {"task": "click-color", "backend": "playwright"},
    ],
    "turngym/WebSite-v0": [{"task": "shop.basket", "observation": "html"}],
}
"""Keywords for a few quick looks; an environment that is not here is made without any."""

CASES = [
    pytest.param(
        entry.id,
        way,
        id="-".join(map(str, [entry.id, *way.values()])),
        marks=[pytest.mark.browser] * (entry.family == "browser"),
    )
    for entry in SHIPPED  # other tests register environments of their own
    for way in WAYS.get(entry.id, [{}])
]


def test_everything_is_here():
    assert set(WAYS) <= {entry.id for entry in SHIPPED}
    assert CASES


@pytest.mark.parametrize(("env_id", "way"), CASES)
def test_conformance(env_id, way):
    report = check(env_id, kwargs=way, quick=True)
    assert report.failed == []
    assert [finding["name"] for finding in report.skipped] == []
