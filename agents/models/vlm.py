"""A language model with everything needed to score and sample it: weights, tokenizer and, if it sees, image processor.

The video part of the families' processors needs torchvision; images do not. So TurnGym uses the tokenizer and the PIL
image processor, and expands image placeholders and computes multimodal positions itself (tested against the model's
own).
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from turngym.envs import BadInput, Image


@dataclass(frozen=True, slots=True)
class Row:
    """One sequence to score: a context with images, and what followed it."""

    context: tuple[int, ...]
    """Ids with one placeholder an image."""
    images: tuple[Image, ...]
    """One for each placeholder, in order."""
    completion: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Pixels:
    """An image as the vision tower takes it."""

    patches: Tensor
    """(N, D) float32, N = t*h*w patches."""
    grid: tuple[int, int, int]
    """(t, h, w) in patches."""


@dataclass(slots=True)
class Inputs:
    """A padded batch of rows, ready for the model. B rows, L positions."""

    input_ids: Tensor
    """(B, L) int64, placeholders expanded to one a merged patch."""
    attention_mask: Tensor
    """(B, L) int64, 1 on real positions."""
    position_ids: Tensor
    """(3, B, L) int64: time, height, width; of a model that reads only text (B, L)."""
    mm_token_type_ids: Tensor | None
    """(B, L) int32, 1 on image positions; None for a model that reads only text."""
    pixel_values: Tensor | None
    """(sum of patches, D) float32, images in order of their placeholders; None without images."""
    image_grid_thw: Tensor | None
    """(number of images, 3) int64."""
    completion_mask: Tensor
    """(B, L) bool, true on completion ids."""

    def kwargs(self) -> dict[str, Any]:
        """Keywords of the model's forward."""
        text = {
            "input_ids": self.input_ids,
            "attention_mask": self.attention_mask,
            "position_ids": self.position_ids,
        }
        if self.mm_token_type_ids is None:
            return text
        return {
            **text,
            "mm_token_type_ids": self.mm_token_type_ids,
            "pixel_values": self.pixel_values,
            "image_grid_thw": self.image_grid_thw,
        }


PIXEL_BYTES = 256 * 2**20
"""What a model's preprocessed images may take together."""


class PixelCache:
    """Preprocessed images by digest, at most ``most`` bytes of them; the longest unused go first."""

    def __init__(self, most: int = PIXEL_BYTES) -> None:
        self.most, self.bytes = most, 0
        self._kept: OrderedDict[bytes, Pixels] = OrderedDict()

    def get(self, key: bytes) -> Pixels | None:
        """Return an image that is still there."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: bytes, pixels: Pixels) -> None:
        """Take in an image that is not there."""
        self._kept[key] = pixels
        self.bytes += pixels.patches.nbytes
        while self.bytes > self.most:
            _, oldest = self._kept.popitem(last=False)
            self.bytes -= oldest.patches.nbytes


class VLM:
    """A Hugging Face image-text-to-text model of the Qwen-VL families (Qwen2.5-VL, Qwen3-VL) and its processors.

    Or a causal language model, which reads only text: ``image_processor`` is None, and rows hold no images.
    """

    def __init__(self, model: Any, tokenizer: Any, image_processor: Any) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.image_processor = image_processor
        self.sees: bool = image_processor is not None
        self.image_token: int = model.config.image_token_id if self.sees else -1
        self.eos: int = tokenizer.eos_token_id
        self.pad: int = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else self.eos
        self._pixels = PixelCache()

    def twin(self, model: Any) -> VLM:
        """Return this with the weights of ``model``; the two share the preprocessed images that they keep."""
        other = VLM(model, self.tokenizer, self.image_processor)
        other._pixels = self._pixels
        return other

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self.model.device
        return device

    @functools.cached_property
    def forbidden(self) -> Tensor:
        """(V,) bool: ids that are never sampled: vision tokens (they would need pixels) and unused padding ids."""
        config = self.model.config
        mask = torch.zeros(config.get_text_config().vocab_size, dtype=torch.bool, device=self.device)
        mask[len(self.tokenizer) :] = True
        if not self.sees:
            return mask
        vision = [self.tokenizer.convert_tokens_to_ids(t) for t in ("<|vision_end|>", "<|vision_pad|>")]
        vision += [config.image_token_id, config.video_token_id, config.vision_start_token_id]
        mask[[token for token in vision if token is not None]] = True
        return mask

    def pixels(self, image: Image) -> Pixels:
        """Preprocess one image; the newest are kept, since a group shares its first one and an update repeats all."""
        key = digest(image)
        found = self._pixels.get(key)
        if found is None:
            features = self.image_processor(images=[image], return_tensors="pt")
            t, h, w = features["image_grid_thw"][0].tolist()
            found = Pixels(features["pixel_values"], (t, h, w))
            self._pixels.put(key, found)
        return found

    def collate(self, rows: Sequence[Row], *, pad_left: bool = False) -> Inputs:
        """Expand placeholders, compute positions, pad, and stack."""
        merge = self.image_processor.merge_size if self.sees else 1
        pixels = [[self.pixels(image) for image in row.images] for row in rows]
        expanded = [
            self._expand(row, [p.grid for p in row_pixels], merge) for row, row_pixels in zip(rows, pixels, strict=True)
        ]
        shape = (len(rows), max(len(ids) for ids, _ in expanded))
        input_ids = np.full(shape, self.pad, np.int64)
        position_ids = np.zeros((3, *shape), np.int64)
        attention, completion = np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
        for b, (row_ids, positions) in enumerate(expanded):
            start = shape[1] - len(row_ids) if pad_left else 0
            end = start + len(row_ids)
            input_ids[b, start:end] = row_ids
            position_ids[:, b, start:end] = positions
            attention[b, start:end] = 1
            completion[b, end - len(rows[b].completion) : end] = True
        flat = [p for row_pixels in pixels for p in row_pixels]

        def to(values: Any) -> Tensor:
            return torch.as_tensor(values, device=self.device)

        ids = to(input_ids)
        return Inputs(
            input_ids=ids,
            attention_mask=to(attention),
            position_ids=to(position_ids if self.sees else position_ids[0]),
            mm_token_type_ids=(ids == self.image_token).int() if self.sees else None,
            pixel_values=torch.cat([p.patches for p in flat]).to(self.device) if flat else None,
            image_grid_thw=to([p.grid for p in flat]) if flat else None,
            completion_mask=to(completion),
        )

    def next_positions(self, position: Tensor) -> Tensor:
        """Return the position ids (3, B, 1), or (B, 1), of one more text id a row, given ``position`` (B,)."""
        return position.view(1, -1, 1).expand(3, -1, -1) if self.sees else position[:, None]

    def _expand(
        self, row: Row, grids: Sequence[tuple[int, int, int]], merge: int
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return ids (L,) with one placeholder a merged patch, and positions (3, L)."""
        compact = np.asarray(row.context + row.completion, np.int64)
        places = np.flatnonzero(compact == self.image_token)
        if len(places) != len(grids):
            raise ValueError(f"{len(places)} image placeholders but {len(grids)} images")
        ids: list[np.ndarray[Any, Any]] = []
        positions: list[np.ndarray[Any, Any]] = []
        done, position = 0, 0
        for place, (t, h, w) in zip(places.tolist(), grids, strict=True):
            text = compact[done:place]
            cells = (t, h // merge, w // merge)
            ids += [text, np.full(math.prod(cells), self.image_token)]
            positions += [_line(position, len(text)), position + len(text) + np.indices(cells).reshape(3, -1)]
            position += len(text) + int(max(cells))
            done = place + 1
        ids.append(compact[done:])
        positions.append(_line(position, len(compact) - done))
        return np.concatenate(ids), np.concatenate(positions, axis=1)

    def save(self, folder: Path) -> None:
        """Write a Hugging Face model folder."""
        with _no_progress_bars():
            self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        if self.sees:
            self.image_processor.save_pretrained(folder)

    @classmethod
    def load(cls, name: str, *, dtype: str = "auto", device: str = "cpu") -> VLM:
        """Load a local folder or a hub id; what has no vision part is loaded as a causal language model."""
        from safetensors import SafetensorError
        from transformers import (
            AutoConfig,
            AutoImageProcessor,
            AutoModelForCausalLM,
            AutoModelForImageTextToText,
            AutoTokenizer,
        )

        refuse_empty(name)
        try:
            sees = hasattr(AutoConfig.from_pretrained(name), "vision_config")
            with _no_progress_bars() if Path(name).is_dir() else nullcontext():
                kind = AutoModelForImageTextToText if sees else AutoModelForCausalLM
                model = kind.from_pretrained(name, dtype=dtype)
            tokenizer = AutoTokenizer.from_pretrained(name)
            image_processor = AutoImageProcessor.from_pretrained(name, backend="pil") if sees else None
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:  # the last two: weights that are damaged
            raise BadInput(f"cannot load model {name!r}: {str(error).strip().splitlines()[0]}") from None
        _refuse_stranger(name, model.config, tokenizer, image_processor)
        return cls(model.to(device).eval(), tokenizer, image_processor)


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Without transformers' bars, which count what is done in a moment; a download keeps its own."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()


def digest(image: Image) -> bytes:
    """Name an image by its content."""
    return hashlib.blake2b(image.tobytes(), digest_size=16, key=repr(image.shape).encode()).digest()


def refuse_empty(name: str) -> None:
    """Raise :class:`BadInput` if ``name`` is a local folder without a model in it; says nothing of hub ids."""
    folder = Path(name)
    if (name.startswith((".", "/", "~")) or folder.exists()) and not (folder / "config.json").is_file():
        raise BadInput(f"no model in {name!r}: a model folder holds config.json")


def _refuse_stranger(name: str, config: Any, tokenizer: Any, image_processor: Any) -> None:
    """Raise :class:`BadInput` for a model that loads, but has not what the Qwen-VL families have, or no chat form."""
    if image_processor is None:
        for key in ("eos_token_id", "chat_template"):
            if getattr(tokenizer, key, None) is None:
                raise BadInput(f"cannot use model {name!r}: its tokenizer has no {key}")
        return
    needed = (
        ("config", config, ("image_token_id", "video_token_id", "vision_start_token_id")),
        ("tokenizer", tokenizer, ("eos_token_id", "pad_token_id")),
        ("image processor", image_processor, ("merge_size",)),
    )
    lacks = [
        f"{part} has no {key}" for part, found, keys in needed for key in keys if getattr(found, key, None) is None
    ]
    if lacks:
        raise BadInput(f"cannot use model {name!r}: not of the Qwen-VL families: its {', its '.join(lacks)}")


def _line(start: int, length: int) -> np.ndarray[Any, Any]:
    """Positions of text: the same on all three axes."""
    return np.broadcast_to(np.arange(start, start + length), (3, length))
