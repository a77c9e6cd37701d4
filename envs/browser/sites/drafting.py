"""From rows of a site's content to tasks in WebArena's format, each with an oracle.

A task has the keys of a WebArena task file and three more: ``split``, ``template`` and ``oracle``. ``storage_state``
is the name of the user who is logged in, or None. The oracle is a list of steps in a browser:

    {"goto": "__WIKI__/..."}   {"click": CSS}   {"fill": CSS, "text": ..., "enter": bool}
    {"select": CSS, "option": label}   {"answer": text}

An element is the first visible one that the selector finds; a step waits for the page that the last one led to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from turngym.envs.types import BadInput, Split

Step = dict[str, Any]
Rows = Sequence[tuple[Any, ...]]
TEST_SHARE = 4
"""One subject (the first item of a row) in so many is for testing."""


@dataclass(frozen=True)
class Draft:
    """What one template makes of one row."""

    intent: str
    """With ``{{name}}`` where a value goes."""
    values: Mapping[str, str]
    oracle: Sequence[Step]
    answer: Mapping[str, Any] | None = None
    """For string_match."""
    address: str = ""
    """For url_match: the path to end on."""
    pages: Sequence[Mapping[str, Any]] = ()
    """For program_html: paths instead of addresses, or ``last``."""
    user: str | None = None
    note: str = ""
    """Why it cannot be done, where it cannot."""


@dataclass(frozen=True)
class Template:
    """A kind of task: the rows that it can be made from, and how."""

    rows: Callable[[], Rows]
    draft: Callable[..., Draft]
    """Takes a row's items."""
    draws: bool = False
    """Whether it draws more than the row (quantities, wording), with a generator that it takes before the items."""


@dataclass(frozen=True)
class Generator:
    """All templates of a site."""

    site: str
    placeholder: str
    start: str
    """Path of the page that tasks start on."""
    templates: Mapping[str, Template]

    def rows(self, template: str, split: Split) -> Rows:
        """Return the rows of a split; the splits share no subject. :class:`BadInput` for an unknown template."""
        if template not in self.templates:
            raise BadInput(f"site {self.site} has no task template {template!r}: there are {', '.join(self.templates)}")
        rows = self.templates[template].rows()
        subjects = list(dict.fromkeys(repr(row[0]) for row in rows))
        held_out = set(subjects[TEST_SHARE - 1 :: TEST_SHARE])
        return [row for row in rows if (repr(row[0]) in held_out) == (split == "test")]

    def generate(self, rng: np.random.Generator, template: str, split: Split = "train") -> dict[str, Any]:
        """Return a task drawn with ``rng`` from the rows of a split. Errors: as :meth:`rows`."""
        rows = self.rows(template, split)
        return self.task(template, split, rows[int(rng.integers(len(rows)))], rng)

    def task(
        self, template: str, split: Split, row: tuple[Any, ...], rng: np.random.Generator | None = None
    ) -> dict[str, Any]:
        """Return the task that a template makes of a row; one that draws more needs ``rng``."""
        kind = self.templates[template]
        draft = kind.draft(rng, *row) if kind.draws else kind.draft(*row)
        number = list(self.templates).index(template)
        return {
            "sites": [self.site],
            "task_id": number,
            "template": template,
            "split": split,
            "require_login": draft.user is not None,
            "storage_state": draft.user,
            "start_url": self.placeholder + self.start,
            "geolocation": None,
            "intent_template": draft.intent,
            "instantiation_dict": dict(draft.values),
            "intent": re.sub(r"\{\{(\w+)\}\}", lambda match: draft.values[match[1]], draft.intent),
            "intent_template_id": number,
            "require_reset": False,
            "eval": self._evaluation(draft),
            "oracle": [
                {**step, "goto": self.placeholder + step["goto"]} if "goto" in step else step for step in draft.oracle
            ],
        }

    def _evaluation(self, draft: Draft) -> dict[str, Any]:
        kinds = {"string_match": draft.answer, "url_match": draft.address, "program_html": draft.pages}
        pages = [
            {**page, "url": page["url"] if page["url"] == "last" else self.placeholder + page["url"]}
            for page in draft.pages
        ]
        return {
            "eval_types": [name for name, wanted in kinds.items() if wanted],
            "reference_answers": draft.answer,
            "reference_url": self.placeholder + draft.address if draft.address else "",
            "url_note": "EXACT",
            "program_html": pages,
            "string_note": draft.note,
            "reference_answer_raw_annotation": "",
        }


def exact(text: str) -> dict[str, Any]:
    """Require this very text."""
    return {"exact_match": text}


def includes(*texts: str) -> dict[str, Any]:
    """Require these texts."""
    return {"must_include": list(texts)}


def one_line(text: str) -> str:
    """Return a text with single spaces for all white space, as :data:`ONE_LINE` does in a page."""
    return " ".join(text.split())


def check(path: str, locator: str, contents: Mapping[str, Any]) -> dict[str, Any]:
    """Require something of what a locator finds on a page."""
    return {"url": path, "locator": locator, "required_contents": dict(contents)}


def alternating(some: Rows, others: Rows) -> Rows:
    """Return rows of two kinds in turn, as many of one as of the other, in the training and in the test split.

    Every second time the two change places: else the split, which counts to :data:`TEST_SHARE`, would test one kind.
    """
    pairs = enumerate(zip(some, others, strict=False))
    return [row for place, pair in pairs for row in (pair if place % TEST_SHARE < TEST_SHARE // 2 else pair[::-1])]


ONE_LINE = ".replace(/\\s+/g, ' ').trim()"
"""JavaScript that goes behind a text, and does to it what :func:`one_line` does."""
UNACHIEVABLE = {"fuzzy_match": "N/A"}
"""The answer to what cannot be done."""
