"""Small real things to train on: a tiny model, and conversations that it really sampled."""

import numpy as np
import pytest
import torch

from turngym.agents.engines.hf import HFEngine
from turngym.agents.language import LanguagePolicy
from turngym.agents.models import tiny
from turngym.agents.renderer import Renderer
from turngym.agents.rollout import View
from turngym.envs import Episode, StopReason, Task, Turn
from turngym.envs.scenario import ContextBlock

torch.set_num_threads(1)  # models this small gain nothing from more, and wait for them where the machine is busy

WORDS = ["<tool_call>\n" + '{"name": "click", "arguments": {"x": 12, "y": 34}}' + "\n</tool_call>", "Click on red."] * 5


def build(name="tiny-qwen2_5_vl", seed=0):
    return tiny.build(name, WORDS, vocab_size=330, seed=seed)


def picture(number):
    return np.random.default_rng(number).integers(0, 256, (56, 56, 3)).astype(np.uint8)


def policy_of(vlm, *, keep_images=None, context=None, renderer=Renderer, temperature=1.0, seed=0):
    return LanguagePolicy(
        HFEngine(vlm),
        renderer(vlm.tokenizer, policy=context or ContextBlock(images=keep_images)),
        vlm.tokenizer,
        dialect="qwen-tools",
        name="tiny",
        seed=seed,
        temperature=temperature,
        max_new_tokens=6,
        max_context=4096,
    )


def converse(policy, name, turns=3, text="Click on red. {number}", instruction=""):
    """Let a policy talk to a world that answers with a new picture each turn and does nothing else."""
    made = []
    for number in range(turns):
        seen = {"text": text.replace("{number}", str(number)), "images": (picture((stable(name) + number) % 2**32),)}
        decision = policy.act([View(name, tuple(made), seen, instruction=instruction)])[0]
        made.append(Turn(seen, decision.completion, decision.call, 0.0, {}, tokens=decision.tokens))
    return Episode(
        id=name,
        env_id="test",
        env_kwargs={},
        task=Task("t", instruction=instruction),
        turns=tuple(made),
        final=None,
        terminated=False,
        truncated=True,
        stop_reason=StopReason.TURN_LIMIT,
    )


def stable(name):
    return sum(ord(letter) * 31**place for place, letter in enumerate(name))


@pytest.fixture(params=["tiny-qwen2_5_vl", "tiny-qwen3_vl"])
def vlm(request):
    return build(request.param)
