"""Token-in, token-out: contexts grow by appending ids, and what was sampled is never tokenised again.

A conversation is cut into segments: the opening (system prompt and first observation), each completion as sampled, and
each later observation with the chat template's own text around it. A context is a concatenation of segments. Where the
context policy drops an old image or an old page, the segment is replaced by a form without it; the sampled ids never
change. So every turn can be trained as a row of its own, under exactly the ids that it was sampled in.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from turngym.envs import Observation, Turn
from turngym.envs.scenario import PLACE, ContextBlock

LONGEST_KEPT = 4000
"""Characters of a text whose ids are kept for the next time."""
_MARK = "\ue000MARK\ue000"
"""A private-use sentinel that no template contains."""


def page_of(text: str, instruction: str) -> str:
    """Return what an observation's text says beside the instruction that it begins with."""
    if instruction and (text + "\n").startswith(instruction + "\n"):
        return text[len(instruction) + 1 :]
    return text


def visible(context: ContextBlock, observations: Sequence[Observation], instruction: str) -> list[Observation]:
    """Return what is left of each observation by the time that the last of them is the newest."""
    found: list[Observation] = []
    for turn, seen in enumerate(observations):
        age = len(observations) - 1 - turn
        page = page_of(seen["text"], instruction)
        dropped = bool(page) and context.pages is not None and age >= context.pages
        page = context.stub if dropped else page
        template = context.later if turn else context.opening
        if template is not None:
            said = {"instruction": instruction, "page": page, "turn": str(turn)}
            text = PLACE.sub(lambda place, said=said: said[place[1]], template)  # type: ignore[misc]
        else:
            text = "\n".join(part for part in (instruction, page) if part) if dropped else seen["text"]
        kept = context.images is None or age < context.images
        found.append({"text": text, "images": seen["images"] if kept else ()})
    return found


class Renderer:
    """Renders conversations for one tokenizer, by its own chat template.

    ``system`` is the system prompt (None: the template's own default, if it has one); ``policy`` says what of the past
    a context still shows.
    """

    def __init__(self, tokenizer: Any, *, system: str | None = None, policy: ContextBlock = ContextBlock()) -> None:  # noqa: B008 - frozen
        self._tokenizer = tokenizer
        self._system: list[dict[str, Any]] = (
            [] if system is None else [{"role": "system", "content": defuse(tokenizer, system)}]
        )
        self.policy = policy
        self.eos: int = tokenizer.eos_token_id
        # One cache an instance; observations repeat within a group and from turn to turn.
        self._short_segment = functools.lru_cache(maxsize=4096)(self._render_segment)

    def context(
        self, turns: Sequence[Turn], observation: Observation, instruction: str = ""
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the ids that the next completion is sampled in, and for each image placeholder its turn.

        ``turns`` are the turns so far, with their tokens; ``observation`` is the newest; ``instruction`` is the task's.
        """
        ids: list[int] = []
        image_turns: list[int] = []
        observations = [turn.observation for turn in turns] + [observation]
        for index, seen in enumerate(visible(self.policy, observations, instruction)):
            ids += self._segment(seen["text"], len(seen["images"]), index == 0)
            image_turns += [index] * len(seen["images"])
            if index < len(turns):
                ids += self.closed(turns[index])
        return tuple(ids), tuple(image_turns)

    def conversation(self, turns: Sequence[Turn], observation: Observation, instruction: str = "") -> str:
        """Return the text of the same context, as the chat template writes the whole conversation at once.

        Not used to act: the gate holds it against :meth:`context`.
        """
        messages = list(self._system)
        observations = [turn.observation for turn in turns] + [observation]
        for index, seen in enumerate(visible(self.policy, observations, instruction)):
            messages.append(self._message(seen["text"], len(seen["images"])))
            if index < len(turns):
                said = self._tokenizer.decode(self.closed(turns[index])[:-1], skip_special_tokens=False)
                messages.append({"role": "assistant", "content": said})
        return self._template(messages)

    def closed(self, turn: Turn) -> tuple[int, ...]:
        """Return a turn's sampled ids, closed by an end-of-turn id where the token limit cut them off."""
        if turn.tokens is None:
            raise ValueError("only turns of a language model have ids")
        ids = turn.tokens.ids
        return ids if ids and ids[-1] == self.eos else (*ids, self.eos)

    def question(self, text: str) -> tuple[int, ...]:
        """Return the ids of a further user message, after a closed completion, up to where the answer begins."""
        return self._segment(text, 0, False)

    def encode(self, text: str) -> tuple[int, ...]:
        """Tokenise a completion to be imitated, end of turn included."""
        return (*self.ids(text), self.eos)

    def ids(self, text: str) -> tuple[int, ...]:
        """Tokenise text as it is."""
        return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _segment(self, text: str, images: int, opening: bool) -> tuple[int, ...]:
        # A long page is not seen twice, and would be kept with all its ids.
        render = self._short_segment if len(text) <= LONGEST_KEPT else self._render_segment
        return render(text, images, opening)

    def _render_segment(self, text: str, images: int, opening: bool) -> tuple[int, ...]:
        message = self._message(text, images)
        if opening:
            rendered = self._template([*self._system, message])
        else:
            past = [{"role": "user", "content": "."}, {"role": "assistant", "content": _MARK}]
            rendered = self._template([*past, message]).split(_MARK, 1)[1]
            # The end of turn is among the sampled ids; what follows it (a line break, in ChatML) is not.
            rendered = rendered.removeprefix(self._tokenizer.eos_token)
        return self.ids(rendered)

    def _message(self, text: str, images: int) -> dict[str, Any]:
        said = defuse(self._tokenizer, text)
        if not images:  # as plain text: templates of language models know no parts
            return {"role": "user", "content": said}
        parts = [*({"type": "image"} for _ in range(images)), {"type": "text", "text": said}]
        return {"role": "user", "content": parts}

    def _template(self, messages: list[dict[str, Any]]) -> str:
        text: str = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return text


def defuse(tokenizer: Any, text: str) -> str:
    """Break up control tokens in text that came from outside (a page, a device), so that they stay text."""
    for token in _control_tokens(tokenizer):
        if token in text:
            text = text.replace(token, token[0] + "\u200b" + token[1:])
    return text


@functools.lru_cache(maxsize=8)
def _control_tokens(tokenizer: Any) -> tuple[str, ...]:
    return tuple(t for t in tokenizer.get_added_vocab() if t.startswith("<|"))
