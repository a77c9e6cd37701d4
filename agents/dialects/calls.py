"""Calls in Python's notation, read as data and written back: what several dialects have in common."""

from __future__ import annotations

import ast
import json
import re
import warnings
from dataclasses import dataclass
from typing import Any

from turngym.envs import ToolCall

LONGEST = 50_000
"""Characters of a call that is read."""
SHOWN = 120
"""Characters of a call that an error quotes."""

_THOUGHT = re.compile(r"\s*(?:<think>)?.*?</think>", re.DOTALL)
_MARKUP = re.compile(r"<(?=/?(?:think|answer|action)>)|`(?=``)")
"""What a dialect encloses calls and thoughts in."""


class Malformed(ValueError):
    """What was read is no call; the message says why."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it was written: ``name(*positional, **named)``, each value JSON."""

    name: str
    positional: tuple[Any, ...]
    named: dict[str, Any]

    def bind(self, *names: str) -> dict[str, Any]:
        """Give the positional values these names; None for those that are not there.

        Raises :class:`Malformed` for values beyond them, by whatever name.
        """
        if len(self.positional) > len(names):
            raise Malformed(f"{self.name} takes at most {len(names)} arguments")
        bound = dict(zip(names, self.positional, strict=False))
        if twice := bound.keys() & self.named.keys():
            raise Malformed(f"{self.name} got {min(twice)} twice")
        if unknown := self.named.keys() - set(names):
            raise Malformed(f"{self.name} takes no argument {min(unknown)!r}")
        return dict.fromkeys(names) | bound | self.named


def parse(text: str) -> Call:
    """Read a call with literal arguments; raise :class:`Malformed` for anything else. Nothing is evaluated."""
    if len(text) > LONGEST:
        raise Malformed(f"a call of {len(text)} characters is too long")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd escapes in what a model wrote
            node = ast.parse(text.strip(), mode="eval").body
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            raise Malformed("it is not one call of a function")
        named = {keyword.arg: _value(keyword.value) for keyword in node.keywords if keyword.arg is not None}
        if len(named) < len(node.keywords):
            raise Malformed("an argument is given twice or unpacked")
        return Call(node.func.id, tuple(map(_value, node.args)), named)
    except Malformed:
        raise
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise Malformed("it is not one call of a function") from None


def _value(node: ast.expr) -> Any:
    """Return a literal's value, of the kinds that JSON has."""
    match node:
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            return {_key(key): _value(value) for key, value in zip(keys, values, strict=True)}
        case _:
            raise Malformed("an argument is not a plain value")


def _key(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    raise Malformed("an argument is not a plain value")


def literal(value: Any) -> str:
    """Write a JSON value so that :func:`parse` reads it back, on one line and without what encloses a call."""
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
        # JSON and Python agree on these escapes; half of a surrogate pair is no text until it is escaped.
        text = re.sub("[\ud800-\udfff\u0085\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", text)
        return _MARKUP.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    return repr(value)


def spell(name: str, *positional: Any, **named: Any) -> str:
    """Write a call."""
    return f"{name}({', '.join([*map(literal, positional), *(f'{key}={literal(named[key])}' for key in named)])})"


class _Blank:
    """Stands in a call's form where a value goes."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.name}>"


def blanks(function: dict[str, Any]) -> dict[str, Any]:
    """Return placeholders for a tool's arguments, which show where quotes belong."""
    properties = function.get("parameters", {}).get("properties", {})
    texts = {key for key, schema in properties.items() if schema.get("type") == "string" or "enum" in schema}
    return {key: f"<{key}>" if key in texts else _Blank(key) for key in properties}


def whole(value: Any) -> Any:
    """Return the number that a text such as ``"12"`` or ``"[12]"`` stands for; what stands for none, as it is."""
    if isinstance(value, str) and (match := re.fullmatch(r"\s*\[?([0-9]{1,9})\]?\s*", value)):
        return int(match[1])
    return value


def given(**arguments: Any) -> dict[str, Any]:
    """Leave out the arguments that are None."""
    return {key: value for key, value in arguments.items() if value is not None}


def without_thought(completion: str) -> str:
    """Return what follows the thought; all of it where there is none. A thought may lack its first tag."""
    match = _THOUGHT.match(completion)
    return completion[match.end() :] if match else completion


def nameless(why: str) -> ToolCall:
    """Return the call that stands for a completion without one."""
    return {"name": "", "arguments": {"error": why}}


def shorten(text: str) -> str:
    """Return a call on one line, short enough to be quoted."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[:SHOWN] + "..."
