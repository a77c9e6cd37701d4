"""Token-in, token-out: contexts grow by appending ids, and what was sampled is never tokenised again.

A conversation is cut into segments: the opening (system prompt and first observation), each completion as sampled, and
each later observation with the chat template's own text around it. A context is a concatenation of segments. Where the
context policy drops an old image, the segment is replaced by its text-only form; the sampled ids never change. So every
turn can be trained as a row of its own, under exactly the ids that it was sampled in.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from turngym.envs import Observation, Turn

_MARK = "\ue000MARK\ue000"
"""A private-use sentinel that no template contains."""


class Renderer:
    """Renders conversations for one tokenizer, by its own chat template.

    ``system`` is the system prompt (None: the template's own default, if it has one); ``keep_images`` is the number of
    newest observations that keep their images (None: all).
    """

    def __init__(self, tokenizer: Any, *, system: str | None = None, keep_images: int | None = None) -> None:
        self._tokenizer = tokenizer
        self._system: list[dict[str, Any]] = (
            [] if system is None else [{"role": "system", "content": defuse(tokenizer, system)}]
        )
        self._keep_images = keep_images
        self.eos: int = tokenizer.eos_token_id
        # One cache an instance; observations repeat within a group and from turn to turn.
        self._segment = functools.lru_cache(maxsize=4096)(self._render_segment)

    def context(self, turns: Sequence[Turn], observation: Observation) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the ids that the next completion is sampled in, and for each image placeholder its turn.

        ``turns`` are the turns so far, with their tokens; ``observation`` is the newest.
        """
        ids: list[int] = []
        image_turns: list[int] = []
        observations = [turn.observation for turn in turns] + [observation]
        for index, seen in enumerate(observations):
            kept = self._keep_images is None or index >= len(observations) - self._keep_images
            images = len(seen["images"]) if kept else 0
            ids += self._segment(seen["text"], images, index == 0)
            image_turns += [index] * images
            if index < len(turns):
                ids += self.closed(turns[index])
        return tuple(ids), tuple(image_turns)

    def conversation(self, turns: Sequence[Turn], observation: Observation) -> str:
        """Return the text of the same context, as the chat template writes the whole conversation at once.

        Not used to act: the gate holds it against :meth:`context`.
        """
        messages = list(self._system)
        observations = [turn.observation for turn in turns] + [observation]
        for index, seen in enumerate(observations):
            kept = self._keep_images is None or index >= len(observations) - self._keep_images
            messages.append(self._message(seen["text"], len(seen["images"]) if kept else 0))
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
        content: list[dict[str, Any]] = [{"type": "image"} for _ in range(images)]
        content.append({"type": "text", "text": defuse(self._tokenizer, text)})
        return {"role": "user", "content": content}

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
