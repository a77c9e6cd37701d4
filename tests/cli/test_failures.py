"""What of ours breaks is exit code 1 and one line on stderr."""

from __future__ import annotations

import pytest

from turngym.envs.types import InfraError
from turngym.trainers.errors import GateFailure

from .conftest import MINIWOB, Command


@pytest.mark.parametrize(
    "failure", [GateFailure("ids", "episode e, turn 1"), InfraError("browser_died", "all of them")]
)
def test_one_line_says_what_broke(failure: Exception, turngym: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr("turngym.agents.play.play", broken)
    said = turngym("play", MINIWOB, "--task", "click-test")
    assert (said.code, said.out, said.err) == (1, "", f"turngym: {failure}\n")
