"""Checks of conduct: seeds are used and nothing else is, refused calls change nothing, episodes end as they say."""

from __future__ import annotations

import pickle
import random
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import gymnasium as gym
import numpy as np

from turngym.envs.conformance.subject import (
    NO_CALL,
    Broken,
    Exchange,
    Policy,
    Skip,
    Subject,
    bad_calls,
    digest,
    functions,
    idle,
    likely_call,
    planned,
    play,
    refused,
    require,
    reset,
    same_pictures,
    sampled,
    step,
)
from turngym.envs.types import TERMINAL, BadInput, InfraError, StopReason

DIGEST = """
import pickle, sys
from turngym.envs.conformance.subject import Subject, digest, reset
wanted = pickle.load(sys.stdin.buffer)
with Subject(**wanted).env() as env:
    print(*(digest(reset(env, seed)[0]) for seed in (0, 1)))
"""

AFTERWARDS = 10
"""Most valid calls that are made after refused ones."""

ODD_TEXTS = ("", "\x00", "\r\n\t", "é 漢字 🎈 \u202e", "'\"\\<b>${x}", "\ud800", "x" * 10_000)
"""Text that a model may well produce, the sixth not encodable."""


def same_seed(subject: Subject) -> None:
    """Equal seeds give equal first observations, in one environment and in two side by side."""
    with subject.env() as one, subject.env() as other:
        for seed in subject.seeds:
            first = digest(reset(one, seed)[0])
            require(digest(reset(other, seed)[0]) == first, f"seed {seed} starts differently in a second environment")
            step(one, NO_CALL)
            reset(one, seed + 1000)
            require(digest(reset(one, seed)[0]) == first, f"seed {seed} starts differently the second time")


def same_seed_elsewhere(subject: Subject) -> None:
    """Equal seeds give equal first observations in another process."""
    with subject.env() as env:
        here = [digest(reset(env, seed)[0]) for seed in (0, 1)]
    there = subject.elsewhere(DIGEST).split()
    require(here == there, "seeds 0 and 1 start differently in another process")


def seeds_differ(subject: Subject) -> None:
    """Over 8 seeds at least two starts differ in text or pixels, unless the class says ``seed_visible = False``."""
    with subject.env() as env:
        if not getattr(env, "seed_visible", True):
            raise Skip("seed_visible is False: starts look alike whatever the seed")
        starts = {digest(reset(env, seed)[0]) for seed in range(8)}
    require(len(starts) > 1, "seeds 0 to 7 all start alike")


def splits(subject: Subject) -> None:
    """``split="train"`` and ``split="test"`` never start alike, as far as a sample can tell."""
    drawn: dict[str, list[str]] = {}
    for split in ("train", "test"):
        with subject.env(split=split) as env:
            drawn[split] = [digest(reset(env, seed)[0]) for seed in range(8 if subject.quick else 16)]
    if any(len(set(starts)) < len(starts) for starts in drawn.values()):
        raise Skip("starts repeat within a split: too few to tell the splits apart by looking")
    shared = set(drawn["train"]) & set(drawn["test"])
    # A task with a few hundred starts may meet one of them twice by chance; a split that is ignored meets all.
    allowed = len(drawn["test"]) // 8
    require(len(shared) <= allowed, f"{len(shared)} of {len(drawn['test'])} test starts are train starts too")


def repeatable(subject: Subject) -> None:
    """The same seed and the same calls give the same observations, rewards and infos: so nothing there is a clock.

    Where the registration says ``nondeterministic``, refused calls alone must.
    """
    from gymnasium.utils.env_checker import data_equivalence

    with subject.env() as env:
        policy: Policy = refused if _nondeterministic(env) else sampled
        for seed in subject.seeds:
            once, again = (play(env, seed, policy, turns=4) for _ in range(2))
            require(len(once) == len(again), f"seed {seed} ended after {len(once)} and {len(again)} turns")
            for turn, (one, other) in enumerate(zip(once, again, strict=True), 1):
                for name, a, b in zip(Exchange._fields, one, other, strict=True):
                    require(data_equivalence(a, b, exact=True), f"{name} of turn {turn} differs: {_difference(a, b)}")


def _nondeterministic(env: Any) -> bool:
    return env.spec is not None and env.spec.nondeterministic


def _difference(one: Any, other: Any) -> str:
    if isinstance(one, dict):
        keys = [key for key in one if repr(one[key]) != repr(other.get(key))]
        return f"at {', '.join(map(repr, keys))}"
    return f"{one!r} and {other!r}"


def global_rng(subject: Subject) -> None:
    """The random states of ``random`` and ``numpy.random`` are neither read nor moved."""
    before = _global_state()
    try:
        with subject.env() as env:
            start, _ = reset(env, 0)
            play(env, 0, sampled, turns=3)
            require(_equal(_global_state(), before), "reset or step moves the state of random or numpy.random")
            random.setstate(random.Random(1).getstate())
            np.random.set_state(np.random.RandomState(1).get_state())  # noqa: NPY002 - the state under test
            require(digest(reset(env, 0)[0]) == digest(start), "the start depends on random or numpy.random")
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002 - put back


def _global_state() -> tuple[Any, Any]:
    return random.getstate(), np.random.get_state()  # noqa: NPY002 - the state under test


def _equal(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    return pickle.dumps(one) == pickle.dumps(other)


def refused_calls(subject: Subject) -> None:
    """A call outside the action space costs a turn and says why; it earns nothing and changes nothing.

    So valid calls that follow do what they do at the start. They are not made where the registration says
    ``nondeterministic``.
    """
    with subject.env() as env:
        calls = bad_calls(functions(env))
        repeats = not _nondeterministic(env)
    with subject.env(max_turns=len(calls)) as env:
        before, _ = reset(env, 0)
        for turn, (what, call) in enumerate(calls, 1):
            require(call not in env.action_space, f"{what} is in the action space")
            done = _step_safely(env, call, what)
            error = done.info.get("error")
            require(isinstance(error, str) and bool(error.strip()), f"{what}: info['error'] is {error!r}")
            require(done.reward == 0.0, f"{what}: reward {done.reward}")
            require(same_pictures(done.observation, before), f"{what}: the images changed")
            require(not done.terminated, f"{what}: ended the episode")
            last = turn == len(calls)
            require(done.truncated == last, f"{what}: {'cost no turn' if last else 'ended the episode'}")
    if repeats:
        _leave_no_trace(subject, [call for _, call in calls])


def _leave_no_trace(subject: Subject, bad: list[Any]) -> None:
    """Play valid calls at the start of one environment, and in another after the bad ones."""
    limit = len(bad) + 2 * AFTERWARDS  # out of reach
    with subject.env(max_turns=limit) as one, subject.env(max_turns=limit) as other:
        plays = [_recorded(one, sampled, 4)]
        with suppress(Exception):  # there is no oracle, or the check named "oracle" reports it
            plays.append(_recorded(one, planned, AFTERWARDS))
        for calls, fresh in plays:
            later = _again(other, [*bad, *calls])[len(bad) :]
            what = _unlike(fresh, later, len(bad))
            # What differs without refused calls too is the word of the check named "repeatable".
            if what is not None and _unlike(fresh, _again(one, calls), 0) is None:
                raise Broken(f"after {len(bad)} refused calls, {what} differs from what it is at the start")


def _recorded(env: Any, policy: Policy, turns: int) -> tuple[list[Any], list[Exchange]]:
    calls: list[Any] = []

    def recorder(*seen: Any) -> Any:
        calls.append(policy(*seen))
        return calls[-1]

    exchanges = play(env, 0, recorder, turns)
    return calls, exchanges


def _again(env: Any, calls: Sequence[Any]) -> list[Exchange]:
    return play(env, 0, lambda env, observation, turn: calls[turn], len(calls))


def _unlike(fresh: Sequence[Exchange], later: Sequence[Exchange], turns: int) -> str | None:
    """Name the first thing that differs, but for numbers that count turns: these may be apart by ``turns``."""
    for number, (one, other) in enumerate(zip(fresh, later, strict=False), 1):
        alike = {
            "the text": _same_words(one.observation["text"], other.observation["text"], turns),
            "the picture": same_pictures(one.observation, other.observation),
            "the reward": one.reward == other.reward,
            "the end": (one.terminated, one.truncated) == (other.terminated, other.truncated),
            "a signal": _same_signals(one.info["signals"], other.info["signals"], turns),
        }
        for what, same in alike.items():
            if not same:
                return f"{what} of valid call {number}"
    return None if len(fresh) == len(later) else "the number of turns"


def _same_words(one: str, other: str, turns: int) -> bool:
    parts, others = (re.split("([0-9]{1,9})", text) for text in (one, other))  # every second part is a number
    if parts[::2] != others[::2]:
        return False
    return all(_near(int(a), int(b), turns) for a, b in zip(parts[1::2], others[1::2], strict=True))


def _same_signals(one: Mapping[str, float], other: Mapping[str, float], turns: int) -> bool:
    return one.keys() == other.keys() and all(_near(one[name], other[name], turns) for name in one)


def _near(one: float, other: float, turns: int) -> bool:
    return one == other or abs(one - other) == turns


def odd_text(subject: Subject) -> None:
    """Any text may be sent to a tool: it is taken or refused, and nothing is raised."""
    with subject.env() as env:
        texts = [
            (tool, name)
            for tool in functions(env)
            for name, schema in tool["parameters"].get("properties", {}).items()
            if schema.get("type") == "string" and "enum" not in schema
        ]
        if not texts:
            raise Skip("no tool takes free text")
        for tool, name in texts:
            for text in ODD_TEXTS:
                reset(env, 0)
                call = likely_call(tool, "")
                call["arguments"][name] = text
                done = _step_safely(env, call, f"{tool['name']} with {name}={text[:20]!r}")
                done.observation["text"].encode()


def _step_safely(env: Any, call: Any, what: str) -> Exchange:
    try:
        return step(env, call)
    except InfraError:
        raise
    except Exception as error:
        raise Broken(f"{what}: raised {type(error).__name__}: {error}") from error


def unknown_task(subject: Subject) -> None:
    """A task that does not exist is refused with one line that names it."""
    with subject.env() as env:
        try:
            env.reset(seed=0, options={"task": "no-such-task"})
        except BadInput as error:
            text = str(error)
            require("no-such-task" in text and "\n" not in text, f"the refusal does not name the task: {text!r}")
        else:
            raise Broken("reset took the task 'no-such-task'")


def turn_limit(subject: Subject) -> None:
    """``max_turns`` truncates the episode, with the stop reason ``turn_limit``."""
    with subject.env(max_turns=2) as env:
        exchanges = play(env, 0, refused, turns=3)
    require(len(exchanges) == 2, f"with max_turns=2 the episode went on for {len(exchanges)} turns or more")
    last = exchanges[-1]
    require(last.truncated, "the turn limit did not truncate the episode")
    require(not last.terminated, "the turn limit terminated the episode")
    reason = last.info.get("stop_reason")
    require(reason == StopReason.TURN_LIMIT, f"the stop reason at the turn limit is {reason!r}")


def reset_needed(subject: Subject) -> None:
    """Stepping before the first reset, or after the end, raises ``gymnasium.error.ResetNeeded``."""
    with subject.env(max_turns=1) as env:
        for when in ("before the first reset", "after the end"):
            try:
                env.step(NO_CALL)
            except gym.error.ResetNeeded:
                pass
            else:
                raise Broken(f"a step {when} did not raise ResetNeeded")
            play(env, 0, refused)


def end_flags(subject: Subject) -> None:
    """An episode is terminated or truncated, never both, and the stop reason says the same."""
    with subject.env() as env:
        for policy in (sampled, idle):
            for seed in subject.seeds:
                for exchange in play(env, seed, policy):
                    _agree(exchange)


def _agree(exchange: Exchange) -> None:
    flags, reason = (exchange.terminated, exchange.truncated), exchange.info.get("stop_reason")
    require(all(type(flag) is bool for flag in flags), f"terminated, truncated are {flags!r}, not two bools")
    require(not all(flags), "an episode is both terminated and truncated")
    require((reason is not None) == any(flags), f"terminated, truncated are {flags} but the stop reason is {reason!r}")
    if reason is not None:
        require((reason in TERMINAL) == exchange.terminated, f"{reason!r} does not go with terminated={flags[0]}")
