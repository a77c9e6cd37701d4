"""Replay: carry out an episode's recorded calls again, in a fresh environment, and compare byte for byte."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import gymnasium as gym
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from turngym.agents.episodes.store import EpisodeStore
from turngym.envs.registry import find
from turngym.envs.types import BadInput, Episode, Image, InfraError, InfraFailure, Observation, StopReason, Turn

NOT_THE_ENVIRONMENTS = frozenset({StopReason.TOKEN_LIMIT, StopReason.POLICY_STOP, StopReason.TIME_LIMIT})
"""Stop reasons that the policy or the clock brings about: the environment need not repeat them."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first difference between what was recorded and what happened again."""

    turn: int
    """Counted from 0; as many as the episode has turns for the final observation."""
    what: str
    expected: Image | None = None
    actual: Image | None = None


class Diverged(TypedDict):
    """A :class:`Divergence` in a report."""

    episode: str
    turn: int
    what: str
    picture: str | None
    """A PNG of expected, actual and their difference; None where there is nothing to see."""


class Failed(TypedDict):
    """An episode whose replay failed for a reason of ours."""

    episode: str
    infra_error: InfraFailure


class Report(TypedDict):
    """What a replay found: ``episodes = identical + diverged + failed + empty``."""

    episodes: int
    identical: int
    diverged: list[Diverged]
    failed: list[Failed]
    empty: int
    """Episodes that broke before anything was seen: there is nothing to replay."""


def replay(
    store: EpisodeStore,
    ids: Iterable[str] | None = None,
    *,
    pictures: str | Path,
    progress: Callable[[], None] = lambda: None,
) -> Report:
    """Replay the episodes of these ids (default: all), in recorded order.

    ``pictures`` is the folder for the pictures of divergences, made when the first is found; ``progress`` is called
    after each episode. An environment that fails is in ``failed``, never in ``diverged``. Raises :class:`BadInput`
    for an unknown id, and for an environment that is not registered here.
    """
    report: Report = {"episodes": 0, "identical": 0, "diverged": [], "failed": [], "empty": 0}
    with Environments() as environments:
        for episode_id in [summary.id for summary in store.summaries()] if ids is None else ids:
            _replay_into(report, store.get(episode_id), environments, Path(pictures))
            progress()
    return report


class Environments:
    """Environments, each made when first wanted and shared by all episodes of equal id and keywords."""

    def __init__(self) -> None:
        self._open: dict[str, gym.Env[Observation, Any]] = {}

    def __enter__(self) -> Environments:
        return self

    def __exit__(self, *_: object) -> None:
        for key in list(self._open):
            self._open.pop(key).close()

    def get(self, episode: Episode) -> gym.Env[Observation, Any]:
        """Return the environment that an episode was made in; :class:`BadInput` if it is not registered here."""
        key = _key(episode)
        if key not in self._open:
            # A recording is data from anywhere: the module of its "module:Env-v0" is its reader's to import.
            module, _, env_id = episode.env_id.rpartition(":")
            if env_id not in gym.registry:
                # What is suggested may be pasted into a shell: a module's name, or nothing.
                if module and all(part.isidentifier() for part in module.split(".")):
                    why = f"its module is not imported because a recording says so: if you trust it, --import {module}"
                    raise BadInput(f"unknown environment {env_id!r}: {why}")
                find(env_id)
            try:
                self._open[key] = gym.make(env_id, disable_env_checker=True, **episode.env_kwargs)
            except TypeError as error:
                raise BadInput(f"episode {episode.id!r}: {episode.env_id} cannot be made: {error}") from None
        return self._open[key]

    def discard(self, episode: Episode) -> None:
        """Close the environment of an episode: it failed, and the next one starts afresh."""
        env = self._open.pop(_key(episode), None)
        if env is not None:
            env.close()


def replay_episode(episode: Episode, env: gym.Env[Observation, Any]) -> Divergence | None:
    """Replay one episode in ``env``; return the first divergence, or None if there is none.

    An episode that ended by an infrastructure failure is replayed up to that failure. Raises :class:`InfraError` if
    the environment fails now.
    """
    broke = episode.stop_reason is StopReason.INFRA_ERROR
    seen, _ = env.reset(seed=episode.task.seed, options={"task": episode.task.id, "split": episode.task.split})
    last = len(episode.turns) - 1
    for index, turn in enumerate(episode.turns):
        found = _compare_seen(index, turn.observation, seen)
        if found is not None or (broke and index == last):
            return found
        seen, reward, terminated, truncated, info = env.step(turn.call)
        problem = _compare_outcome(episode, turn, index == last, (float(reward), terminated, truncated, info))
        expected = episode.final if index == last else episode.turns[index + 1].observation
        if problem is not None:
            return Divergence(index, problem, _newest(expected), _newest(seen))
    return None if episode.final is None else _compare_seen(last + 1, episode.final, seen)


def draw(expected: Image, actual: Image) -> Image:
    """Return expected, actual and their difference side by side, labelled, in pixels at least 240 high."""
    height = max(expected.shape[0], actual.shape[0], 1)
    width = max(expected.shape[1], actual.shape[1], 1)
    left, right = _padded(expected, height, width), _padded(actual, height, width)
    ground = (255 - (255 - left.mean(axis=2, keepdims=True)) * 0.25).astype(np.uint8)
    difference = np.where((left != right).any(axis=2, keepdims=True), np.array([220, 0, 120], np.uint8), ground)
    zoom = max(1, -(-240 // height))
    gap, bar = 8, 20
    canvas = Pillow.new("RGB", (3 * width * zoom + 2 * gap, height * zoom + bar), (32, 32, 36))
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(13)
    for column, (label, image) in enumerate((("expected", left), ("actual", right), ("difference", difference))):
        x = column * (width * zoom + gap)
        panel = Pillow.fromarray(image).resize((width * zoom, height * zoom), Pillow.Resampling.NEAREST)
        canvas.paste(panel, (x, bar))
        pen.text((x + 4, 3), label, fill=(235, 235, 240), font=font)
    return np.array(canvas, np.uint8)


# Inside -------------------------------------------------------------------------------------------------------------


def _replay_into(report: Report, episode: Episode, environments: Environments, pictures: Path) -> None:
    report["episodes"] += 1
    if not episode.turns and episode.final is None:
        report["empty"] += 1
        return
    try:
        found = replay_episode(episode, environments.get(episode))
    except InfraError as error:
        environments.discard(episode)
        failure: InfraFailure = {"kind": error.kind, "message": error.message}
        report["failed"].append({"episode": episode.id, "infra_error": failure})
        return
    if found is None:
        report["identical"] += 1
        return
    picture = _save(found, pictures, episode.id)
    report["diverged"].append({"episode": episode.id, "turn": found.turn, "what": found.what, "picture": picture})


def _compare_seen(turn: int, expected: Observation, actual: Observation) -> Divergence | None:
    what: str | None = None
    left, right = expected["images"], tuple(actual["images"])
    shown = _newest(expected), _newest(actual)
    if expected["text"] != actual["text"]:
        what = _compare_text("text", expected["text"], actual["text"])
    elif len(left) != len(right):
        what = f"expected {len(left)} images, got {len(right)}"
    else:
        for index, pair in enumerate(zip(left, right, strict=True)):
            problem = _compare_images(*pair)
            if problem is not None:
                what, shown = f"image {index}: {problem}", pair
                break
    return None if what is None else Divergence(turn, what, *shown)


def _compare_images(expected: Image, actual: Image) -> str | None:
    if expected.shape != actual.shape or actual.dtype != np.uint8:
        return f"expected {expected.shape} uint8, got {actual.shape} {actual.dtype}"
    differs = (expected != actual).any(axis=2)
    if not differs.any():
        return None
    y, x = np.argwhere(differs)[0]
    return f"{int(differs.sum())} of {differs.size} pixels differ, the first at x={x}, y={y}"


def _compare_outcome(
    episode: Episode, turn: Turn, last: bool, outcome: tuple[float, bool, bool, dict[str, Any]]
) -> str | None:
    reward, terminated, truncated, info = outcome
    if info.get("infra_error") is not None:
        raise InfraError(info["infra_error"]["kind"], info["infra_error"]["message"])
    stop = info.get("stop_reason")
    if stop == StopReason.TIME_LIMIT and not (last and episode.stop_reason is StopReason.TIME_LIMIT):
        raise InfraError("time_limit", "the replay took longer than the episode was allowed to")
    if turn.error != info.get("error"):
        return _compare_text("error", turn.error or "", info.get("error") or "")
    ours = last and episode.stop_reason not in NOT_THE_ENVIRONMENTS
    facts: list[tuple[str, Any, Any]] = [
        ("reward", float(turn.reward), reward),
        ("signals", _floats(turn.signals), _floats(info.get("signals", {}))),
    ]
    if not last or ours:
        facts += [
            ("terminated", ours and episode.terminated, bool(terminated)),
            ("truncated", ours and episode.truncated, bool(truncated)),
            ("stop reason", str(episode.stop_reason) if ours else None, None if stop is None else str(stop)),
        ]
    for name, expected, actual in facts:
        if repr(expected) != repr(actual):  # As text, so that NaN equals itself and 0.0 is not -0.0.
            return f"{name}: expected {expected}, got {actual}"
    return None


def _compare_text(name: str, expected: str, actual: str) -> str:
    """Show where two different texts part, a few words of each."""
    at = next((i for i, (a, b) in enumerate(zip(expected, actual, strict=False)) if a != b), None)
    at = min(len(expected), len(actual)) if at is None else at
    left, right = expected[max(0, at - 20) : at + 20], actual[max(0, at - 20) : at + 20]
    return f"{name}: at character {at} expected {left!r}, got {right!r}"


def _floats(signals: Any) -> dict[str, float]:
    return {name: float(signals[name]) for name in sorted(signals)}


def _newest(observation: Observation | None) -> Image | None:
    return observation["images"][-1] if observation is not None and observation["images"] else None


def _padded(image: Image, height: int, width: int) -> Image:
    canvas = np.full((height, width, 3), 128, np.uint8)
    canvas[: image.shape[0], : image.shape[1]] = image
    return canvas


def _save(found: Divergence, folder: Path, episode_id: str) -> str | None:
    if found.expected is None or found.actual is None:
        return None
    # An id is recorded data too: as a file name it must not lead elsewhere, nor meet another's.
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", episode_id)[:80]
    unique = hashlib.blake2b(episode_id.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    path = folder / f"{safe}-{unique}-turn{found.turn}.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(draw(found.expected, found.actual)).save(path)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror or error}") from None
    return str(path)


def _key(episode: Episode) -> str:
    return json.dumps([episode.env_id, dict(episode.env_kwargs)], sort_keys=True)
