"""The gate lets a sound batch through, and names the fault when one is planted."""

import copy
import dataclasses
import types

import pytest
import torch

from turngym.agents.models.vlm import VLM
from turngym.agents.renderer import Renderer
from turngym.envs.scenario import ContextBlock
from turngym.trainers import gate

from .conftest import build, converse, policy_of


def open_gate(vlm, episodes, keep_images=None):
    return gate.check(vlm, Renderer(vlm.tokenizer, policy=ContextBlock(images=keep_images)), episodes, temperature=1.0)


@pytest.mark.parametrize("keep_images", [None, 1, 2])
def test_a_sound_batch_passes_every_check(vlm, keep_images):
    policy = policy_of(vlm, keep_images=keep_images)
    episodes = [converse(policy, name, turns) for name, turns in (("a", 1), ("b", 3), ("c", 2))]
    assert open_gate(vlm, episodes, keep_images) == list(gate.CHECKS)


class Twisted(VLM):
    """A trainer's model whose batches are wrong in some way; sampling uses the sound one."""

    def __init__(self, sound, twist):
        super().__init__(sound.model, sound.tokenizer, sound.image_processor)
        self._twist = twist

    def collate(self, rows, *, pad_left=False):
        return self._twist(super().collate(rows, pad_left=pad_left), rows)


def no_pixels(inputs, rows):
    return dataclasses.replace(inputs, pixel_values=None, image_grid_thw=None)


def wrong_order(inputs, rows):
    sizes = (inputs.image_grid_thw.prod(-1)).tolist()
    parts = torch.split(inputs.pixel_values, sizes)
    return dataclasses.replace(inputs, pixel_values=torch.cat(parts[::-1]))


def observation_tokens_too(inputs, rows):
    return dataclasses.replace(inputs, completion_mask=inputs.attention_mask.bool())


def text_positions(inputs, rows):
    flat = (inputs.attention_mask.cumsum(-1) - 1).clamp(min=0)
    return dataclasses.replace(inputs, position_ids=flat.expand(3, -1, -1) * inputs.attention_mask)


@pytest.mark.parametrize(
    ("twist", "check"),
    [(no_pixels, "pixels"), (wrong_order, "pixels"), (observation_tokens_too, "mask"), (text_positions, "positions")],
)
def test_a_batch_that_was_built_wrong(vlm, twist, check):
    episodes = [converse(policy_of(vlm), "a", 3)]
    with pytest.raises(gate.GateFailure, match=f"gate: {check}: "):
        open_gate(Twisted(vlm, twist), episodes)


def test_stale_weights_in_the_engine(vlm):
    engine_model = copy.deepcopy(vlm.model)
    sampler = VLM(engine_model, vlm.tokenizer, vlm.image_processor)
    episodes = [converse(policy_of(sampler), "a", 2)]
    assert open_gate(vlm, episodes)
    with torch.no_grad():
        for weight in vlm.model.parameters():
            weight.mul_(1.02)
    with pytest.raises(gate.GateFailure, match=r"logprobs.*stale weights"):
        open_gate(vlm, episodes)


def test_another_temperature_than_in_sampling(vlm):
    episodes = [converse(policy_of(vlm, temperature=0.5), "a", 1)]
    with pytest.raises(gate.GateFailure, match="logprobs"):
        open_gate(vlm, episodes)


class LosesTheBoundary(Renderer):
    """Forgets the line break that the chat template puts after an end of turn."""

    def _render_segment(self, text, images, opening):
        ids = super()._render_segment(text, images, opening)
        return ids if opening else ids[1:]


def test_a_lost_turn_boundary_token(vlm):
    policy = policy_of(vlm, renderer=LosesTheBoundary)
    episodes = [converse(policy, "a", 3)]
    with pytest.raises(gate.GateFailure, match=r"gate: (ids|template): episode a, turn 1"):
        open_gate(vlm, episodes)
    # The trainer's renderer having the same bug does not hide it.
    with pytest.raises(gate.GateFailure, match=r"gate: template: episode a, turn 1"):
        gate.check(vlm, policy.renderer, episodes, temperature=1.0)


class TokenisesAgain(Renderer):
    """Writes the history as text and tokenises it again."""

    def closed(self, turn):
        said = self._tokenizer.decode(super().closed(turn)[:-1], skip_special_tokens=False)
        return self.encode(said)


def test_a_history_that_was_tokenised_again():
    vlm = build()
    policy = policy_of(vlm, renderer=TokenisesAgain)
    # Find a conversation whose text has another tokenisation than the one sampled.
    for number in range(20):
        episode = converse(policy, f"e{number}", 2)
        ids = episode.turns[0].tokens.ids
        if policy.renderer.closed(episode.turns[0])[: len(ids)] != ids:
            break
    else:
        raise AssertionError("no conversation shows the fault")
    with pytest.raises(gate.GateFailure, match=r"gate: ids: .*turn 1"):
        open_gate(vlm, [episode])
    with pytest.raises(gate.GateFailure, match=r"gate: ids: .*the ids sampled in turn 0 are not in the context"):
        gate.check(vlm, policy.renderer, [episode], temperature=1.0)


def test_a_blind_model(vlm):
    def blind(self, pixel_values, grid_thw, **kwargs):
        return type(self).forward(self, torch.zeros_like(pixel_values), grid_thw, **kwargs)

    vlm.model.model.visual.forward = types.MethodType(blind, vlm.model.model.visual)
    episodes = [converse(policy_of(vlm), "a", 2)]
    with pytest.raises(gate.GateFailure, match=r"gate: sight"):
        open_gate(vlm, episodes)


PAGES = ContextBlock(images=0, pages=1)


def read_pages(policy, name, turns=3):
    return converse(
        policy, name, turns, text="Click on red.\n[{number}] a page of many words", instruction="Click on red."
    )


class KeepsPages(Renderer):
    """Forgets to reduce old pages to a stub, and the images are gone as they should."""

    def context(self, turns, observation, instruction=""):
        return Renderer(self._tokenizer, policy=ContextBlock(images=0)).context(turns, observation, instruction)

    def conversation(self, turns, observation, instruction=""):
        return Renderer(self._tokenizer, policy=ContextBlock(images=0)).conversation(turns, observation, instruction)


def test_a_batch_of_compressed_pages_passes_every_check():
    vlm = build("tiny-qwen3")
    policy = policy_of(vlm, context=PAGES)
    episodes = [read_pages(policy, name) for name in "ab"]
    assert "(an earlier page)" in vlm.tokenizer.decode(episodes[0].turns[2].tokens.context)
    assert gate.check(vlm, policy.renderer, episodes, temperature=1.0) == list(gate.CHECKS)


def test_a_page_that_was_not_compressed():
    vlm = build()
    policy = policy_of(vlm, renderer=KeepsPages, context=PAGES)
    episodes = [read_pages(policy, "a")]
    with pytest.raises(gate.GateFailure, match=r"gate: ids: episode a, turn 1"):
        gate.check(vlm, Renderer(vlm.tokenizer, policy=PAGES), episodes, temperature=1.0)
    # The trainer's renderer having the same bug does not hide it.
    with pytest.raises(gate.GateFailure, match=r"gate: pages: episode a, turn 1: the page of turn 0 is still in the "):
        gate.check(vlm, policy.renderer, episodes, temperature=1.0)


def test_a_page_that_comes_back_after_it_was_dropped():
    vlm = build()
    sound = policy_of(vlm, context=PAGES)
    episodes = [read_pages(sound, "a")]
    page = tuple(vlm.tokenizer("[0] a page of many words")["input_ids"])

    def put_back(rows):
        last = dataclasses.replace(rows[2], context=(*page, *rows[2].context))
        return [*rows[:2], last, *rows[3:]]

    class PutsBack(VLM):
        def collate(self, rows, *, pad_left=False):
            return super().collate(put_back(rows), pad_left=pad_left)

    with pytest.raises(gate.GateFailure, match=r"gate: pages: episode a, turn 2: the page of turn 0"):
        gate.check(PutsBack(vlm.model, vlm.tokenizer, vlm.image_processor), sound.renderer, episodes, temperature=1.0)
