"""How a page becomes a picture of a given size, and how positions travel between the two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image as Pictures

from turngym.envs.types import BadInput, Image

WHITE = 255


@dataclass(frozen=True)
class View:
    """A page of ``page`` (width, height) pixels shown in an image of ``image`` (width, height) pixels.

    The page keeps its aspect ratio and sits in the upper left corner; what it does not cover is white. Pages are
    only ever scaled down, by area averaging.
    """

    page: tuple[int, int]
    image: tuple[int, int]

    @cached_property
    def scale(self) -> float:
        """Image pixels a page pixel, at most 1."""
        return min(1.0, self.image[0] / self.page[0], self.image[1] / self.page[1])

    @cached_property
    def covered(self) -> tuple[int, int]:
        """Width and height of the part of the image that shows the page."""
        return max(1, round(self.page[0] * self.scale)), max(1, round(self.page[1] * self.scale))

    def show(self, frame: Image) -> Image:
        """Turn a picture of the page, (H, W, 3) uint8, into the image."""
        if self.image == self.page:
            return frame
        scaled = Pictures.fromarray(frame).resize(self.covered, Pictures.Resampling.BOX)
        canvas = np.full((self.image[1], self.image[0], 3), WHITE, np.uint8)
        canvas[: self.covered[1], : self.covered[0]] = np.asarray(scaled)
        return canvas

    def to_page(self, x: int, y: int) -> tuple[int, int] | None:
        """Return the page pixel under the middle of an image pixel; None outside the page."""
        if x >= self.covered[0] or y >= self.covered[1]:
            return None
        width, height = self.page
        return (
            min(width - 1, math.floor((x + 0.5) * width / self.covered[0])),
            min(height - 1, math.floor((y + 0.5) * height / self.covered[1])),
        )

    def to_image(self, x: float, y: float) -> tuple[float, float]:
        """Return the image position of a page position."""
        return x * self.covered[0] / self.page[0], y * self.covered[1] / self.page[1]


def image_size_of(wanted: Sequence[int] | None, native: tuple[int, int]) -> tuple[int, int]:
    """Return the size of images that a user asks for, by default the ``native`` one; :class:`BadInput` for no size."""
    if wanted is None:
        return native
    if isinstance(wanted, Sequence) and len(wanted) == 2 and all(type(side) is int and side > 0 for side in wanted):
        return wanted[0], wanted[1]
    raise BadInput(f"image_size must be two positive integers [width, height], got {wanted!r}")
