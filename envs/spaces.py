"""Spaces for language agents: tool calls in, text and images out."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import gymnasium as gym
import numpy as np

from turngym.envs.types import ToolCall

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

Schema = dict[str, Any]

UNPARSED = ""
"""Name of the call that stands for a completion in which no call was found."""

LONGEST_REASON = 300
"""Characters; what is wrong with a call may quote the call, and a call may be of any length."""


@dataclass(frozen=True)
class Tool:
    """A tool the policy may call.

    ``parameters`` maps each argument to its JSON Schema (Draft 2020-12); arguments with a ``default`` may be
    left out, all others are required, and no others are taken.
    """

    name: str
    description: str
    parameters: Mapping[str, Schema]

    @classmethod
    def from_function(cls, function: Callable[..., Any]) -> Tool:
        """Build a tool from a typed function: its annotations and the first line of its docstring."""
        from pydantic import TypeAdapter

        adapter: Any = TypeAdapter(cast(Any, function))
        schema = adapter.json_schema()
        properties = {
            name: {k: v for k, v in spec.items() if k != "title"} for name, spec in schema.get("properties", {}).items()
        }
        return cls(function.__name__, (inspect.getdoc(function) or "").split("\n", 1)[0], properties)

    @functools.cached_property
    def required(self) -> tuple[str, ...]:
        """Arguments without a default."""
        return tuple(name for name, schema in self.parameters.items() if "default" not in schema)

    @functools.cached_property
    def schema(self) -> Schema:
        """The JSON Schema of the arguments object."""
        return {
            "type": "object",
            "properties": dict(self.parameters),
            "required": list(self.required),
            "additionalProperties": False,
        }

    @functools.cached_property
    def spec(self) -> dict[str, Any]:
        """The function-calling form that chat APIs and chat templates take."""
        function = {"name": self.name, "description": self.description, "parameters": self.schema}
        return {"type": "function", "function": function}

    @functools.cached_property
    def _validator(self) -> Draft202012Validator:
        from jsonschema import Draft202012Validator

        return Draft202012Validator(self.schema)

    def explain(self, arguments: Any) -> str | None:
        """Say why ``arguments`` do not fit this tool, or None if they do."""
        from jsonschema.exceptions import best_match

        parameters = self.parameters
        if arguments.keys() == parameters.keys() and all(_fits(parameters[k], v) for k, v in arguments.items()):
            return None  # as most calls do; the validator takes as long as a frame of a browser

        problem = best_match(self._validator.iter_errors(arguments))
        if problem is not None:
            where = ".".join([self.name, *map(str, problem.absolute_path)])
            return f"{where}: {problem.message}"
        # Python's JSON reader takes what JSON does not: NaN, Infinity and half of a surrogate pair.
        for name, value in arguments.items():
            try:
                json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
            except ValueError:
                return f"{self.name}.{name}: {value!r} is not finite numbers and Unicode text"
        return None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.description, self.parameters)  # without the validator, which cannot travel


def _fits(schema: Schema, value: Any) -> bool:
    """Whether a value is sure to fit a plain schema: whole numbers, ASCII texts, truth values, one of a few texts."""
    bounds = schema.keys() - {"type", "description", "default"}
    if type(value) is int and schema.get("type") == "integer" and bounds <= {"minimum", "maximum"}:
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    if type(value) is str and value.isascii():
        return value in schema["enum"] if bounds == {"enum"} else schema.get("type") == "string" and not bounds
    return type(value) is bool and schema.get("type") == "boolean" and not bounds


class ToolCallSpace(gym.Space[ToolCall]):
    """All valid calls of a fixed list of tools.

    ``sample()`` draws a tool, then its arguments; ``contains()`` validates a call against the tool's JSON Schema;
    ``explain()`` says what is wrong with one. Text arguments accept all of Unicode; samples of them are drawn from
    printable ASCII, at most 16 characters.
    """

    def __init__(self, tools: Iterable[Tool], seed: int | np.random.Generator | None = None) -> None:
        self._tools = {tool.name: tool for tool in tools}
        if not self._tools or UNPARSED in self._tools:
            raise ValueError("a tool call space needs at least one tool, each with a name")
        super().__init__(shape=None, dtype=None, seed=seed)

    @property
    def tools(self) -> list[dict[str, Any]]:
        """Tool specifications in function-calling form."""
        return [tool.spec for tool in self._tools.values()]

    @property
    def names(self) -> tuple[str, ...]:
        """The tools' names, in order."""
        return tuple(self._tools)

    @property
    def is_np_flattenable(self) -> bool:
        """Tool calls do not flatten."""
        return False

    def explain(self, call: Any) -> str | None:
        """Say in one line why ``call`` is not in this space, or None if it is."""
        try:
            why = self._explain(call)
        except RecursionError:
            return "the call is nested too deeply"
        except ValueError:  # Python writes out and reads no whole number of more than 4300 digits
            return "the call holds a number that is too long"
        return None if why is None else " ".join(why.splitlines())[:LONGEST_REASON]

    def _explain(self, call: Any) -> str | None:
        if not isinstance(call, Mapping) or set(call) != {"name", "arguments"}:
            return f"expected a tool call {{'name': ..., 'arguments': {{...}}}}, got {str(call)[:80]!r}"
        name, arguments = call["name"], call["arguments"]
        if not isinstance(arguments, dict) or not all(isinstance(key, str) for key in arguments):
            return f"arguments of a tool call must be an object with text keys, got {str(arguments)[:80]!r}"
        if name == UNPARSED and "error" in arguments:
            return str(arguments["error"])
        tool = self._tools.get(name) if isinstance(name, str) else None
        if tool is None:
            return f"unknown tool {str(name)[:40]!r}; the tools are {', '.join(self._tools)}"
        return tool.explain(arguments)

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is a valid call."""
        return self.explain(x) is None

    def sample(self, mask: Any = None, probability: Any = None) -> ToolCall:
        """Draw a tool uniformly, then its arguments."""
        if mask is not None or probability is not None:
            raise NotImplementedError("a tool call space samples without masks")
        tool = self._tools[self.names[int(self.np_random.integers(len(self._tools)))]]
        return {"name": tool.name, "arguments": {k: _draw(s, self.np_random) for k, s in tool.parameters.items()}}

    def to_jsonable(self, sample_n: Iterable[ToolCall]) -> list[ToolCall]:
        """Calls are JSON already."""
        return [{"name": call["name"], "arguments": dict(call["arguments"])} for call in sample_n]

    def from_jsonable(self, sample_n: list[ToolCall]) -> list[ToolCall]:
        """Calls are JSON already."""
        return self.to_jsonable(sample_n)

    def __repr__(self) -> str:
        return f"ToolCallSpace({', '.join(self._tools)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ToolCallSpace) and self.tools == other.tools

    def __hash__(self) -> int:
        return hash(self.names)


def _draw(schema: Schema, rng: np.random.Generator) -> Any:
    """Draw a value that satisfies ``schema`` (the subset that tools use)."""
    if "enum" in schema:
        return schema["enum"][int(rng.integers(len(schema["enum"])))]
    kind = schema.get("type")
    if kind == "integer":
        return int(rng.integers(schema.get("minimum", -1000), schema.get("maximum", 1000), endpoint=True))
    if kind == "number":
        return float(rng.uniform(schema.get("minimum", -1000.0), schema.get("maximum", 1000.0)))
    if kind == "boolean":
        return bool(rng.integers(2))
    if kind == "string":
        low = int(schema.get("minLength", 1))
        length = int(rng.integers(low, min(max(16, low), schema.get("maxLength", max(16, low))), endpoint=True))
        return "".join(map(chr, rng.integers(32, 127, size=length)))
    if kind == "array":
        low = int(schema.get("minItems", 0))
        length = int(rng.integers(low, schema.get("maxItems", low + 3), endpoint=True))
        return [_draw(schema["items"], rng) for _ in range(length)]
    raise NotImplementedError(f"cannot sample from JSON Schema {schema}")


class Unicode(gym.Space[str]):
    """Any text. (``gymnasium.spaces.Text`` is limited to a stated alphabet; pages and devices are not.)"""

    def __init__(self, seed: int | np.random.Generator | None = None) -> None:
        super().__init__(shape=None, dtype=str, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """Unbounded text does not flatten."""
        return False

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is text."""
        return isinstance(x, str)

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Draw up to 16 printable characters of the basic multilingual plane."""
        points = self.np_random.integers(0x20, 0xD7FF, size=int(self.np_random.integers(1, 17)))
        return "".join(map(chr, points))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unicode)

    def __hash__(self) -> int:
        return hash(Unicode)

    def __repr__(self) -> str:
        return "Unicode()"


def observation_space(width: int, height: int) -> gym.spaces.Dict:
    """The space of observations with images of ``width`` x ``height`` pixels: ``{"text", "images"}``."""
    image = gym.spaces.Box(0, 255, (height, width, 3), np.uint8)
    return gym.spaces.Dict({"text": Unicode(), "images": gym.spaces.Sequence(image)})
