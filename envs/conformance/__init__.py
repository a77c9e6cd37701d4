"""The conformance suite: what every TurnGym environment promises, one named check a promise.

``turngym check ENV`` runs it; third parties call :func:`check` in their own tests::

    from turngym.envs.conformance import check

    def test_my_environment():
        assert check("my_package:MyEnv-v0").failed == []

Each check makes its own environment, so none can hide another, and closes it. :data:`CHECKS` lists them all; the
first line of a check's docstring is the promise it tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from turngym.envs.conformance import conduct, form, worth
from turngym.envs.conformance.subject import Broken, Skip, Subject
from turngym.envs.types import BadInput

__all__ = ["CHECKS", "Finding", "Report", "check"]


class Finding(TypedDict):
    """A check that did not pass, and why in one line."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """What the suite found, each list in the order of :data:`CHECKS`."""

    env: str
    passed: list[str] = field(default_factory=list)
    failed: list[Finding] = field(default_factory=list)
    skipped: list[Finding] = field(default_factory=list)
    """Checks that do not apply, such as the oracle's where there is none."""

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failed


CHECKS: dict[str, Callable[[Subject], None]] = {
    "gymnasium": form.gymnasium,
    "found": form.found,
    "keywords": form.keywords,
    "docstring": form.docstring,
    "tools": form.tools,
    "samples": form.samples,
    "observations": form.observations,
    "info": form.info,
    "rewards": form.rewards,
    "nothing_shared": form.nothing_shared,
    "picklable": form.picklable,
    "close": form.close,
    "same_seed": conduct.same_seed,
    "same_seed_elsewhere": conduct.same_seed_elsewhere,
    "seeds_differ": conduct.seeds_differ,
    "splits": conduct.splits,
    "repeatable": conduct.repeatable,
    "global_rng": conduct.global_rng,
    "refused_calls": conduct.refused_calls,
    "odd_text": conduct.odd_text,
    "unknown_task": conduct.unknown_task,
    "turn_limit": conduct.turn_limit,
    "reset_needed": conduct.reset_needed,
    "end_flags": conduct.end_flags,
    "oracle": worth.oracle,
    "noop": worth.noop,
    "random": worth.random,
    "spam": worth.spam,
}


def check(
    env_id: str, *, task: str | None = None, quick: bool = False, kwargs: Mapping[str, Any] | None = None
) -> Report:
    """Run every check on a registered environment.

    ``env_id`` is what ``gymnasium.make`` takes, ``module:Id`` too; ``task`` and ``kwargs`` are passed on to it.
    ``quick`` uses fewer seeds and episodes. Raises :class:`BadInput` for an unknown environment or task.
    """
    subject = Subject(env_id, {**(kwargs or {}), **({} if task is None else {"task": task})}, quick)
    _refuse_bad_input(subject)
    report = Report(env_id)
    for name, promise in CHECKS.items():
        try:
            promise(subject)
        except Skip as skip:
            report.skipped.append({"name": name, "why": str(skip)})
        except Exception as error:
            report.failed.append({"name": name, "why": _one_line(error)})
        else:
            report.passed.append(name)
    return report


def _refuse_bad_input(subject: Subject) -> None:
    import gymnasium as gym

    try:
        with subject.env() as env:
            env.reset(seed=0)
    except BadInput:
        raise
    except (gym.error.Error, ImportError) as error:
        raise BadInput(f"cannot make {subject.env_id!r}: {_one_line(error)}") from None
    except Exception:
        return  # it goes wrong again in the checks, which say it by name


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, Broken) else f"{type(error).__name__}: {text}"
