"""Engines: what samples from a model. One method, so that a fake, Hugging Face and vLLM are interchangeable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from turngym.envs import Image


@dataclass(frozen=True, slots=True)
class Prompt:
    """What to continue."""

    ids: tuple[int, ...]
    """Context ids, one placeholder an image."""
    images: tuple[Image, ...]
    seed: int
    """Of this completion's own randomness: equal prompts and seeds give equal completions, in any batch."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What was sampled."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    """Under the distribution that was sampled from (temperature and forbidden ids applied)."""
    truncated: bool
    """Cut by the token limit before an end of turn."""


class Engine(Protocol):
    """Samples completions, all of one set of weights."""

    version: int
    """Number of updates the weights have seen."""

    def sample(self, prompts: Sequence[Prompt], *, temperature: float, max_new_tokens: int) -> list[Completion]:
        """Continue each prompt; temperature 0 takes the likeliest id. Lengths may differ."""

    def update(self, model: Any, version: int) -> None:
        """Take over the weights of ``model``, a torch module."""
