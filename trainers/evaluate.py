"""Evaluation on held-out seeds, with a 95% interval."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean
from typing import Any

from turngym.agents.episodes.files import disk_errors, write_whole
from turngym.agents.episodes.recording import Keep, recorder, refuse_folder
from turngym.agents.episodes.rundata import by_name, wilson
from turngym.agents.language import LanguagePolicy, refuse_unknown, system_prompt
from turngym.agents.play import totals
from turngym.agents.policies import BUILT_IN, built_in, draw_tasks, refuse_unsolved
from turngym.agents.rollout import Policy, Start, rollout, sound
from turngym.agents.workers import EnvPool
from turngym.envs import BadInput, Episode
from turngym.envs.scenario import EvaluateBlock, PolicyBlock, Scenario


def held_out(
    pool: EnvPool,
    policy: Policy,
    tasks: Sequence[str],
    settings: EvaluateBlock,
    *,
    phase: str,
    step: int = 0,
    keep: Keep | None = None,
) -> dict[str, Any]:
    """Attempt the same ``settings.episodes`` starts of ``settings.split`` whoever asks, and return the figures."""
    drawn = draw_tasks(tasks, settings.episodes, "held-out", settings.split, split=settings.split)
    starts = [Start(f"{phase}-{step:05d}-{number:04d}", task) for number, task in enumerate(drawn)]
    return figures(rollout(pool, policy, starts, phase=phase, step=step, keep=keep))


def figures(episodes: list[Episode]) -> dict[str, Any]:
    """Return what ``turngym eval`` says of episodes; where all of them broke, raise the first :class:`InfraError`."""
    found = totals(episodes)
    rate = wilson(sum(episode.success for episode in sound(episodes)), found["episodes"])
    by_task: dict[str, list[bool]] = {}
    for episode in sorted(sound(episodes), key=lambda episode: by_name(episode.task.id)):
        by_task.setdefault(episode.task.id, []).append(episode.success)
    return {
        "success_rate": found["success_rate"],
        "ci95": [rate.low, rate.high],
        "episodes": found["episodes"],
        "mean_turns": found["mean_turns"],
        "infra_errors": found["infra_errors"],
        "tasks": {task: {"success_rate": fmean(won), "episodes": len(won)} for task, won in by_task.items()},
        "metrics": {"mean_reward": found["mean_reward"]},
    }


def pool_of(scenario: Scenario, hints: tuple[str, ...] = ()) -> EnvPool:
    """Open a scenario's environments."""
    block = scenario.environment
    kwargs = {key: value for key, value in block.kwargs.items() if key != "split"}
    return EnvPool(block.id, kwargs, workers=scenario.workers, slots=scenario.slots, hints=hints)


def language_policy(
    scenario: Scenario, vlm: Any, pool: EnvPool, *, name: str, temperature: float | None
) -> LanguagePolicy:
    """Put a model behind the Hugging Face engine, speaking as the scenario says."""
    from turngym.agents.engines.hf import HFEngine
    from turngym.agents.renderer import Renderer

    block = scenario.policy
    refuse_blind(vlm, block)
    renderer = Renderer(vlm.tokenizer, system=system_prompt(block, pool.action_space), policy=block.context)
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


def refuse_blind(vlm: Any, block: PolicyBlock) -> None:
    """Raise :class:`BadInput` where images are to be shown to a model that reads only text."""
    if not vlm.sees and block.context.images != 0:
        raise BadInput(f"model {block.model!r} reads only text: set policy.context.images to 0")


def evaluate(
    scenario: Scenario,
    *,
    checkpoint: Path | None = None,
    policy: str | None = None,
    api: str | None = None,
    model: str | None = None,
    episodes: int | None = None,
    split: str | None = None,
    out: Path | None = None,
) -> dict[str, Any]:
    """Measure a checkpoint, a built-in policy or a model behind a chat API: ``turngym eval``.

    ``out`` is a new folder for the episodes, which are stored as they come, and the answer (``summary.json``).
    Interrupted, it leaves the episodes that were finished there.
    """
    if split not in (None, "train", "test"):
        raise BadInput(f"unknown split {split!r}; there is train and test")
    if out is not None:
        refuse_folder(out)
    wanted: dict[str, Any] = {"episodes": episodes, "split": split}
    settings = scenario.evaluate.model_copy(update={k: v for k, v in wanted.items() if v is not None})
    acting = _acting(scenario, settings, checkpoint=checkpoint, policy=policy, api=api, model=model)
    with ExitStack() as stack:
        pool = stack.enter_context(pool_of(scenario, ("solution",) if policy == "oracle" else ()))
        whom = {"checkpoint": checkpoint and str(checkpoint), "policy": policy, "api": api, "model": model}
        recipe = scenario.model_copy(update={"evaluate": settings}).model_dump(mode="json")
        keep = None if out is None else recorder(out, {**recipe, "eval": whom}, stack)
        tasks = scenario.environment.task_names(settings.split)
        found = held_out(pool, acting(pool), tasks, settings, phase="eval", keep=keep)
    answer = {**found, "run": None if out is None else str(out)}
    if out is not None:
        with disk_errors(out):
            write_whole(out / "summary.json", json.dumps(answer, indent=1) + "\n")
    return answer


def _acting(
    scenario: Scenario,
    settings: EvaluateBlock,
    *,
    checkpoint: Path | None,
    policy: str | None,
    api: str | None,
    model: str | None,
) -> Callable[[EnvPool], Policy]:
    """Return what makes the policy once there is a pool; what cannot be is refused before there is one."""
    if checkpoint is None and api is None:
        if policy not in BUILT_IN:
            raise BadInput(f"unknown policy {policy!r}; there is {', '.join(BUILT_IN)}")
        if policy == "oracle":
            where = scenario.environment
            refuse_unsolved(where.id, where.task_names(settings.split), where.kwargs)
        return lambda pool: built_in(policy, pool.action_space, scenario.seed)
    refuse_unknown(scenario.policy)
    if checkpoint is not None:
        from turngym.agents.models.vlm import VLM

        vlm = VLM.load(str(checkpoint))
        return lambda pool: language_policy(scenario, vlm, pool, name=str(checkpoint), temperature=settings.temperature)
    from turngym.agents.chat import ChatPolicy, endpoint

    assert api is not None
    endpoint(api)
    block = scenario.policy
    if settings.temperature is not None:
        block = block.model_copy(update={"temperature": settings.temperature})
    return lambda pool: ChatPolicy(api, model or "", block, pool.action_space)
