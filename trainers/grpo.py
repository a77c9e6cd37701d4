"""Multi-turn GRPO, read from top to bottom.

Which variant this is: advantages relative to a group of whole episodes that started identically (no critic); PPO's
clipped objective with a wider upper bound; a few clipped epochs over each batch; one row a turn, in the context it was
sampled in; trajectory -> turn -> token averaging; an entropy term whose weight a controller can move. Groups of equal
reward, or with fewer than two sound episodes, carry no advantage and are left out (and replaced, within ``refill``);
failures of ours are in no group at all. A step costs ``groups * group_size`` episodes and ``epochs`` passes over the
turns of the groups that are left.
"""

from __future__ import annotations

import functools
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any, TypeVar

import numpy as np
import torch

from turngym.agents.language import LanguagePolicy
from turngym.agents.models.vlm import VLM
from turngym.agents.policies import draw_tasks, stream
from turngym.agents.rollout import Start, rollout, sound
from turngym.agents.workers import EnvPool
from turngym.envs import Episode, Group, Rubric, StopReason, Task
from turngym.envs.processes import uninterrupted
from turngym.envs.rubrics import total
from turngym.envs.scenario import TrainBlock
from turngym.trainers.objectives import aggregate, group_advantages, k3, policy_loss, token_weights
from turngym.trainers.rows import Sample, loss_starts, pad, samples, score

Metrics = dict[str, float]
T = TypeVar("T")

UNSOLVED = 256
"""Starts that are remembered for another attempt; the oldest are forgotten first."""

ENTROPY_STEP = 0.05
"""Relative change of the entropy weight in a step that missed its target."""


@dataclass(slots=True)
class State:
    """All that a run must remember between steps, beside the weights."""

    optimizer: torch.optim.Optimizer
    step: int = 0
    entropy_weight: float = 0.0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=10))
    """Success of the last steps that had new starts, on those."""
    unsolved: list[tuple[str, int]] = field(default_factory=list)
    """Starts (task, reset seed) that were not always solved when last attempted, the newest last."""

    def state_dict(self) -> dict[str, Any]:
        """Return plain data for a checkpoint."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "entropy_weight": self.entropy_weight,
            "recent": list(self.recent),
            "unsolved": list(self.unsolved),
        }

    def load_state_dict(self, data: dict[str, Any]) -> None:
        """Take over a checkpoint's data."""
        self.optimizer.load_state_dict(data["optimizer"])
        self.step, self.entropy_weight = data["step"], data["entropy_weight"]
        self.recent.extend(data["recent"])
        self.unsolved = [(task, seed) for task, seed in data["unsolved"]]


def new_state(vlm: VLM, settings: TrainBlock) -> State:
    """Start from the beginning."""
    optimizer = torch.optim.AdamW(vlm.model.parameters(), lr=settings.lr, betas=(0.9, 0.98), weight_decay=0.0)
    return State(optimizer, entropy_weight=settings.entropy)


def train(
    vlm: VLM,
    policy: LanguagePolicy,
    pool: EnvPool,
    tasks: Sequence[str],
    settings: TrainBlock,
    state: State,
    *,
    rubric: Rubric,
    reference: VLM | None,
    seed: int,
    temperature: float,
    before_first_update: Callable[[list[Episode]], None],
    after_step: Callable[[Metrics, list[Episode]], None],
) -> None:
    """Train until ``settings.steps`` or until the last ten steps' success reaches ``settings.until``.

    ``reference`` is the policy that RL began with; None where ``settings.kl`` is 0. ``before_first_update`` sees the
    first batch of sound episodes: it is where the gate stands. ``after_step`` gets the step's metrics and all its
    episodes; when it returns, the step is complete and can be resumed from. An interrupt lands between steps: never
    between an update and its record. Raises :class:`InfraError`, between steps too, where a step's episodes all broke.
    """
    if (reference is None) != (settings.kl == 0):
        raise ValueError("kl and a reference go together")
    first = True
    while state.step < settings.steps and not _reached(state, settings):
        began = time.perf_counter()
        groups, episodes = gather(policy, pool, tasks, settings, rubric, seed, state)
        sampled = time.perf_counter()
        sound(episodes)  # raises where there is none
        if first:
            before_first_update([episode for group in groups for episode in group.episodes])
            first = False
        with uninterrupted():
            start_of = functools.partial(loss_starts, vlm.tokenizer, after=settings.loss_after)
            batch = [sample for group in groups for sample in credit(group, settings, rubric, start_of)]
            metrics = update(vlm, reference, batch, settings, state, temperature, stream(seed, "update", state.step))
            state.step += 1
            policy.engine.update(vlm.model, state.step)
            metrics |= _watch(groups, episodes, rubric, set(state.unsolved), tasks)
            _remember(groups, state, tasks)
            if "success" in metrics:
                state.recent.append(metrics["success"])
            now = time.perf_counter()
            metrics |= {"step": state.step, "rollout_seconds": sampled - began, "update_seconds": now - sampled}
            after_step(metrics, episodes)


def gather(
    policy: LanguagePolicy,
    pool: EnvPool,
    tasks: Sequence[str],
    settings: TrainBlock,
    rubric: Rubric,
    seed: int,
    state: State,
) -> tuple[list[Group], list[Episode]]:
    """Sample groups until ``settings.groups`` of them have something to compare, or ``refill`` is used up.

    Returns the groups, sound episodes only, and all episodes, failed ones included.
    """
    most = round(settings.groups * settings.refill)
    step = state.step
    drawn = draw_tasks(tasks, most, seed, "train", step)
    draw = np.random.default_rng(stream(seed, "replay", step))
    again = [state.unsolved[i] for i in draw.permutation(len(state.unsolved))][:most]
    places = np.flatnonzero(draw.random(most) < settings.replay)
    for place, unsolved in zip(places.tolist(), again, strict=False):
        drawn[place] = Task(unsolved[0], seed=unsolved[1])
    groups: list[Group] = []
    episodes: list[Episode] = []
    live = 0
    while len(groups) < most and live < settings.groups:
        # As many as should give what is missing, at the share that was live so far in this step.
        share = live / len(groups) if live else 1.0
        missing = math.ceil((settings.groups - live) / share)
        wanted = drawn[len(groups) : len(groups) + missing]
        starts = [
            Start(f"train-{step:05d}-{number:03d}-{member:02d}", task, f"train-{step:05d}-{number:03d}")
            for number, task in enumerate(wanted, len(groups))
            for member in range(settings.group_size)
        ]
        made = rollout(pool, policy, starts, phase="train", step=step)
        episodes += made
        for name in dict.fromkeys(start.group for start in starts):
            sound = [e for e in made if e.group == name and e.stop_reason is not StopReason.INFRA_ERROR]
            groups.append(Group(name, tuple(sound)))
            live += len(set(worth(sound, rubric))) > 1
    return groups, episodes


def worth(episodes: Sequence[Episode], rubric: Rubric) -> list[float]:
    """Score episodes by a rubric."""
    return [total(rubric(episode)) for episode in episodes]


def credit(
    group: Group, settings: TrainBlock, rubric: Rubric, start_of: Callable[[Sequence[int]], int] = lambda ids: 0
) -> list[Sample]:
    """Give each turn of a group its episode's advantage; a group without any yields nothing to train on."""
    advantages = group_advantages(worth(group.episodes, rubric), settings.advantage)
    pairs = zip(group.episodes, advantages, strict=True)
    return [
        sample for episode, advantage in pairs if advantage != 0.0 for sample in samples(episode, advantage, start_of)
    ]


def update(
    vlm: VLM,
    reference: VLM | None,
    batch: list[Sample],
    settings: TrainBlock,
    state: State,
    temperature: float,
    seed: int,
) -> Metrics:
    """Take ``epochs`` passes over the batch in minibatches of rows, one optimiser step each."""
    draw = np.random.default_rng(seed)
    model = vlm.model.train()
    progress = state.step / max(settings.steps - 1, 1)
    lr = settings.lr * (1 + (settings.decay - 1) * progress)
    for group in state.optimizer.param_groups:
        group["lr"] = lr
    if reference is not None:
        batch = with_reference(reference, batch, settings, temperature)
    seen: list[Metrics] = []
    for _ in range(settings.epochs):
        for part in _parts(draw.permutation(len(batch)).tolist(), settings.minibatch):
            state.optimizer.zero_grad()
            metrics = _backward(vlm, [batch[i] for i in part], settings, state, temperature)
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
            state.optimizer.step()
            seen.append({**metrics, "grad_norm": float(norm)})
    model.eval()
    if not seen:
        return {"rows": 0}
    mean = {key: sum(m[key] for m in seen) / len(seen) for key in seen[0]}
    if settings.entropy_target is not None:
        # A multiplicative step: the weight grows while entropy is below its target, and shrinks above it.
        up = mean["entropy"] < settings.entropy_target
        state.entropy_weight *= 1 + ENTROPY_STEP if up else 1 / (1 + ENTROPY_STEP)
    return {**mean, "rows": len(batch), "entropy_weight": state.entropy_weight, "lr": lr}


def _backward(vlm: VLM, batch: list[Sample], settings: TrainBlock, state: State, temperature: float) -> Metrics:
    """Add up the gradients of a minibatch's objective, part by part, and return what to watch, averaged alike."""
    whole = float(_mass(batch, settings).sum())
    mean: Metrics = {}
    for places in _parts(_by_length(batch), settings.forward or len(batch)):
        part = [batch[i] for i in places]
        share = float(_mass(part, settings).sum()) / whole
        loss, metrics = objective(vlm, part, settings, state, temperature)
        (share * loss).backward()  # type: ignore[no-untyped-call]
        mean = {key: mean.get(key, 0.0) + share * value for key, value in metrics.items()}
    return mean


def with_reference(reference: VLM, batch: list[Sample], settings: TrainBlock, temperature: float) -> list[Sample]:
    """Add the reference's log-probabilities, scored once for all passes."""
    found = list(batch)
    for places in _parts(_by_length(batch), settings.forward or settings.minibatch):
        with torch.no_grad():
            scored = score(reference, [batch[i].row for i in places], temperature)
        for i, logp, mask in zip(places, scored.logp, scored.mask, strict=True):
            found[i] = replace(batch[i], reference=tuple(logp[mask].tolist()))
    return found


def objective(
    vlm: VLM, batch: list[Sample], settings: TrainBlock, state: State, temperature: float
) -> tuple[torch.Tensor, Metrics]:
    """Return the loss of a minibatch, and what to watch."""
    rows = [sample.row for sample in batch]
    scored = score(vlm, rows, temperature)
    mask = scored.carries_loss([sample.start for sample in batch])
    old = pad([sample.logprobs for sample in batch], scored.mask)
    weights = _weights(batch, settings).to(vlm.device)
    advantages = torch.tensor([sample.advantage for sample in batch], device=vlm.device)
    clip = {"clip_low": settings.clip_low, "clip_high": settings.clip_high}
    policy = policy_loss(scored.logp, old, advantages, mask, weights, **clip)
    entropy = aggregate(scored.entropy, mask, weights)
    loss = policy.loss - state.entropy_weight * entropy
    metrics = {"policy_loss": policy.loss.item(), "entropy": entropy.item()}
    metrics |= {"clipped": policy.clipped.item(), "kl": policy.kl.item()}
    if settings.kl > 0:
        reference = pad([sample.reference for sample in batch], scored.mask)
        penalty = aggregate(k3(scored.logp, reference), mask, weights)
        loss = loss + settings.kl * penalty
        metrics["kl_reference"] = penalty.item()
    return loss, {**metrics, "loss": loss.item()}


def _weights(batch: list[Sample], settings: TrainBlock) -> torch.Tensor:
    """Return the weight of each token of a row, (B,)."""
    columns = ([s.turns for s in batch], [s.tokens for s in batch], [s.episode_tokens for s in batch])
    return token_weights(settings.aggregation, *(torch.tensor(column, dtype=torch.float32) for column in columns))


def _mass(batch: list[Sample], settings: TrainBlock) -> torch.Tensor:
    """Return the weight of each whole row, (B,): its part in the denominator of the objective."""
    return _weights(batch, settings) * torch.tensor([sample.tokens for sample in batch])


def _by_length(batch: list[Sample]) -> list[int]:
    """Return the places of rows, like length beside like: what is scored together is padded to its longest."""
    return sorted(range(len(batch)), key=lambda i: len(batch[i].row.context) + len(batch[i].row.completion))


def _parts(items: list[T], most: int) -> list[list[T]]:
    """Cut a list into parts of nearly equal length, none longer than ``most``."""
    count = math.ceil(len(items) / most)
    return [items[len(items) * i // count : len(items) * (i + 1) // count] for i in range(count)]


def _reached(state: State, settings: TrainBlock) -> bool:
    full = len(state.recent) == state.recent.maxlen
    return settings.until is not None and full and float(np.mean(state.recent)) >= settings.until


def _start_of(episode: Episode, tasks: Sequence[str]) -> tuple[str, int]:
    """Return the task that an episode was asked for by name, an empty one where it was not, and its seed."""
    assert episode.task.seed is not None
    return (episode.task.id if episode.task.id in tasks else "", episode.task.seed)


def _remember(groups: list[Group], state: State, tasks: Sequence[str]) -> None:
    """Keep the starts that were not always solved, and forget those that were."""
    for group in groups:
        if not group.episodes:
            continue
        start = _start_of(group.episodes[0], tasks)
        if start in state.unsolved:
            state.unsolved.remove(start)
        if not all(episode.success for episode in group.episodes):
            state.unsolved.append(start)
    del state.unsolved[:-UNSOLVED]


def _watch(
    groups: list[Group], episodes: list[Episode], rubric: Rubric, unsolved: set[tuple[str, int]], tasks: Sequence[str]
) -> Metrics:
    """Success counts new starts only: those attempted again were chosen because they were failed.

    Where none is new it is left out: a mean of nothing is not 0. Several tasks also have theirs each.
    """
    whole = [episode for group in groups for episode in group.episodes]
    new = [episode for episode in whole if _start_of(episode, tasks) not in unsolved]
    success = {"success": fmean(episode.success for episode in new)} if new else {}
    for task in tasks if len(tasks) > 1 else ():
        if attempts := [episode.success for episode in new if episode.task.id == task]:
            success[f"success/{task}"] = fmean(attempts)
    return {
        **success,
        "new": len(new),
        "reward": sum(episode.reward for episode in whole) / len(whole),
        "turns": sum(len(episode.turns) for episode in whole) / len(whole),
        "live_groups": sum(len(set(worth(group.episodes, rubric))) > 1 for group in groups),
        "groups": len(groups),
        "episodes": len(episodes),
        "infra_errors": len(episodes) - len(whole),
    }
