"""Steps a second over all workers, memory of a further context, and what 10,000 episodes leave behind.

    python tests/bench/throughput.py [--workers 2] [--seconds 16] [--episodes 10000] [--contexts 8]

Workers click where ``driver.POINTS`` says, in the same eight tasks as ``miniwob_peers.py``, one after the other. The
contexts are environments of one process, and so of one browser. The episodes are those of one more process; its memory
with that of its browser is taken every tenth of the way. Exits with 1 where memory grew by more than a tenth, or where
a process that ended is left behind, by these episodes or by a browser opened and closed after them.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from driver import POINTS
from miniwob_peers import TASKS

from turngym.envs.benchmark import descendants, memory
from turngym.envs.browser.miniwob import MiniWoBEnv
from turngym.envs.processes import belong_to

RELAUNCHES = 5
"""Browsers that are opened and closed after the episodes."""

CLICKS = [{"name": "click", "arguments": {"x": x, "y": y}} for x, y in POINTS]


def play(owner: int, seconds: float, pipe: Connection) -> None:
    """Click in every task for its share of the time; send (steps, seconds in steps, seconds in all)."""
    belong_to(owner)
    steps, stepping, whole = 0, 0.0, 0.0
    for task in TASKS:
        env = MiniWoBEnv(task=task)
        env.reset(seed=0)
        env.step(CLICKS[0])
        pipe.send(None)
        pipe.recv()  # all begin together
        began, over = time.perf_counter(), True
        for seed, click in zip(itertools.count(), itertools.cycle(CLICKS), strict=False):
            if time.perf_counter() - began > seconds / len(TASKS):
                break
            if over:
                env.reset(seed=seed)
            start = time.perf_counter()
            *_, terminated, truncated, info = env.step(click)
            stepping += time.perf_counter() - start
            assert info["infra_error"] is None, info["infra_error"]
            steps, over = steps + 1, terminated or truncated
        whole += time.perf_counter() - began
        env.close()
    pipe.send((steps, stepping, whole))


def throughput(workers: int, seconds: float) -> None:
    """Print how many steps all workers together make in a second."""
    context = multiprocessing.get_context("spawn")
    pipes: list[Any] = []
    processes = []
    for _ in range(workers):
        ours, theirs = context.Pipe()
        processes.append(context.Process(target=play, args=(os.getpid(), seconds, theirs), daemon=True))
        processes[-1].start()
        pipes.append(ours)
    for _ in TASKS:
        for pipe in pipes:
            pipe.recv()
        for pipe in pipes:
            pipe.send(None)
    found = [pipe.recv() for pipe in pipes]
    for process in processes:
        process.join()
    while_stepping = sum(steps / stepping for steps, stepping, _ in found)
    in_all = sum(steps / whole for steps, _, whole in found)
    each = 1000 * sum(stepping for _, stepping, _ in found) / sum(steps for steps, _, _ in found)
    print(f"{workers} workers: {while_stepping:.0f} steps/s, with resets {in_all:.0f}; {each:.1f} ms a step")


def contexts(count: int) -> None:
    """Print what an environment more costs in memory, in one browser."""
    envs, sizes = [], []
    for number in range(count):
        envs.append(MiniWoBEnv(task=TASKS[number % len(TASKS)]))
        envs[-1].reset(seed=number)
        envs[-1].step(CLICKS[0])
        sizes.append(memory([os.getpid()])[0])
    for env in envs:
        env.close()
    more = (sizes[-1] - sizes[0]) / (count - 1)
    print(f"{count} contexts: first {sizes[0]:.0f} MB with Python, each more {more:.1f} MB")


def zombies() -> int:
    """Count the ended processes under this one that nobody has waited for."""
    states = []
    for pid in descendants([os.getpid()]):
        try:
            states.append(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0])
        except OSError:
            pass
    return states.count("Z")


def endurance(episodes: int) -> bool:
    """Print the memory of a process and its browser along many episodes; return whether it stayed flat."""
    env = MiniWoBEnv(task="click-button")
    sizes = []
    for episode in range(episodes):
        env.reset(seed=episode)
        env.step(CLICKS[episode % len(CLICKS)])
        if (episode + 1) % (episodes // 10) == 0:
            sizes.append(memory([os.getpid()])[0])
    env.close()
    for _ in range(RELAUNCHES):
        env.reset(seed=0)
        env.close()
    left = zombies()
    change = 100 * (sizes[-1] / sizes[0] - 1)
    print(f"{episodes} episodes: {', '.join(f'{size:.0f}' for size in sizes)} MB ({change:+.1f}%), {left} zombies")
    return change <= 10 and left == 0


def main() -> None:
    """Measure one after the other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=16.0)
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--contexts", type=int, default=8)
    wanted = parser.parse_args()
    if wanted.seconds:
        throughput(wanted.workers, wanted.seconds)
    if wanted.contexts > 1:
        contexts(wanted.contexts)
    if wanted.episodes >= 10 and not endurance(wanted.episodes):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
