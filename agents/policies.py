"""Built-in policies: the oracle, and three that must not collect reward: random play, doing nothing, spam."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from turngym.agents.rollout import Decision, View
from turngym.envs import BadInput, Task, ToolCall, ToolCallSpace, find
from turngym.envs.types import Split


def stream(*words: object) -> int:
    """Derive a 64-bit seed from words: equal words, equal seed, on every machine."""
    digest = hashlib.blake2b("/".join(map(str, words)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


@dataclass(frozen=True)
class CallPolicy:
    """A policy that is a function from a view to a call."""

    name: str
    choose: Callable[[View], ToolCall]
    version: int = 0

    def act(self, views: Sequence[View]) -> list[Decision]:
        """Decide for each view."""
        return [Decision(self.choose(view)) for view in views]


def _next_of_plan(view: View) -> ToolCall:
    plan: list[ToolCall] = view.hints["solution"]
    return plan[0] if plan else {"name": "", "arguments": {"error": "the oracle sees nothing left to do"}}


def oracle() -> CallPolicy:
    """The environment's own solution, planned anew each turn. The pool must be asked for the hint ``solution``."""
    return CallPolicy("oracle", _next_of_plan)


@dataclass(frozen=True)
class ClumsyOracle:
    """The oracle, but for a share of its calls, which are clicks on any element of the screen, or random ones."""

    space: ToolCallSpace
    mistakes: float
    seed: int
    name: str = "oracle"
    version: int = 0

    def act(self, views: Sequence[View]) -> list[Decision]:
        """Decide for each view."""
        return [self._decide(view) for view in views]

    def _decide(self, view: View) -> Decision:
        noise = stream(self.seed, "mistake", view.episode, len(view.turns))
        if np.random.default_rng(noise).random() >= self.mistakes:
            return Decision(_next_of_plan(view))
        if elements := view.hints.get("elements"):
            element = elements[noise % len(elements)]
            call: ToolCall = {"name": "click", "arguments": {"x": int(element.x), "y": int(element.y)}}
            if call in self.space:
                return Decision(call)
        self.space.seed(noise % 2**32)
        return Decision(self.space.sample())


def random(space: ToolCallSpace, seed: int) -> CallPolicy:
    """Valid calls drawn from the action space."""

    def choose(view: View) -> ToolCall:
        space.seed(stream(seed, view.episode, len(view.turns)) % 2**32)
        return space.sample()

    return CallPolicy("random", choose)


def noop(space: ToolCallSpace) -> CallPolicy:
    """Waits where the environment knows a ``wait``, and otherwise says nothing that could be carried out."""
    idle: ToolCall = {"name": "", "arguments": {"error": "nothing to do"}}
    call: ToolCall = {"name": "wait", "arguments": {}} if "wait" in space.names else idle
    return CallPolicy("noop", lambda view: call)


def spam(space: ToolCallSpace, seed: int) -> CallPolicy:
    """One valid call, drawn once an episode, over and over."""

    def choose(view: View) -> ToolCall:
        space.seed(stream(seed, view.episode) % 2**32)
        return space.sample()

    return CallPolicy("spam", choose)


BUILT_IN = ("oracle", "random", "noop", "spam")


def built_in(name: str, space: ToolCallSpace, seed: int) -> CallPolicy:
    """Return the built-in policy called ``name``."""
    table: dict[str, Callable[[], Any]] = {
        "oracle": oracle,
        "random": lambda: random(space, seed),
        "noop": lambda: noop(space),
        "spam": lambda: spam(space, seed),
    }
    if name not in table:
        raise BadInput(f"unknown policy {name!r}; there is {', '.join(BUILT_IN)}")
    policy: CallPolicy = table[name]()
    return policy


def refuse_unsolved(env_id: str, tasks: Sequence[str], env_kwargs: Mapping[str, Any]) -> None:
    """Raise :class:`BadInput` where the oracle would be asked for a task that it cannot solve.

    A task without a name is drawn from the seed, so every task must have an oracle.
    """
    entry = find(env_id)
    names, solved = entry.task_names(**env_kwargs), entry.solved_tasks(**env_kwargs)
    for task in tasks:
        if not task and set(solved) < set(names):
            have = f"{len(solved)} of the {len(names)} tasks of {env_id} have an oracle"
            raise BadInput(f"{have}: choose one of them (--task, or environment.task of a recipe)")
        if task and task not in solved:
            there = f"there is one for {', '.join(solved)}" if solved else "none of its tasks has one"
            raise BadInput(f"task {task!r} of {env_id} has no oracle; {there}")


def draw_tasks(names: Sequence[str], count: int, *words: object, split: Split = "train") -> list[Task]:
    """Draw ``count`` starts of the tasks ``names`` from words: every task as often as any other, in random order.

    The seeds are those of :func:`draw_seeds`, whatever the tasks.
    """
    order = np.random.default_rng(stream(*words, "tasks"))
    drawn: list[str] = []
    while len(drawn) < count:
        drawn += [names[i] for i in order.permutation(len(names)).tolist()]
    return [Task(name, seed=seed, split=split) for name, seed in zip(drawn, draw_seeds(count, *words), strict=False)]


def draw_seeds(count: int, *words: object) -> list[int]:
    """Draw ``count`` reset seeds from words."""
    return [int(seed) for seed in np.random.default_rng(stream(*words)).integers(2**31, size=count)]
