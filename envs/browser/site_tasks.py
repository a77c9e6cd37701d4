"""The tasks of :mod:`turngym.envs.browser.website`: drawn from our own sites' rows, or read from a file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from turngym.envs.browser import site_oracle
from turngym.envs.browser.protocol import Cookie
from turngym.envs.browser.sites import SITES
from turngym.envs.browser.sites.task_file import generator
from turngym.envs.browser.webarena import WebTask, load, parse
from turngym.envs.scenario import nearest
from turngym.envs.types import BadInput, Split

MAX_TURNS = 30
"""Most turns of an episode, unless the user says otherwise: as WebArena's agents have."""


@dataclass(frozen=True, slots=True)
class SiteTask:
    """A task, and what it needs of the sites."""

    web: WebTask
    where: str
    """What it is called in errors: its file and its number."""
    sites: tuple[str, ...]
    """Those of our own sites that it plays on."""
    users: tuple[tuple[str, str], ...] = ()
    """Who is logged in: site and user."""
    cookies: tuple[Cookie, ...] = ()
    """Of the storage state that a file's task names."""
    oracle: tuple[Mapping[str, Any], ...] = ()


TaskFile = str | Mapping[str, str]
"""The path of a task file, or one for each split."""
SPLITS: tuple[Split, ...] = get_args(Split)


class Catalogue:
    """The tasks there are, by name: of WebArena files, or, without any, of the sites that ship with TurnGym.

    In a file for both splits, a task that has a ``split`` is of that alone, and the others are of both.
    """

    def __init__(self, file: TaskFile | None) -> None:
        self._files = _by_split(file)
        tasks = {path: _checked(path) for path in set(self._files.values())}
        alone = isinstance(file, Mapping)
        self._read: dict[Split, dict[str, WebTask]] = {
            split: {str(task.task_id): task for task in tasks[path] if alone or task.extra.get("split", split) == split}
            for split, path in self._files.items()
        }
        """Tasks of files by split and name."""

    def names(self, split: Split | None = None) -> list[str]:
        """List the names, of a split or of both; :class:`BadInput` where a file has none."""
        if not self._files:
            return own_tasks()
        splits = SPLITS if split is None else (split,)
        names = list(dict.fromkeys(name for one in splits for name in self._read[one]))
        if not names:
            raise BadInput(f"{self._files[splits[0]]}: there is no task of the split {split!r}, all are of the other")
        return names

    def solved(self, split: Split | None = None) -> list[str]:
        """List the names of the tasks with an oracle."""
        if not self._files:
            return own_tasks()
        rows = [self._read[one] for one in (SPLITS if split is None else (split,))]
        return [
            name for name in self.names(split) if any(name in row and row[name].extra.get("oracle") for row in rows)
        ]

    def check(self, name: str, split: Split | None = None) -> None:
        """Raise :class:`BadInput` for a name that there is not."""
        names = self.names(split)
        if name not in names:
            file = self._files.get(split or "train")
            where = f"{file}: there is no task" if file else "unknown web site task"
            raise BadInput(f"{where} {name!r}{nearest(str(name), names)}")

    def make(self, name: str, rng: np.random.Generator, split: Split) -> SiteTask:
        """Return the task of that name; one of our own is drawn with ``rng`` from the rows of a split."""
        self.check(name, split)
        if self._files:
            return _prepared(self._read[split][name], self._files[split])
        site, _, template = name.partition(".")
        data = generator(site).generate(rng, template, split)
        return _prepared(parse(data, name)[0], None)


def _by_split(file: TaskFile | None) -> dict[Split, Path]:
    """Return the file of each split; none where there is none."""
    files = file if isinstance(file, Mapping) else {} if file is None else dict.fromkeys(SPLITS, file)
    sound = all(isinstance(path, str | Path) for path in files.values()) and set(files) in (set(), set(SPLITS))
    if not sound or (file is not None and not files):
        raise BadInput(f"task_file must be the path of a task file, or one for train and one for test, got {file!r}")
    return {split: Path(files[split]) for split in SPLITS if split in files}


def _checked(path: Path) -> tuple[WebTask, ...]:
    """Read a file, with what its tasks say to us alone."""
    tasks = load(path)
    for task in tasks:
        where = f"{path}: task {task.task_id}"
        site_oracle.checked(task.extra.get("oracle", []), f"{where}: oracle")
        if (split := task.extra.get("split", "train")) not in SPLITS:
            raise BadInput(f"{where}: split: expected 'train' or 'test', got {split!r}")
    return tasks


def own_tasks() -> list[str]:
    """List the tasks of the sites that ship with TurnGym."""
    return [f"{site}.{template}" for site in SITES for template in generator(site).templates]


def _prepared(web: WebTask, file: Path | None) -> SiteTask:
    text = json.dumps(dataclasses.asdict(web), default=str)
    sites = tuple(name for name, site in SITES.items() if site.placeholder in text or name in web.sites)
    user, own = web.storage_state, [name for name in web.sites if name in SITES]
    where = f"{file}: task {web.task_id}" if file else f"task {web.task_id}"
    task = SiteTask(web, where, sites, oracle=site_oracle.checked(web.extra.get("oracle", []), f"{where}: oracle"))
    if user is None:
        return task
    if own and user in SITES[own[0]].users:
        return dataclasses.replace(task, users=((own[0], user),))
    return dataclasses.replace(task, cookies=_cookies(web, user, file, where))


def _cookies(web: WebTask, state: str, file: Path | None, where: str) -> tuple[Cookie, ...]:
    """Return the cookies of a storage state; none where the task does not ask for a login."""
    places = [Path(state), *([file.parent / state] if file else [])]
    path = next((place for place in places if place.is_file()), None)
    where += ": storage_state"
    if path is None and not web.require_login:
        return ()
    if path is None:
        raise BadInput(f"{where}: there is no file {state!r}, and the task asks for a login")
    try:
        cookies = json.loads(path.read_text())["cookies"]
        sound = all(isinstance(cookie["name"], str) and isinstance(cookie["value"], str) for cookie in cookies)
    except (OSError, ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        raise BadInput(f"{where}: {path} is no storage state: expected JSON with a list of cookies")
    return tuple(cookies)
