"""Charts as inline SVG: the learning curve, intervals, and small ones for everything else that was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from turngym.agents.episodes.markup import Html, join, tag
from turngym.agents.episodes.rundata import Point, Rate


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear map from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value, at most 99 widths outside."""
        span = self.high - self.low or 1.0
        return self.start + (value - self.low) / span * (self.end - self.start)


def learning_curve(
    warm: Sequence[Point], train: Sequence[Point], before: Rate | None, after: Rate | None, *, width: int, height: int
) -> Html:
    """Draw success over steps: warm start at the left where it was measured, then RL, evaluations as marked points."""
    left, right, top, bottom = 46, width - 18, 16, height - 34
    border = left + (right - left) * (0.22 if warm else 0.0)
    y = Axis(0.0, 1.0, bottom, top)
    x = Axis(0.0, max((p[0] for p in train), default=1.0), border, right)
    parts = [_grid(y, left, right)]
    if warm:
        w = Axis(0.0, max(p[0] for p in warm), left, border)
        parts += [
            tag("rect", x=left, y=top, width=border - left, height=bottom - top, class_="band"),
            _label("warm start", (left + border) / 2, bottom + 24, "middle"),
            *_series(warm, w, y, "warm", dots=True),
        ]
    if train:
        parts += [
            tag("line", x1=border, y1=top, x2=border, y2=bottom, class_="border"),
            *_ticks(x, bottom),
            _label("RL steps", (border + right) / 2, bottom + 30, "middle"),
            *_series(train, x, y, "train", dots=len(train) <= 40),
        ]
    parts += _mark(before, border, y, "before", "start") + _mark(after, right, y, "after", "end")
    return _svg(width, height, *parts, label="Success over training steps")


def interval(rate: Rate, kind: str) -> Html:
    """Draw a share and its interval on a line from 0 to 1."""
    x = Axis(0.0, 1.0, 4, 196)
    return _svg(
        200,
        14,
        tag("line", x1=4, y1=7, x2=196, y2=7, class_="rail"),
        tag("line", x1=x(rate.low), y1=7, x2=x(rate.high), y2=7, class_=f"range {kind}"),
        tag("circle", cx=x(rate.value), cy=7, r=5, class_=f"dot {kind}"),
        label=f"{rate.value:.3f}, 95% interval {rate.low:.3f} to {rate.high:.3f}",
    )


def small_chart(series: Sequence[Point]) -> Html:
    """Draw one metric over steps, and write below it the first step, the range of values and the last step."""
    width, height = 300, 84
    values, steps = [p[1] for p in series], [p[0] for p in series]
    low, high = min(values), max(values)
    y = Axis(low, high, height - 6, 6) if low < high else Axis(low - 1, low + 1, height - 6, 6)
    x = Axis(min(steps), max(steps), 4, width - 4)
    base = tag("line", x1=4, y1=height - 1, x2=width - 4, y2=height - 1, class_="grid")
    drawn = _svg(width, height, base, *_series(series, x, y, "train", dots=False), label="values over steps")
    # Outside the drawing, because text in a drawing shrinks with it.
    ends = (_short(steps[0]), f"{low:.2g} … {high:.2g}", _short(steps[-1]))
    return join(drawn, tag("div", *(tag("span", text) for text in ends), class_="line ends"))


def smooth(series: Sequence[Point], window: int) -> list[Point]:
    """Return the centred moving average over ``window`` points, fewer at the ends."""
    half = window // 2
    averaged = []
    for index, (step, _) in enumerate(series):
        near = series[max(0, index - half) : index + half + 1]
        averaged.append((step, sum(value for _, value in near) / len(near)))
    return averaged


def thin(series: Sequence[Point], most: int = 400) -> list[Point]:
    """Average neighbours until there are at most ``most`` points: a curve of a long run is no wider than the page."""
    size = -(-len(series) // most)
    chunks = [series[i : i + size] for i in range(0, len(series), size)] if size > 1 else [[p] for p in series]
    return [(sum(p[0] for p in c) / len(c), sum(p[1] for p in c) / len(c)) for c in chunks]


def _series(series: Sequence[Point], x: Axis, y: Axis, kind: str, *, dots: bool) -> list[Html]:
    if not series:
        return []
    raw = thin(series)
    line = smooth(raw, max(1, len(raw) // 12))
    parts = [_polyline(raw, x, y, f"raw {kind}")] if len(line) >= 12 else []
    if dots:
        parts += [
            tag("circle", tag("title", f"step {_short(s)}: {_short(v)}"), cx=x(s), cy=y(v), r=2.5, class_=f"dot {kind}")
            for s, v in raw
        ]
    return [*parts, _polyline(line, x, y, f"line {kind}")]


def _mark(rate: Rate | None, x: float, y: Axis, name: str, anchor: str) -> list[Html]:
    if rate is None:
        return []
    # Well below the interval, where a rising curve leaves room; above it only at the very bottom.
    height = y(rate.low) + 34 if rate.low > 0.12 else y(rate.high) - 10
    aside = x + (8 if anchor == "start" else -8)
    return [
        tag("line", x1=x, y1=y(rate.low), x2=x, y2=y(rate.high), class_=f"whisker {name}"),
        tag("circle", cx=x, cy=y(rate.value), r=6, class_=f"mark {name}"),
        tag("text", f"{name} {100 * rate.value:.3g}%", x=aside, y=height, text_anchor=anchor, class_=f"name {name}"),
    ]


def _grid(y: Axis, left: float, right: float) -> Html:
    lines = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        lines.append(tag("line", x1=left, y1=y(share), x2=right, y2=y(share), class_="grid"))
        lines.append(_label(f"{100 * share:.0f}%", left - 8, y(share) + 4, "end"))
    return join(*lines)


def _ticks(x: Axis, bottom: float) -> list[Html]:
    shares = (0.0, 0.25, 0.5, 0.75, 1.0) if x.end - x.start > 400 else (0.0, 1.0)
    values = sorted({round(x.low + share * (x.high - x.low)) for share in shares})
    anchors = {values[0]: "start", values[-1]: "end"}
    return [_label(_short(v), x(v), bottom + 16, anchors.get(v, "middle")) for v in values]


def _polyline(series: Sequence[Point], x: Axis, y: Axis, class_: str) -> Html:
    return tag("polyline", points=" ".join(f"{x(s):.1f},{y(v):.1f}" for s, v in series), class_=class_)


def _label(text: str, x: float, y: float, anchor: str) -> Html:
    return tag("text", text, x=x, y=y, text_anchor=anchor, class_="axis")


def _short(value: float) -> str:
    return f"{value:.4g}"


def _svg(width: int, height: int, *parts: Html, label: str) -> Html:
    return tag("svg", *parts, viewBox=f"0 0 {width} {height}", role="img", aria_label=label)
