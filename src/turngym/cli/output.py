"""What commands print: one JSON object for machines or tables for people on stdout; progress on stderr."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")]


@contextlib.contextmanager
def stdout_for_the_answer() -> Iterator[None]:
    """Send whatever anyone prints meanwhile to stderr, children and C libraries included.

    ``--json`` promises exactly one object on stdout, and libraries do print.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def print_json(answer: Mapping[str, Any]) -> None:
    """Print ``answer`` as one JSON object; infinities and NaN, which JSON lacks, become null."""
    print(json.dumps(_finite(answer), allow_nan=False, default=os.fspath))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


MOST_ROWS = 16
"""Entries of a nested answer that are printed."""


def figures(answer: Mapping[str, Any], title: str) -> None:
    """Print a flat answer as a table of two columns, nested ones as ``key.key``."""
    table = Table(title=title, title_justify="left", show_header=False)
    for key, value in _flat(answer):
        table.add_row(key, Text(in_words(value)))
    Console().print(table)


def in_words(value: Any) -> str:
    """Format one value: a yes or no, a number to four significant digits, an interval, or the thing itself."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return " .. ".join(in_words(item) for item in value) or "none"
    return str(value)


def _flat(answer: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in answer.items():
        if isinstance(value, Mapping) and len(value) > MOST_ROWS:
            yield prefix + key, f"{len(value)}, each in --json"
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


@contextlib.contextmanager
def counted(what: str, total: int) -> Iterator[Callable[..., None]]:
    """Show a progress bar on stderr and yield the function that takes one step; quiet where stderr is no terminal.

    The function's ``note``, if given, is shown behind the bar.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    note = TextColumn("{task.fields[note]}")
    with Progress(*columns, note, console=console, disable=not console.is_terminal, transient=True) as bar:
        row = bar.add_task(what, total=total, note="")

        def step(note: str = "") -> None:
            bar.update(row, advance=1, note=note)

        yield step
