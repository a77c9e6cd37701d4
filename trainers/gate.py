"""The gate: before the first update of a run, prove on a real batch that the trainer sees what the sampler saw.

Every fault it looks for has been found late, in production, by somebody: a trainer that gets no pixels or gets them in
the wrong order, a lost turn boundary, a history that was tokenised again, loss on tokens that were not sampled, stale
weights in the engine. It checks the very functions that the trainer will use, and names the first promise that is
broken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from turngym.agents.models.vlm import VLM, Inputs, Row
from turngym.agents.renderer import Renderer, defuse, page_of
from turngym.envs import Episode, Image, Tokens
from turngym.trainers.errors import GateFailure
from turngym.trainers.rows import pad, samples, score

LOGPROB_BOUND = {torch.float32: 2e-3, torch.float16: 5e-2, torch.bfloat16: 1e-1}
"""Largest difference, in nats, between a token's log-probability in sampling (cached, batched otherwise) and in
training, by the weights' precision. In float32 about 1e-5 is seen."""

SHORT_PAGE = 16
"""A page of fewer letters is not looked for where it should be gone."""

BLIND_BOUND = 1e-6
"""Blanking an image must move some log-probability by more than this, in nats."""


@dataclass(frozen=True)
class Batch:
    """What the gate looks at."""

    vlm: VLM
    renderer: Renderer
    episodes: tuple[Episode, ...]
    rows: tuple[Row, ...]
    inputs: Inputs
    temperature: float

    def turns(self) -> list[tuple[Episode, int, Tokens]]:
        """All turns with tokens: episode, index of the turn, tokens; in the order of ``rows``."""
        return [(e, i, t.tokens) for e in self.episodes for i, t in enumerate(e.turns) if t.tokens is not None]


def check(
    vlm: VLM, renderer: Renderer, episodes: Sequence[Episode], *, temperature: float, most: int = 32
) -> list[str]:
    """Run every check on up to ``most`` turns of ``episodes``; return the names of those that were run.

    Whole episodes are taken, the longest first, since faults of history need one. Raises :class:`GateFailure`.
    Costs three forward passes, and two more where a row holds images that differ.
    """
    chosen: list[Episode] = []
    for episode in sorted(episodes, key=lambda e: len(e.turns), reverse=True):
        if not chosen or sum(len(e.turns) for e in chosen) + len(episode.turns) <= most:
            chosen.append(episode)
    rows = tuple(sample.row for episode in chosen for sample in samples(episode, 0.0))
    if not rows:
        raise GateFailure("ids", "no turn of a language policy to look at")
    was_training = vlm.model.training
    vlm.model.eval()
    try:
        with torch.no_grad():
            batch = Batch(vlm, renderer, tuple(chosen), rows, vlm.collate(rows), temperature)
            for name, test in CHECKS.items():
                why = test(batch)
                if why is not None:
                    raise GateFailure(name, why)
    finally:
        vlm.model.train(was_training)
    return list(CHECKS)


def _ids(batch: Batch) -> str | None:
    """Each context holds every id sampled before it, verbatim, between what the renderer puts around them."""
    for episode, index, tokens in batch.turns():
        seen, task = episode.turns[index].observation, episode.task
        wanted, _ = batch.renderer.context(episode.turns[:index], seen, task.instruction)
        if tokens.context != wanted:
            at = next((i for i, (a, b) in enumerate(zip(tokens.context, wanted, strict=False)) if a != b), -1)
            return f"{_where(episode, index)}: the context differs from the ids that were sampled before it, at id {at}"
        at = 0
        for earlier in range(index):
            said = episode.turns[earlier].tokens
            ids = said.ids if said is not None else ()
            at = _find(tokens.context, ids, at)
            if at < 0:
                return f"{_where(episode, index)}: the ids sampled in turn {earlier} are not in the context"
            at += len(ids)
    return None


def _template(batch: Batch) -> str | None:
    """Each context reads as the model's own chat template writes the conversation: no boundary is lost."""
    for episode, index, tokens in batch.turns():
        seen, task = episode.turns[index].observation, episode.task
        wanted = batch.renderer.conversation(episode.turns[:index], seen, task.instruction)
        text = batch.vlm.tokenizer.decode(tokens.context, skip_special_tokens=False)
        if text != wanted:
            at = next(
                (i for i, (a, b) in enumerate(zip(text, wanted, strict=False)) if a != b), min(len(text), len(wanted))
            )
            return f"{_where(episode, index)}: {text[at : at + 20]!r} where the template has {wanted[at : at + 20]!r}"
    return None


def _pages(batch: Batch) -> str | None:
    """What the context policy has dropped is in no context that is trained on."""
    pages, words = batch.renderer.policy.pages, batch.vlm.tokenizer
    if pages is None:
        return None
    for row, (episode, index, _) in enumerate(batch.turns()):
        texts = [page_of(turn.observation["text"], episode.task.instruction) for turn in episode.turns[: index + 1]]
        kept = "\n".join(defuse(words, text) for text in texts[-pages:])
        trained = batch.inputs.attention_mask[row].bool() & ~batch.inputs.completion_mask[row]
        said = words.decode(batch.inputs.input_ids[row][trained], skip_special_tokens=False)
        for earlier, text in enumerate(texts[:-pages]):
            gone = defuse(words, text)
            # A short one may be said by an action, or by the instruction.
            if len(gone) >= SHORT_PAGE and gone not in kept and gone in said:
                return f"{_where(episode, index)}: the page of turn {earlier} is still in the context"
    return None


def _mask(batch: Batch) -> str | None:
    """The trained positions are the sampled ids, all of them and nothing else."""
    for row, (episode, index, tokens) in enumerate(batch.turns()):
        trained = batch.inputs.input_ids[row][batch.inputs.completion_mask[row]].tolist()
        if tuple(trained) != tokens.ids:
            return f"{_where(episode, index)}: {len(trained)} positions are trained, {len(tokens.ids)} ids were sampled"
    return None


def _placeholders(batch: Batch) -> str | None:
    """There are as many image positions as the images' grids have merged patches."""
    merge = batch.vlm.image_processor.merge_size if batch.vlm.sees else 1
    for row, (episode, index, tokens) in enumerate(batch.turns()):
        grids = [batch.vlm.pixels(image).grid for image in _images(episode, tokens)]
        wanted = sum(t * h * w // merge**2 for t, h, w in grids)
        found = int((batch.inputs.input_ids[row] == batch.vlm.image_token).sum())
        if found != wanted:
            return f"{_where(episode, index)}: {found} image positions, but the images have {wanted} merged patches"
    return None


def _pixels(batch: Batch) -> str | None:
    """The pixel tensors are there, and are those of the images seen, in order."""
    wanted = [
        batch.vlm.pixels(image).patches for episode, _, tokens in batch.turns() for image in _images(episode, tokens)
    ]
    if not wanted:
        return None
    found = batch.inputs.pixel_values
    if found is None:
        return f"no pixels reach the model: {len(wanted)} images were seen"
    together = torch.cat(wanted).to(found.device)
    if found.shape != together.shape:
        return f"pixel tensor of shape {tuple(found.shape)}, the images seen give {tuple(together.shape)}"
    if not torch.equal(found, together):
        return "the pixel tensors are not those of the images seen, in the order of their placeholders"
    return None


def _positions(batch: Batch) -> str | None:
    """Positions cover the attention length, and are those that the model itself computes."""
    inputs = batch.inputs
    lengths = inputs.attention_mask.sum(-1)
    shape = (*((3,) if batch.vlm.sees else ()), *inputs.input_ids.shape)
    if tuple(inputs.position_ids.shape) != shape or int(lengths.max()) != shape[-1]:
        return f"positions of shape {tuple(inputs.position_ids.shape)} for attention of length {int(lengths.max())}"
    if batch.vlm.sees:
        own, _ = batch.vlm.model.model.get_rope_index(
            inputs.input_ids,
            inputs.mm_token_type_ids,
            image_grid_thw=inputs.image_grid_thw,
            attention_mask=inputs.attention_mask,
        )
    else:
        own = (inputs.attention_mask.cumsum(-1) - 1).clamp(min=0) * inputs.attention_mask
    if not torch.equal(own.to(inputs.position_ids.device), inputs.position_ids):
        row = int((own != inputs.position_ids).reshape(-1, *inputs.input_ids.shape).any(0).any(-1).nonzero()[0])
        episode, index, _ = batch.turns()[row]
        return f"{_where(episode, index)}: positions differ from the model's own"
    return None


def _logprobs(batch: Batch) -> str | None:
    """The trainer scores the sampled ids as the sampler did: same weights, same context, same distribution."""
    scored = score(batch.vlm, batch.rows, batch.temperature)
    old = pad([tokens.logprobs for _, _, tokens in batch.turns()], scored.mask)
    apart = ((scored.logp - old).abs() * scored.mask).amax(-1)
    worst = int(apart.argmax())
    bound = LOGPROB_BOUND.get(batch.vlm.model.dtype, 2e-3)
    if not float(apart[worst]) <= bound:
        episode, index, _ = batch.turns()[worst]
        return (
            f"{_where(episode, index)}: a log-probability is {float(apart[worst]):.2g} nats from the sampler's, "
            f"more than {bound:g}: stale weights in the engine, or another context or distribution"
        )
    return None


def _sight(batch: Batch) -> str | None:
    """The model is not blind: without its images, or with another turn's, it says something else."""
    seeing = [row for row in batch.rows if row.images]
    if not seeing:
        return None
    real = score(batch.vlm, seeing, batch.temperature).logp
    blank = [
        replace(row, images=tuple(torch.full_like(torch.as_tensor(i), 127).numpy() for i in row.images))
        for row in seeing
    ]
    moved = (score(batch.vlm, blank, batch.temperature).logp - real).abs().max()
    if not float(moved) > BLIND_BOUND:
        return f"blanking all images moves no log-probability by more than {BLIND_BOUND:g} nats"
    swapped = [replace(row, images=row.images[::-1]) for row in seeing if _differ(row.images)]
    if swapped:
        straight = [replace(row, images=row.images[::-1]) for row in swapped]
        apart = score(batch.vlm, swapped, batch.temperature).logp - score(batch.vlm, straight, batch.temperature).logp
        if not float(apart.abs().max()) > BLIND_BOUND:
            return "reversing the order of images moves no log-probability"
    return None


CHECKS: dict[str, Callable[[Batch], str | None]] = {
    "ids": _ids,
    "template": _template,
    "pages": _pages,
    "mask": _mask,
    "placeholders": _placeholders,
    "pixels": _pixels,
    "positions": _positions,
    "logprobs": _logprobs,
    "sight": _sight,
}


def _images(episode: Episode, tokens: Tokens) -> list[Image]:
    """Return the images that a context's placeholders stand for, from the record alone."""
    found: list[Image] = []
    for turn in dict.fromkeys(tokens.context_images):
        found += episode.turns[turn].observation["images"]
    return found


def _differ(images: tuple[Image, ...]) -> bool:
    return len(images) > 1 and any(not (images[0].shape == i.shape and (images[0] == i).all()) for i in images[1:])


def _find(ids: Sequence[int], part: Sequence[int], start: int) -> int:
    """Return where ``part`` begins in ``ids`` from ``start`` on, or -1."""
    last = len(ids) - len(part)
    return next((at for at in range(start, last + 1) if tuple(ids[at : at + len(part)]) == tuple(part)), -1)


def _where(episode: Episode, turn: int) -> str:
    return f"episode {episode.id}, turn {turn}"
