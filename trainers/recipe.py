"""A whole recipe: environments, a model, the warm start, reinforcement learning, evaluation, the report."""

from __future__ import annotations

import copy
import difflib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from turngym.agents import dialects
from turngym.agents.episodes.score import guarded
from turngym.agents.language import LanguagePolicy, refuse_unknown
from turngym.agents.models import tiny
from turngym.agents.models.vlm import VLM, refuse_empty
from turngym.agents.policies import ClumsyOracle, draw_tasks, refuse_unsolved
from turngym.agents.rollout import Start, rollout, sound
from turngym.agents.workers import EnvPool
from turngym.envs import BadInput, Episode, InfraError, Rubric, Task
from turngym.envs.processes import uninterrupted
from turngym.envs.rubrics import load_rubric
from turngym.envs.scenario import Scenario
from turngym.trainers import gate, grpo, warm_start
from turngym.trainers.evaluate import figures, held_out, language_policy, pool_of, refuse_blind
from turngym.trainers.memory import PeakMemory, keep_freed_memory
from turngym.trainers.run import Run, load_state, refuse_run

Say = Callable[[str], None]


def train(scenario: Scenario, *, out: Path, resume: bool = False, report: Say = print) -> dict[str, Any]:
    """Run ``scenario`` in the folder ``out`` and return the JSON object of ``turngym train``.

    With ``resume``, go on from the newest checkpoint of ``out``, exactly as if the run had not stopped (a run that
    stopped before its first checkpoint, which follows the warm start, begins again). Where it is interrupted or
    something of ours breaks, it saves a checkpoint of the last whole step first.
    """
    began = time.monotonic()
    # What would otherwise be found out after the oracle's episodes; before there is a folder.
    refuse_run(out, resume=resume)
    _refuse_model(scenario.policy.model)
    refuse_unknown(scenario.policy)
    rubric = guarded(load_rubric(scenario.train.rubric), str(scenario.train.rubric))
    hints: tuple[str, ...] = ()
    if scenario.warm_start is not None:
        where = scenario.environment
        refuse_unsolved(where.id, where.task_names(), where.kwargs)
        settings = scenario.warm_start
        asks_for_elements = settings.grounding or settings.screen_reading > 0 or settings.mistakes > 0
        hints = ("solution", "elements") if asks_for_elements else ("solution",)
    keep_freed_memory()
    torch.manual_seed(scenario.seed)
    with PeakMemory() as peak, pool_of(scenario, hints) as pool:
        pool.try_out(Task(task, seed=0) for task in scenario.environment.task_names())
        with Run(out, scenario, resume=resume, began=began) as run:
            vlm, saved = _model(scenario, run, pool, resume, report)
            summary = _reinforce(scenario, run, pool, vlm, rubric, saved, report)
            summary |= {"peak_rss_mb": round(peak.mb, 1) or None, "wall_s": run.wall_s}
            run.finish(summary)
    return summary


def _refuse_model(name: str) -> None:
    if name in tiny.NAMES:
        return
    mistyped = name.startswith("tiny-") or difflib.get_close_matches(name, tiny.NAMES, n=1, cutoff=0.8)
    if mistyped and not Path(name).exists():
        raise BadInput(f"unknown model {name!r}; the tiny ones are {', '.join(tiny.NAMES)}")
    refuse_empty(name)


def _model(scenario: Scenario, run: Run, pool: EnvPool, resume: bool, report: Say) -> tuple[VLM, dict[str, Any] | None]:
    """Load the newest checkpoint, or make the model that reinforcement learning begins with."""
    newest = run.newest_checkpoint() if resume else None
    if newest is not None:
        report(f"going on from {newest}")
        run.forget_after(int(newest.name))
        return VLM.load(str(newest)), load_state(newest)
    if resume:
        report("it had stopped before its first checkpoint, which follows the warm start: beginning again")
    run.forget_after(None)
    name = scenario.policy.model
    vlm = None if name in tiny.NAMES else VLM.load(name)  # first: it may be none that we can use
    if vlm is not None:
        refuse_blind(vlm, scenario.policy)
    demonstrations = _demonstrate(scenario, run, pool, report)
    if vlm is None:
        dialect = dialects.find(scenario.policy.dialect)
        vlm = tiny.build(name, warm_start.corpus(demonstrations, pool.action_space, dialect), seed=scenario.seed)
    if scenario.warm_start is not None:
        _warm_up(scenario, run, pool, vlm, demonstrations, report)
    return vlm, None


def _demonstrate(scenario: Scenario, run: Run, pool: EnvPool, report: Say) -> list[Episode]:
    """Let the oracle solve tasks of the training split; only its successes are imitated."""
    if scenario.warm_start is None:
        return []
    count = scenario.warm_start.episodes
    report(f"the oracle solves {count} tasks")
    tasks = draw_tasks(scenario.environment.task_names(), count, scenario.seed, "warm start")
    starts = [Start(f"warm_start-{number:05d}", task) for number, task in enumerate(tasks)]
    solver = ClumsyOracle(pool.action_space, scenario.warm_start.mistakes, scenario.seed)
    episodes = rollout(pool, solver, starts, phase="warm_start", keep=run.keep)
    shown = sound(episodes)
    solved = [episode for episode in shown if episode.success]
    if scenario.warm_start.mistakes == 0:
        if len(solved) < count / 2:
            raise InfraError("oracle_failed", f"the oracle solved {len(solved)} of {count} tasks")
        shown = solved
    report(f"it solved {len(solved)}: the warm start imitates {len(shown)}, at most {scenario.warm_start.steps} steps")
    return shown


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
        success = _check(scenario, run, pool, policy, step)
        above = settings.overshoot is not None and success > settings.overshoot
        report(f"warm start, step {step}: success {success:.2f}" + (f", above {settings.overshoot}" if above else ""))
        return success

    def log(row: dict[str, float]) -> None:
        run.log("warm_start", row)
        if row["step"] % 50 == 0:
            report(f"warm start, step {row['step']}: loss {row['loss']:.3f}")

    steps = warm_start.train(vlm, data, settings, seed=scenario.seed, measure=measure, log=log)
    report(f"warm start done after {steps} steps")


def _check(scenario: Scenario, run: Run, pool: EnvPool, policy: LanguagePolicy, step: int) -> float:
    """Return sampled success on the training split."""
    assert scenario.warm_start is not None
    names, count = scenario.environment.task_names(), scenario.warm_start.check_episodes
    starts = [
        Start(f"check-{step:05d}-{number:04d}", task)
        for number, task in enumerate(draw_tasks(names, count, scenario.seed, "check", step))
    ]
    made = rollout(pool, policy, starts, phase="check", step=step, keep=run.keep)
    return float(figures(made)["success_rate"])


def _reinforce(
    scenario: Scenario,
    run: Run,
    pool: EnvPool,
    vlm: VLM,
    rubric: Rubric,
    saved: dict[str, Any] | None,
    report: Say,
) -> dict[str, Any]:
    tasks, name = scenario.environment.task_names(scenario.evaluate.split), scenario.policy.model
    pool.ask()
    policy = language_policy(scenario, vlm, pool, name=name, temperature=None)
    examiner = language_policy(scenario, vlm, pool, name=name, temperature=scenario.evaluate.temperature)
    progress = _Progress(run, vlm, grpo.new_state(vlm, scenario.train))
    if saved is None:
        # Before it is measured, so that an interrupt meanwhile does not cost the warm start.
        progress.keep()
    else:
        progress.load(saved)
        policy.engine.update(vlm.model, progress.state.step)
    reference = _reference(scenario, run, vlm, resumed=saved is not None)
    if progress.before is None:
        progress.before = held_out(pool, examiner, tasks, scenario.evaluate, phase="before", keep=run.keep)
        progress.keep()
        success, count = progress.before["success_rate"], progress.before["episodes"]
        report(f"before RL: success {success:.3f} on {count} held-out seeds")
    _practise(scenario, pool, policy, rubric, reference, progress, report)
    step = progress.state.step
    examiner.engine.update(vlm.model, step)
    after = held_out(pool, examiner, tasks, scenario.evaluate, phase="after", step=step, keep=run.keep)
    report(f"after RL: success {after['success_rate']:.3f} on {after['episodes']} held-out seeds")
    by_task = {
        task: {"success_before": progress.before["tasks"][task]["success_rate"], "success_after": found["success_rate"]}
        for task, found in after["tasks"].items()
        if task in progress.before["tasks"]
    }
    return {
        "run": str(run.folder),
        "success_before": progress.before["success_rate"],
        "success_after": after["success_rate"],
        "ci95_before": progress.before["ci95"],
        "ci95_after": after["ci95"],
        "tasks": by_task,
        "steps": step,
        "episodes": progress.episodes,
        "infra_errors": run.store.count(stop_reason="infra_error"),
    }


@dataclass(slots=True)
class _Progress:
    """How far reinforcement learning has come, and the way to keep that."""

    run: Run
    vlm: VLM
    state: grpo.State
    before: dict[str, Any] | None = None
    """Figures of the policy that it began with; None until they are known."""
    episodes: int = 0
    recorded: int = 0
    """Steps whose episodes and metrics are in the run's folder."""

    def load(self, saved: dict[str, Any]) -> None:
        """Take over a checkpoint's trainer state."""
        self.state.load_state_dict(saved["state"])
        self.before, self.episodes, self.recorded = saved["before"], saved["episodes"], self.state.step

    def record(self, metrics: grpo.Metrics, episodes: list[Episode]) -> None:
        """Write down a step."""
        self.run.keep(episodes)
        self.run.log("train", metrics)
        self.episodes += len(episodes)
        self.recorded = self.state.step

    def keep(self) -> None:
        """Save a checkpoint, unless the last step could not be recorded: it is better made again than half known."""
        if self.recorded == self.state.step:
            memory = {"state": self.state.state_dict(), "before": self.before, "episodes": self.episodes}
            with uninterrupted():
                self.run.save_checkpoint(self.state.step, self.vlm, memory)


def _reference(scenario: Scenario, run: Run, vlm: VLM, *, resumed: bool) -> VLM | None:
    """Return the policy that reinforcement learning began with, where it is asked for."""
    if scenario.train.kl == 0:
        return None
    if resumed:
        return vlm.twin(VLM.load(str(run.checkpoint(0)), device=str(vlm.device)).model)
    return vlm.twin(copy.deepcopy(vlm.model).eval())


def _practise(
    scenario: Scenario,
    pool: EnvPool,
    policy: LanguagePolicy,
    rubric: Rubric,
    reference: VLM | None,
    progress: _Progress,
    report: Say,
) -> None:
    """Train, and leave a checkpoint of the last whole step however it ends."""
    state, settings, temperature = progress.state, scenario.train, scenario.policy.temperature

    def guard(episodes: list[Episode]) -> None:
        passed = gate.check(progress.vlm, policy.renderer, episodes, temperature=temperature)
        report(f"the gate is open: {', '.join(passed)}")

    def after_step(metrics: grpo.Metrics, episodes: list[Episode]) -> None:
        progress.record(metrics, episodes)
        if state.step % settings.checkpoint_every == 0:
            progress.keep()
        if state.step % 5 == 0 or state.step == 1:
            success = f"{metrics['success']:.2f}" if "success" in metrics else "unknown, no start was new"
            groups = f"{metrics['live_groups']:.0f} of {metrics['groups']:.0f} groups differ in reward"
            report(f"step {state.step} of {settings.steps}: success {success}, {groups}")

    try:
        grpo.train(
            progress.vlm,
            policy,
            pool,
            scenario.environment.task_names(),
            settings,
            state,
            rubric=rubric,
            reference=reference,
            seed=scenario.seed,
            temperature=temperature,
            before_first_update=guard,
            after_step=after_step,
        )
    except (KeyboardInterrupt, InfraError, BadInput):
        progress.keep()
        raise
    progress.keep()
