"""A new folder for episodes: refused early where it cannot be one, opened late: a mistake leaves nothing behind."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from turngym.agents.episodes.files import disk_errors, write_whole
from turngym.agents.episodes.store import EpisodeStore
from turngym.envs import BadInput, Episode

Keep = Callable[[list[Episode]], None]
"""Takes episodes that are over; the same one may come twice."""


PACKAGES = ("turngym", "torch", "transformers", "gymnasium", "miniwob", "numpy", "pillow")
"""What a recording may depend on; ``run.yaml`` says their versions."""


def refuse_folder(out: Path) -> None:
    """Raise :class:`BadInput` now for a folder that nothing could be kept in later."""
    if any((out / name).exists() for name in ("run.yaml", "episodes.db", "summary.json")):
        raise BadInput(f"{out} holds a run already: choose another --out")
    there = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise BadInput(f"{out}: {there} is no folder that can be written to")


def described(recipe: Mapping[str, Any]) -> str:
    """Return the text of ``run.yaml``: a recipe, and the versions of what it ran on."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return yaml.safe_dump({**recipe, "versions": versions}, sort_keys=False)


def recorder(out: Path, recipe: Mapping[str, Any], stack: ExitStack) -> Keep:
    """Return what stores episodes in ``out``; the first ones make the folder, and ``stack`` closes the store."""
    opened: list[EpisodeStore] = []

    def keep(episodes: list[Episode]) -> None:
        if not opened:
            with disk_errors(out):
                out.mkdir(parents=True, exist_ok=True)
                write_whole(out / "run.yaml", described(recipe))
            opened.append(stack.enter_context(EpisodeStore(out / "episodes.db", "a")))
        opened[0].add(episodes, replace=True)

    return keep
