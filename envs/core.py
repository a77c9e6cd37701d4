"""The base of every TurnGym environment: seeds, tasks, limits, refused calls and the form of a failure, once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, get_args

import gymnasium as gym
import numpy as np

from turngym.envs.spaces import ToolCallSpace
from turngym.envs.types import (
    TERMINAL,
    BadInput,
    Element,
    Image,
    InfraError,
    Observation,
    Split,
    StopReason,
    Task,
    ToolCall,
)

Info = dict[str, Any]


class Refused(Exception):
    """A family raises this from ``act`` when a valid call cannot be carried out; the world must be unchanged."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one accepted call brought about."""

    reward: float = 0.0
    signals: Mapping[str, float] = field(default_factory=dict)
    stop: StopReason | None = None
    """None while the episode goes on."""
    result: str = ""
    """Text the tool returned, shown with the next observation."""


def refuse_split(split: object) -> None:
    """Raise :class:`BadInput` for what is no split."""
    if split not in get_args(Split):
        raise BadInput(f"split must be 'train' or 'test', got {split!r}")


class TurnEnv(gym.Env[Observation, ToolCall]):
    """A Gymnasium environment whose actions are tool calls and whose observations are text and images.

    A family subclasses it, sets ``action_space`` and ``observation_space``, and writes five methods:
    :meth:`find_task`, :meth:`start`, :meth:`look`, :meth:`act` and, where there is an oracle, :meth:`solution`.
    They raise :class:`InfraError` when something of ours breaks. Attributes that begin with an underscore (``_task``,
    ``_turn`` ...) are this class's.
    This class does the rest: drawing and checking tasks, refusing calls outside the action space without touching
    the world, turn and time limits, and ``info``, whose keys are always ``task``, ``instruction``, ``signals``,
    ``error``, ``stop_reason`` and ``infra_error``.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 4}  # noqa: RUF012
    action_space: ToolCallSpace
    seed_visible: ClassVar[bool] = True
    """False where starts legitimately look alike whatever the seed."""

    def __init__(self, *, max_turns: int | None = None, render_mode: str | None = None) -> None:
        if max_turns is not None and (type(max_turns) is not int or max_turns < 1):
            raise BadInput(f"max_turns must be an integer of at least 1, got {max_turns!r}")
        self.render_mode = render_mode
        self._max_turns = max_turns
        self.asked_split: Split | None = None
        """The split that this reset asked for, over the constructor's."""
        self._task: Task | None = None
        self._turn = 0
        self._began = 0.0
        self._over = True
        self._signals: dict[str, float] = {}
        self._text = ""
        self._images: tuple[Image, ...] = ()

    # What a family writes -------------------------------------------------------------------------------------

    def find_task(self, wanted: str | None, rng: np.random.Generator) -> Task:
        """Return the task called ``wanted``, or draw one with ``rng``; raise :class:`BadInput` for an unknown name."""
        raise NotImplementedError

    def start(self, task: Task, rng: np.random.Generator) -> str:
        """Bring the world to the start of ``task``; return the instruction."""
        raise NotImplementedError

    def look(self) -> tuple[Image, ...]:
        """Return pictures of the world as it is: fresh arrays, the newest last."""
        raise NotImplementedError

    def act(self, call: ToolCall) -> Outcome:
        """Carry out a call that is in the action space."""
        raise NotImplementedError

    def solution(self) -> list[ToolCall]:
        """Return the oracle's calls from the current state to the goal."""
        raise NotImplementedError

    def elements(self) -> tuple[Element, ...]:
        """List what is on the screen, in reading order. Privileged: for supervised screen-reading targets."""
        raise NotImplementedError

    def describe(self) -> str:
        """Return text that belongs to every observation after the instruction; empty by default."""
        return ""

    def picture(self) -> Image | None:
        """Return a picture of the world as it is, for environments whose observations may come without; or None."""
        return None

    # Gymnasium ------------------------------------------------------------------------------------------------

    @property
    def task(self) -> Task:
        """The current task, with its instruction."""
        if self._task is None:
            raise BadInput("there is no task before the first reset")
        return self._task

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Start an episode.

        ``options`` may hold ``task``, a name or a :class:`Task`, and ``split``, which overrides the constructor's.
        Raises :class:`InfraError` if the world cannot be brought up, :class:`BadInput` for an unknown task or split.
        """
        super().reset(seed=seed)
        options = options or {}
        if unknown := options.keys() - {"task", "split"}:
            raise BadInput(f"unknown reset option {min(unknown)!r}; there is task and split")
        wanted, self.asked_split = options.get("task"), options.get("split")
        if self.asked_split is not None:
            refuse_split(self.asked_split)
        if not isinstance(wanted, Task | str | None):
            raise BadInput(f"reset option 'task' must be a name or a Task, got {wanted!r}")
        task = wanted if isinstance(wanted, Task) else self.find_task(wanted, self.np_random)
        task = replace(task, split=options.get("split", task.split))
        refuse_split(task.split)
        self._turn, self._over, self._signals = 0, True, {}
        instruction = self.start(task, self.np_random)
        limit = self._max_turns if self._max_turns is not None else task.max_turns
        self._task = replace(task, seed=seed, instruction=instruction, max_turns=limit)
        self._observe("")
        self._began, self._over = time.monotonic(), False
        return self._observation(), self._info()

    def step(self, action: ToolCall) -> tuple[Observation, float, bool, bool, Info]:
        """Carry out one tool call.

        A call outside the action space costs the turn and comes back as ``info["error"]``; it never raises, ends
        the episode or changes the world. Stepping an episode that is over raises ``gymnasium.error.ResetNeeded``.
        """
        if self._over:
            raise gym.error.ResetNeeded("the episode is over: call reset()")
        self._turn += 1
        outcome, error = Outcome(signals=self._signals), self.action_space.explain(action)
        try:
            if error is None:
                try:
                    outcome = self.act(action)
                except Refused as refusal:
                    error = str(refusal)
            stop = outcome.stop or self._limit()
            self._signals = dict(outcome.signals)
            if error is None:
                self._observe(outcome.result)
            else:
                self._text = self._words(f"Error: {error}")
        except InfraError as broken:
            self._over = True
            failure = {"kind": broken.kind, "message": broken.message}
            return self._observation(), 0.0, False, True, self._info(stop=StopReason.INFRA_ERROR, infra_error=failure)
        self._over = stop is not None
        terminated = stop in TERMINAL
        info = self._info(error=error, stop=stop)
        return self._observation(), float(outcome.reward), terminated, self._over and not terminated, info

    def render(self) -> Image | None:
        """Return the newest picture; where observations have none, one made now."""
        if self.render_mode != "rgb_array":
            return None
        newest = self._images[-1] if self._images else self.picture()
        return None if newest is None else newest.copy()

    # Inside ---------------------------------------------------------------------------------------------------

    def _limit(self) -> StopReason | None:
        task = self.task
        if self._turn >= task.max_turns:
            return StopReason.TURN_LIMIT
        if task.max_seconds is not None and time.monotonic() - self._began > task.max_seconds:
            return StopReason.TIME_LIMIT
        return None

    def _words(self, result: str) -> str:
        return "\n".join(part for part in (self.task.instruction, self.describe(), result) if part)

    def _observe(self, result: str) -> None:
        self._images = self.look()
        self._text = self._words(result)

    def _observation(self) -> Observation:
        # Copies, so that nothing a caller does to an observation reaches the next one.
        return {"text": self._text, "images": tuple(image.copy() for image in self._images)}

    def _info(
        self, *, error: str | None = None, stop: StopReason | None = None, infra_error: dict[str, str] | None = None
    ) -> Info:
        return {
            "task": self.task.id,
            "instruction": self.task.instruction,
            "signals": dict(self._signals),
            "error": error,
            "stop_reason": None if stop is None else str(stop),
            "infra_error": infra_error,
        }
