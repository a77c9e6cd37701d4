"""Draw the products' pictures: flat, recognisable, each in its product's colour. Pillow only, the same everywhere.

A kind of thing is a list of shapes on a board of 100 by 100. Tones: ``m`` the product's colour, ``d`` darker, ``l``
lighter, ``k`` ink, ``w`` paper, ``s`` steel.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from ..content import Product

Tone = tuple[int, int, int]

SIZES = {"large": (440, 400), "small": (155, 155), "tiny": (70, 64)}
"""Width and height in pixels by the name of the folder."""
FINE = 3
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

# One shape a line: tone, form, numbers. box x y x y radius; oval x y x y; poly x y ...; line width x y ...;
# arc width x y x y from to (degrees, clockwise from the right).
_KINDS = """
mug: m box 26 28 66 80 8 | d oval 26 22 66 36 | k oval 30 24 62 34 | m arc 7 56 38 84 68 270 90 | l box 32 42 37 72 2
kettle: m poly 30 80 24 50 36 34 64 34 76 50 70 80 | d box 28 78 72 84 3 | m line 6 26 58 14 50 10 34 | k oval 46 24 54 32
  k arc 5 26 12 74 52 180 360 | d box 36 32 64 37 2 | l box 36 46 41 70 2
pan: k line 9 60 46 96 30 | k oval 76 36 84 42 | d oval 8 36 68 80 | m oval 8 32 68 74 | d oval 15 37 61 68 | l arc 3 19 40 57 65 180 250
board: m box 24 16 76 88 9 | d box 44 8 56 24 5 | w oval 47 11 53 17 | l line 2 32 28 32 80 | d line 2 46 28 46 84
  l line 2 58 28 58 82 | d line 2 68 28 68 78
lamp: d box 34 84 74 90 3 | s line 4 54 84 34 56 62 28 | k oval 30 52 38 60 | m poly 52 16 76 26 72 52 44 38 | l poly 50 40 70 50 64 56 48 48
  k oval 58 24 66 32
floorlamp: d oval 34 86 66 94 | s line 3 50 88 50 36 | m poly 36 10 64 10 74 40 26 40 | l poly 40 12 48 12 42 38 31 38 | k line 2 62 40 62 52
candle: m box 34 38 66 88 5 | d oval 34 33 66 43 | k line 2 50 38 50 28 | a oval 44 10 56 31 | w oval 47 18 53 30 | l box 39 48 44 82 2
bulb: m oval 26 10 74 58 | m poly 33 48 67 48 60 68 40 68 | s box 40 68 60 86 3 | k line 2 40 73 60 73 | k line 2 40 79 60 79
  a line 2 42 60 44 38 50 46 56 38 58 60 | w oval 34 20 42 32
chair: d line 5 32 88 34 52 | d line 5 70 88 68 52 | m box 30 50 72 59 4 | m box 30 8 36 54 2 | m box 66 8 72 54 2 | m box 30 8 72 17 3
  d line 3 44 16 44 50 | d line 3 51 16 51 50 | d line 3 58 16 58 50 | d line 3 34 74 68 74
stool: d line 5 38 40 28 90 | d line 5 62 40 72 90 | d line 3 33 68 67 68 | m oval 26 28 74 46 | l oval 32 30 68 40
shelf: m box 22 10 78 90 3 | w box 27 15 73 34 0 | w box 27 39 73 60 0 | w box 27 65 73 85 0 | r box 30 18 35 34 0 | b box 36 20 41 34 0
  g box 42 17 46 34 0 | b box 55 46 60 60 0 | a box 61 43 66 60 0 | r oval 32 70 44 84 | k box 58 76 70 85 1
table: m box 10 36 90 46 3 | d line 5 22 46 16 88 | d line 5 78 46 84 88 | d line 4 36 46 40 80 | d line 4 64 46 60 80 | l line 2 14 40 86 40
can: m box 34 42 70 84 5 | m line 6 38 70 20 44 10 40 | d poly 4 32 16 34 10 50 3 44 | d arc 5 56 38 92 76 250 100 | d oval 34 37 70 47
  d arc 4 38 22 66 58 180 360
pot: m poly 28 52 72 52 65 88 35 88 | d box 24 44 76 54 2 | g line 3 50 46 50 20 | g oval 50 14 70 30 | g oval 30 20 50 36 | e oval 42 6 58 24
trowel: m line 8 50 10 50 38 | d oval 46 6 54 14 | k line 4 50 38 50 50 | s poly 36 50 64 50 66 68 50 94 34 68 | w line 2 50 54 50 84
birdhouse: d box 46 70 54 94 0 | m poly 30 36 50 18 70 36 70 74 30 74 | d poly 22 40 50 10 78 40 72 44 50 20 28 44 | k oval 43 40 57 54
  d line 3 50 62 50 68 | l line 2 36 44 36 70
headphones: k arc 7 22 14 78 82 180 360 | m box 14 46 32 80 7 | m box 68 46 86 80 7 | d box 26 48 34 78 4 | d box 66 48 74 78 4
speaker: m box 28 10 72 90 6 | k oval 35 46 65 76 | s oval 43 54 57 68 | k oval 40 18 60 38 | s oval 46 24 54 32 | l line 2 32 14 32 86
microphone: m box 38 10 62 52 12 | k line 2 40 22 60 22 | k line 2 40 30 60 30 | k line 2 40 38 60 38 | s arc 4 30 26 70 66 0 180
  s line 4 50 66 50 84 | d box 34 84 66 90 3
radio: k line 2 66 30 84 8 | m box 12 30 88 82 8 | w box 20 38 52 74 4 | d line 2 24 46 48 46 | d line 2 24 53 48 53 | d line 2 24 60 48 60
  d line 2 24 67 48 67 | k oval 60 44 82 66 | a line 2 71 55 78 48 | l box 60 71 82 75 1
keyboard: d box 6 36 94 74 5 | m box 6 34 94 70 5 | d grid 11 39 11 3 7 7 | d box 30 60 70 66 1
mouse: k arc 3 30 -12 70 34 90 190 | m box 32 24 68 88 17 | d line 2 32 50 68 50 | d line 2 50 26 50 50 | k box 47 32 53 44 3 | l line 2 38 60 38 74
monitor: k box 8 16 92 70 4 | m box 11 19 89 67 2 | l poly 14 22 52 22 30 64 14 64 | s box 45 70 55 84 0 | d box 32 83 68 89 2
usb: s box 40 8 60 32 1 | k box 44 14 48 20 0 | k box 52 14 56 20 0 | m box 33 30 67 86 7 | l box 39 38 44 78 2 | k oval 46 74 54 82
notebook: d box 27 12 80 90 4 | w box 30 14 78 87 1 | m box 22 10 74 88 4 | d box 22 10 30 88 2 | a line 2 60 10 60 96 | l box 38 26 58 38 2
pencil: m poly 20 20 28 12 78 62 70 70 | w poly 70 70 78 62 88 80 | k poly 83 75 85 72 90 82 | d poly 14 24 24 8 28 12 20 20
  g poly 44 10 52 8 88 40 82 46 | w poly 82 46 88 40 96 52 | r poly 10 44 16 36 58 78 52 86 | w poly 52 86 58 78 68 92
scissors: s poly 44 58 56 48 74 8 68 10 | s poly 56 58 44 48 26 8 32 10 | m arc 7 24 56 50 88 0 360 | m arc 7 50 56 76 88 0 360 | k oval 47 48 53 54
ruler: m poly 8 68 78 20 92 38 22 88 | d tick 11 67 5 -4.75 13 4 6 | l line 2 20 84 88 38
robot: k line 2 50 18 50 8 | r oval 46 4 54 12 | m box 34 16 66 40 5 | w oval 39 22 48 32 | w oval 52 22 61 32 | k oval 42 25 46 29
  k oval 54 25 58 29 | m box 30 44 70 74 5 | d box 18 46 28 68 4 | d box 72 46 82 68 4 | d box 35 76 46 92 2 | d box 54 76 65 92 2
  a oval 38 50 46 58 | l box 50 52 64 56 1 | k line 2 44 36 56 36
kite: m poly 50 6 78 38 50 74 22 38 | l poly 50 6 50 74 22 38 | d line 2 50 6 50 74 | d line 2 22 38 78 38 | k line 2 50 74 60 82 48 88 58 96
  r poly 58 78 66 82 58 86 | a poly 42 86 50 88 44 93
ball: m oval 16 16 84 84 | w pie 16 16 84 84 200 240 | r pie 16 16 84 84 280 320 | w pie 16 16 84 84 0 40 | a pie 16 16 84 84 80 120
  w oval 44 44 56 56 | l arc 3 24 24 76 76 150 190
blocks: m box 14 54 48 88 3 | r box 52 54 86 88 3 | a box 33 18 67 52 3 | w box 20 60 42 82 2 | w box 58 60 80 82 2 | w box 39 24 61 46 2
  m poly 26 80 31 64 36 80 | r box 64 64 74 78 1 | a oval 44 29 56 41
backpack: d arc 5 38 6 62 34 180 360 | d box 16 48 26 80 4 | d box 74 48 84 80 4 | m box 24 18 76 90 15 | d box 31 56 69 84 5 | l line 2 36 64 64 64
  k line 2 32 40 68 40 | a box 47 38 53 46 1
tote: d arc 4 34 8 66 60 180 360 | m poly 22 34 78 34 84 90 16 90 | d line 2 22 40 78 40 | l box 40 54 60 74 2 | d oval 45 59 55 69
suitcase: s line 3 40 22 40 6 60 6 60 22 | m box 24 20 76 86 7 | d line 3 36 22 36 84 | d line 3 50 22 50 84 | d line 3 64 22 64 84
  k oval 29 84 38 93 | k oval 62 84 71 93 | l line 2 29 28 29 78
wallet: d box 14 32 82 76 5 | w box 20 28 70 50 2 | b box 24 24 66 44 2 | m box 14 36 86 80 6 | l line 2 20 42 80 42 | d box 66 52 88 66 4 | a oval 72 56 79 63
tent: d poly 50 18 92 82 74 82 44 24 | m poly 50 18 80 82 8 82 | k poly 46 38 56 82 30 82 | l poly 50 18 14 82 8 82 | s line 2 50 18 50 8 | g line 3 4 84 96 84
torch: a poly 66 30 96 10 96 62 74 42 | m poly 14 76 54 40 62 48 22 86 | d poly 50 36 60 24 76 42 66 54 | s poly 58 24 64 20 80 38 76 44 | k oval 36 56 43 63
bottle: d box 41 8 59 22 3 | s box 43 20 57 28 0 | m box 34 26 66 92 9 | l box 39 36 44 82 2 | d box 34 56 66 66 0
compass: k oval 12 12 88 88 | m oval 15 15 85 85 | w oval 24 24 76 76 | r poly 50 28 56 50 44 50 | b poly 50 72 56 50 44 50 | k oval 47 47 53 53
  k line 2 28 50 32 50 | k line 2 68 50 72 50
"""

_FIXED: dict[str, Tone] = {
    "k": (44, 46, 54), "w": (250, 249, 245), "s": (158, 166, 178), "a": (246, 190, 66), "r": (206, 74, 66),
    "g": (84, 142, 84), "e": (110, 170, 100), "b": (72, 118, 186),
}  # fmt: skip


def _kinds() -> dict[str, list[list[str]]]:
    kinds: dict[str, list[list[str]]] = {}
    for line in _KINDS.strip().splitlines():
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
