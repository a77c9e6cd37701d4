"""Evaluation on held-out seeds, with a 95% interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from turngym.agents.language import LanguagePolicy, system_prompt
from turngym.agents.play import totals
from turngym.agents.policies import BUILT_IN, built_in, draw_seeds
from turngym.agents.rollout import Policy, Start, rollout
from turngym.agents.workers import EnvPool
from turngym.envs import BadInput, Episode, Task
from turngym.envs.scenario import EvaluateBlock, Scenario


def wilson(successes: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval for a proportion (Wilson 1927), 95% by default; (0, 1) where nothing was counted."""
    if count == 0:
        return 0.0, 1.0
    p = successes / count
    centre = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def held_out(
    pool: EnvPool,
    policy: Policy,
    task: str,
    settings: EvaluateBlock,
    *,
    phase: str,
    step: int = 0,
) -> tuple[list[Episode], dict[str, Any]]:
    """Attempt the same ``settings.episodes`` starts of ``settings.split`` whoever asks; return episodes and figures."""
    seeds = draw_seeds(settings.episodes, "held-out", settings.split)
    starts = [
        Start(f"{phase}-{step:05d}-{number:04d}", Task(task, seed=reset_seed, split=settings.split))
        for number, reset_seed in enumerate(seeds)
    ]
    episodes = rollout(pool, policy, starts, phase=phase, step=step)
    return episodes, figures(episodes)


def figures(episodes: list[Episode]) -> dict[str, Any]:
    """Return the JSON object of ``turngym eval``."""
    found = totals(episodes)
    ci95 = wilson(round(found["success_rate"] * found["episodes"]), found["episodes"])
    return {
        "success_rate": found["success_rate"],
        "ci95": list(ci95),
        "episodes": found["episodes"],
        "mean_turns": found["mean_turns"],
        "infra_errors": found["infra_errors"],
        "metrics": {"mean_reward": found["mean_reward"]},
    }


def pool_of(scenario: Scenario, hints: tuple[str, ...] = ()) -> EnvPool:
    """Open a scenario's environments."""
    block = scenario.environment
    kwargs = {key: value for key, value in block.kwargs.items() if key != "split"}
    return EnvPool(block.id, kwargs, workers=scenario.workers, slots=scenario.slots, hints=hints)


def task_of(scenario: Scenario) -> str:
    """Return the name of a scenario's task, or an empty one if it is drawn from the seed."""
    return str(scenario.environment.kwargs.get("task") or "")


def language_policy(
    scenario: Scenario, vlm: Any, pool: EnvPool, *, name: str, temperature: float | None
) -> LanguagePolicy:
    """Put a model behind the Hugging Face engine, speaking as the scenario says."""
    from turngym.agents.engines.hf import HFEngine
    from turngym.agents.renderer import Renderer

    block = scenario.policy
    renderer = Renderer(vlm.tokenizer, system=system_prompt(block, pool.action_space), keep_images=block.context.images)
    return LanguagePolicy(
        HFEngine(vlm),
        renderer,
        vlm.tokenizer,
        dialect=block.dialect,
        name=name,
        seed=scenario.seed,
        temperature=block.temperature if temperature is None else temperature,
        max_new_tokens=block.max_new_tokens,
        max_context=block.max_context,
    )


def evaluate(
    scenario: Scenario,
    *,
    checkpoint: Path | None = None,
    policy: str | None = None,
    api: str | None = None,
    model: str | None = None,
    episodes: int | None = None,
    split: str | None = None,
) -> dict[str, Any]:
    """Measure a checkpoint, a built-in policy or a model behind a chat API: ``turngym eval``."""
    if split not in (None, "train", "test"):
        raise BadInput(f"unknown split {split!r}; there is train and test")
    wanted: dict[str, Any] = {"episodes": episodes, "split": split}
    settings = scenario.evaluate.model_copy(update={k: v for k, v in wanted.items() if v is not None})
    acting: Callable[[EnvPool], Policy]
    if checkpoint is not None:
        from turngym.agents.models.vlm import VLM

        vlm = VLM.load(str(checkpoint))

        def acting(pool: EnvPool) -> Policy:
            return language_policy(scenario, vlm, pool, name=str(checkpoint), temperature=settings.temperature)
    elif api is not None:
        from turngym.agents.chat import ChatPolicy

        def acting(pool: EnvPool) -> Policy:
            return ChatPolicy(api, model or "", scenario.policy, pool.action_space)
    else:
        if policy not in BUILT_IN:
            raise BadInput(f"unknown policy {policy!r}; there is {', '.join(BUILT_IN)}")

        def acting(pool: EnvPool) -> Policy:
            return built_in(str(policy), pool.action_space, scenario.seed)

    with pool_of(scenario, ("solution",) if policy == "oracle" else ()) as pool:
        return held_out(pool, acting(pool), task_of(scenario), settings, phase="eval")[1]
