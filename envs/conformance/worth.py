"""Checks of worth: the task can be done, and reward cannot be had without doing it."""

from __future__ import annotations

import numpy as np

from turngym.envs.conformance.subject import (
    Policy,
    Skip,
    Subject,
    blind,
    idle,
    planned,
    play,
    require,
    sampled,
)


def oracle(subject: Subject) -> None:
    """The oracle, asked anew each turn, reaches full reward and the signal ``success``.

    Where tasks are drawn and not all have an oracle, it is played on those that do.
    """
    played, unsolved = 0, set()
    with subject.env() as env:
        for seed in subject.episodes:
            if played == len(subject.seeds):
                break
            try:
                exchanges = play(env, seed, planned)
            except NotImplementedError:
                unsolved.add(env.task.id)
                continue
            played += 1
            where = f"seed {seed}, task {exchanges[-1].info['task']!r}"
            errors = [exchange.info["error"] for exchange in exchanges if exchange.info["error"]]
            require(not errors, f"{where}: a call of the oracle was refused: {''.join(errors[:1])}")
            require(exchanges[-1].over, f"{where}: the oracle did not reach the end within the turn limit")
            reward = sum(exchange.reward for exchange in exchanges)
            signals = exchanges[-1].info["signals"]
            require(reward >= 1.0, f"{where}: the oracle's reward is {reward:.2f}, not 1")
            require(signals.get("success", 0.0) >= 1.0, f"{where}: the oracle ends with signals {signals}")
    if not played:
        raise Skip(f"no oracle: solution() is not implemented for {', '.join(sorted(unsolved))}")


def noop(subject: Subject) -> None:
    """Doing nothing stays at or under the task's floor."""
    _stays_under(subject, idle)


def random(subject: Subject) -> None:
    """Random calls stay at or under the task's floor."""
    _stays_under(subject, sampled)


def spam(subject: Subject) -> None:
    """Likely answers, given without looking, stay at or under the task's floor."""
    _stays_under(subject, blind)


def _stays_under(subject: Subject, policy: Policy) -> None:
    rewards, floors = [], []
    with subject.env() as env:
        for seed in subject.episodes:
            rewards.append(sum(exchange.reward for exchange in play(env, seed, policy)))
            floors.append(env.task.floor)
    mean, floor = float(np.mean(rewards)), float(np.mean(floors))
    # One standard error of grace: the mean of a few episodes is not the policy's true mean.
    grace = float(np.std(rewards)) / len(rewards) ** 0.5
    require(mean - grace <= floor, f"mean reward {mean:.2f} over {len(rewards)} episodes; the floor is {floor:.2f}")
