"""Checks of form: what an environment is made of, and what its methods take and return."""

from __future__ import annotations

import json
import math
import pickle
import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from turngym.envs.conformance.subject import (
    NO_CALL,
    Broken,
    Subject,
    play,
    require,
    reset,
    same_pictures,
    sampled,
    step,
)
from turngym.envs.registry import entries
from turngym.envs.types import StopReason

HEADINGS = (
    "Description",
    "Action Space",
    "Observation Space",
    "Starting State",
    "Rewards",
    "Episode End",
    "Arguments",
    "References",
)
"""What an environment's docstring must tell, in Gymnasium's own words."""

INFO_KEYS = frozenset({"task", "instruction", "signals", "error", "stop_reason", "infra_error"})

SIZE = (64, 48)
"""Width and height of the images to ask for: not square, and smaller than screens are."""

FIND = """
import pickle, sys, gymnasium
wanted = pickle.load(sys.stdin.buffer)
gymnasium.make(wanted["env_id"], disable_env_checker=True, **wanted["kwargs"]).close()
"""


def gymnasium(subject: Subject) -> None:
    """Gymnasium's own ``check_env`` passes, and warns of nothing."""
    from gymnasium.utils.env_checker import check_env

    with warnings.catch_warnings(record=True) as caught, subject.env() as env:
        warnings.simplefilter("ignore")
        for category in (UserWarning, DeprecationWarning):
            warnings.filterwarnings("always", category=category, module="gymnasium")
        env.action_space.seed(0)
        check_env(env)
    said = [re.sub(r"\x1b\[[0-9;]*m|WARN: ", "", str(warning.message)) for warning in caught]
    require(not said, "; ".join(said))


def found(subject: Subject) -> None:
    """``gymnasium.make`` finds the id in a fresh process; what its entry names is there."""
    subject.elsewhere(FIND)
    name = subject.env_id.rpartition(":")[2]
    for entry in entries():
        if entry.id != name:
            continue
        names, solved = entry.task_names(), entry.solved_tasks()
        require(bool(names), "the entry's tasks: none is listed")
        require(set(solved) <= set(names), f"the entry's solved: {sorted(set(solved) - set(names))} are no tasks")
        missing = entry.what_is_missing()
        require(missing is None, f"the entry's missing: it was made, but run {missing!r}")


def keywords(subject: Subject) -> None:
    """``task``, ``level``, ``split``, ``max_turns`` and ``image_size`` are taken; the last two are kept to."""
    with subject.env() as env:
        reset(env, 0)
        task = env.task.id
    common = {"task": task, "level": 0, "split": "train", "max_turns": 2, "image_size": SIZE}
    for name, value in common.items():
        if name in subject.kwargs:  # taken already, and others may not go with the rest
            continue
        try:
            with subject.env(**{name: value}):
                pass
        except (TypeError, ValueError) as error:
            raise Broken(f"{name}={value!r} is not taken: {' '.join(str(error).split())}") from error
    with subject.env(max_turns=2, image_size=SIZE) as env:
        try:
            observation, _ = reset(env, 0)
        except Exception as error:
            what = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise Broken(f"with max_turns=2 and image_size={SIZE} a reset fails: {what}") from error
        require(env.task.max_turns == 2, f"with max_turns=2 the task has max_turns={env.task.max_turns}")
        for image in observation["images"][-1:]:
            height, width = image.shape[:2]
            require((width, height) == SIZE, f"with image_size={SIZE} the newest image is {width} x {height} pixels")


def docstring(subject: Subject) -> None:
    """The class's docstring is its manual: Gymnasium's headings, each with something under it."""
    with subject.env() as env:
        manual = type(env).__doc__ or ""
    sections = re.split(r"^[ \t]*#+[ \t]*(.+?)[ \t]*$", manual, flags=re.MULTILINE)
    told = {title for title, body in zip(sections[1::2], sections[2::2], strict=True) if body.strip()}
    absent = [heading for heading in HEADINGS if heading not in told]
    require(not absent, f"the docstring of {type(env).__name__} lacks or leaves empty: {', '.join(absent)}")


def tools(subject: Subject) -> None:
    """``action_space.tools`` is a function-calling list that chat APIs take."""
    from jsonschema import Draft202012Validator

    with subject.env() as env:
        specs = env.action_space.tools
    require(isinstance(specs, list) and bool(specs), "action_space.tools is not a list of at least one tool")
    require(json.loads(json.dumps(specs)) == specs, "action_space.tools does not survive JSON")
    names = []
    for spec in specs:
        require(spec.get("type") == "function" and "function" in spec, f"not a function specification: {spec}")
        function = spec["function"]
        names.append(function.get("name"))
        where = f"tool {names[-1]!r}"
        require(bool(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", str(names[-1]))), f"{where}: not a name that chat APIs take")
        require(bool(str(function.get("description", "")).strip()), f"{where}: no description")
        parameters = function.get("parameters", {})
        require(parameters.get("type") == "object", f"{where}: parameters is not the schema of an object")
        Draft202012Validator.check_schema(parameters)
    require(len(set(names)) == len(names), f"two tools share a name: {', '.join(names)}")


def samples(subject: Subject) -> None:
    """Every sampled call is in the action space, as JSON too, and seeding the space repeats it."""
    with subject.env() as env:
        space = env.action_space
        space.seed(0)
        drawn = [space.sample() for _ in range(200)]
        for call in drawn:
            require(call in space, f"a sampled call is not in the action space: {call}")
            require(json.loads(json.dumps(call)) in space, f"a sampled call does not survive JSON: {call}")
        space.seed(0)
        require([space.sample() for _ in drawn] == drawn, "seeding the action space does not repeat its samples")


def observations(subject: Subject) -> None:
    """Every observation is ``{"text": str, "images": tuple of (H, W, 3) uint8}`` and in the observation space."""
    with subject.env() as env:
        first, _ = reset(env, 0)
        for observation in [first, *(e.observation for e in play(env, 0, sampled))]:
            require(set(observation) == {"text", "images"}, f"an observation has the keys {sorted(observation)}")
            require(isinstance(observation["text"], str), "an observation's text is not a str")
            require(isinstance(observation["images"], tuple), "an observation's images are not a tuple")
            for image in observation["images"]:
                fits = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.shape[2:] == (3,)
                require(fits, "an image is not (H, W, 3) uint8")
            require(observation in env.observation_space, "an observation is not in the observation space")


def info(subject: Subject) -> None:
    """``info`` always has the documented keys, each of its type."""
    with subject.env() as env:
        _, start = reset(env, 0)
        refusal = step(env, NO_CALL).info
        for when, seen in [("reset", start), ("a refused call", refusal), *_infos(env)]:
            absent = sorted(INFO_KEYS - set(seen))
            require(not absent, f"after {when} info lacks {', '.join(absent)}")
            for key in ("task", "instruction"):
                require(isinstance(seen[key], str), f"after {when} info[{key!r}] is not a str")
            require(isinstance(seen["error"], str | None), f"after {when} info['error'] is neither str nor None")
            reasons = {None, *StopReason}
            require(seen["stop_reason"] in reasons, f"after {when} info['stop_reason'] is {seen['stop_reason']!r}")
            for name, value in dict(seen["signals"]).items():
                finite = isinstance(name, str) and isinstance(value, float) and math.isfinite(value)
                require(finite, f"after {when} the signal {name!r} is {value!r}, not a finite float")


def _infos(env: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(f"step {n}", exchange.info) for n, exchange in enumerate(play(env, 1, sampled), 1)]


def rewards(subject: Subject) -> None:
    """Rewards are finite Python floats."""
    with subject.env() as env:
        for seed in subject.seeds:
            for exchange in play(env, seed, sampled):
                reward = exchange.reward
                require(type(reward) is float and math.isfinite(reward), f"a reward is {reward!r}, not a finite float")


def nothing_shared(subject: Subject) -> None:
    """No two returns share anything mutable, and writing into one changes nothing that comes later."""
    with subject.env() as env:
        returns = [reset(env, 0)]
        returns += [(e.observation, e.info) for e in play(env, 0, sampled, turns=2)]
        returns.append(reset(env, 0))
        for _ in range(2):
            done = step(env, NO_CALL)
            returns.append((done.observation, done.info))
        owner: dict[int, int] = {}
        for number, returned in enumerate(returns):
            for where, thing in _mutable(returned, ""):
                first = owner.setdefault(id(thing), number)
                require(first == number, f"returns {first} and {number} share the object at {where or 'the top'}")
        clean, written = returns[-2][0], returns[-1][0]
        for image in written["images"]:
            image[...] = 255 - image
        require(same_pictures(step(env, NO_CALL).observation, clean), "writing into an image changes the next one")


def _mutable(data: Any, where: str) -> Iterator[tuple[str, Any]]:
    if isinstance(data, np.ndarray):
        while isinstance(data.base, np.ndarray):  # two views of one buffer share it
            data = data.base
        yield where, data
    elif isinstance(data, dict):
        yield where, data
        for key, value in data.items():
            yield from _mutable(value, f"{where}[{key!r}]")
    elif isinstance(data, list | tuple | set):
        if not isinstance(data, tuple):
            yield where, data
        for number, value in enumerate(data):
            yield from _mutable(value, f"{where}[{number}]")


def picklable(subject: Subject) -> None:
    """The specification and the keywords survive pickling, so that workers can make the environment."""
    with subject.env() as env:
        spec = env.spec
        require(pickle.loads(pickle.dumps(spec)) == spec, "the unpickled specification differs")
    kwargs = dict(subject.kwargs)
    require(pickle.loads(pickle.dumps(kwargs)) == kwargs, "the unpickled keywords differ")


def close(subject: Subject) -> None:
    """``close`` may be called before a reset, in the middle of an episode, and again."""
    for started in (False, True):
        with subject.env() as env:
            if started:
                reset(env, 0)
            env.close()
            env.close()
