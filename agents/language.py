"""The language policy: renders what it sees into tokens, samples a completion, reads the call in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from turngym.agents import dialects, prompts
from turngym.agents.engines import Engine, Prompt
from turngym.agents.policies import stream
from turngym.agents.renderer import Renderer
from turngym.agents.rollout import Decision, View
from turngym.envs import Image, StopReason, Tokens, ToolCallSpace, Turn
from turngym.envs.scenario import PolicyBlock


def system_prompt(policy: PolicyBlock, space: ToolCallSpace) -> str | None:
    """Return the system prompt that a scenario asks for, with the tools written in its dialect."""
    name = policy.prompt or ("none" if policy.model.startswith("tiny-") else "tools")
    if name == "none":
        return None
    return prompts.read(name).replace("{tools}", dialects.find(policy.dialect).manual(space.tools))


def refuse_unknown(policy: PolicyBlock) -> None:
    """Raise :class:`BadInput` for a dialect or a prompt that is not there, before anything is started for it."""
    dialects.find(policy.dialect)
    if policy.prompt and policy.prompt != "none":
        prompts.read(policy.prompt)


def images_in_context(
    turns: Sequence[Turn], observation_images: Sequence[Image], places: Sequence[int]
) -> tuple[Image, ...]:
    """Return the images that the placeholders of a context stand for.

    ``places`` gives each placeholder's turn; the placeholders of one turn are its images in order.
    """
    found: list[Image] = []
    for index, turn in enumerate(places):
        nth = index - list(places).index(turn)
        found.append(turns[turn].observation["images"][nth] if turn < len(turns) else observation_images[nth])
    return tuple(found)


class LanguagePolicy:
    """A model behind an engine, speaking a dialect.

    ``seed`` and the episode's id decide all sampling noise, so an episode comes out the same in any batch.
    """

    def __init__(
        self,
        engine: Engine,
        renderer: Renderer,
        tokenizer: Any,
        *,
        dialect: str,
        name: str,
        seed: int,
        temperature: float,
        max_new_tokens: int,
        max_context: int,
    ) -> None:
        self.name, self.engine, self.renderer = name, engine, renderer
        self._tokenizer, self._dialect, self._seed = tokenizer, dialects.find(dialect), seed
        self._temperature, self._max_new_tokens, self._max_context = temperature, max_new_tokens, max_context

    @property
    def version(self) -> int:
        """Number of updates its weights have seen."""
        return self.engine.version

    def act(self, views: Sequence[View]) -> list[Decision]:
        """Sample a completion for each view and read the call in it."""
        decisions: list[Decision | None] = []
        prompts_, contexts = [], []
        for view in views:
            ids, places = self.renderer.context(view.turns, view.observation, view.instruction)
            if len(ids) > self._max_context:
                decisions.append(Decision({"name": "", "arguments": {}}, stop=StopReason.TOKEN_LIMIT))
                continue
            images = images_in_context(view.turns, view.observation["images"], places)
            prompts_.append(Prompt(ids, images, stream(self._seed, view.episode, len(view.turns))))
            contexts.append((ids, places))
            decisions.append(None)
        sampled = self.engine.sample(prompts_, temperature=self._temperature, max_new_tokens=self._max_new_tokens)
        rest = iter(zip(contexts, sampled, strict=True))
        for index, decision in enumerate(decisions):
            if decision is None:
                (ids, places), completion = next(rest)
                tokens = Tokens(ids, places, completion.ids, completion.logprobs, completion.truncated)
                said = completion.ids if completion.truncated else completion.ids[:-1]
                text = self._tokenizer.decode(said, skip_special_tokens=False)
                decisions[index] = Decision(self._dialect.read(text), text, tokens)
        return [decision for decision in decisions if decision is not None]
