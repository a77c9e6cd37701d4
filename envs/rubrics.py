"""Rubrics: pure functions of a recorded episode. They need no environment, so old episodes can be scored anew."""

from __future__ import annotations

import difflib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from turngym.envs.types import BadInput, Episode, Reward, Rubric


def default(episode: Episode) -> tuple[Reward, ...]:
    """Score by the rubric that the episode's own task names; a task that names none, as the environment did."""
    name = episode.task.rubric
    # Looked up by name only: a recording is data from anywhere and must not choose a file to run.
    return _named(name)(episode) if name != "default" else recorded(episode)


def recorded(episode: Episode) -> tuple[Reward, ...]:
    """The reward that the environment gave, and the verifier's word beside it."""
    return (
        Reward("reward", episode.reward, evidence=f"{len(episode.turns)} turns"),
        Reward("success", float(episode.success), weight=0.0, evidence=str(episode.stop_reason)),
    )


def success(episode: Episode) -> tuple[Reward, ...]:
    """1 if the verifier says that the task is done, else 0."""
    return (Reward("success", float(episode.success), evidence=str(episode.stop_reason)),)


def brevity(episode: Episode) -> tuple[Reward, ...]:
    """Success, worth less with each further turn: 1 in the first turn, 1 / ``max_turns`` in the last."""
    turns, limit = len(episode.turns), episode.task.max_turns
    value = max(0.0, (limit - turns + 1) / limit) if episode.success else 0.0
    return (Reward("brevity", value, evidence=f"{turns} of {limit} turns"),)


def accepted(episode: Episode) -> tuple[Reward, ...]:
    """Share of the turns whose call the environment accepted."""
    turns = len(episode.turns)
    refused = sum(turn.error is not None for turn in episode.turns)
    return (Reward("accepted", (turns - refused) / turns if turns else 0.0, evidence=f"{refused} refused"),)


RUBRICS: dict[str, Rubric] = {
    "default": default,
    "recorded": recorded,
    "success": success,
    "brevity": brevity,
    "accepted": accepted,
}
"""Rubrics by name. A family adds its own under the name that its tasks carry."""


def load_rubric(name: str | Mapping[str, float]) -> Rubric:
    """Return the rubric of that name, or the function ``rubric(episode)`` of a Python file, which is run.

    Several names with weights give all their terms, weighted. Raises :class:`BadInput` that names the nearest rubric,
    or what is wrong with the file.
    """
    if not isinstance(name, str):
        parts = [(load_rubric(part), weight) for part, weight in name.items()]
        return lambda episode: tuple(
            replace(term, weight=weight * term.weight) for rubric, weight in parts for term in rubric(episode)
        )
    if name in RUBRICS or not name.endswith(".py"):
        return _named(name)
    path = Path(name)
    if not path.is_file():
        raise BadInput(f"{path}: no such rubric file")
    spec = importlib.util.spec_from_file_location(f"_rubric_{path.stem}", path)
    assert spec is not None and spec.loader is not None  # A path that ends in .py always has one.
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Dataclasses look their module up there.
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # A user's own code: whatever it raises is told in one line.
        raise BadInput(f"{path}: {type(error).__name__}: {error}") from error
    function = getattr(module, "rubric", None)
    if not callable(function):
        raise BadInput(f"{path}: no function rubric(episode) in it")
    judge: Rubric = function
    return judge


def total(terms: tuple[Reward, ...]) -> float:
    """Return the score that terms add up to: the sum of weight times value."""
    return sum(term.weight * term.value for term in terms)


def _named(name: str) -> Rubric:
    if name in RUBRICS:
        return RUBRICS[name]
    near = difflib.get_close_matches(name, RUBRICS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(RUBRICS)}, or a Python file"
    raise BadInput(f"unknown rubric {name!r}; {hint}")
