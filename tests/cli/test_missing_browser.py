"""Where there is no browser, every command that needs one says so in one line, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import MINIWOB, Command

COMMANDS = {
    "play": ["play", MINIWOB, "--task", "click-test"],
    "bench": ["bench", MINIWOB],
    "check": ["check", MINIWOB, "--task", "click-test", "--quick"],
    "eval": ["eval", "quickstart", "--policy", "random"],
    "train": ["train", "quickstart"],
}


@pytest.fixture(params=["/nowhere", "/nowhere/chromium-headless-shell"])
def browser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A browser that is not there: of the kind that Playwright drives, and of the kind that TurnGym drives itself."""
    path: str = request.param
    monkeypatch.setenv("TURNGYM_CHROMIUM", path)
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_one_line_that_names_it(command: str, browser: str, turngym: Command) -> None:
    said = turngym(*COMMANDS[command], "--json")
    assert (said.code, said.out) == (2, "")
    assert list(Path().iterdir()) == []
    assert said.err == f"turngym: TURNGYM_CHROMIUM={browser}: not an executable file\n"
