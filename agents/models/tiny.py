"""Tiny models of real architectures, built on this machine: random weights, own byte-level tokenizer.

They save and load like any checkpoint (``AutoModelForImageTextToText``, ``AutoTokenizer``, ``AutoImageProcessor``) and
learn in minutes on a CPU. About 2 million parameters: four decoder layers of width 128, two vision layers with full
attention; ``tiny-qwen3`` reads only text. Weights are Xavier-normal and embeddings N(0, 0.05): with the families'
default N(0, 0.02) nothing is learned in the first thousand steps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from turngym.agents.models.vlm import VLM

NAMES = ("tiny-qwen2_5_vl", "tiny-qwen3_vl", "tiny-qwen3")

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
TAGS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>")

# The frame of a JSON call stays in one piece, so that the tokenizer can learn it as one token; digits stand alone, as
# in the Qwen tokenizers, so that numbers are spelled; the rest is split into words, punctuation and white space.
SPLIT = "|".join(
    (
        r'\n?\{"name": "[a-z_]+", "arguments": \{(?:"[a-z_]+": "?)?',
        r'"?, "[a-z_]+": "?',
        r'"?\}\}\n?',
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+",
    )
)

# ChatML, as both families use it: one <|image_pad|> an image, a line break after every <|im_end|>.
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message.role + '\n' -}}"
    "{%- if message.content is string -%}{{- message.content -}}"
    "{%- else -%}{%- for part in message.content -%}"
    "{%- if part.type == 'image' -%}{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}"
    "{%- else -%}{{- part.text -}}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{{- '<|im_end|>\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)

WIDTH, LAYERS, HEADS, HEAD_DIM = 128, 4, 4, 32
MAX_IMAGE_PIXELS = 448 * 448


def build(name: str, corpus: Iterable[str], *, vocab_size: int = 768, seed: int = 0) -> VLM:
    """Build the tiny model ``name`` with a tokenizer trained on ``corpus``.

    Global torch randomness is left as it was.
    """
    tokenizer = _tokenizer(corpus, vocab_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        make = {"tiny-qwen2_5_vl": _qwen2_5_vl, "tiny-qwen3_vl": _qwen3_vl, "tiny-qwen3": _qwen3}[name]
        model, image_processor = make(tokenizer)
        _initialise(model)
    model.generation_config.update(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=True
    )
    return VLM(model.float().eval(), tokenizer, image_processor)


def _tokenizer(corpus: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False)
    # Tags are tokens of their own: what stands beside them must not be learned as part of them.
    tags = re.compile("|".join(map(re.escape, SPECIAL + TAGS)))
    bpe.train_from_iterator((piece for text in corpus for piece in tags.split(text)), trainer)
    bpe.add_special_tokens([AddedToken(token, normalized=False) for token in SPECIAL])
    bpe.add_tokens([AddedToken(tag, normalized=False) for tag in TAGS])
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=4096,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        extra_special_tokens={
            "image_token": "<|image_pad|>",
            "video_token": "<|video_pad|>",
            "vision_start_token": "<|vision_start|>",
            "vision_end_token": "<|vision_end|>",
        },
    )


def _text(tokenizer: PreTrainedTokenizerFast, rope: dict[str, Any]) -> dict[str, Any]:
    return {
        "vocab_size": (len(tokenizer) + 63) // 64 * 64,
        "hidden_size": WIDTH,
        "intermediate_size": 3 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "head_dim": HEAD_DIM,
        "max_position_embeddings": 4096,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, **rope},
    }


def _token_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    names = {
        "image_token_id": "<|image_pad|>",
        "video_token_id": "<|video_pad|>",
        "vision_start_token_id": "<|vision_start|>",
        "vision_end_token_id": "<|vision_end|>",
    }
    return {key: int(tokenizer.convert_tokens_to_ids(token)) for key, token in names.items()}


def _qwen2_5_vl(tokenizer: PreTrainedTokenizerFast) -> tuple[Any, Any]:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    config = Qwen2_5_VLConfig(
        text_config=_text(tokenizer, {"mrope_section": [4, 6, 6]}),
        vision_config={
            "depth": 2,
            "hidden_size": WIDTH,
            "intermediate_size": 2 * WIDTH,
            "num_heads": HEADS,
            "out_hidden_size": WIDTH,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "window_size": 112,
            "fullatt_block_indexes": [0, 1],
        },
        tie_word_embeddings=True,
        **_token_ids(tokenizer),
    )
    processor = Qwen2VLImageProcessorPil(
        patch_size=14,
        merge_size=2,
        temporal_patch_size=2,
        size={"shortest_edge": 28 * 28, "longest_edge": MAX_IMAGE_PIXELS},
    )
    return Qwen2_5_VLForConditionalGeneration(config), processor


def _qwen3_vl(tokenizer: PreTrainedTokenizerFast) -> tuple[Any, Any]:
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    config = Qwen3VLConfig(
        text_config=_text(tokenizer, {"mrope_section": [6, 5, 5], "mrope_interleaved": True}),
        vision_config={
            "depth": 2,
            "hidden_size": WIDTH,
            "intermediate_size": 2 * WIDTH,
            "num_heads": HEADS,
            "out_hidden_size": WIDTH,
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "num_position_embeddings": 256,
            "deepstack_visual_indexes": [0],
        },
        tie_word_embeddings=True,
        **_token_ids(tokenizer),
    )
    processor = Qwen2VLImageProcessorPil(
        patch_size=16,
        merge_size=2,
        temporal_patch_size=2,
        size={"shortest_edge": 32 * 32, "longest_edge": MAX_IMAGE_PIXELS},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    return Qwen3VLForConditionalGeneration(config), processor


def _qwen3(tokenizer: PreTrainedTokenizerFast) -> tuple[Any, None]:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    return Qwen3ForCausalLM(Qwen3Config(**_text(tokenizer, {}), tie_word_embeddings=True)), None


def _initialise(model: torch.nn.Module) -> None:
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() < 2:
                continue
            if "embed_tokens" in name:
                torch.nn.init.normal_(weight, 0.0, 0.05)
            else:
                torch.nn.init.xavier_normal_(weight.view(weight.shape[0], -1))
