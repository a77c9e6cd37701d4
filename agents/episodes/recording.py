"""A new folder for episodes: refused early where it cannot be one, opened late: a mistake leaves nothing behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from turngym.agents.episodes.store import EpisodeStore
from turngym.envs import BadInput, Episode

Keep = Callable[[list[Episode]], None]
"""Takes episodes that are over; the same one may come twice."""


def refuse_folder(out: Path) -> None:
    """Raise :class:`BadInput` now for a folder that nothing could be kept in later."""
    if any((out / name).exists() for name in ("run.yaml", "episodes.db", "summary.json")):
        raise BadInput(f"{out} holds a run already: choose another --out")
    there = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise BadInput(f"{out}: {there} is no folder that can be written to")


def recorder(out: Path, stack: ExitStack) -> Keep:
    """Return what stores episodes in ``out``; the first ones open the store, and ``stack`` closes it."""
    opened: list[EpisodeStore] = []

    def keep(episodes: list[Episode]) -> None:
        if not opened:
            opened.append(stack.enter_context(EpisodeStore(out / "episodes.db", "a")))
        opened[0].add(episodes, replace=True)

    return keep
