"""Film strips: what was seen, said and done in an episode, the actions drawn on the pictures."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image as Pillow

from turngym.agents.episodes.codec import to_png
from turngym.agents.episodes.markup import Html, join, tag
from turngym.agents.episodes.rundata import number
from turngym.envs.types import Episode, Image, Observation, StopReason, ToolCall, Turn

SHOWN = 232
"""Height of a picture on the page, in CSS pixels: small ones are enlarged by a whole number, large ones reduced."""

FOLDED = 400
"""Characters from which on a text is folded."""

MARKS = {StopReason.SUCCESS: "good", StopReason.INFRA_ERROR: "warn"}


def strip(episode: Episode, *, max_turns: int | None = None, max_side: int | None = None) -> Html:
    """Show an episode as a card.

    ``max_turns`` leaves out the middle of a longer one; ``max_side`` reduces larger pictures to so many pixels, which
    keeps a self-contained page small. Everything recorded is escaped.
    """
    return tag(
        "article",
        _head(episode),
        tag("div", *_frames(episode, max_turns, max_side), class_="strip", tabindex="0"),
        class_="episode" + " wide" * (len(episode.turns) > 1) + " long" * (len(episode.turns) > 2),
        data_phase=episode.phase,
        data_result=str(episode.stop_reason),
        data_words=f"{episode.id} {episode.task.id} {episode.task.seed}",
    )


def words_of(call: ToolCall) -> str:
    """Write a call as ``name(key=value, ...)``."""
    arguments = ", ".join(f"{key}={_literal(value)}" for key, value in call["arguments"].items())
    return f"{call['name']}({arguments})" if call["name"] else "no call"


def _head(episode: Episode) -> Html:
    mark = MARKS.get(episode.stop_reason, "good" if episode.success else "bad")
    facts = [episode.phase and f"{episode.phase} {episode.step}"]
    facts += ["" if episode.task.seed is None else f"seed {episode.task.seed}"]
    facts += [episode.policy and f"{episode.policy} v{episode.policy_version}", f"reward {_number(episode.reward)}"]
    instruction = episode.task.instruction or (episode.turns[0].observation["text"] if episode.turns else "")
    return tag(
        "header",
        tag("span", str(episode.stop_reason).replace("_", " "), class_=f"badge {mark}"),
        tag("strong", episode.task.id),
        tag("span", " · ".join(fact for fact in facts if fact), class_="facts"),
        tag("span", episode.id, class_="id"),
        tag("p", instruction, class_="instruction"),
    )


def _frames(episode: Episode, max_turns: int | None, max_side: int | None) -> list[Html]:
    count = len(episode.turns)
    most = count if max_turns is None else min(count, max_turns)
    head, tail = most // 2, count - (most - most // 2)
    frames: list[Html] = []
    for index in range(count):
        if index == tail > head:
            frames.append(tag("div", f"{tail - head} more turns", class_="gap"))
        if index < head or index >= tail:
            frames.append(_turn(episode, index, max_side))
    return [*frames, _end(episode, max_side)]


def _turn(episode: Episode, index: int, max_side: int | None) -> Html:
    turn, refused_before = episode.turns[index], index > 0 and episode.turns[index - 1].error is not None
    # A thought that the token limit cut has no end.
    thought = re.search(r"<think>(.*?)(?:</think>|$)", turn.completion, re.DOTALL)
    gains = _gains(turn, last=index == len(episode.turns) - 1)
    return tag(
        "figure",
        _screen(episode, turn.observation, turn.call, max_side),
        tag(
            "figcaption",
            tag("div", tag("span", f"turn {index + 1}", class_="count"), *gains, class_="line"),
            None if refused_before else _told(episode, turn.observation),
            tag("p", thought[1].strip(), class_="thought") if thought and thought[1].strip() else None,
            tag("code", words_of(turn.call), class_="call"),
            tag("p", turn.error, class_="error") if turn.error is not None else None,
            _completion(turn),
        ),
    )


def _end(episode: Episode, max_side: int | None) -> Html:
    failure = episode.infra_error
    lines = [tag("div", tag("span", "end", class_="count"), class_="line")]
    if failure is not None:
        lines.append(tag("p", f"{failure['kind']}: {failure['message']}", class_="error"))
    if episode.final is None:
        return tag("figure", tag("div", "no last picture", class_="nothing"), tag("figcaption", *lines))
    last_error = episode.turns[-1].error if episode.turns else None
    told = None if last_error is not None else _told(episode, episode.final)
    return tag("figure", _screen(episode, episode.final, None, max_side), tag("figcaption", *lines, told))


def _gains(turn: Turn, last: bool) -> list[Html]:
    """Return reward and signals; on the way, those of zero are left out."""
    gains = []
    if turn.reward:
        gains.append(tag("span", f"{turn.reward:+.3g}", class_="gain good" if turn.reward > 0 else "gain bad"))
    told = {name: value for name, value in turn.signals.items() if last or value}
    return gains + [tag("span", f"{name} {_number(value)}", class_="signal") for name, value in told.items()]


def _completion(turn: Turn) -> Html | None:
    if not turn.completion:
        return None
    about, detail = "completion", None
    if turn.tokens is not None and turn.tokens.ids:
        about = f"completion · {len(turn.tokens.ids)} tokens"
        mean = sum(turn.tokens.logprobs) / len(turn.tokens.ids)
        detail = tag("p", f"mean log-prob {_number(mean)}", class_="result")
    return tag("details", tag("summary", about), tag("pre", turn.completion), detail)


def _told(episode: Episode, observation: Observation) -> Html | None:
    """Show what an observation says beside its pictures and beyond the instruction, folded where it is long."""
    if not observation["images"] or not episode.task.instruction:
        return None
    text = _beyond(episode, observation)
    if len(text) > FOLDED:
        return tag("details", tag("summary", f"text · {len(text):,} characters"), tag("pre", text))
    return tag("p", text, class_="result") if text else None


def _beyond(episode: Episode, observation: Observation) -> str:
    """Return what an observation says beyond the instruction."""
    return observation["text"].removeprefix(episode.task.instruction or "").strip()


def _screen(episode: Episode, observation: Observation, call: ToolCall | None, max_side: int | None) -> Html:
    *older, newest = observation["images"] or (None,)
    if newest is None:
        return tag("div", tag("pre", _beyond(episode, observation)), class_="nothing text")
    height, width = newest.shape[:2]
    thumbnails = [tag("div", _picture(image, max_side, SHOWN // 2), class_="frame small") for image in older]
    overlay = None if call is None else _overlay(call, width, height)
    return join(*thumbnails, tag("div", _picture(newest, max_side, SHOWN), overlay, class_="frame"))


def _picture(image: Image, max_side: int | None, shown: int) -> Html:
    height, width = image.shape[:2]
    if image.size == 0:
        return tag("span", "empty picture", class_="nothing")
    zoom: float = max(1, shown // height) if height <= shown else shown / height
    if max_side is not None and max(height, width) > max_side:
        picture = Pillow.fromarray(image)
        picture.thumbnail((max_side, max_side), Pillow.Resampling.LANCZOS)
        image = np.array(picture, np.uint8)
    source = "data:image/png;base64," + base64.b64encode(to_png(image, level=9)).decode()
    size = {"width": round(width * zoom), "height": round(height * zoom)}
    return tag("img", src=source, alt="", class_="crisp" if zoom >= 1 else None, loading="lazy", **size)


def _overlay(call: ToolCall, width: int, height: int) -> Html:
    """Draw a call over a picture: a ring at x, y, an arrow to to_x, to_y, a caption for text or keys."""
    arguments: Mapping[str, Any] = call["arguments"]
    at = _point(arguments, "x", "y", width, height)
    to = _point(arguments, "to_x", "to_y", width, height)
    unit = max(width, height) / 100
    shapes: list[Html] = []
    if at is not None and to is not None:
        shapes += _arrow(at, to, unit)
    elif at is not None:
        for radius in (3.6 * unit, 6.0 * unit) if "double" in call["name"] else (3.6 * unit,):
            shapes += [tag("circle", cx=at[0], cy=at[1], r=radius, class_=layer) for layer in ("under", "over")]
        shapes.append(tag("circle", cx=at[0], cy=at[1], r=0.9 * unit, class_="centre"))
        shapes += _scroll(arguments, at, unit)
    caption = next((str(arguments[key]) for key in ("text", "key", "keys") if key in arguments), None)
    label = None if caption is None else tag("span", f"{call['name']} {caption}"[:60], class_="caption")
    drawing = tag("svg", *shapes, viewBox=f"0 0 {width} {height}", aria_hidden="true") if shapes else None
    return join(drawing, label)


def _scroll(arguments: Mapping[str, Any], at: tuple[float, float], unit: float) -> list[Html]:
    dx, dy = number(arguments.get("dx")) or 0.0, number(arguments.get("dy")) or 0.0
    length = math.hypot(dx, dy)
    if not length:
        return []
    return _arrow(at, (at[0] + 16 * unit * dx / length, at[1] + 16 * unit * dy / length), unit)


def _arrow(start: tuple[float, float], end: tuple[float, float], unit: float) -> list[Html]:
    angle = math.atan2(end[1] - start[1], end[0] - start[0])
    size = 4 * unit
    barbs = [(end[0] - size * math.cos(angle + turn), end[1] - size * math.sin(angle + turn)) for turn in (0.45, -0.45)]
    head = " ".join(f"{x:.2f},{y:.2f}" for x, y in (barbs[0], end, barbs[1]))
    shapes = [tag("circle", cx=start[0], cy=start[1], r=1.6 * unit, class_="centre")]
    for layer in ("under", "over"):
        shapes.append(tag("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=layer))
        shapes.append(tag("polyline", points=head, class_=layer))
    return shapes


def _point(arguments: Mapping[str, Any], x: str, y: str, width: int, height: int) -> tuple[float, float] | None:
    """Return a point of the picture, or None where the arguments name none (they may hold anything)."""
    at = number(arguments.get(x)), number(arguments.get(y))
    if at[0] is None or at[1] is None or not (0 <= at[0] <= width and 0 <= at[1] <= height):
        return None
    return at[0] + 0.5, at[1] + 0.5


def _literal(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _number(value: float) -> str:
    return f"{value:.3g}"
