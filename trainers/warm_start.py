"""Warm start: supervised learning on oracle episodes, with screen reading beside the action.

Each turn is a row: the context that the policy would see, the oracle's call, and, where the family lists its elements,
a further question, "List the screen.", with what is on it and where. Asking only for the call leaves a model born
yesterday at chance; reading the screen is what makes it see.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from turngym.agents import prompts
from turngym.agents.dialects import Dialect
from turngym.agents.language import images_in_context
from turngym.agents.models.vlm import VLM, Row
from turngym.agents.renderer import Renderer
from turngym.envs import Element, Episode, Tokens, ToolCallSpace, Turn
from turngym.envs.scenario import WarmStartBlock
from turngym.trainers.objectives import aggregate
from turngym.trainers.rows import pad, score


@dataclass(frozen=True, slots=True)
class Example:
    """A row to imitate, and a weight for each id of its completion."""

    row: Row
    weights: tuple[float, ...]


def read_screen(elements: Sequence[Element]) -> str:
    """Write what is on the screen: names and centres in image pixels, spelled as in a call, in the order given.

    The order should be a fixed one: what cannot be predicted is noise.
    """
    seen = "; ".join(f'{element.name}, "x": {int(element.x)}, "y": {int(element.y)}' for element in elements)
    return f"Seen: {seen}"


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
            yield read_screen(turn.elements)
        yield prompts.read("screen_reading")


def examples(episode: Episode, renderer: Renderer, dialect: Dialect, screen_reading: float) -> list[Example]:
    """Turn an oracle episode into examples, one a turn."""
    found = []
    past: list[Turn] = []
    for turn in episode.turns:
        ids, places = renderer.context(past, turn.observation)
        action = renderer.encode(dialect.write(turn.call))
        completion, weights = action, [1.0] * len(action)
        if screen_reading > 0 and turn.elements:
            question = renderer.question(prompts.read("screen_reading"))
            answer = renderer.encode(read_screen(turn.elements))
            completion = (*action, *question, *answer)
            weights += [0.0] * len(question) + [screen_reading] * len(answer)
        images = images_in_context(past, turn.observation["images"], places)
        found.append(Example(Row(ids, images, completion), tuple(weights)))
        past.append(replace(turn, tokens=Tokens(ids, places, action, (0.0,) * len(action))))
    return found


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
    """Imitate ``data`` for at most ``settings.steps`` steps; return how many were taken.

    ``measure(step)`` returns sampled success; it is asked every ``check_every`` steps from ``check_from`` on, and
    training stops once it reaches ``until``: the right number of steps differs from seed to seed.
    """
    draw = random.Random(seed)
    model = vlm.model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.lr, betas=(0.9, 0.98), weight_decay=0.01)
    for step in range(settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, settings.steps, settings.lr)
        batch = draw.sample(data, min(settings.batch_size, len(data)))
        scored = score(vlm, [example.row for example in batch])
        weights = pad([example.weights for example in batch], scored.mask)
        loss = -aggregate(scored.logp, weights, torch.ones(len(batch)))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        row = {"step": step + 1, "loss": loss.item()}
        due = step + 1 >= settings.check_from and (step + 1) % settings.check_every == 0
        if settings.until is not None and due:
            row["success"] = measure(step + 1)
        log(row)
        if settings.until is not None and row.get("success", 0.0) >= settings.until:
            return step + 1
    return settings.steps
