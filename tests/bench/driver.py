"""What every driver does: measure one environment package, one task at a time, as told on standard input.

A driver runs in the virtual environment of its package. Each line of standard input is a JSON object ``{"task"}``; it
answers with one JSON line ``{"reset_ms", "step_ms", "observes"}`` or ``{"error"}``, and keeps the environment open, so
that its memory can be read, until the next line; ``{}`` only closes. It ends at the end of the input.
"""

import json
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

RESETS = 2
POINTS = ((80, 120), (30, 75), (130, 190), (60, 150))
"""Where each episode clicks, in pixels of the 160 x 210 page, below the instruction."""


def serve(make: Callable[[str], Any], click: Callable[[Any, int, int], Any]) -> None:
    """Measure the environment that ``make(task)`` returns; ``click(env, x, y)`` is its action for a click."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what a package prints is no answer
    env = None
    for line in sys.stdin:
        if env is not None:
            env.close()
            env = None
        try:
            answer, task = {}, json.loads(line).get("task")
            if task is not None:
                env = make(task)
                answer = measure(env, click)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(answer), file=answers, flush=True)
    if env is not None:
        env.close()


def measure(env: Any, click: Callable[[Any, int, int], Any]) -> dict[str, Any]:
    """Time resets and steps in milliseconds; the first reset, which starts things, is not counted."""
    observation, _ = env.reset(seed=0)
    resets, steps = [], []
    for seed in range(1, RESETS + 1):
        began = time.perf_counter()
        env.reset(seed=seed)
        resets.append(1000 * (time.perf_counter() - began))
        for x, y in POINTS:
            action, began = click(env, x, y), time.perf_counter()
            _, _, terminated, truncated, info = env.step(action)
            steps.append(1000 * (time.perf_counter() - began))
            if info.get("infra_error"):
                raise RuntimeError(f"the environment broke: {info['infra_error']}")
            if terminated or truncated:
                env.reset(seed=seed)
    return {"reset_ms": resets, "step_ms": steps, "observes": describe(observation)}


def describe(observation: dict[str, Any]) -> list[str]:
    """Name what an observation holds: pictures, with their size, first."""
    shown, rest = [], []
    for key, value in observation.items():
        pictures = [p for p in (value if key == "images" else (value,)) if getattr(p, "ndim", 0) == 3]
        shown += [f"{key} {picture.shape[1]}x{picture.shape[0]}" for picture in pictures]
        rest += [] if pictures else [key]
    return shown + rest
