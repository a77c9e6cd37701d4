"""Rubrics by name and from files."""

from __future__ import annotations

import pytest

from turngym.envs.rubrics import RUBRICS, load_rubric
from turngym.envs.types import BadInput, Episode, Reward, StopReason, Task, Turn


def episode(turns: int = 1, *, success: bool = True, refused: int = 0) -> Episode:
    seen = {"text": "", "images": ()}
    call = {"name": "wait", "arguments": {}}
    made = tuple(
        Turn(seen, "", call, 0.5, {"success": float(success and n == turns - 1)}, "no" if n < refused else None)
        for n in range(turns)
    )
    stop = StopReason.SUCCESS if success else StopReason.FAILURE
    return Episode("e", "x", {}, Task("t", max_turns=4), made, seen, True, False, stop)


def total(name: str | dict[str, float], which: Episode) -> float:
    return sum(term.weight * term.value for term in load_rubric(name)(which))


@pytest.mark.parametrize("name", RUBRICS)
def test_every_rubric_is_documented_pure_and_takes_an_empty_episode(name):
    rubric = load_rubric(name)
    assert rubric.__doc__
    assert rubric(episode(3)) == rubric(episode(3))
    assert all(isinstance(term, Reward) for term in rubric(episode(0, success=False)))


def test_default_is_what_the_environment_gave():
    assert total("default", episode(3)) == 1.5
    assert [term.name for term in RUBRICS["default"](episode())] == ["reward", "success"]


def test_values():
    assert [total("success", episode(2, success=s)) for s in (True, False)] == [1.0, 0.0]
    assert [total("brevity", episode(n)) for n in (1, 2, 4, 9)] == [1.0, 0.75, 0.25, 0.0]
    assert total("brevity", episode(1, success=False)) == 0.0
    assert total("accepted", episode(4, refused=1)) == 0.75
    assert total("accepted", episode(0)) == 0.0


def test_several_with_their_weights():
    both = {"brevity": 1.0, "accepted": 0.2}
    assert total(both, episode(2, refused=1)) == 0.75 + 0.2 * 0.5
    assert total(both, episode(4, success=False, refused=4)) == 0.0
    assert [(term.name, term.weight) for term in load_rubric(both)(episode())] == [("brevity", 1.0), ("accepted", 0.2)]
    with pytest.raises(BadInput, match="unknown rubric 'brevty'"):
        load_rubric({"brevty": 1.0})


def test_unknown_names():
    with pytest.raises(BadInput, match="unknown rubric 'brevty'; did you mean 'brevity'"):
        load_rubric("brevty")
    with pytest.raises(BadInput, match="unknown rubric 'zzz'; there is default, recorded"):
        load_rubric("zzz")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def rubric(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("rubrik = 1", r"no function rubric\(episode\) in it"),
        ("rubric = 1", r"no function rubric\(episode\) in it"),
    ],
)
def test_files_that_hold_no_rubric(tmp_path, text, why):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(BadInput, match=rf"mine\.py: .*{why}|mine\.py: {why}") as caught:
        load_rubric(str(path))
    assert "\n" not in str(caught.value)
    with pytest.raises(BadInput, match=r"other\.py: no such rubric file"):
        load_rubric(str(tmp_path / "other.py"))


def test_a_file_may_define_dataclasses(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "from turngym.envs.types import Reward\n"
        "@dataclass\nclass Bar:\n    height: float\n"
        "def rubric(episode):\n    return (Reward('over', episode.reward > Bar(0.4).height),)\n"
    )
    assert total(str(path), episode()) == 1.0
