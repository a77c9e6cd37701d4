"""A whole recipe: environments, a model, the warm start, reinforcement learning, evaluation, the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from turngym.agents import dialects
from turngym.agents.models import tiny
from turngym.agents.models.vlm import VLM, refuse_empty
from turngym.agents.policies import draw_seeds, oracle
from turngym.agents.rollout import Start, rollout
from turngym.agents.workers import EnvPool
from turngym.envs import BadInput, Episode, InfraError, Task
from turngym.envs.scenario import Scenario
from turngym.trainers import gate, grpo, warm_start
from turngym.trainers.evaluate import held_out, language_policy, pool_of, task_of
from turngym.trainers.memory import PeakMemory, keep_freed_memory
from turngym.trainers.run import Run, load_state

Say = Callable[[str], None]


def train(scenario: Scenario, *, out: Path, resume: bool = False, report: Say = print) -> dict[str, Any]:
    """Run ``scenario`` in the folder ``out`` and return the JSON object of ``turngym train``.

    With ``resume``, go on from the newest checkpoint of ``out``, exactly as if the run had not stopped (a run that
    stopped before its first checkpoint begins again). Interrupted, it saves a checkpoint of the last whole step first.
    """
    _refuse_model(scenario.policy.model)
    keep_freed_memory()
    torch.manual_seed(scenario.seed)
    run = Run(out, scenario, resume=resume)
    try:
        hints = ("solution", "elements") if scenario.warm_start else ()
        with PeakMemory() as peak, pool_of(scenario, hints) as pool:
            vlm, saved = _model(scenario, run, pool, resume, report)
            summary = _reinforce(scenario, run, pool, vlm, saved, report)
        summary |= {"peak_rss_mb": round(peak.mb, 1), "wall_s": run.wall_s}
        run.finish(summary)
        return summary
    finally:
        run.close()


def _refuse_model(name: str) -> None:
    """Find out now what would otherwise be found out after the oracle's episodes."""
    if name.startswith("tiny-") and name not in tiny.NAMES:
        raise BadInput(f"unknown model {name!r}; the tiny ones are {', '.join(tiny.NAMES)}")
    refuse_empty(name)


def _model(scenario: Scenario, run: Run, pool: EnvPool, resume: bool, report: Say) -> tuple[VLM, dict[str, Any] | None]:
    """Load the newest checkpoint, or make the model that reinforcement learning begins with."""
    newest = run.newest_checkpoint() if resume else None
    if newest is not None:
        report(f"going on from {newest}")
        run.forget_after(int(newest.name))
        return VLM.load(str(newest)), load_state(newest)
    name = scenario.policy.model
    demonstrations = _demonstrate(scenario, run, pool, report)
    if name.startswith("tiny-"):
        dialect = dialects.find(scenario.policy.dialect)
        vlm = tiny.build(name, warm_start.corpus(demonstrations, pool.action_space, dialect), seed=scenario.seed)
    else:
        vlm = VLM.load(name)
    if scenario.warm_start is not None:
        _warm_up(scenario, run, pool, vlm, demonstrations, report)
    return vlm, None


def _demonstrate(scenario: Scenario, run: Run, pool: EnvPool, report: Say) -> list[Episode]:
    """Let the oracle solve tasks of the training split; only its successes are imitated."""
    if scenario.warm_start is None:
        return []
    count = scenario.warm_start.episodes
    report(f"the oracle solves {count} tasks")
    seeds = draw_seeds(count, scenario.seed, "warm start")
    starts = [Start(f"warm_start-{n:05d}", Task(task_of(scenario), seed=seed)) for n, seed in enumerate(seeds)]
    episodes = rollout(pool, oracle(), starts, phase="warm_start")
    run.store.add(episodes, replace=True)
    solved = [episode for episode in episodes if episode.success]
    if len(solved) < count / 2:
        raise InfraError("oracle_failed", f"the oracle solved {len(solved)} of {count} tasks")
    return solved


def _warm_up(scenario: Scenario, run: Run, pool: EnvPool, vlm: VLM, demonstrations: list[Episode], report: Say) -> None:
    settings = scenario.warm_start
    assert settings is not None
    policy = language_policy(scenario, vlm, pool, name=scenario.policy.model, temperature=None)
    dialect = dialects.find(scenario.policy.dialect)
    data = warm_start.examples(
        demonstrations,
        policy.renderer,
        dialect,
        grounding=settings.grounding,
        screen_reading=settings.screen_reading,
        seed=scenario.seed,
    )
    pool.ask()

    def measure(step: int) -> float:
        seeds = draw_seeds(settings.check_episodes, scenario.seed, "check", step)
        starts = [Start(f"check-{step:05d}-{n:04d}", Task(task_of(scenario), seed=s)) for n, s in enumerate(seeds)]
        made = rollout(pool, policy, starts, phase="check", step=step)
        run.store.add(made, replace=True)
        success = sum(episode.success for episode in made) / len(made)
        report(f"warm start, step {step}: success {success:.2f}")
        return success

    steps = warm_start.train(
        vlm, data, settings, seed=scenario.seed, measure=measure, log=lambda row: run.log("warm_start", row)
    )
    report(f"warm start done after {steps} steps")


def _reinforce(
    scenario: Scenario, run: Run, pool: EnvPool, vlm: VLM, saved: dict[str, Any] | None, report: Say
) -> dict[str, Any]:
    task, settings = task_of(scenario), scenario.train
    pool.ask()
    policy = language_policy(scenario, vlm, pool, name=scenario.policy.model, temperature=None)
    examiner = language_policy(
        scenario, vlm, pool, name=scenario.policy.model, temperature=scenario.evaluate.temperature
    )
    state = grpo.new_state(vlm, settings)
    if saved is not None:
        state.load_state_dict(saved["state"])
        policy.engine.update(vlm.model, state.step)
        before, episodes = saved["before"], saved["episodes"]
    else:
        made, before = held_out(pool, examiner, task, scenario.evaluate, phase="before")
        run.store.add(made, replace=True)
        report(f"before RL: success {before['success_rate']:.3f} on {before['episodes']} held-out seeds")
        episodes = 0
    counted = [episodes]

    def keep() -> None:
        run.save_checkpoint(state.step, vlm, {"state": state.state_dict(), "before": before, "episodes": counted[0]})

    def guard(episodes: list[Episode]) -> None:
        passed = gate.check(vlm, policy.renderer, episodes, temperature=scenario.policy.temperature)
        report(f"the gate is open: {', '.join(passed)}")

    def after_step(metrics: grpo.Metrics, episodes: list[Episode]) -> None:
        run.store.add(episodes, replace=True)
        run.log("train", metrics)
        counted[0] += len(episodes)
        if state.step % settings.checkpoint_every == 0:
            keep()
        if state.step % 10 == 0 or state.step == 1:
            report(f"step {state.step}: success {metrics['success']:.2f}, episodes {counted[0]}")

    if saved is None:
        keep()
    try:
        grpo.train(
            vlm,
            policy,
            pool,
            task,
            settings,
            state,
            seed=scenario.seed,
            temperature=scenario.policy.temperature,
            before_first_update=guard,
            after_step=after_step,
        )
    except KeyboardInterrupt:
        keep()
        raise
    keep()
    examiner.engine.update(vlm.model, state.step)
    made, after = held_out(pool, examiner, task, scenario.evaluate, phase="after", step=state.step)
    run.store.add(made, replace=True)
    report(f"after RL: success {after['success_rate']:.3f} on {after['episodes']} held-out seeds")
    return {
        "run": str(run.folder),
        "success_before": before["success_rate"],
        "success_after": after["success_rate"],
        "ci95_before": before["ci95"],
        "ci95_after": after["ci95"],
        "steps": state.step,
        "episodes": counted[0],
        "infra_errors": run.store.count(stop_reason="infra_error"),
    }
