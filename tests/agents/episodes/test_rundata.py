"""What is read from a run's folder beside its episodes."""

import pytest

from turngym.agents.episodes.rundata import wilson


def test_wilsons_interval_against_published_numbers():
    # Newcombe 1998, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    for (r, n), (low, high) in {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0000, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }.items():
        found = wilson(r, n)
        assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
        assert (found.value, found.count) == (r / n, n)
    for n in (6, 7, 13):  # where rounding would leave something
        assert (wilson(0, n).low, wilson(n, n).high) == (0.0, 1.0)
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)
