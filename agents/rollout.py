"""The rollout: policies act in a pool of environments, and episodes come out.

One loop, no threads: slots whose observation is there wait for a decision, decisions are made in batches, and calls go
out to the workers without waiting. With ``min_batch=None`` a batch is made when no reply is due any more, so that what
is decided together depends on the tasks alone and a run repeats exactly; with a number, as soon as so many observations
wait, so that slow environments hold up nobody.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol, TypedDict, Unpack

from turngym.agents.workers import EnvPool, Reply
from turngym.envs import (
    TERMINAL,
    Episode,
    InfraError,
    InfraFailure,
    Observation,
    StopReason,
    Task,
    Tokens,
    ToolCall,
    Turn,
)

KEEP_EVERY = 50
"""Finished episodes that are kept together: few enough to lose little, enough that a transaction each costs nothing."""


@dataclass(frozen=True, slots=True)
class View:
    """What a policy decides on."""

    episode: str
    """Id of the episode: the source of a policy's own randomness."""
    turns: tuple[Turn, ...]
    """The turns so far."""
    observation: Observation
    hints: Mapping[str, Any] = field(default_factory=dict)
    """Privileged knowledge that the pool was asked for."""
    instruction: str = ""
    """The task's, with which the observations' texts begin."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy does: a call, or ``stop``."""

    call: ToolCall
    completion: str = ""
    tokens: Tokens | None = None
    stop: StopReason | None = None
    """The policy ends the episode (``policy_stop``, ``token_limit``); the call is not carried out."""


class Policy(Protocol):
    """Whatever acts."""

    @property
    def name(self) -> str:
        """Name, as stored with its episodes."""

    @property
    def version(self) -> int:
        """Number of updates its weights have seen."""

    def act(self, views: Sequence[View]) -> list[Decision]:
        """Decide for each view."""


@dataclass(frozen=True, slots=True)
class Start:
    """An episode to be made."""

    id: str
    task: Task
    group: str = ""


@dataclass(slots=True)
class _Live:
    """An episode in the making."""

    start: Start
    number: int
    attempt: int = 0
    task: Task | None = None
    turns: list[Turn] = field(default_factory=list)
    observation: Observation | None = None
    hints: Mapping[str, Any] = field(default_factory=dict)
    decision: Decision | None = None
    policy_seconds: float = 0.0


class _Queue:
    """Starts that wait for a slot, in their order but for those that fit the page of a slot better.

    Which start follows in a slot is promised before it is known whether the slot's episode ends: what is live together,
    and so decided together, must not depend on which reply came first.
    """

    def __init__(self, pool: EnvPool, starts: Iterable[Start]) -> None:
        self._pool = pool
        self._todo = deque(_Live(start, number) for number, start in enumerate(starts))
        self._promised: dict[int, _Live] = {}

    def __bool__(self) -> bool:
        """Whether one waits that is not promised to a slot."""
        return bool(self._todo)

    def add(self, live: _Live) -> None:
        """Put one at the end."""
        self._todo.append(live)

    def take(self, free: Collection[int]) -> tuple[int, _Live]:
        """Take a slot of ``free``, and what to start there."""
        slot, place = self._pool.pick(free, (live.start.task for live in self._todo))
        live = self._todo[place]
        del self._todo[place]
        return slot, live

    def promise(self, slots: Iterable[int]) -> None:
        """Choose what is to follow in each of ``slots``, as far as there is something; older promises are void."""
        self.forget_promises()
        for slot in slots:
            if self._todo:
                self._promised[slot] = self.take({slot})[1]

    def following(self, slot: int) -> _Live | None:
        """Take what was promised to a slot."""
        return self._promised.pop(slot, None)

    def forget_promises(self) -> None:
        """Put what was promised, and not taken, back to the front."""
        self._todo.extendleft(reversed(self._promised.values()))
        self._promised.clear()


class How(TypedDict, total=False):
    """Keywords of :func:`stream`."""

    phase: str
    step: int
    retries: int
    min_batch: int | None


def rollout(
    pool: EnvPool,
    policy: Policy,
    starts: Iterable[Start],
    *,
    keep: Callable[[list[Episode]], None] | None = None,
    **how: Unpack[How],
) -> list[Episode]:
    """Make the episodes of ``starts`` and return them in that order; ``how`` are the keywords of :func:`stream`.

    ``keep`` is given each episode soon after it is over, and whatever happens, an interrupt too, all that were
    finished; the same one may come twice.
    """
    made: list[tuple[int, Episode]] = []
    kept = 0

    def keep_new() -> None:
        nonlocal kept
        count = len(made)
        if keep is not None and count > kept:
            keep([episode for _, episode in made[kept:count]])
            kept = count

    try:
        for item in stream(pool, policy, starts, **how):
            made.append(item)
            if len(made) - kept >= KEEP_EVERY:
                keep_new()
    finally:
        keep_new()
    return [episode for _, episode in sorted(made, key=lambda item: item[0])]


def sound(episodes: Sequence[Episode]) -> list[Episode]:
    """Return the episodes that did not end by a failure of ours; :class:`InfraError` where all of them did."""
    found = [episode for episode in episodes if episode.stop_reason is not StopReason.INFRA_ERROR]
    if not found:
        all_broke(episodes)
    return found


def all_broke(episodes: Sequence[Episode]) -> None:
    """Raise :class:`InfraError` that names the first failure of ``episodes``, if there are any."""
    if episodes:
        first = episodes[0].infra_error or {"kind": "infra_error", "message": "no reason was recorded"}
        raise InfraError(first["kind"], f"all {len(episodes)} episodes broke, the first by: {first['message']}")


def stream(
    pool: EnvPool,
    policy: Policy,
    starts: Iterable[Start],
    *,
    phase: str = "",
    step: int = 0,
    retries: int = 1,
    min_batch: int | None = None,
) -> Iterator[tuple[int, Episode]]:
    """Make the episodes of ``starts`` and yield each as soon as it is over, with the number of its start.

    An episode that ends by a failure of ours is yielded as such and, at most ``retries`` times, made anew (under its
    id with ``.1``, ``.2`` ... appended) and yielded too.
    """
    todo = _Queue(pool, starts)
    slots: dict[int, _Live] = {}
    free = set(range(pool.size))
    ready: list[int] = []
    over: list[tuple[int, Episode]] = []

    def begin(slot: int, live: _Live) -> None:
        free.remove(slot)
        slots[slot] = live
        pool.reset(slot, live.start.task)

    def finish(slot: int, stop: StopReason, failure: InfraFailure | None = None) -> None:
        live = slots.pop(slot)
        free.add(slot)
        over.append((live.number, _episode(live, pool, policy, phase, step, stop, failure)))
        if failure is not None and live.attempt < retries:
            todo.add(_Live(live.start, live.number, live.attempt + 1))
        if (following := todo.following(slot)) is not None:
            begin(slot, following)

    while todo or slots:
        if min_batch is not None or not pool.waiting:
            todo.forget_promises()
            while todo and free:
                begin(*todo.take(free))
        for reply in pool.replies():
            if (stop := _receive(slots[reply.slot], reply)) is None:
                ready.append(reply.slot)
            else:
                finish(reply.slot, stop, reply.infra_error)
        yield from over
        over.clear()
        if todo and free and not pool.waiting:
            continue
        if ready and (not pool.waiting or (min_batch is not None and len(ready) >= min_batch)):
            decided = _decide(policy, {slot: slots[slot] for slot in ready})
            if min_batch is None:
                todo.promise(decided)
            for slot, decision in decided.items():
                if decision.stop is not None:
                    finish(slot, decision.stop)
                else:
                    pool.step(slot, decision.call)
            ready = []
    yield from over


def _decide(policy: Policy, slots: dict[int, _Live]) -> dict[int, Decision]:
    """Decide for all of ``slots`` together.

    In the order of the starts, not of the slots: which slot a start is in depends on which worker answered first.
    """
    ordered = sorted(slots, key=lambda slot: (slots[slot].number, slots[slot].attempt))
    began = perf_counter()
    decisions = policy.act([_view(slots[slot]) for slot in ordered])
    seconds = (perf_counter() - began) / len(ordered)
    for slot, decision in zip(ordered, decisions, strict=True):
        slots[slot].decision, slots[slot].policy_seconds = decision, seconds
    return dict(zip(ordered, decisions, strict=True))


def _receive(live: _Live, reply: Reply) -> StopReason | None:
    """Take in a reply; return why the episode is over, or None."""
    info = reply.info
    if live.decision is not None and reply.observation is not None and live.observation is not None:
        decision, live.decision = live.decision, None
        turn = Turn(
            observation=live.observation,
            completion=decision.completion,
            call=decision.call,
            reward=reply.reward,
            signals=info["signals"],
            error=info["error"],
            policy_seconds=live.policy_seconds,
            env_seconds=reply.seconds,
            tokens=decision.tokens,
            elements=tuple(live.hints.get("elements", ())),
        )
        live.turns.append(turn)
    if "the_task" in info:
        live.task = info["the_task"]
    if reply.observation is not None:
        live.observation, live.hints = reply.observation, reply.hints
    if reply.infra_error is not None:
        return StopReason.INFRA_ERROR
    return StopReason(info["stop_reason"]) if reply.terminated or reply.truncated else None


def _view(live: _Live) -> View:
    assert live.observation is not None
    instruction = live.task.instruction if live.task is not None else ""
    return View(_episode_id(live), tuple(live.turns), live.observation, live.hints, instruction)


def _episode_id(live: _Live) -> str:
    return live.start.id if live.attempt == 0 else f"{live.start.id}.{live.attempt}"


def _episode(
    live: _Live,
    pool: EnvPool,
    policy: Policy,
    phase: str,
    step: int,
    stop: StopReason,
    failure: InfraFailure | None,
) -> Episode:
    return Episode(
        id=_episode_id(live),
        env_id=pool.env_id,
        env_kwargs=pool.env_kwargs,
        task=live.task or live.start.task,
        turns=tuple(live.turns),
        final=live.observation,
        terminated=stop in TERMINAL,
        truncated=stop not in TERMINAL,
        stop_reason=stop,
        infra_error=failure,
        policy=policy.name,
        policy_version=policy.version,
        phase=phase,
        step=step,
        group=live.start.group,
    )
