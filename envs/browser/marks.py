"""Set-of-marks: a picture with a numbered box around every element that can be used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures
from PIL import ImageDraw, ImageFont

from turngym.envs.browser.elements import Mark
from turngym.envs.types import Image

Box = tuple[int, int, int, int]
"""Left, top, right and bottom; the last two are the first pixels outside."""

COLORS = ("#c00000", "#0050c8", "#007a2f", "#7b1fa2", "#b35300", "#00707a", "#ad1457", "#455a64")
"""Dark enough for white digits; neighbours differ."""
TYPE, SMALL_TYPE = 13, 11
"""Height of a number's tag, pixels, on a large and on a small picture."""
SMALL_PICTURE = 400
"""Height below which a picture is small, pixels."""
SMALL = 400.0
"""Area of an element, square pixels, of which no part should be hidden."""
INK = 0.3
"""How bad it is to hide a pixel that differs from the one before: letters, mostly."""
TAKEN = 50.0
"""How bad it is to hide a pixel of another number."""


def draw_marks(image: Image, marks: Sequence[Mark], scale: tuple[float, float] = (1.0, 1.0)) -> Image:
    """Return a copy of a picture, (H, W, 3) uint8, with the marks drawn on it.

    ``scale`` is image pixels a page pixel, across and down. A box is an outline just outside its element; its number
    sits beside it where it hides the least: no other number, and as little of any element as can be.
    """
    picture = Pictures.fromarray(image)
    pen = ImageDraw.Draw(picture)
    size = SMALL_TYPE if picture.height < SMALL_PICTURE else TYPE
    font = ImageFont.load_default(size)
    boxes = [_box(mark, scale, picture.size) for mark in marks]
    for index, (left, top, right, bottom) in enumerate(boxes):
        pen.rectangle((left, top, right - 1, bottom - 1), outline=COLORS[index % len(COLORS)])
    covered = _worth(boxes, image)
    # Small elements first: there are fewer places beside them that hide nothing.
    for index in sorted(range(len(marks)), key=lambda index: _area(boxes[index])):
        text = str(marks[index].id)
        tag = math.ceil(font.getlength(text)) + 2, size
        left, top, right, bottom = min(
            _places(boxes[index], tag, picture.size),
            key=lambda place: float(covered[place[1] : place[3], place[0] : place[2]].sum()),
        )
        covered[top:bottom, left:right] += TAKEN
        pen.rectangle((left, top, right - 1, bottom - 1), fill=COLORS[index % len(COLORS)])
        pen.text(((left + right) / 2, (top + bottom) / 2), text, fill="white", font=font, anchor="mm")
    return np.asarray(picture).copy()


def _box(mark: Mark, scale: tuple[float, float], size: tuple[int, int]) -> Box:
    left, top, width, height = mark.box
    x0, y0 = round(left * scale[0]) - 1, round(top * scale[1]) - 1
    x1, y1 = round((left + width) * scale[0]) + 1, round((top + height) * scale[1]) + 1
    x0, y0 = min(max(x0, 0), size[0] - 1), min(max(y0, 0), size[1] - 1)
    return x0, y0, min(max(x1, x0 + 1), size[0]), min(max(y1, y0 + 1), size[1])


def _area(box: Box) -> int:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)


def _worth(boxes: Sequence[Box], image: Image) -> NDArray[np.float64]:
    """Say of each pixel, (H, W), how bad it is to hide it: most where a small element is, a little where ink is."""
    worth = np.zeros(image.shape[:2])
    worth[:, 1:] += INK * (image[:, 1:] != image[:, :-1]).any(axis=2)
    for box in boxes:
        left, top, right, bottom = box
        worth[top:bottom, left:right] += min(1.0, SMALL / _area(box))
    return worth


def _places(box: Box, tag: tuple[int, int], size: tuple[int, int]) -> list[Box]:
    """List the places for a number: around the box, its upper left corner before all, then inside its corners."""
    (left, top, right, bottom), (width, height) = box, tag
    across = (left, right - width, (left + right - width) // 2)
    down = ((top + bottom - height) // 2, top, bottom - height)
    starts = [
        *product(across, (top - height,)),
        *product((left - width, right), down),
        *product(across, (bottom,)),
        *product(across[:2], down[1:]),
    ]
    fitting = [(x, y) for x, y in starts if x >= 0 and y >= 0 and x + width <= size[0] and y + height <= size[1]]
    # A picture smaller than the number gets what there is room for.
    x, y = max(0, min(left, size[0] - width)), max(0, min(top, size[1] - height))
    return [(x, y, min(x + width, size[0]), min(y + height, size[1])) for x, y in fitting or [(x, y)]]
