"""Play: run a built-in policy and record it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from turngym.agents.episodes.store import EpisodeStore
from turngym.agents.policies import BUILT_IN, built_in, draw_seeds
from turngym.agents.rollout import Start, rollout
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
    if task is not None and task not in entry.task_names():
        raise BadInput(f"unknown task {task!r} of {env_id}; `turngym list` shows how many there are")
    if policy not in BUILT_IN:
        raise BadInput(f"unknown policy {policy!r}; there is {', '.join(BUILT_IN)}")
    began = time.monotonic()
    starts = [
        Start(f"play-{index:05d}", Task(task or "", seed=reset_seed))
        for index, reset_seed in enumerate(draw_seeds(episodes, seed, "play"))
    ]
    store = None if out is None else EpisodeStore(out / "episodes.db", "a")

    def keep(episode: Episode) -> None:
        if store is not None:
            store.add([episode])
        if on_episode is not None:
            on_episode(episode)

    hints = ("solution",) if policy == "oracle" else ()
    try:
        with EnvPool(env_id, env_kwargs, workers=min(workers, episodes), hints=hints) as pool:
            acting = built_in(policy, pool.action_space, seed)
            made = rollout(pool, acting, starts, phase="play", min_batch=1, on_episode=keep)
    finally:
        if store is not None:
            store.close()
    return {**totals(made), "wall_s": time.monotonic() - began, "run": None if out is None else str(out)}


def totals(episodes: list[Episode]) -> dict[str, Any]:
    """Count episodes and average the sound ones: failures of ours are counted, never averaged."""
    sound = [episode for episode in episodes if episode.stop_reason is not StopReason.INFRA_ERROR]
    count = max(len(sound), 1)
    return {
        "episodes": len(sound),
        "success_rate": sum(episode.success for episode in sound) / count,
        "mean_reward": sum(episode.reward for episode in sound) / count,
        "mean_turns": sum(len(episode.turns) for episode in sound) / count,
        "infra_errors": len(episodes) - len(sound),
    }
