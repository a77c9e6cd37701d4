"""Every environment, by id: what it is, where its class is, and what it needs. Nothing here imports a family."""

from __future__ import annotations

import difflib
import importlib
import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

from turngym.envs.types import BadInput


@dataclass(frozen=True, slots=True)
class Entry:
    """One registered environment."""

    id: str
    family: str
    about: str
    entry_point: str
    """``module:Class``, imported only when an environment is made."""
    tasks: str
    """``module:function`` that lists the task names. Of the environment's keywords and ``split`` it is given those that
    it has parameters for."""
    missing: str = ""
    """``module:function`` that returns the one command that makes the environment ready here, or None if it is; empty
    where an environment that is installed is ready."""
    nondeterministic: bool = False
    kwargs: dict[str, Any] = field(default_factory=dict)
    solved: str = ""
    """``module:function`` that lists the tasks with an oracle, as ``tasks`` does; empty where all have one."""

    def task_names(self, **kwargs: Any) -> list[str]:
        """List the names of the tasks of an environment that is made with ``kwargs``, of a ``split`` if it is given."""
        return _listed(self.tasks, kwargs)

    def solved_tasks(self, **kwargs: Any) -> list[str]:
        """List the names of those that have an oracle."""
        return _listed(self.solved or self.tasks, kwargs)

    def what_is_missing(self) -> str | None:
        """Return the command that makes this environment ready here, or None if it is ready."""
        answer: str | None = load(self.missing)() if self.missing else None
        return answer


def _listed(target: str, kwargs: dict[str, Any]) -> list[str]:
    names = load(target)
    known = inspect.signature(names).parameters
    return list(names(**{key: value for key, value in kwargs.items() if key in known}))


_ENTRIES: dict[str, Entry] = {}


def load(target: str) -> Callable[..., Any]:
    """Import ``module:name``; :class:`BadInput` if an entry names what is not there."""
    module, _, name = target.partition(":")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except (ModuleNotFoundError, AttributeError, ValueError) as error:
        raise BadInput(f"an environment's entry names {target!r}: {error}") from error
    return found


def register(entry: Entry) -> None:
    """Register an environment with TurnGym and with Gymnasium, or again in another form. Third parties call it too."""
    from gymnasium.envs.registration import register as gym_register
    from gymnasium.envs.registration import registry

    if _ENTRIES.get(entry.id) == entry and entry.id in registry:
        return
    _ENTRIES[entry.id] = entry
    registry.pop(entry.id, None)
    gym_register(
        id=entry.id,
        entry_point=entry.entry_point,
        kwargs=dict(entry.kwargs),
        nondeterministic=entry.nondeterministic,
    )


def register_envs() -> None:
    """Register the environments that ship with TurnGym: the target of our own entry point."""
    for entry in SHIPPED:
        register(entry)


def load_entry_points() -> None:
    """Call every ``gymnasium.envs`` entry point named ``turngym``, ours and third parties'; warn of those that fail."""
    for entry in entry_points(group="gymnasium.envs", name="turngym"):
        try:
            loaded = entry.load()
            if callable(loaded):  # a module registers when it is imported
                loaded()
        except Exception as error:  # of a package that may be anyone's, and must not cost us ours
            said = f"{type(error).__name__}: {error}"
            warnings.warn(f"the environments of {entry.value!r} are not registered: {said}", stacklevel=2)


def entries() -> list[Entry]:
    """List all registered environments."""
    register_envs()
    return list(_ENTRIES.values())


def find(env_id: str) -> Entry:
    """Return the entry of ``env_id``; :class:`BadInput` names the nearest one if there is none.

    As with ``gymnasium.make``, ``module:id`` imports ``module`` first, which is to register ``id``.
    """
    name = _imported(env_id)
    known = {entry.id: entry for entry in entries()}
    if name in known:
        return known[name]
    if name != env_id:
        module = env_id.rpartition(":")[0]
        raise BadInput(f"unknown environment {env_id!r}: {module!r} registers no {name!r} with turngym.envs.register")
    near = difflib.get_close_matches(env_id, known, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else f"; there is {', '.join(known)}"
    raise BadInput(f"unknown environment {env_id!r}{hint}")


def make(env_id: str, **kwargs: Any) -> Any:
    """``gymnasium.make`` with a clear :class:`BadInput` for an unknown id, ``module:id`` too."""
    import gymnasium as gym

    name = _imported(env_id)
    if name not in gym.registry:
        find(env_id)
    return gym.make(name, **kwargs)


def _imported(env_id: str) -> str:
    """Import the module of ``module:id``, and return the id."""
    module, colon, name = env_id.rpartition(":")
    if colon:
        import_module(module, f"environment {env_id!r}")
    return name


def import_module(module: str, what: str) -> None:
    """Import a module that registers environments; :class:`BadInput` says what it was wanted for if that fails."""
    try:
        importlib.import_module(module)
    except Exception as error:  # anyone's code, or no module's name
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise BadInput(f"{what}: cannot import {module!r}: {why}") from error


SHIPPED = (
    Entry(
        id="turngym/MiniWoB-v0",
        family="browser",
        about="MiniWoB++ pages in real Chromium, seen as pixels.",
        entry_point="turngym.envs.browser.miniwob:MiniWoBEnv",
        tasks="turngym.envs.browser.miniwob:task_names",
        missing="turngym.envs.browser.miniwob:missing",
        solved="turngym.envs.browser.miniwob:solved_tasks",
    ),
    Entry(
        id="turngym/WebSite-v0",
        family="browser",
        about="WebArena-format tasks on real web applications of one's own.",
        entry_point="turngym.envs.browser.website:WebSiteEnv",
        tasks="turngym.envs.browser.website:task_names",
        solved="turngym.envs.browser.website:solved_tasks",
        missing="turngym.envs.browser.website:missing",
    ),
)
