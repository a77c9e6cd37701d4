"""The Hugging Face engine: batched sampling with a key-value cache, on the trainer's own weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache

from turngym.agents.engines import Completion, Prompt
from turngym.agents.models.vlm import VLM, Row, digest


class HFEngine:
    """Samples from a :class:`VLM` in this process.

    Cost of a call: one pass over the padded prompts, equal ones once (a group shares its first), then one pass a new
    token over the rows that are still going.
    Randomness is a stream of uniforms for each prompt, seeded by the prompt: a completion does not depend on what
    else is in the batch (up to floating-point summation order).
    """

    def __init__(self, vlm: VLM, version: int = 0) -> None:
        self.vlm = vlm
        self.version = version

    def update(self, model: Any, version: int) -> None:
        """Take over weights: nothing to copy when ``model`` is the very module that this engine samples from."""
        if model is not self.vlm.model:
            self.vlm.model.load_state_dict(model.state_dict())
        self.version = version

    @torch.no_grad()
    def sample(self, prompts: Sequence[Prompt], *, temperature: float, max_new_tokens: int) -> list[Completion]:
        """Continue each prompt."""
        if not prompts:
            return []
        vlm = self.vlm
        keys = [(p.ids, *map(digest, p.images)) for p in prompts]
        distinct = dict(zip(keys, prompts, strict=True))
        inputs = vlm.collate([Row(p.ids, p.images) for p in distinct.values()], pad_left=True)
        uniforms = np.stack([np.random.default_rng(p.seed).random(max_new_tokens) for p in prompts])
        model, was_training = vlm.model, vlm.model.training
        model.eval()
        cache = DynamicCache(config=model.config.get_text_config())
        out = model(**inputs.kwargs(), past_key_values=cache, use_cache=True, logits_to_keep=1)
        numbers = {key: number for number, key in enumerate(distinct)}
        rows = torch.tensor([numbers[key] for key in keys], device=vlm.device)  # from distinct prompts to all of them
        cache.batch_select_indices(rows)
        logits = out.logits[rows, -1]
        # (B,), the same on all three axes where there are three.
        position = inputs.position_ids.reshape(-1, *inputs.input_ids.shape).amax(dim=(0, 2))[rows] + 1
        attention = inputs.attention_mask[rows]
        ids: list[list[int]] = [[] for _ in prompts]
        logprobs: list[list[float]] = [[] for _ in prompts]
        live = list(range(len(prompts)))
        for t in range(max_new_tokens):
            token, logprob = self._draw(logits, temperature, uniforms[live, t])
            for row, index in enumerate(live):
                ids[index].append(int(token[row]))
                logprobs[index].append(float(logprob[row]))
            going = [row for row, index in enumerate(live) if ids[index][-1] != vlm.eos]
            if not going or t + 1 == max_new_tokens:
                break
            if len(going) < len(live):
                keep = torch.tensor(going, device=vlm.device)
                cache.batch_select_indices(keep)
                token, position, attention = token[keep], position[keep], attention[keep]
                live = [live[row] for row in going]
            attention = torch.cat([attention, attention.new_ones(len(live), 1)], dim=1)
            logits = model(
                input_ids=token[:, None],
                attention_mask=attention,
                position_ids=vlm.next_positions(position),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]
            position = position + 1
        model.train(was_training)
        return [
            Completion(tuple(i), tuple(lp), truncated=i[-1] != vlm.eos) for i, lp in zip(ids, logprobs, strict=True)
        ]

    def _draw(self, logits: Tensor, temperature: float, uniform: np.ndarray[Any, Any]) -> tuple[Tensor, Tensor]:
        """Draw one id a row from (B, V) logits by inverse transform; return ids (B,) and log-probabilities (B,)."""
        scores = logits.float().masked_fill(self.vlm.forbidden, float("-inf"))
        if temperature == 0:
            token = scores.argmax(-1)
            logp = scores.log_softmax(-1)
        else:
            logp = (scores / temperature).log_softmax(-1)
            cumulative = logp.double().exp().cumsum(-1)
            threshold = torch.as_tensor(uniform, device=logits.device)[:, None] * cumulative[:, -1:]
            token = (cumulative <= threshold).sum(-1).clamp(max=logits.shape[-1] - 1)
        return token, logp.gather(-1, token[:, None])[:, 0]
