import math

import pytest
import torch

from turngym.trainers.objectives import (
    aggregate,
    group_advantages,
    k3,
    logprobs_and_entropy,
    policy_loss,
    token_weights,
)


def test_grpo_advantages_are_standard_scores_with_the_unbiased_deviation():
    found = group_advantages([1.0, 0.0, 0.0, 0.0])
    std = math.sqrt((0.75**2 + 3 * 0.25**2) / 3)
    assert found == pytest.approx([0.75 / std] + [-0.25 / std] * 3, rel=1e-5)


def test_dr_grpo_leaves_the_deviation_out_and_rloo_compares_with_the_others():
    assert group_advantages([1.0, 0.0], "dr_grpo") == pytest.approx([0.5, -0.5])
    assert group_advantages([1.0, 0.0, 0.0], "rloo") == pytest.approx([1.0, -0.5, -0.5])


@pytest.mark.parametrize("estimator", ["grpo", "dr_grpo", "rloo"])
@pytest.mark.parametrize("rewards", [[], [1.0], [-1.0], [0.3, 0.3, 0.3]])
def test_nothing_to_compare_gives_no_advantage(rewards, estimator):
    assert group_advantages(rewards, estimator) == [0.0] * len(rewards)


def test_trajectory_turn_token_weights_episodes_alike_whatever_their_turns_and_lengths():
    # Episode A: one turn of 2 tokens. Episode B: two turns of 1 and 3 tokens.
    turns, tokens, total = torch.tensor([1.0, 2.0, 2.0]), torch.tensor([2.0, 1.0, 3.0]), torch.tensor([2.0, 4.0, 4.0])
    mask = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 1]]).bool()
    values = torch.tensor([[1.0, 3.0, 99.0], [10.0, 99.0, 99.0], [4.0, 5.0, 6.0]])
    weights = token_weights("traj-turn-token", turns, tokens, total)
    assert aggregate(values, mask, weights).item() == pytest.approx((2.0 + (10.0 + 5.0) / 2) / 2)
    weights = token_weights("seq-token", turns, tokens, total)
    assert aggregate(values, mask, weights).item() == pytest.approx((2.0 + 25.0 / 4) / 2)
    weights = token_weights("token-mean", turns, tokens, total)
    assert aggregate(values, mask, weights).item() == pytest.approx(29.0 / 6)


def _loss(ratio: float, advantage: float):
    logp = torch.tensor([[math.log(ratio)]], requires_grad=True)
    found = policy_loss(
        logp, torch.zeros(1, 1), torch.tensor([advantage]), torch.ones(1, 1).bool(), torch.ones(1),
        clip_low=0.2, clip_high=0.28,
    )  # fmt: skip
    found.loss.backward()
    return found.loss.item(), logp.grad.item(), found.clipped.item()


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "gradient", "clipped"),
    [
        (1.0, 2.0, -2.0, -2.0, 0.0),
        (1.5, 1.0, -1.28, 0.0, 1.0),  # enough of a good thing
        (0.5, 1.0, -0.5, -0.5, 0.0),
        (0.5, -1.0, 0.8, 0.0, 1.0),  # enough of a bad one
        (1.5, -1.0, 1.5, 1.5, 0.0),
    ],
)
def test_clipped_surrogate(ratio, advantage, loss, gradient, clipped):
    assert _loss(ratio, advantage) == pytest.approx((loss, gradient, clipped), abs=1e-6)


def test_padding_counts_for_nothing_even_where_its_ratio_would_overflow():
    mask = torch.tensor([[True, False]])
    logp = torch.tensor([[0.0, 500.0]], requires_grad=True)
    found = policy_loss(logp, torch.zeros(1, 2), torch.tensor([1.0]), mask, torch.ones(1))
    found.loss.backward()
    assert found.loss.item() == pytest.approx(-1.0)
    assert logp.grad.tolist() == [[-1.0, 0.0]]


def test_k3_is_zero_at_equality_and_matches_its_closed_form():
    now = torch.tensor([0.0, -math.log(2.0), 0.0])
    assert k3(now, torch.zeros(3)).tolist() == pytest.approx([0.0, 2 - 1 - math.log(2.0), 0.0])
    assert k3(torch.zeros(1), torch.tensor([-math.log(2.0)])).item() == pytest.approx(0.5 + math.log(2.0) - 1)


def test_log_probabilities_leave_out_forbidden_ids_and_use_the_temperature():
    logits = torch.tensor([[0.0, 0.0, 50.0, math.log(4.0)]])
    forbidden = torch.tensor([False, False, True, False])
    logp, entropy = logprobs_and_entropy(logits, torch.tensor([3]), forbidden, 1.0)
    assert logp.item() == pytest.approx(math.log(4 / 6))
    assert entropy.item() == pytest.approx(-(4 / 6 * math.log(4 / 6) + 2 / 6 * math.log(1 / 6)), abs=1e-6)
    logp, _ = logprobs_and_entropy(logits, torch.tensor([3]), forbidden, 2.0)
    assert logp.item() == pytest.approx(math.log(2 / 4))
