"""A policy behind a chat API (the OpenAI-compatible form that most servers speak, vLLM's among them)."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from typing import Any

from PIL import Image as Pictures

from turngym.agents import dialects
from turngym.agents.language import system_prompt
from turngym.agents.renderer import visible
from turngym.agents.rollout import Decision, View
from turngym.envs import BadInput, Image, InfraError, Observation, ToolCallSpace
from turngym.envs.scenario import PolicyBlock

REQUEST_SECONDS = 120.0


class ChatPolicy:
    """Asks ``url`` (up to and including ``/v1``) for the next completion of ``model``, one request a turn.

    The key, if one is needed, is read from the environment variable ``OPENAI_API_KEY``. A server that does not answer
    is an :class:`InfraError`, which ends the evaluation: it says nothing about the model. An address that cannot be one
    is :class:`BadInput` at once.
    """

    version = 0

    def __init__(self, url: str, model: str, block: PolicyBlock, space: ToolCallSpace) -> None:
        self.name = model
        self._url = endpoint(url)
        self._block = block
        self._dialect = dialects.find(block.dialect)
        self._system = system_prompt(block.model_copy(update={"prompt": block.prompt or "tools"}), space)

    def act(self, views: Sequence[View]) -> list[Decision]:
        """Ask for each view in turn."""
        decisions = []
        for view in views:
            text = self._ask(self._messages(view))
            decisions.append(Decision(self._dialect.read(text), text))
        return decisions

    def _messages(self, view: View) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        if self._system is not None:
            messages.append({"role": "system", "content": self._system})
        observations = [turn.observation for turn in view.turns] + [view.observation]
        for index, seen in enumerate(visible(self._block.context, observations, view.instruction)):
            messages.append({"role": "user", "content": _content(seen)})
            if index < len(view.turns):
                messages.append({"role": "assistant", "content": view.turns[index].completion})
        return messages

    def _ask(self, messages: list[dict[str, Any]]) -> str:
        body = {
            "model": self.name,
            "messages": messages,
            "temperature": self._block.temperature,
            "max_tokens": self._block.max_new_tokens,
        }
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get("OPENAI_API_KEY"):
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(self._url, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as answer:
                return str(json.load(answer)["choices"][0]["message"]["content"] or "")
        except urllib.error.HTTPError as error:
            raise InfraError("api_failed", f"{self._url}: HTTP {error.code}: {_beginning(error)!r}") from None
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
            raise InfraError("api_failed", f"{self._url}: {error or type(error).__name__}") from None


def endpoint(url: str) -> str:
    """Return where to ask for a completion, given an API's address; :class:`BadInput` if that is none."""
    try:
        parts = urllib.parse.urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, half a bracket
        sound = False
    if not sound or not url.isascii() or not url.isprintable() or " " in url:
        raise BadInput(f"--api {url!r}: not an address such as http://localhost:8000/v1")
    return url.rstrip("/") + "/chat/completions"


def _beginning(error: urllib.error.HTTPError) -> bytes:
    """Read what a server says of its refusal, as far as it can be read."""
    try:
        with error:
            return error.read(200)
    except (OSError, http.client.HTTPException):
        return b""


def _content(seen: Observation) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": _data_uri(image)}} for image in seen["images"]
    ]
    return [*parts, {"type": "text", "text": seen["text"]}]


def _data_uri(image: Image) -> str:
    buffer = io.BytesIO()
    Pictures.fromarray(image).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
