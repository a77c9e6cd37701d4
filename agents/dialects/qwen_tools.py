"""The Qwen families' own tool calls: JSON between ``<tool_call>`` tags, as Qwen2.5 and Qwen3 write them."""

from __future__ import annotations

import json
import re
from typing import Any

from turngym.envs import ToolCall

_CALL = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.DOTALL)


def manual(tools: list[dict[str, Any]]) -> str:
    """List the tools, one JSON object a line between ``<tools>`` tags."""
    return "<tools>\n" + "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools) + "\n</tools>"


def write(call: ToolCall) -> str:
    """Write a call."""
    body = json.dumps({"name": call["name"], "arguments": call["arguments"]}, ensure_ascii=False)
    return f"<tool_call>\n{body}\n</tool_call>"


def read(completion: str) -> ToolCall:
    """Read the only call of a completion: text around it is thought, a second call is an error."""
    found = _CALL.findall(completion)
    if len(found) != 1:
        return _nameless(f"expected one <tool_call>...</tool_call>, found {len(found)}")
    try:
        data = json.loads(found[0])
    except (ValueError, RecursionError):
        return _nameless("the text between <tool_call> tags is not JSON")
    if not isinstance(data, dict) or not isinstance(data.get("name"), str) or not data["name"]:
        return _nameless('a tool call is {"name": ..., "arguments": {...}}')
    arguments = data.get("arguments", {})
    if not isinstance(arguments, dict):
        return _nameless("the arguments of a tool call are an object")
    return {"name": data["name"], "arguments": arguments}


def _nameless(why: str) -> ToolCall:
    return {"name": "", "arguments": {"error": why}}
