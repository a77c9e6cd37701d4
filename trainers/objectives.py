"""Objectives: pure functions of tensors. B rows (one a turn), T sampled tokens, G episodes of a group.

Group-relative advantages and the clipped objective are those of GRPO (Shao et al. 2024, arXiv:2402.03300), with the
variants that are named where they appear. The aggregation over turns is M-GRPO's (WebAgent-R1, arXiv:2505.16421).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Estimator = Literal["grpo", "dr_grpo", "rloo"]
Aggregation = Literal["traj-turn-token", "token-mean", "seq-token"]


def group_advantages(rewards: Sequence[float], estimator: Estimator = "grpo", eps: float = 1e-6) -> list[float]:
    """Advantages of the episodes of one group, relative to each other.

    ``grpo``: (R - mean) / (std + eps), the unbiased standard deviation; ``dr_grpo``: R - mean (Liu et al. 2025,
    arXiv:2503.20783); ``rloo``: R minus the mean of the others (Ahmadian et al. 2024, arXiv:2402.14740).
    A group of fewer than two, or of equal rewards, has nothing to compare: zeros.
    """
    count = len(rewards)
    if count < 2 or max(rewards) == min(rewards):
        return [0.0] * count
    values = torch.tensor(rewards, dtype=torch.float64)
    centred = values - values.mean()
    if estimator == "grpo":
        centred = centred / (values.std() + eps)
    elif estimator == "rloo":
        centred = centred * count / (count - 1)
    found: list[float] = centred.tolist()
    return found


def token_weights(aggregation: Aggregation, turns: Tensor, tokens: Tensor, episode_tokens: Tensor) -> Tensor:
    """Weight of each token of a row, shape (B,), before normalisation.

    ``turns`` (B,): turns of the row's episode; ``tokens`` (B,): sampled tokens of the row; ``episode_tokens`` (B,):
    sampled tokens of its episode.
    ``traj-turn-token``: mean over episodes of the mean over turns of the mean over tokens, so that neither long
    episodes nor long turns weigh more. ``seq-token``: mean over episodes of the mean over their tokens.
    ``token-mean``: mean over all tokens (DAPO, arXiv:2503.14476).
    """
    if aggregation == "traj-turn-token":
        return 1.0 / (turns * tokens)
    if aggregation == "seq-token":
        return 1.0 / episode_tokens
    return torch.ones_like(tokens)


def aggregate(values: Tensor, mask: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of ``values`` (B, T) where ``mask`` (B, T) holds, with a weight a row (B,): a scalar.

    The denominator is the sum of the weights of the masked tokens: the number of episodes, for whole episodes under
    ``traj-turn-token`` and ``seq-token``.
    """
    weighted = mask * weights[:, None]
    return (values * weighted).sum() / weighted.sum().clamp(min=1e-12)


@dataclass(frozen=True, slots=True)
class PolicyLoss:
    """The clipped objective and what to watch about it; scalars."""

    loss: Tensor
    clipped: Tensor
    """Share of tokens where the clip was active."""
    kl: Tensor
    """k3 estimate of KL(old || new), nats a token."""


def policy_loss(
    logp: Tensor,
    old_logp: Tensor,
    advantages: Tensor,
    mask: Tensor,
    weights: Tensor,
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.28,
) -> PolicyLoss:
    """PPO's clipped surrogate at token level, with DAPO's wider upper bound.

    ``logp``, ``old_logp`` (B, T): log-probabilities of the sampled ids now and when they were sampled; ``advantages``
    (B,); ``mask`` (B, T) bool; ``weights`` (B,) from :func:`token_weights`.
    """
    log_ratio = torch.where(mask, logp - old_logp, 0.0)
    ratio = log_ratio.exp()
    advantage = advantages[:, None]
    plain = ratio * advantage
    clipped = ratio.clamp(1 - clip_low, 1 + clip_high) * advantage
    with torch.no_grad():
        share = aggregate((clipped < plain).float(), mask, weights)
        kl = aggregate(ratio - 1 - log_ratio, mask, weights)
    return PolicyLoss(aggregate(-torch.minimum(plain, clipped), mask, weights), share, kl)


def k3(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """Schulman's k3 estimate of KL(now || reference), elementwise: exp(d) - d - 1 with d = ref - now; never negative.

    The exponent is clamped to +-20 and the value to 10.
    """
    d = (ref_logp - logp).clamp(-20, 20)
    return (d.exp() - d - 1).clamp(max=10)


def logprobs_and_entropy(logits: Tensor, ids: Tensor, forbidden: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Log-probability of ``ids`` (N,) and entropy (N,), in nats, under the distribution that was sampled from.

    ``logits`` (N, V); ``forbidden`` (V,) bool: ids that sampling never takes; ``temperature`` as in sampling (0, the
    greedy choice, is scored at 1).
    """
    scores = logits.float().masked_fill(forbidden, -1e9) / (temperature or 1.0)
    logp = scores.log_softmax(-1)
    entropy = -(logp.exp() * logp.masked_fill(forbidden, 0.0)).sum(-1)
    return logp.gather(-1, ids[:, None])[:, 0], entropy
