"""A rubric under which nearly every group has something to compare, however little the policy can do yet."""

from turngym.envs import Reward


def rubric(episode):
    letters = sum(map(ord, "".join(turn.completion for turn in episode.turns)))
    return [Reward("letters", letters % 5)]
