"""Which MiniWoB++ pages are a function of their seed and of what is done to them? All 134, each in fresh browsers.

    python tests/bench/determinism.py [--browsers 3] [--steps 25] [--seeds 4] [--task NAME]... [--out FILE]

In every browser, each page is started with the same seeds and given the same calls: valid ones drawn from the action
space and clicks on what is on the page. The first browser is a new one for every episode; in the others an episode
begins where another one ended, in every second one in the opposite order. Instructions, pictures (byte for byte),
rewards and refusals are compared. The table is written to ``envs/browser/determinism.md``.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from turngym.envs import InfraError, ToolCall
from turngym.envs.browser.miniwob import MiniWoBEnv, task_names

OUT = Path(__file__).parent.parent.parent / "envs" / "browser" / "determinism.md"
HEAD = """# Determinism of the MiniWoB++ pages

Written by `python tests/bench/determinism.py`: {browsers} fresh browsers, {seeds} seeds each, {steps} calls an
episode; new pages in the first browser, pages that other episodes have used, in two orders, in the others.

| task | identical | turns | what differed first |
|---|---|---|---|
"""

Trace = list[tuple[str, str]]
"""What came of each turn, in words, and a digest of its picture."""


def next_call(env: MiniWoBEnv, rng: np.random.Generator) -> ToolCall:
    """Draw a call: half of them click what is on the page."""
    places = env.elements()
    if places and rng.random() < 0.5:
        place = places[int(rng.integers(len(places)))]
        return {"name": "click", "arguments": {"x": int(place.x), "y": int(place.y)}}
    env.action_space.seed(int(rng.integers(2**31)))
    return env.action_space.sample()


def traces(task: str, seeds: Sequence[int], steps: int) -> list[Trace]:
    """Play an episode a seed, one after the other in one page."""
    env = MiniWoBEnv(task=task, max_turns=steps)
    try:
        return [trace(env, seed) for seed in seeds]
    finally:
        env.close()


def trace(env: MiniWoBEnv, seed: int) -> Trace:
    """Play an episode; whatever it does is drawn from the seed."""
    rng = np.random.default_rng(seed)
    found: Trace = []
    try:
        observation, info = env.reset(seed=seed)
        over = False
        said = info["instruction"]
        while True:
            picture = hashlib.blake2b(observation["images"][0].tobytes(), digest_size=8).hexdigest()
            found.append((said, picture))
            if over:
                return found
            call = next_call(env, rng)
            observation, reward, terminated, truncated, info = env.step(call)
            over = terminated or truncated
            said = f"{call} -> {reward:g}, {info['error']}, {info['stop_reason']}"
    except InfraError as error:
        return [*found, (f"failed: {error}", "")]


def first_difference(traces: list[Trace]) -> str:
    """Name what differs first between traces; empty if nothing does."""
    for turn, looks in enumerate(zip(*traces, strict=False)):
        if len({words for words, _ in looks}) > 1:
            return f"turn {turn}: call or outcome"
        if len({picture for _, picture in looks}) > 1:
            return f"turn {turn}: picture"
    return "" if len({len(one) for one in traces}) == 1 else "length of the episode"


def table(found: dict[str, list[list[Trace]]]) -> tuple[str, list[str]]:
    """Return a line a task, and the tasks that are not identical; ``found[task][seed][browser]`` is a trace."""
    lines, differing = [], []
    for task, by_seed in found.items():
        differences = [text for traces in by_seed if (text := first_difference(traces))]
        turns = sum(len(traces[0]) - 1 for traces in by_seed)
        lines.append(f"| {task} | {'no' if differences else 'yes'} | {turns} | {'; '.join(differences)} |")
        if differences:
            differing.append(task)
    return "\n".join(lines), differing


def main() -> None:
    """Play everything, browser by browser, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--browsers", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--task", action="append")
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    names = wanted.task or task_names()
    seeds = list(range(wanted.seeds))
    found: dict[str, list[list[Trace]]] = {task: [[] for _ in seeds] for task in names}
    for browser in range(wanted.browsers):
        began = time.monotonic()
        for task in names:
            order = seeds if browser % 2 else seeds[::-1]
            runs = [order] if browser else [[seed] for seed in order]
            made = [one for run in runs for one in traces(task, run, wanted.steps)]
            for seed, one in zip(order, made, strict=True):
                found[task][seed].append(one)
        print(f"browser {browser + 1}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    lines, differing = table(found)
    text = HEAD.format(**vars(wanted)) + lines + f"\n\n{len(names) - len(differing)} of {len(names)} are identical.\n"
    if wanted.task and not wanted.out:
        print(text)
    else:
        (wanted.out or OUT).write_text(text)
        print(f"{len(names) - len(differing)} of {len(names)} identical; not: {', '.join(differing) or 'none'}")


if __name__ == "__main__":
    main()
