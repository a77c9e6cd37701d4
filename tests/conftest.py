"""Shared by all tests: the browser marker, and the modules that stand for third parties."""

import os
import sys
from pathlib import Path

import pytest

# `lanterns` must import by name here and in the processes that the conformance suite starts.
sys.path.insert(0, str(Path(__file__).parent / "contract"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that needs Chromium fails without it, so that nobody misses it; TURNGYM_NO_BROWSER=1 skips it."""
    if item.get_closest_marker("browser") is None:
        return
    if os.environ.get("TURNGYM_NO_BROWSER") == "1":
        pytest.skip("TURNGYM_NO_BROWSER=1")
    from turngym.envs import find

    missing = find("turngym/MiniWoB-v0").what_is_missing()
    if missing is not None:
        pytest.fail(f"needs Chromium: {missing} (or set TURNGYM_NO_BROWSER=1)", pytrace=False)
