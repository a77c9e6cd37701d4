from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from turngym.agents.engines import Prompt
from turngym.agents.engines.hf import HFEngine
from turngym.agents.models import tiny
from turngym.agents.models.vlm import VLM, PixelCache, Pixels, Row
from turngym.envs import BadInput
from turngym.trainers.rows import score

CALL = '<tool_call>\n{"name": "click", "arguments": {"x": 57, "y": 80}}\n</tool_call>'


@pytest.fixture(scope="module", params=tiny.NAMES)
def vlm(request):
    return tiny.build(request.param, [CALL, "Click on the lime box."] * 20)


@pytest.fixture(scope="module", params=[name for name in tiny.NAMES if name.endswith("_vl")])
def seeing(request):
    return tiny.build(request.param, [CALL, "Click on the lime box."] * 20)


def picture(seed, size=(56, 84)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)


def context(vlm, text, images):
    parts = [{"type": "image"}] * images + [{"type": "text", "text": text}] if images else text
    chat = vlm.tokenizer.apply_chat_template(
        [{"role": "user", "content": parts}], add_generation_prompt=True, tokenize=False
    )
    return tuple(vlm.tokenizer(chat)["input_ids"])


def rows(vlm):
    if not vlm.sees:
        texts = {"Click on the lime box.": (5, 6, 7), "No picture.": (8,), "Two.": (9, 10, 11, 12, 13)}
        return [Row(context(vlm, text, 0), (), completion) for text, completion in texts.items()]
    return [
        Row(context(vlm, "Click on the lime box.", 1), (picture(0),), (5, 6, 7)),
        Row(context(vlm, "No picture.", 0), (), (8,)),
        Row(context(vlm, "Two.", 2), (picture(1), picture(2, (84, 56))), (9, 10, 11, 12, 13)),
    ]


def test_a_call_is_a_few_tokens_and_text_is_lossless(vlm):
    ids = vlm.tokenizer(CALL)["input_ids"]
    assert len(ids) == 9
    assert vlm.tokenizer.decode(ids) == CALL
    odd = "äöü 🦊\t\r\n  {x}"
    assert vlm.tokenizer.decode(vlm.tokenizer(odd)["input_ids"]) == odd


@pytest.mark.parametrize("pad_left", [False, True])
def test_positions_are_the_models_own(vlm, pad_left):
    inputs = vlm.collate(rows(vlm), pad_left=pad_left)
    if not vlm.sees:
        places = [inputs.position_ids[row][inputs.attention_mask[row].bool()].tolist() for row in range(3)]
        assert places == [list(range(len(row.context + row.completion))) for row in rows(vlm)]
        return
    own, _ = vlm.model.model.get_rope_index(
        inputs.input_ids, inputs.mm_token_type_ids, inputs.image_grid_thw, attention_mask=inputs.attention_mask
    )
    assert torch.equal(own, inputs.position_ids)


@torch.no_grad()
def test_padding_and_company_change_nothing(vlm):
    together = score(vlm, rows(vlm))
    for index, row in enumerate(rows(vlm)):
        alone = score(vlm, [row])
        length = len(row.completion)
        assert together.mask[index].sum() == length
        torch.testing.assert_close(together.logp[index, :length], alone.logp[0], atol=1e-5, rtol=0)


@torch.no_grad()
def test_sampling_and_scoring_agree_over_ragged_lengths(vlm):
    prompts = [Prompt(row.context, row.images, seed) for seed, row in enumerate(rows(vlm) * 3)]
    with ends_sooner(vlm):
        completions = HFEngine(vlm).sample(prompts, temperature=0.7, max_new_tokens=12)
        scored = score(vlm, [Row(p.ids, p.images, c.ids) for p, c in zip(prompts, completions, strict=True)], 0.7)
    assert len({len(c.ids) for c in completions}) > 1
    for index, completion in enumerate(completions):
        found = scored.logp[index, : len(completion.ids)]
        torch.testing.assert_close(found, torch.tensor(completion.logprobs), atol=1e-4, rtol=0)
        assert not vlm.forbidden[list(completion.ids)].any()
        assert completion.truncated == (completion.ids[-1] != vlm.eos)


@torch.no_grad()
def test_a_completion_does_not_depend_on_its_batch_and_ends_where_it_ends(vlm):
    engine = HFEngine(vlm)
    everyone = [Prompt(row.context, row.images, seed) for seed in range(6) for row in rows(vlm)]
    with ends_sooner(vlm):
        together = engine.sample(everyone, temperature=1.0, max_new_tokens=4)
        alone = [engine.sample([prompt], temperature=1.0, max_new_tokens=4)[0] for prompt in everyone]
    assert [c.ids for c in together] == [c.ids for c in alone]
    assert len({len(c.ids) for c in together}) > 2
    assert {c.truncated for c in together} == {False, True}
    for completion in together:
        assert vlm.eos not in completion.ids[:-1]
        assert completion.ids[-1] == vlm.eos or (completion.truncated and len(completion.ids) == 4)


@contextmanager
def ends_sooner(vlm):
    """Make the end of a turn likelier: an untrained model hardly ever says it."""

    def nudge(module, args, logits):
        logits[..., vlm.eos] += 4.0
        return logits

    hook = vlm.model.lm_head.register_forward_hook(nudge)
    try:
        yield
    finally:
        hook.remove()


@torch.no_grad()
def test_temperature_zero_takes_the_likeliest(vlm):
    prompts = [Prompt(row.context, row.images, seed) for row in rows(vlm) for seed in (1, 2)]
    found = HFEngine(vlm).sample(prompts, temperature=0.0, max_new_tokens=4)
    for first, second in zip(found[::2], found[1::2], strict=True):
        assert first.ids == second.ids


@torch.no_grad()
def test_sampling_follows_the_distribution(vlm):
    row = rows(vlm)[1]
    draws = HFEngine(vlm).sample([Prompt(row.context, (), s) for s in range(2000)], temperature=1.0, max_new_tokens=1)
    counts = np.bincount([c.ids[0] for c in draws], minlength=len(vlm.forbidden))
    probability = np.zeros(len(counts))
    for completion in draws:
        probability[completion.ids[0]] = np.exp(completion.logprobs[0])
    # Pearson's statistic over the ids that were drawn; its standard deviation is about sqrt(2 * ids).
    seen = probability > 0
    statistic = ((counts - 2000 * probability)[seen] ** 2 / (2000 * probability[seen])).sum()
    assert statistic < seen.sum() + 6 * np.sqrt(2 * seen.sum())


def test_saving_and_loading_keeps_everything(vlm, tmp_path):
    vlm.save(tmp_path / "model")
    again = VLM.load(str(tmp_path / "model"))
    with torch.no_grad():
        torch.testing.assert_close(score(again, rows(again)).logp, score(vlm, rows(vlm)).logp, atol=0, rtol=0)
    assert again.tokenizer(CALL)["input_ids"] == vlm.tokenizer(CALL)["input_ids"]


def test_equal_seeds_build_equal_models_and_leave_torch_alone():
    state = torch.random.get_rng_state()
    one, two, other = (tiny.build("tiny-qwen2_5_vl", [CALL], seed=s) for s in (1, 1, 2))
    assert torch.equal(state, torch.random.get_rng_state())
    weights = [m.model.model.language_model.layers[0].mlp.up_proj.weight for m in (one, two, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("name", ["./no/such/folder", "."])
def test_a_folder_without_a_model(name):
    with pytest.raises(BadInput, match="no model in"):
        VLM.load(name)


def test_a_model_of_another_family(seeing, tmp_path, monkeypatch):
    seeing.save(tmp_path / "model")
    stranger = SimpleNamespace(config=SimpleNamespace(image_token_id=7, video_token_id=None))
    monkeypatch.setattr("transformers.AutoModelForImageTextToText.from_pretrained", lambda *_, **__: stranger)
    why = "not of the Qwen-VL families: its config has no video_token_id, its config has no vision_start_token_id$"
    with pytest.raises(BadInput, match=why):
        VLM.load(str(tmp_path / "model"))


def test_images_are_kept_by_what_they_take():
    cache = PixelCache(most=1000)

    def put(name, floats):
        cache.put(name, Pixels(torch.zeros(floats), (1, 1, 1)))

    for name in (b"a", b"b", b"c"):
        put(name, 80)
    assert (cache.bytes, cache.get(b"a") is not None) == (960, True)
    put(b"d", 90)  # what was not used for longest has to go: b, since a was just asked for
    assert [name for name in (b"a", b"b", b"c", b"d") if cache.get(name)] == [b"a", b"c", b"d"]
    assert cache.bytes == 1000
    put(b"huge", 251)
    assert (cache.bytes, cache.get(b"huge")) == (0, None)


def test_a_twin_has_other_weights_and_the_same_images(seeing):
    other = tiny.build("tiny-qwen2_5_vl", [CALL], seed=1).model
    twin = seeing.twin(other)
    assert twin.model is other
    assert twin.pixels(picture(3)) is seeing.pixels(picture(3))


@pytest.mark.parametrize("damage", [lambda whole: whole[: len(whole) // 2], lambda whole: b"no weights"])
def test_damaged_weights(vlm, tmp_path, damage):
    vlm.save(tmp_path / "model")
    (weights,) = (tmp_path / "model").glob("*.safetensors")
    weights.write_bytes(damage(weights.read_bytes()))
    with pytest.raises(BadInput, match=r"cannot load model '.*model': ") as refusal:
        VLM.load(str(tmp_path / "model"))
    assert "\n" not in str(refusal.value)


def test_a_language_model_that_nobody_can_talk_to(tmp_path):
    vlm = tiny.build("tiny-qwen3", [CALL])
    vlm.tokenizer.chat_template = None
    vlm.save(tmp_path / "model")
    with pytest.raises(BadInput, match=r"its tokenizer has no chat_template$"):
        VLM.load(str(tmp_path / "model"))
