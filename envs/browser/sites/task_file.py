"""Task files in WebArena's format, drawn from what the sites hold."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from turngym.envs.browser.sites.drafting import Generator
from turngym.envs.browser.sites.registry import SITES, site
from turngym.envs.core import refuse_split
from turngym.envs.types import BadInput, Split

TaskData = dict[str, Any]
"""A task as :mod:`drafting` makes it."""


def generator(name: str) -> Generator:
    """Return what makes a site's tasks; :class:`BadInput` if there is no site of this name."""
    module = importlib.import_module(f"turngym.envs.browser.sites.{site(name).name}.tasks")
    found: Generator = module.GENERATOR
    return found


def draw(names: Sequence[str], count: int, seed: int, split: Split) -> list[TaskData]:
    """Return ``count`` tasks of these sites, their templates in turn. No two have the same intent.

    They are numbered from 0; the number of a template is its place among those of all sites, so that files can be
    compared. Equal arguments give equal tasks, a greater count the same ones and more; ``seed`` is at least 0.
    :class:`BadInput` for an unknown site or split, and for more tasks than there are.
    """
    refuse_split(split)
    makers = [generator(name) for name in dict.fromkeys(names)]
    # All first templates, then all second ones: a short file has tasks of every site.
    kinds = sorted(
        ((place, maker, template) for maker in makers for place, template in enumerate(maker.templates)),
        key=lambda kind: kind[0],
    )
    rngs = np.random.default_rng(seed).spawn(len(kinds))
    decks = [_deck(maker, template, split, rng) for (_, maker, template), rng in zip(kinds, rngs, strict=True)]
    tasks = list(itertools.islice(_distinct(decks), count))
    if len(tasks) < count:
        where = ", ".join(maker.site for maker in makers)
        raise BadInput(f"cannot draw {count} tasks: split {split!r} of {where} has {len(tasks)} different ones")
    numbers = _numbers()
    return [
        {**task, "task_id": number, "intent_template_id": numbers[task["sites"][0], task["template"]]}
        for number, task in enumerate(tasks)
    ]


def _deck(maker: Generator, template: str, split: Split, rng: np.random.Generator) -> Iterator[TaskData]:
    """Make a task of each row of a template, shuffled."""
    rows = maker.rows(template, split)
    for place in rng.permutation(len(rows)):
        yield maker.task(template, split, rows[place], rng)


def _distinct(decks: list[Iterator[TaskData]]) -> Iterator[TaskData]:
    """Take a task of each deck in turn, as long as one has a task with an intent that was not there before."""
    seen: set[str] = set()
    while decks:
        for deck in list(decks):
            task = next((it for it in deck if it["intent"] not in seen), None)
            if task is None:
                decks.remove(deck)
            else:
                seen.add(task["intent"])
                yield task


def _numbers() -> dict[tuple[str, str], int]:
    """Return the number of each template of each site."""
    kinds = [(name, template) for name in SITES for template in generator(name).templates]
    return {kind: number for number, kind in enumerate(kinds)}
