"""Episodes as JSON and pictures as PNG: exact both ways, and nothing that was read is ever executed."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from PIL import Image as Pillow

from turngym.envs.types import Element, Episode, Image, Observation, StopReason, Task, Tokens, Turn

Json = dict[str, Any]


def digest(image: Image) -> str:
    """Name a picture by its content: 32 hexadecimal digits over shape and pixels.

    Raises ValueError for an array that is not a picture.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"a picture is (H, W, 3) uint8, got {image.shape} {image.dtype}")
    content = hashlib.blake2b(np.array(image.shape, "<u4").tobytes(), digest_size=16)
    content.update(image.tobytes())
    return content.hexdigest()


def to_png(image: Image, level: int = 1) -> bytes:
    """Encode a picture, (H, W, 3) uint8, as PNG; empty for a picture without pixels, which PNG cannot hold."""
    if image.size == 0:
        return b""
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "PNG", compress_level=level)
    return buffer.getvalue()


def from_png(png: bytes, height: int, width: int) -> Image:
    """Decode what :func:`to_png` wrote; ValueError if it is not a picture of that size."""
    if height == 0 or width == 0:
        return np.zeros((height, width, 3), np.uint8)
    try:
        with Pillow.open(io.BytesIO(png), formats=("PNG",)) as picture:
            # The size is in the header: a small file that claims to be a huge picture is never unpacked.
            if picture.mode != "RGB" or picture.size != (width, height):
                raise ValueError(f"is {picture.mode} {picture.size}, expected RGB {(width, height)}")
            return np.array(picture, np.uint8)
    except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError) as error:
        raise ValueError(f"damaged picture: {error}") from None


def encode(episode: Episode, put: Callable[[Image], str]) -> str:
    """Write an episode as one line of ASCII JSON; ``put`` takes each picture and returns its name.

    Mappings hold JSON values with text keys; a tuple inside one comes back as a list. Raises ValueError or
    TypeError for anything else.
    """

    def seen(observation: Observation) -> Json:
        return {"text": observation["text"], "images": [put(image) for image in observation["images"]]}

    body = _plain(episode) | {
        "task": _plain(episode.task),
        "turns": [
            _plain(turn)
            | {
                "observation": seen(turn.observation),
                "tokens": None if turn.tokens is None else _plain(turn.tokens),
                "elements": [_plain(element) for element in turn.elements],
            }
            for turn in episode.turns
        ],
        "final": None if episode.final is None else seen(episode.final),
    }
    # ASCII, so that text with half a surrogate pair (models do say such things) survives.
    return json.dumps(body, ensure_ascii=True, separators=(",", ":"), default=_json_value)


def decode(text: str, get: Callable[[str], Image]) -> Episode:
    """Read what :func:`encode` wrote; ``get`` returns a picture by name.

    Raises ValueError, TypeError, KeyError or AttributeError where the text is not an episode.
    """

    def seen(observation: Json) -> Observation:
        return {"text": observation["text"], "images": tuple(get(name) for name in observation["images"])}

    def turn(data: Json) -> Turn:
        tokens = data["tokens"]
        changed = {
            "observation": seen(data["observation"]),
            "tokens": None if tokens is None else Tokens(**{k: _tuple(v) for k, v in tokens.items()}),
            "elements": tuple(Element(**element) for element in data["elements"]),
        }
        return Turn(**data | changed)

    body = json.loads(text)
    changed = {
        "task": Task(**body["task"]),
        "turns": tuple(turn(data) for data in body["turns"]),
        "final": None if body["final"] is None else seen(body["final"]),
        "stop_reason": StopReason(body["stop_reason"]),
    }
    return Episode(**body | changed)


def _plain(record: Any) -> Json:
    return {field.name: getattr(record, field.name) for field in fields(record)}


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _json_value(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
