"""What the checks work with: the environment under test, ways to play it, and ways to say what is wrong."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from turngym.envs.registry import make
from turngym.envs.spaces import UNPARSED
from turngym.envs.types import InfraError, Observation, ToolCall

NO_CALL: ToolCall = {"name": UNPARSED, "arguments": {"error": "no tool call found"}}
"""A completion in which no call was found: every environment refuses it."""

WAITING = ("wait", "noop", "sleep")
"""Names of tools that do nothing."""


class Broken(Exception):
    """A promise that does not hold; the message says in one line what was seen."""


class Skip(Exception):
    """A check that does not apply; the message says why."""


def require(holds: bool, why: str) -> None:
    """Raise :class:`Broken` with ``why`` unless ``holds``."""
    if not holds:
        raise Broken(why)


class Exchange(NamedTuple):
    """What one step returned."""

    observation: Observation
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]

    @property
    def over(self) -> bool:
        """Whether the episode ended here."""
        return self.terminated or self.truncated


@dataclass(frozen=True)
class Subject:
    """The environment under test, and how thoroughly to test it."""

    env_id: str
    kwargs: Mapping[str, Any]
    quick: bool = False

    @property
    def seeds(self) -> range:
        """Seeds for a check that plays one episode a seed."""
        return range(3 if self.quick else 10)

    @property
    def episodes(self) -> range:
        """Seeds for a check that takes a mean."""
        return range(8 if self.quick else 30)

    @contextmanager
    def env(self, **more: Any) -> Iterator[Any]:
        """Make the environment, without Gymnasium's wrappers, and close it afterwards."""
        env = make(self.env_id, disable_env_checker=True, **{**self.kwargs, **more}).unwrapped
        try:
            yield env
        finally:
            with suppress(Exception):  # the check named "close" is the one that reports this
                env.close()

    def elsewhere(self, script: str) -> str:
        """Run a Python script in a fresh process that sees the same modules; return what it printed.

        The script finds ``{"env_id", "kwargs"}`` pickled on its standard input.
        """
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        data = pickle.dumps({"env_id": self.env_id, "kwargs": dict(self.kwargs)})
        command = [sys.executable, "-c", script]
        try:
            done = subprocess.run(command, input=data, env=environ, capture_output=True, timeout=300)
        except subprocess.TimeoutExpired:
            raise Broken("another process did not answer within 300 s") from None
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
        require(done.returncode == 0, f"another process failed, saying {said[-1]}")
        return done.stdout.decode().strip()


def reset(env: Any, seed: int | None) -> tuple[Observation, dict[str, Any]]:
    """Reset ``env``."""
    observation, info = env.reset(seed=seed)
    return observation, info


def step(env: Any, call: Any) -> Exchange:
    """Step ``env``; what breaks on our side is raised as :class:`InfraError`."""
    exchange = Exchange(*env.step(call))
    failure = exchange.info.get("infra_error")
    if failure is not None:
        raise InfraError(failure["kind"], failure["message"])
    return exchange


Policy = Callable[[Any, Observation, int], Any]
"""Chooses a call from the environment, the newest observation and the number of the turn (0 first)."""


def play(env: Any, seed: int, policy: Policy, turns: int | None = None) -> list[Exchange]:
    """Play one episode, at most ``turns`` (default: the task's own limit) turns of it."""
    observation, _ = reset(env, seed)
    env.action_space.seed(seed)
    exchanges: list[Exchange] = []
    for turn in range(env.task.max_turns if turns is None else turns):
        exchanges.append(step(env, policy(env, observation, turn)))
        observation = exchanges[-1].observation
        if exchanges[-1].over:
            break
    return exchanges


def sampled(env: Any, observation: Observation, turn: int) -> Any:
    """Play a random valid call."""
    return env.action_space.sample()


def refused(env: Any, observation: Observation, turn: int) -> ToolCall:
    """Say nothing that can be carried out."""
    return NO_CALL


def idle(env: Any, observation: Observation, turn: int) -> ToolCall:
    """Wait where there is a tool for it; otherwise say nothing that can be carried out."""
    for tool in functions(env):
        if tool["name"] in WAITING and not tool["parameters"].get("required"):
            return {"name": tool["name"], "arguments": {}}
    return NO_CALL


def blind(env: Any, observation: Observation, turn: int) -> ToolCall:
    """Call each tool in turn with the likeliest arguments: the instruction as text, the middle as number."""
    tools = functions(env)
    tool = tools[turn % len(tools)]
    return likely_call(tool, observation["text"])


def planned(env: Any, observation: Observation, turn: int) -> Any:
    """Play the oracle's next call; without an oracle, raise :class:`NotImplementedError`."""
    plan = env.solution()
    if not plan:
        raise Broken("the oracle has no call left, but the episode goes on")
    return plan[0]


def functions(env: Any) -> list[dict[str, Any]]:
    """Return the ``function`` part of each tool specification."""
    return [tool["function"] for tool in env.action_space.tools]


def likely_call(tool: Mapping[str, Any], text: str) -> ToolCall:
    """Return a valid call of ``tool`` that looks at nothing."""
    properties = tool["parameters"].get("properties", {})
    return {"name": tool["name"], "arguments": {name: _likely(schema, text) for name, schema in properties.items()}}


def _likely(schema: Mapping[str, Any], text: str) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind in ("integer", "number"):
        middle = (schema.get("minimum", 0) + schema.get("maximum", 0)) / 2
        return int(middle) if kind == "integer" else float(middle)
    if kind == "string":
        return text[: schema.get("maxLength", 1000)].ljust(schema.get("minLength", 0))
    if kind == "array":
        return [_likely(schema["items"], text)] * max(1, schema.get("minItems", 0))
    return True if kind == "boolean" else schema.get("default")


def bad_calls(tools: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """List calls that no action space with these tools contains, each with what is wrong with it."""
    first = tools[0]["name"]
    calls: list[tuple[str, Any]] = [
        ("a completion without a call", NO_CALL),
        ("nothing", None),
        ("text", f"{first}()"),
        ("a list", [first]),
        ("an empty object", {}),
        ("no arguments", {"name": first}),
        ("arguments that are a list", {"name": first, "arguments": [1]}),
        ("a name that is a number", {"name": 1, "arguments": {}}),
        ("an unknown tool", {"name": "no_such_tool", "arguments": {}}),
    ]
    for tool in tools:
        good = likely_call(tool, "text")["arguments"]
        calls.append((f"{tool['name']} with an unknown argument", _call(tool, {**good, "no_such_argument": 1})))
        for name in tool["parameters"].get("required", ()):
            rest = {key: value for key, value in good.items() if key != name}
            calls.append((f"{tool['name']} without {name}", _call(tool, rest)))
        for name, schema in tool["parameters"].get("properties", {}).items():
            for what, value in _bad_values(schema):
                calls.append((f"{tool['name']} with {name} {what}", _call(tool, {**good, name: value})))
    return calls


def _call(tool: Mapping[str, Any], arguments: dict[str, Any]) -> ToolCall:
    return {"name": tool["name"], "arguments": arguments}


def _bad_values(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if "type" in schema or "enum" in schema:
        yield "of the wrong type", 7 if schema.get("type") == "object" else {"wrong": "type"}
    if schema.get("type") in ("integer", "number"):
        yield "not a number", float("nan")
        yield "infinite", float("inf")
    if "minimum" in schema:
        yield "too small", schema["minimum"] - 1
    if "maximum" in schema:
        yield "too large", schema["maximum"] + 1
    if "maxLength" in schema:
        yield "too long", "x" * (schema["maxLength"] + 1)
    if "enum" in schema and schema.get("type", "string") == "string":
        yield "outside its options", "".join(map(str, schema["enum"])) + "?"


def digest(observation: Observation) -> str:
    """Hash an observation: text and, of each picture, shape and pixels."""
    digest = hashlib.sha256(json.dumps(observation["text"]).encode())
    for image in observation["images"]:
        digest.update(f"{image.dtype}{image.shape}".encode())
        digest.update(image.tobytes())
    return digest.hexdigest()


def same_pictures(one: Observation, other: Observation) -> bool:
    """Whether two observations show the same pixels."""
    return digest({"text": "", "images": one["images"]}) == digest({"text": "", "images": other["images"]})
