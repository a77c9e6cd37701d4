"""From episodes to rows of tensors: one row a turn, in the context that it was sampled in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from turngym.agents.language import images_in_context
from turngym.agents.models.vlm import VLM, Row
from turngym.envs import Episode
from turngym.trainers.objectives import logprobs_and_entropy


@dataclass(frozen=True, slots=True)
class Sample:
    """One turn to train on."""

    row: Row
    logprobs: tuple[float, ...]
    """As sampled, one an id of the completion."""
    advantage: float
    turns: int
    """Of its episode."""
    episode_tokens: int
    """Sampled in its episode."""
    reference: tuple[float, ...] = ()
    """Log-probabilities of the reference, where there is one."""


def samples(episode: Episode, advantage: float) -> list[Sample]:
    """Return a sample for each turn of an episode of a language policy."""
    turns = [turn for turn in episode.turns if turn.tokens is not None]
    total = sum(len(turn.tokens.ids) for turn in turns if turn.tokens)
    found = []
    for index, turn in enumerate(turns):
        tokens = turn.tokens
        assert tokens is not None
        images = images_in_context(turns[:index], turn.observation["images"], tokens.context_images)
        row = Row(tokens.context, images, tokens.ids)
        found.append(Sample(row, tokens.logprobs, advantage, len(turns), total))
    return found


@dataclass(frozen=True, slots=True)
class Scored:
    """Completions of B rows, padded to T tokens."""

    logp: Tensor
    """(B, T)"""
    entropy: Tensor
    """(B, T), nats"""
    mask: Tensor
    """(B, T) bool"""


def score(vlm: VLM, rows: Sequence[Row], temperature: float = 1.0) -> Scored:
    """Score the completions of ``rows`` with one forward pass; logits are computed only where they are needed."""
    inputs = vlm.collate(rows)
    hidden = vlm.model.model(**inputs.kwargs(), use_cache=False).last_hidden_state  # (B, L, D)
    # The id at position p is predicted at p - 1.
    at = inputs.completion_mask[:, 1:]
    logits = vlm.model.lm_head(hidden[:, :-1][at])  # (N, V), N completion ids of all rows
    logp, entropy = logprobs_and_entropy(logits, inputs.input_ids[:, 1:][at], vlm.forbidden, temperature)
    lengths = [len(row.completion) for row in rows]
    mask = torch.arange(max(lengths), device=vlm.device) < torch.tensor(lengths, device=vlm.device)[:, None]
    return Scored(_unpack(logp, mask), _unpack(entropy, mask), mask)


def pad(values: Sequence[Sequence[float]], like: Tensor) -> Tensor:
    """Pad sequences of numbers to the shape of ``like`` (B, T)."""
    padded = torch.zeros(like.shape, dtype=torch.float32)
    for index, row in enumerate(values):
        padded[index, : len(row)] = torch.tensor(row)
    return padded.to(like.device)


def _unpack(values: Tensor, mask: Tensor) -> Tensor:
    """Spread N values over the true places of a (B, T) mask, in order; gradients flow."""
    return torch.zeros(mask.shape, dtype=values.dtype, device=values.device).masked_scatter(mask, values)
