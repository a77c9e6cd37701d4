"""Environments: nouns, spaces, registry, families. Importing this loads no browser, torch or container engine."""

from turngym.envs.core import Outcome, Refused, TurnEnv
from turngym.envs.registry import Entry, entries, find, make, register
from turngym.envs.registry import load_entry_points as _load_entry_points
from turngym.envs.spaces import Tool, ToolCallSpace, Unicode, observation_space
from turngym.envs.types import (
    TERMINAL,
    BadInput,
    Element,
    Episode,
    Group,
    Image,
    InfraError,
    InfraFailure,
    Observation,
    Reward,
    Rubric,
    StopReason,
    Task,
    Tokens,
    ToolCall,
    Turn,
)

__all__ = [
    "TERMINAL",
    "BadInput",
    "Element",
    "Entry",
    "Episode",
    "Group",
    "Image",
    "InfraError",
    "InfraFailure",
    "Observation",
    "Outcome",
    "Refused",
    "Reward",
    "Rubric",
    "StopReason",
    "Task",
    "Tokens",
    "Tool",
    "ToolCall",
    "ToolCallSpace",
    "Turn",
    "TurnEnv",
    "Unicode",
    "entries",
    "find",
    "make",
    "observation_space",
    "register",
]

_load_entry_points()  # last: third parties' packages import this one
