"""The tasks of :mod:`turngym.envs.browser.website`: drawn from our own sites' rows, or read from a file."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from turngym.envs.browser import site_oracle
from turngym.envs.browser.protocol import Cookie
from turngym.envs.browser.sites import SITES
from turngym.envs.browser.webarena import WebTask, load, parse
from turngym.envs.scenario import nearest
from turngym.envs.types import BadInput, Split

MAX_TURNS = 30
"""Most turns of an episode, unless the user says otherwise: as WebArena's agents have."""


@dataclass(frozen=True, slots=True)
class SiteTask:
    """A task, and what it needs of the sites."""

    web: WebTask
    sites: tuple[str, ...]
    """Those of our own sites that it plays on."""
    users: tuple[tuple[str, str], ...] = ()
    """Who is logged in: site and user."""
    cookies: tuple[Cookie, ...] = ()
    """Of the storage state that a file's task names."""
    oracle: tuple[Mapping[str, Any], ...] = ()


class Catalogue:
    """The tasks there are, by name: of a WebArena file, or, without one, of the sites that ship with TurnGym."""

    def __init__(self, file: str | None) -> None:
        if file is not None and not isinstance(file, str | Path):
            raise BadInput(f"task_file must be the path of a task file, got {file!r}")
        self._file = None if file is None else Path(file)
        self._read = {} if self._file is None else {str(task.task_id): task for task in load(self._file)}
        self.names: list[str] = list(self._read) or own_tasks()

    def check(self, name: str) -> None:
        """Raise :class:`BadInput` for a name that there is not."""
        if name not in self.names:
            where = f"{self._file}: there is no task" if self._file else "unknown web site task"
            raise BadInput(f"{where} {name!r}{nearest(str(name), self.names)}")

    def make(self, name: str, rng: np.random.Generator, split: Split) -> SiteTask:
        """Return the task of that name; one of our own is drawn with ``rng`` from the rows of a split."""
        self.check(name)
        if self._file is not None:
            return _prepared(self._read[name], self._file)
        site, _, template = name.partition(".")
        data = _generator(site).generate(rng, template, split)
        return _prepared(parse(data, name)[0], None)


def own_tasks() -> list[str]:
    """List the tasks of the sites that ship with TurnGym."""
    return [f"{site}.{template}" for site in SITES for template in _generator(site).TEMPLATES]


def _generator(site: str) -> Any:
    return importlib.import_module(f"turngym.envs.browser.sites.{site}.tasks")


def _prepared(web: WebTask, file: Path | None) -> SiteTask:
    text = json.dumps(dataclasses.asdict(web), default=str)
    sites = tuple(name for name, site in SITES.items() if site.placeholder in text or name in web.sites)
    user, own = web.storage_state, [name for name in web.sites if name in SITES]
    steps = site_oracle.checked(web.extra.get("oracle", []), f"task {web.task_id}: oracle")
    task = SiteTask(web, sites, oracle=steps)
    if user is None:
        return task
    if own and user in SITES[own[0]].users:
        return dataclasses.replace(task, users=((own[0], user),))
    return dataclasses.replace(task, cookies=_cookies(web, user, file))


def _cookies(web: WebTask, state: str, file: Path | None) -> tuple[Cookie, ...]:
    """Return the cookies of a storage state; none where the task does not ask for a login."""
    places = [Path(state), *([file.parent / state] if file else [])]
    path = next((place for place in places if place.is_file()), None)
    where = f"task {web.task_id}: storage_state"
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
