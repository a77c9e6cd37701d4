"""Dialects: how a model writes a tool call. One module each; an environment never knows which one is spoken.

A dialect is a module-like object with three functions, see :class:`Dialect`. Model output is parsed as data, never
evaluated.
"""

from __future__ import annotations

from typing import Any, Protocol

from turngym.agents.dialects import browsergym, qwen_tools, webagent_r1
from turngym.envs import BadInput, ToolCall


class Dialect(Protocol):
    """Text to tool calls and back."""

    def manual(self, tools: list[dict[str, Any]]) -> str:
        """Describe the tools, for a system prompt."""

    def write(self, call: ToolCall) -> str:
        """Write a call the way the model should."""

    def read(self, completion: str) -> ToolCall:
        """Find the call in a completion; one without a call comes back nameless, with the reason (never raises)."""


DIALECTS: dict[str, Dialect] = {"qwen-tools": qwen_tools, "webagent-r1": webagent_r1, "browsergym": browsergym}


def find(name: str) -> Dialect:
    """Return the dialect called ``name``."""
    if name not in DIALECTS:
        raise BadInput(f"unknown dialect {name!r}; there is {', '.join(DIALECTS)}")
    return DIALECTS[name]
