"""The nouns: frozen data, no logic. Everything else in TurnGym makes, moves or reads these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""A picture: shape (H, W, 3), dtype uint8, RGB."""

Split = Literal["train", "test"]


class Observation(TypedDict):
    """What the policy sees this turn."""

    text: str
    """The instruction, and on a line of its own the tool's result or error, if there is one."""
    images: tuple[Image, ...]
    """Zero or more pictures; coordinates of a tool call are pixels of the last one."""


class ToolCall(TypedDict):
    """What the policy does: the name of a tool and its arguments.

    A completion that holds no call is passed on as a call with an empty name and the reason under
    ``arguments["error"]``; every environment refuses it with that reason.
    """

    name: str
    arguments: dict[str, Any]


class StopReason(StrEnum):
    """Why an episode ended. Who failed is part of the data."""

    SUCCESS = "success"
    FAILURE = "failure"
    ANSWERED = "answered"
    TURN_LIMIT = "turn_limit"
    TOKEN_LIMIT = "token_limit"
    TIME_LIMIT = "time_limit"
    POLICY_STOP = "policy_stop"
    INFRA_ERROR = "infra_error"


TERMINAL = frozenset({StopReason.SUCCESS, StopReason.FAILURE, StopReason.ANSWERED, StopReason.POLICY_STOP})
"""Stop reasons that terminate an episode; all others truncate it."""


class InfraError(RuntimeError):
    """Something of ours broke (browser, sandbox, device, worker): never the policy's fault, never reward 0.

    ``kind`` is a short machine-readable word such as ``browser_died``.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message

    def __reduce__(self) -> tuple[type[InfraError], tuple[str, str]]:
        return type(self), (self.kind, self.message)  # so that a worker's failure reaches its owner


class InfraFailure(TypedDict):
    """An :class:`InfraError` as a value: what ``info["infra_error"]`` and an episode carry."""

    kind: str
    message: str


class BadInput(ValueError):
    """The user gave something that cannot be used. The message is one line that names what and where."""


@dataclass(frozen=True, slots=True)
class Task:
    """What to achieve."""

    id: str
    seed: int | None = None
    """Seed for ``reset``; None before one is chosen."""
    instruction: str = ""
    """Empty where the backend words it (a page, a device)."""
    params: Mapping[str, Any] = field(default_factory=dict)
    level: int = 0
    """0 is easiest."""
    split: Split = "train"
    max_turns: int = 10
    max_seconds: float | None = None
    """Wall-clock limit of an episode in seconds, measured between turns."""
    rubric: str = "default"
    floor: float = 0.5
    """Mean reward that doing nothing and random play must stay under."""


@dataclass(frozen=True, slots=True)
class Element:
    """One thing on the screen, in pixels of the newest image. Privileged: the policy sees it only if asked for."""

    role: str
    name: str
    x: float
    y: float
    """Centre."""
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Tokens:
    """The very ids that were sampled in a turn, and the context they were sampled in."""

    context: tuple[int, ...]
    """Ids with one placeholder an image (the compact form)."""
    context_images: tuple[int, ...]
    """For each placeholder in ``context``: the turn whose image it stands for; one turn's are its images in order."""
    ids: tuple[int, ...]
    """Sampled ids, length T, the end-of-turn id included when it was sampled."""
    logprobs: tuple[float, ...]
    """Natural log-probabilities of ``ids`` under the sampling distribution, length T."""
    truncated: bool = False
    """The token limit cut this completion."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange: what was seen, said and done, and what came of it."""

    observation: Observation
    completion: str
    call: ToolCall
    reward: float
    signals: Mapping[str, float]
    error: str | None = None
    """Why the environment refused the call, or None."""
    policy_seconds: float = 0.0
    env_seconds: float = 0.0
    tokens: Tokens | None = None
    """None for policies that are not language models."""
    elements: tuple[Element, ...] = ()
    """What was on the screen, where it was asked for (screen-reading targets)."""


@dataclass(frozen=True, slots=True)
class Episode:
    """A whole attempt at a task: the unit that is stored, replayed and scored."""

    id: str
    env_id: str
    env_kwargs: Mapping[str, Any]
    task: Task
    turns: tuple[Turn, ...]
    final: Observation | None
    """What the last step returned; None where the episode broke before it did."""
    terminated: bool
    truncated: bool
    stop_reason: StopReason
    infra_error: InfraFailure | None = None
    policy: str = ""
    policy_version: int = 0
    """Number of updates the weights had seen."""
    phase: str = ""
    """Where in a run it was made: ``play``, ``warm_start``, ``check``, ``before``, ``train``, ``after``, ``eval``."""
    step: int = 0
    """The training step within the phase."""
    group: str = ""
    """Episodes with the same group id started identically."""
    state: Mapping[str, Any] = field(default_factory=dict)
    """Final state snapshot, for scoring without an environment."""

    @property
    def reward(self) -> float:
        """Sum of the turns' rewards."""
        return sum(turn.reward for turn in self.turns)

    @property
    def success(self) -> bool:
        """The verifier's word at the last turn."""
        return bool(self.turns) and self.turns[-1].signals.get("success", 0.0) >= 1.0


@dataclass(frozen=True, slots=True)
class Group:
    """Episodes of one task from one identical start: the unit of advantage."""

    id: str
    episodes: tuple[Episode, ...]


@dataclass(frozen=True, slots=True)
class Reward:
    """One named term of a rubric."""

    name: str
    value: float
    weight: float = 1.0
    evidence: str = ""


Rubric = Callable[[Episode], tuple[Reward, ...]]
"""A pure function of a stored episode."""
