"""From episodes to rows of tensors: one row a turn, in the context that it was sampled in."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

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
    """Sampled in its episode, and carrying loss."""
    start: int = 0
    """Ids of the completion before this one carry no loss."""

    @property
    def tokens(self) -> int:
        """Ids of the completion that carry loss."""
        return len(self.row.completion) - self.start

    reference: tuple[float, ...] = ()
    """Log-probabilities of the reference, where there is one."""


def samples(
    episode: Episode, advantage: float, start_of: Callable[[Sequence[int]], int] = lambda ids: 0
) -> list[Sample]:
    """Return a sample for each turn of an episode of a language policy.

    ``start_of`` says of a completion's ids from which one on they carry loss, see :func:`loss_starts`.
    """
    turns = [(turn, turn.tokens) for turn in episode.turns if turn.tokens is not None]
    starts = [start_of(tokens.ids) for _, tokens in turns]
    total = sum(len(tokens.ids) - start for (_, tokens), start in zip(turns, starts, strict=True))
    found = []
    for index, (turn, tokens) in enumerate(turns):
        earlier = [past for past, _ in turns[:index]]
        images = images_in_context(earlier, turn.observation["images"], tokens.context_images)
        row = Row(tokens.context, images, tokens.ids)
        found.append(Sample(row, tokens.logprobs, advantage, len(turns), total, starts[index]))
    return found


def loss_starts(tokenizer: Any, ids: Sequence[int], after: str | None) -> int:
    """Return the index of the first of a completion's ids that carries loss: the one behind the text ``after``.

    An id that holds the end of the text and more carries loss too. 0 where the text is None or not said, and where
    nothing but the end of the turn follows it.
    """
    if after is None or after not in tokenizer.decode(ids, skip_special_tokens=False):
        return 0
    # A longer beginning holds whatever a shorter one does, so the shortest that holds the text is found by halving.
    count = bisect.bisect_left(range(len(ids)), True, key=lambda n: after in tokenizer.decode(ids[:n]))
    start = count if str(tokenizer.decode(ids[:count])).endswith(after) else count - 1
    return start if any(token != tokenizer.eos_token_id for token in ids[start:]) else 0


@dataclass(frozen=True, slots=True)
class Scored:
    """Completions of B rows, padded to T tokens."""

    logp: Tensor
    """(B, T)"""
    entropy: Tensor
    """(B, T), nats"""
    mask: Tensor
    """(B, T) bool"""

    def carries_loss(self, starts: Sequence[int]) -> Tensor:
        """(B, T) bool: the mask from ``starts`` on, one index a row."""
        places = torch.arange(self.mask.shape[1], device=self.mask.device)
        return self.mask & (places >= torch.tensor(starts, device=self.mask.device)[:, None])


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
