"""Score: what a rubric says of recorded episodes, without any environment."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypedDict

from turngym.agents.episodes.store import EpisodeStore
from turngym.envs.rubrics import load_rubric, total
from turngym.envs.types import BadInput, Episode, Reward, Rubric, StopReason


class Scores(TypedDict):
    """A rubric's word on a store."""

    episodes: int
    """How many were scored."""
    rubric: str
    mean: float | None
    """Mean over the episodes of the sum of weight times value; None if there was none."""
    per_term: dict[str, float]
    """Mean value of each term, over the episodes that have it."""
    infra_errors: int
    """Episodes that ended by a failure of ours: left out of every mean."""


def score(
    store: EpisodeStore, rubric: str, *, save: bool = False, progress: Callable[[], None] = lambda: None
) -> Scores:
    """Score every episode with a rubric, by name or from a Python file (see ``turngym.envs.rubrics.load_rubric``).

    ``save`` keeps the terms in the store, which must then be open for adding. Raises :class:`BadInput` where there
    is no such rubric, or it fails.
    """
    judge = guarded(load_rubric(rubric), rubric)
    terms: dict[str, tuple[Reward, ...]] = {}
    infra_errors = 0
    for episode in store:
        if episode.stop_reason is StopReason.INFRA_ERROR:
            infra_errors += 1
        else:
            terms[episode.id] = judge(episode)
        progress()
    if save:
        store.save_scores(rubric, terms)
    values: dict[str, list[float]] = {}
    for term in (term for given in terms.values() for term in given):
        values.setdefault(term.name, []).append(term.value)
    return {
        "episodes": len(terms),
        "rubric": rubric,
        "mean": sum(map(total, terms.values())) / len(terms) if terms else None,
        "per_term": {name: sum(given) / len(given) for name, given in values.items()},
        "infra_errors": infra_errors,
    }


def guarded(rubric: Rubric, name: str) -> Rubric:
    """Return a rubric that gives sound terms or raises :class:`BadInput` which names itself and the episode.

    A rubric is a user's own code: whatever it raises, or returns that is no number, is told in one line.
    """

    def judge(episode: Episode) -> tuple[Reward, ...]:
        where = f"rubric {name!r}, episode {episode.id!r}"
        try:
            terms = tuple(rubric(episode))
            for term in terms:
                if not isinstance(term, Reward):
                    raise BadInput(f"{where}: expected Reward terms, got {type(term).__name__}")
            score = total(terms)
            if not math.isfinite(score):
                raise BadInput(f"{where}: the score is {score}")
        except BadInput:
            raise
        except Exception as error:
            raise BadInput(f"{where}: {type(error).__name__}: {error}") from error
        return terms

    return judge
