"""Warm start: supervised learning on oracle episodes, with screen reading beside the action.

Each turn is a row: the context that the policy would see; the oracle's call, and before it, with ``grounding``, what it
acts on and where; and, where the family lists its elements, a question about the screen, in turns of two kinds: "List
the screen." (names and places in reading order: what is where) and "Find on the screen." (names in random order, given:
where is what). A place is written right behind its name, so that it is predicted at the name itself. What each of these
is worth is measured on the recipes' pages, scenarios/*.md.
"""

from __future__ import annotations

import copy
import random
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import torch

from turngym.agents import prompts
from turngym.agents.dialects import Dialect
from turngym.agents.language import images_in_context
from turngym.agents.models.vlm import VLM, Row
from turngym.agents.renderer import Renderer, page_of
from turngym.envs import Element, Episode, Tokens, ToolCall, ToolCallSpace, Turn
from turngym.envs.scenario import WarmStartBlock
from turngym.trainers.objectives import aggregate
from turngym.trainers.rows import pad, score

QUESTIONS = ("list", "find")
"""Prompts about the screen, asked in turns."""


LONGEST_QUOTE = 120
"""Letters of a page that a demonstration quotes."""

LONGEST_NAME = 24
"""Elements with longer names are not called by them: they are texts to read, of which only the place is said."""


@dataclass(frozen=True, slots=True)
class Example:
    """A row to imitate, and a weight for each id of its completion."""

    row: Row
    weights: tuple[float, ...]


def place(element: Element) -> str:
    """Write where an element is: its centre in image pixels, in the digits of a call."""
    return f"{int(element.x)},{int(element.y)}"


def think(call: ToolCall, elements: Sequence[Element], page: str = "") -> str:
    """Say before a call what it acts on; nothing for a call that points at no element.

    That is an element of the screen and where it is, or what ``page`` says of the number that the call names: the line
    with ``[number]``, or the tag with ``id="number"`` and its text.
    """
    if "element" in call["arguments"]:
        number = re.escape(str(call["arguments"]["element"]))
        said = re.search(rf'^.*\[{number}\].*$|<[^<>]*\sid="?{number}\b[^<>]*>[^<]*', page, re.MULTILINE)
        return f"<think> {said[0].strip()[:LONGEST_QUOTE]}</think>" if said else ""
    x, y = call["arguments"].get("x"), call["arguments"].get("y")
    if x is None or y is None:
        return ""
    # What is dragged is often taken by its edge, and a call's numbers are whole.
    under = [e for e in elements if abs(x - e.x) <= e.width / 2 + 1 and abs(y - e.y) <= e.height / 2 + 1]
    if not under:
        return ""
    target = min(under, key=lambda e: e.width * e.height)
    return f"<think> {_called(target)}{place(target)}</think>"


def corpus(episodes: Sequence[Episode], space: ToolCallSpace, dialect: Dialect) -> Iterator[str]:
    """Yield what will be read and written, for training a tokenizer: oracle episodes, and calls of every tool."""
    space.seed(0)
    for _ in range(32 * len(space.names)):
        yield dialect.write(space.sample())
    for episode in episodes:
        for turn in episode.turns:
            yield "user\n"
            yield turn.observation["text"]
            yield "assistant\n"
            yield dialect.write(turn.call)
            yield "".join(f" {_called(element)}{place(element)}" for element in turn.elements)
    yield from (prompts.read(question) for question in QUESTIONS)


def examples(
    episodes: Sequence[Episode],
    renderer: Renderer,
    dialect: Dialect,
    *,
    grounding: bool,
    screen_reading: float,
    seed: int,
) -> list[Example]:
    """Turn oracle episodes into examples, one a turn; the question about the screen alternates."""
    draw = random.Random(seed)
    found: list[Example] = []
    for episode in episodes:
        past: list[Turn] = []
        for turn in episode.turns:
            ids, places = renderer.context(past, turn.observation, episode.task.instruction)
            page = page_of(turn.observation["text"], episode.task.instruction)
            thought = think(turn.call, turn.elements, page) if grounding else ""
            action = renderer.encode(thought + dialect.write(turn.call))
            completion, weights = list(action), [1.0] * len(action)
            if screen_reading > 0 and turn.elements:
                asked = QUESTIONS[len(found) % 2]
                more, their_weights = _about_the_screen(asked, turn.elements, renderer, draw)
                completion += more
                weights += [screen_reading * weight for weight in their_weights]
            images = images_in_context(past, turn.observation["images"], places)
            found.append(Example(Row(ids, images, tuple(completion)), tuple(weights)))
            past.append(replace(turn, tokens=Tokens(ids, places, action, (0.0,) * len(action))))
    return found


def _called(element: Element) -> str:
    """Return what an element is called by, if anything."""
    return element.name if len(element.name) <= LONGEST_NAME else ""


def _about_the_screen(
    question: str, elements: Sequence[Element], renderer: Renderer, draw: random.Random
) -> tuple[list[int], list[float]]:
    """Ask a question about the screen and answer it; names that are given, and the question, weigh nothing."""
    given = question == "find"
    named = [element for element in elements if _called(element)]
    listed = draw.sample(named, len(named)) if given else elements
    ids = list(renderer.question(prompts.read(question)))
    weights = [0.0] * len(ids)
    for element in listed:
        name = renderer.ids(f" {_called(element)}")  # as a word within a sentence, like in the instruction
        where = renderer.ids(place(element))
        ids += [*name, *where]
        weights += [0.0 if given else 1.0] * len(name) + [1.0] * len(where)
    return [*ids, renderer.eos], [*weights, 1.0]


def learning_rate(step: int, steps: int, peak: float, warm_up: int = 30) -> float:
    """Linear warm-up, then linear decay to a fifth of ``peak`` at ``steps``."""
    return peak * min(1.0, (step + 1) / warm_up) * max(0.2, 1 - 0.8 * step / max(steps, 1))


def train(
    vlm: VLM,
    data: Sequence[Example],
    settings: WarmStartBlock,
    *,
    seed: int,
    measure: Callable[[int], float],
    log: Callable[[dict[str, float]], None],
) -> int:
    """Imitate ``data`` for at most ``settings.steps`` steps; return how many the model has taken.

    ``measure(step)`` returns sampled success, and training stops once it reaches ``until``: the right number of steps
    differs from seed to seed. It is asked every ``check_every`` steps, once the loss is below ``check_below``. What a
    model sees, it may learn within ten steps: where a check finds more than ``overshoot``, which would leave nothing to
    learn, training goes back to the check before it, and the next one is half as far away. What is gone back on is not
    logged.
    """
    imitation = _Imitation(vlm, data, settings, seed)
    low, high, near = imitation.state(), None, settings.check_below is None
    due = settings.check_every
    while imitation.step < settings.steps:
        rows = [imitation.advance() for _ in range(imitation.step, min(due, settings.steps))]
        success = 0.0
        if settings.until is not None and imitation.step == due:
            near = near or imitation.recent_loss() < (settings.check_below or 0.0)
            if near:
                success = rows[-1]["success"] = measure(due)
        if settings.overshoot is not None and success > settings.overshoot and due > low["step"] + 1:
            high = due
            imitation.load(low)
        else:
            for row in rows:
                log(row)
            if settings.until is not None and success >= settings.until:
                break
            low = imitation.state()
        if high is None or high <= imitation.step:
            due = imitation.step + settings.check_every
        else:
            due = (imitation.step + high + 1) // 2
    return imitation.step


class _Imitation:
    """Supervised training that can be set back to an earlier step."""

    def __init__(self, vlm: VLM, data: Sequence[Example], settings: WarmStartBlock, seed: int) -> None:
        self.step = 0
        self._vlm, self._data, self._settings = vlm, data, settings
        self._draw = random.Random(seed)
        self._model = vlm.model.train()
        self._losses: deque[float] = deque(maxlen=10)
        self._optimizer = torch.optim.AdamW(
            self._model.parameters(), lr=settings.lr, betas=(0.9, 0.98), weight_decay=0.01
        )

    def advance(self) -> dict[str, float]:
        """Take a step on a batch, and return its metrics."""
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self._settings.steps, self._settings.lr)
        batch = self._draw.sample(self._data, min(self._settings.batch_size, len(self._data)))
        scored = score(self._vlm, [example.row for example in batch])
        weights = pad([example.weights for example in batch], scored.mask)
        loss = -aggregate(scored.logp, weights, torch.ones(len(batch)))
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()
        self.step += 1
        self._losses.append(loss.item())
        return {"step": self.step, "loss": loss.item()}

    def recent_loss(self) -> float:
        """Return the mean loss of the last ten steps."""
        return fmean(self._losses)

    def state(self) -> dict[str, Any]:
        """Copy all that the next step depends on; nothing, where training never goes back."""
        if self._settings.overshoot is None:
            return {"step": self.step}
        parts = {"model": self._model.state_dict(), "optimizer": self._optimizer.state_dict()}
        return {**copy.deepcopy(parts), "draw": self._draw.getstate(), "step": self.step}

    def load(self, state: dict[str, Any]) -> None:
        """Go back to where ``state`` was copied, which can be used again."""
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self._draw.setstate(state["draw"])
        self.step = state["step"]
