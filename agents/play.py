"""Play: run a built-in policy and record it."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from turngym.agents.episodes.recording import recorder, refuse_folder
from turngym.agents.policies import BUILT_IN, built_in, draw_seeds, refuse_unsolved
from turngym.agents.rollout import Start, all_broke, stream
from turngym.agents.workers import EnvPool
from turngym.envs import BadInput, Episode, StopReason, Task, find


def play(
    env_id: str,
    *,
    task: str | None = None,
    policy: str = "oracle",
    episodes: int = 10,
    seed: int = 0,
    workers: int = 2,
    out: Path | None = None,
    env_kwargs: Mapping[str, Any] | None = None,
    on_episode: Callable[[Episode], None] | None = None,
) -> dict[str, Any]:
    """Make ``episodes`` episodes with a built-in policy; store each in ``out/episodes.db`` as soon as it is over.

    Returns the JSON object of ``turngym play``. Interrupted, it leaves what was finished in the store.
    """
    entry = find(env_id)
    kwargs = dict(env_kwargs or {})
    if task is not None and task not in (names := entry.task_names(**kwargs)):
        near = difflib.get_close_matches(task, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"`turngym list {env_id}` shows them"
        raise BadInput(f"unknown task {task!r} of {env_id}; {hint}")
    if policy not in BUILT_IN:
        raise BadInput(f"unknown policy {policy!r}; there is {', '.join(BUILT_IN)}")
    if policy == "oracle":
        refuse_unsolved(env_id, [task or kwargs.get("task") or ""], kwargs)
    if out is not None:
        refuse_folder(out)
    began = time.monotonic()
    starts = [
        Start(f"play-{index:05d}", Task(task or "", seed=reset_seed))
        for index, reset_seed in enumerate(draw_seeds(episodes, seed, "play"))
    ]
    hints = ("solution",) if policy == "oracle" else ()
    with ExitStack() as stack:
        pool = stack.enter_context(EnvPool(env_id, env_kwargs, workers=min(workers, episodes), hints=hints))
        acting = built_in(policy, pool.action_space, seed)

        recipe = {
            "name": f"{policy} plays {env_id}",
            "environment": {"id": env_id, **(env_kwargs or {}), **({} if task is None else {"task": task})},
            "play": {"policy": policy, "episodes": episodes},
            "seed": seed,
            "workers": workers,
        }
        keep = None if out is None else recorder(out, recipe, stack)

        def made() -> Iterator[Episode]:
            for _, episode in stream(pool, acting, starts, phase="play", min_batch=1):
                if keep is not None:
                    keep([episode])
                if on_episode is not None:
                    on_episode(episode)
                yield episode

        found = totals(made())
    return {**found, "wall_s": time.monotonic() - began, "run": None if out is None else str(out)}


def totals(episodes: Iterable[Episode]) -> dict[str, Any]:
    """Count episodes and average the sound ones: failures of ours are counted, never averaged.

    Raises :class:`InfraError` that names the first failure where all of them broke: there is nothing to average.
    """
    sound, successes, reward, turns = 0, 0, 0.0, 0
    broken: list[Episode] = []
    for episode in episodes:
        if episode.stop_reason is StopReason.INFRA_ERROR:
            broken.append(episode)
            continue
        sound += 1
        successes += episode.success
        reward += episode.reward
        turns += len(episode.turns)
    if not sound:
        all_broke(broken)
    count = max(sound, 1)
    return {
        "episodes": sound,
        "success_rate": successes / count,
        "mean_reward": reward / count,
        "mean_turns": turns / count,
        "infra_errors": len(broken),
    }
