"""Draw the products' pictures: flat, recognisable, each in its product's colour. Pillow only, the same everywhere.

A kind of thing is a list of shapes in ``shapes.txt``, on a board of 100 by 100. A shape is a tone, a form and numbers:
box x y x y radius; oval x y x y; pie x y x y from to (degrees, clockwise from the right); poly x y ...; line width x y
...; arc width x y x y from to; grid and tick, see :meth:`_Board.shape`. Tones: ``m`` the product's colour, ``d``
darker, ``l`` lighter, and those of ``_FIXED``.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from ..content import Product

Tone = tuple[int, int, int]

SIZES = {"large": (440, 400), "small": (155, 155)}
"""Width and height in pixels by the name of the folder."""
FINE = 2
"""Pixels drawn for one kept, each way, so that edges are smooth."""

COLOURS: dict[str, Tone] = {
    "amber": (240, 170, 50), "black": (52, 54, 62), "blue": (52, 112, 190), "brass": (202, 162, 66),
    "cedar": (178, 98, 62), "copper": (196, 112, 70), "cream": (232, 218, 186), "green": (70, 138, 92),
    "oak": (196, 150, 98), "orange": (234, 126, 44), "pink": (230, 128, 158), "red": (202, 58, 56),
    "silver": (168, 176, 186), "slate": (96, 112, 130), "straw": (222, 194, 120), "tan": (190, 136, 84),
    "teal": (34, 138, 142), "terracotta": (200, 104, 72), "violet": (132, 96, 176), "walnut": (116, 78, 54),
    "white": (240, 240, 238),
}  # fmt: skip
BACKDROPS: tuple[Tone, ...] = ((226, 235, 240), (240, 232, 222), (228, 238, 226), (238, 228, 236), (234, 234, 226))

_FIXED: dict[str, Tone] = {
    "k": (44, 46, 54), "w": (250, 249, 245), "s": (158, 166, 178), "a": (246, 190, 66), "r": (206, 74, 66),
    "g": (84, 142, 84), "e": (110, 170, 100), "b": (72, 118, 186),
}  # fmt: skip


@functools.cache
def _kinds() -> dict[str, list[list[str]]]:
    kinds: dict[str, list[list[str]]] = {}
    for line in Path(__file__).with_name("shapes.txt").read_text().splitlines():
        name, colon, rest = line.partition(":")
        if colon:
            shapes = kinds.setdefault(name, [])
        else:
            rest = line
        shapes.extend(shape.split() for shape in rest.split("|"))
    return kinds


def _mixed(one: Tone, other: Tone, share: float) -> Tone:
    r, g, b = (round(x + (y - x) * share) for x, y in zip(one, other, strict=True))
    return r, g, b


def _shade(colour: str, tone: str) -> Tone:
    own = COLOURS[colour]
    if tone in _FIXED:
        return _FIXED[tone]
    return {"m": own, "d": _mixed(own, (24, 22, 34), 0.3), "l": _mixed(own, (255, 255, 255), 0.42)}[tone]


class _Board:
    """Draws on a picture in units of its own."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.picture = Image.new("RGBA", size, (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self.picture)
        self._unit = min(size) / 112
        self._left = (size[0] - 100 * self._unit) / 2
        self._top = (size[1] - 100 * self._unit) / 2

    def shape(self, form: str, numbers: list[float], fill: Tone) -> None:
        """Draw one shape."""
        if form in ("line", "arc"):
            width, *numbers = numbers
            pen = max(1, round(width * self._unit))
        at = self._places(numbers[: 4 if form in ("box", "oval", "arc", "pie") else None])
        match form:
            case "box":
                self._draw.rounded_rectangle(at, numbers[4] * self._unit, fill)
            case "oval":
                self._draw.ellipse(at, fill)
            case "pie":
                self._draw.pieslice(at, numbers[4], numbers[5], fill)
            case "poly":
                self._draw.polygon(at, fill)
            case "arc":
                self._draw.arc(at, numbers[4], numbers[5], fill, pen)
            case "line":
                self._draw.line(at, fill, pen, joint="curve")
                for x, y in zip(at[::2], at[1::2], strict=True):
                    self._draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill)
            case "grid":  # left, top, columns, rows, steps
                left, top, columns, rows, x, y = numbers
                for row in range(int(rows)):
                    for column in range(int(columns)):
                        corner = left + column * x, top + row * y
                        self.shape("box", [*corner, corner[0] + x - 1.6, corner[1] + y - 1.6, 1], fill)
            case "tick":  # left, top, steps, how many, length
                left, top, x, y, many, across, down = numbers
                for number in range(int(many)):
                    start = left + number * x, top + number * y
                    self.shape("line", [1, *start, start[0] + across, start[1] + down], fill)

    def _places(self, numbers: Iterable[float]) -> list[float]:
        edges = (self._left, self._top)
        return [edges[place % 2] + number * self._unit for place, number in enumerate(numbers)]


def draw(product: Product, size: tuple[int, int]) -> Image.Image:
    """Return a product's picture, width and height in pixels."""
    fine = (size[0] * FINE, size[1] * FINE)
    backdrop = BACKDROPS[product.id % len(BACKDROPS)]
    light = Image.linear_gradient("L").resize(fine)
    picture = Image.composite(
        Image.new("RGB", fine, _mixed(backdrop, (150, 150, 165), 0.25)), Image.new("RGB", fine, backdrop), light
    )
    thing = _Board(fine)
    for tone, form, *numbers in _kinds()[product.kind]:
        thing.shape(form, [float(number) for number in numbers], _shade(product.colour, tone))
    shadow = (
        thing.picture.getchannel("A").point(lambda alpha: alpha * 0.35).filter(ImageFilter.GaussianBlur(fine[0] / 60))
    )
    picture.paste((60, 60, 80), (fine[0] // 50, fine[1] // 40), shadow)
    picture.paste(thing.picture, (0, 0), thing.picture)
    return picture.resize(size, Image.Resampling.LANCZOS)


def write(products: Iterable[Product], media: Path) -> None:
    """Write every product's picture in every size: ``media/SIZE/ID.png``."""
    for folder, size in SIZES.items():
        (media / folder).mkdir(parents=True)
        for product in products:
            draw(product, size).quantize(96).save(media / folder / f"{product.id}.png", optimize=True)
