"""What a run's folder says beside its episodes: recipe, metrics, summary. Tolerant: any of it may be missing."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from turngym.agents.episodes.store import EpisodeStore
from turngym.envs.types import BadInput, StopReason

Point = tuple[float, float]
Row = dict[str, float]


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its 95% interval."""

    value: float
    low: float
    high: float
    count: int | None = None
    """Of how many; None if that is not recorded."""


@dataclass(frozen=True, slots=True)
class RunData:
    """A run's folder, read."""

    name: str
    about: str
    recipe: str
    """``run.yaml`` as it is."""
    rows: Mapping[str, list[Row]]
    """By phase: metrics in order of step, numbers only."""
    summary: Mapping[str, Any]
    rates: Mapping[str, Rate]
    """Success by phase."""
    skipped: int
    """Lines of ``metrics.jsonl`` that could not be read; a killed run leaves one."""


def read_run(folder: Path, store: EpisodeStore) -> RunData:
    """Read what is in ``folder``; :class:`BadInput` for a file that is there and cannot be read."""
    recipe = _text(folder / "run.yaml")
    named = _names(recipe)
    rows, skipped = _metrics(_text(folder / "metrics.jsonl"))
    summary = _object(_text(folder / "summary.json"))
    rates = _rates(summary, store)
    name = named.get("name") or folder.resolve().name
    return RunData(name, named.get("about", ""), recipe, rows, summary, rates, skipped)


def points(rows: list[Row], key: str) -> list[Point]:
    """Return (step, value) where there is a value."""
    return [(row.get("step", float(index)), row[key]) for index, row in enumerate(rows) if key in row]


def number(value: Any) -> float | None:
    """Return a finite number as a float, anything else as None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def by_name(name: str) -> tuple[int, str]:
    """Return a key that sorts tasks by name, numbers by their value."""
    return (len(name) if name.isdigit() else 0, name)


def wilson(successes: int, count: int) -> Rate:
    """Return a share with its 95% Wilson score interval."""
    if count == 0:
        return Rate(0.0, 0.0, 1.0, 0)
    share, z = successes / count, 1.959964
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    # At the ends the formula gives 0 and 1, but for rounding.
    low = max(0.0, centre - reach) if successes else 0.0
    high = min(1.0, centre + reach) if successes < count else 1.0
    return Rate(share, low, high, count)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from None


def _names(recipe: str) -> dict[str, str]:
    """Find ``name`` and ``about``, at the top or in the recipe's own block."""
    try:
        data = yaml.safe_load(recipe)
    except (yaml.YAMLError, RecursionError):
        return {}
    blocks = [data, data.get("scenario")] if isinstance(data, dict) else []
    found: dict[str, str] = {}
    for block in blocks:
        for key in ("name", "about"):
            if isinstance(block, dict) and isinstance(block.get(key), str):
                found.setdefault(key, block[key])
    return found


def _object(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _metrics(text: str) -> tuple[dict[str, list[Row]], int]:
    phases: dict[str, dict[float, Row]] = {}
    skipped = 0
    for index, line in enumerate(text.splitlines()):
        data = _object(line)
        skipped += bool(line.strip()) and not data
        row = {key: found for key, value in data.items() if (found := number(value)) is not None}
        if row:
            # A resumed run writes some steps again: the last one counts.
            phases.setdefault(str(data.get("phase", "")), {})[row.get("step", float(index))] = row
    return {phase: [rows[step] for step in sorted(rows)] for phase, rows in phases.items()}, skipped


def _rates(summary: Mapping[str, Any], store: EpisodeStore) -> dict[str, Rate]:
    rates: dict[str, Rate] = {}
    for phase in store.counts("phase"):
        count = store.count(phase=phase) - store.count(phase=phase, stop_reason=StopReason.INFRA_ERROR)
        rates[phase] = wilson(store.count(phase=phase, success=True), count)
    # What the run itself said comes first: its evaluation may hold more than was stored.
    for phase, value, interval in (
        ("before", "success_before", "ci95_before"),
        ("after", "success_after", "ci95_after"),
        ("eval", "success_rate", "ci95"),
    ):
        said, ends = number(summary.get(value)), summary.get(interval)
        if said is None:
            continue
        ends = [number(end) for end in ends] if isinstance(ends, list) else []
        low, high = (ends[0], ends[1]) if len(ends) == 2 and None not in ends else (said, said)
        stored = rates.get(phase)
        rates[phase] = Rate(said, low or 0.0, high or 0.0, stored.count if stored else None)
    return rates
