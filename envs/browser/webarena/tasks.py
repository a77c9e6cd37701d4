"""Task files in WebArena's format: read unchanged, checked whole at load, kept as frozen data.

A file holds a list of tasks or a single one, as WebArena, WebArena-Lite and VisualWebArena publish them. What those
files are known to get wrong is tolerated: a text where a list of texts belongs, nulls for what is not there, a plain
list of reference answers (any one of them, as in the first release), parts that no evaluator of the task looks at.
Everything else that is wrong is :class:`BadInput`: one line with the file, the task, the key and what was expected.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from turngym.envs.browser.webarena.addresses import PLACEHOLDER, fill
from turngym.envs.browser.webarena.helpers import HELPERS, Call, Helper, read_call
from turngym.envs.browser.webarena.matching import ALTERNATIVE, clean, is_inequality
from turngym.envs.types import BadInput

EVAL_TYPES = ("string_match", "url_match", "program_html")
RULES = ("GOLD in PRED", "EXACT")
"""What ``url_note`` may say; the first is WebArena's default, the second WebArena-Lite's."""
LATER_KEYS = frozenset({"old_task_id", "overall_difficulty"})
"""Keys of every task of WebArena-Lite and of VisualWebArena, and of none of WebArena."""
NOT_ACHIEVABLE = "N/A"

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Check:
    """Something that a text has to satisfy."""

    kind: str
    """``exact_match`` (any of ``values``), ``must_include`` (each, or one of its alternatives), ``must_exclude``
    (each), ``one_of``, ``required_values`` (each inequality), ``fuzzy_match`` (all, by a judge), or
    ``unachievable``: the text is "N/A", or gives the reason that is in the task's ``string_note``, by a judge."""
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProgramCheck:
    """Where to look after the episode, and what has to be there."""

    url: str | Call
    """``last`` (stay where the page is), an address, or a helper that gives one."""
    locator: str | Call
    """Empty (the whole document), a JavaScript expression, ``lambda:`` and one, or a helper."""
    contents: tuple[Check, ...]
    prep_actions: tuple[str, ...] = ()
    """JavaScript that runs first, as far as it gets."""


@dataclass(frozen=True, slots=True)
class Eval:
    """How a task is scored: the product over ``eval_types``. Only what these name is read."""

    eval_types: tuple[str, ...]
    answers: tuple[Check, ...] = ()
    string_note: str = ""
    reference_url: str = ""
    """One address, or several with " |OR| " between them."""
    url_note: str = RULES[0]
    program_html: tuple[ProgramCheck, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WebTask:
    """One task of a file, placeholders and all."""

    task_id: int
    sites: tuple[str, ...]
    start_url: str
    """One address, or one a tab with " |AND| " between them."""
    intent: str
    """What the policy is told."""
    eval: Eval
    require_login: bool = False
    storage_state: str | None = None
    geolocation: Mapping[str, Any] | None = None
    intent_template: str = ""
    intent_template_id: int | None = None
    instantiation_dict: Mapping[str, Any] = field(default_factory=dict)
    require_reset: bool = False
    lite: bool = False
    """Whether it is scored by WebArena-Lite's rules, which are VisualWebArena's: it has one of :data:`LATER_KEYS`."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Keys that are not WebArena's, as they stand in the file."""


def start_urls(task: WebTask, addresses: Mapping[str, str], where: str = "") -> tuple[str, ...]:
    """Return the address of each tab that the task starts with; the first is in front. Errors call it ``where``."""
    where = f"{where or f'task {task.task_id}'}: start_url"
    return tuple(fill(one, addresses, where) for one in task.start_url.split(" |AND| "))


def load(path: str | Path, helpers: Mapping[str, Helper] = HELPERS) -> tuple[WebTask, ...]:
    """Read a task file. ``helpers`` are the functions that its ``func:`` expressions may call."""
    try:
        data = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # ValueError: neither JSON nor text
        raise BadInput(f"{path}: not valid JSON: {' '.join(str(error).split())}") from None
    return parse(data, str(path), helpers)


def parse(data: object, where: str, helpers: Mapping[str, Helper] = HELPERS) -> tuple[WebTask, ...]:
    """Check a task file's data; ``where`` names its source in errors."""
    rows = data if isinstance(data, list) else [data]
    if not rows:
        raise BadInput(f"{where}: expected tasks, got an empty list")
    tasks: dict[int, WebTask] = {}
    for position, row in enumerate(rows):
        number = row.get("task_id") if isinstance(row, dict) else None
        name = f"task {number}" if type(number) is int else f"task at position {position}"
        at = _At(f"{where}: {name}", helpers)
        if not isinstance(row, dict):
            raise at.wrong("an object", row)
        task = _task(row, at)
        if task.task_id in tasks:
            raise BadInput(f"{where}: {name}: task_id: there are two tasks of this number (position {position})")
        tasks[task.task_id] = task
    return tuple(tasks.values())


# Reading ----------------------------------------------------------------------------------------------------------

_KINDS = {str: "a string", int: "an integer", bool: "true or false", dict: "an object", list: "a list"}
_REQUIRED = object()


@dataclass(frozen=True, slots=True)
class _At:
    """A place in a file."""

    where: str
    helpers: Mapping[str, Helper]
    path: str = ""

    def __truediv__(self, key: str | int) -> _At:
        return _At(self.where, self.helpers, f"{self.path}.{key}" if self.path else str(key))

    def fault(self, what: str) -> BadInput:
        return BadInput(": ".join(part for part in (self.where, self.path, what) if part))

    def wrong(self, expected: str, value: object) -> BadInput:
        got = "null" if value is None else _KINDS.get(type(value), type(value).__name__)
        shown = f" {value[:60]!r}" if isinstance(value, str) else ""
        return self.fault(f"expected {expected}, got {got}{shown}")

    def read(self, row: Object, key: str, kind: type, default: Any = _REQUIRED) -> Any:
        """Return ``row[key]`` if it is of this kind; the default where there is none or it is null."""
        value = row.get(key)
        if value is None and default is not _REQUIRED:
            return default
        if key not in row:
            raise (self / key).fault(f"missing: expected {_KINDS[kind]}")
        if type(value) is not kind:  # not isinstance: True is an int
            raise (self / key).wrong(_KINDS[kind], value)
        return value

    def texts(self, value: object) -> tuple[str, ...]:
        """Return a list of texts that say something; a single text stands for a list of one."""
        rows = [value] if isinstance(value, str) else value
        if not isinstance(rows, list) or not rows:
            raise self.wrong("a list of strings" if rows != [] else "at least one string", value)
        for index, row in enumerate(rows):
            if not isinstance(row, str):
                raise (self / index).wrong("a string", row)
            if not all(clean(one) for one in row.split(ALTERNATIVE)):
                raise (self / index).fault(f"expected a string that says something, got {row[:60]!r}")
        return tuple(rows)


def _task(row: Object, at: _At) -> WebTask:
    known = {name for name in WebTask.__dataclass_fields__ if name not in ("extra", "lite")}
    lite = not LATER_KEYS.isdisjoint(row)
    sites = at.read(row, "sites", list)
    task = WebTask(
        task_id=at.read(row, "task_id", int),
        sites=(at / "sites").texts(sites) if sites else (),
        start_url=at.read(row, "start_url", str),
        intent=at.read(row, "intent", str),
        eval=_eval(at.read(row, "eval", dict), at / "eval", RULES[1 if lite else 0]),
        require_login=at.read(row, "require_login", bool, False),
        storage_state=at.read(row, "storage_state", str, None),
        geolocation=at.read(row, "geolocation", dict, None),
        intent_template=at.read(row, "intent_template", str, ""),
        intent_template_id=at.read(row, "intent_template_id", int, None),
        instantiation_dict=at.read(row, "instantiation_dict", dict, {}),
        require_reset=at.read(row, "require_reset", bool, False),
        lite=lite,
        extra={key: value for key, value in row.items() if key not in known},
    )
    for key, value in (("start_url", task.start_url), ("intent", task.intent)):
        if not value.strip():
            raise (at / key).fault("expected a string that says something, got ''")
    if not all(one.strip() for one in task.start_url.split(" |AND| ")):
        raise (at / "start_url").fault(f"expected an address on each side of ' |AND| ', got {task.start_url[:60]!r}")
    return task


def _eval(row: Object, at: _At, rule: str) -> Eval:
    types = (at / "eval_types").texts(at.read(row, "eval_types", list))
    for index, kind in enumerate(types):
        if kind not in EVAL_TYPES:
            raise (at / "eval_types" / index).fault(f"unknown eval_type {kind!r}; known are {', '.join(EVAL_TYPES)}")
    known = {name for name in Eval.__dataclass_fields__ if name not in ("extra", "answers")} | {"reference_answers"}
    url_note = at.read(row, "url_note", str, rule) if "url_match" in types else rule
    if url_note not in RULES:
        raise (at / "url_note").fault(f"unknown rule {url_note!r}; known are {', '.join(RULES)}")
    return Eval(
        eval_types=types,
        answers=tuple(_answers(row, at)) if "string_match" in types else (),
        string_note=at.read(row, "string_note", str, ""),
        reference_url=_reference_url(row, at) if "url_match" in types else "",
        url_note=url_note,
        program_html=tuple(_programs(row, at)) if "program_html" in types else (),
        extra={key: value for key, value in row.items() if key not in known},
    )


def _answers(row: Object, at: _At) -> Iterator[Check]:
    value = row.get("reference_answers")
    at /= "reference_answers"
    if isinstance(value, list) and value:
        yield Check("exact_match", at.texts(value))
        return
    if not isinstance(value, dict):
        raise at.wrong("an object such as {'exact_match': 'x'}", value)
    kinds = ("exact_match", "must_include", "must_exclude", "one_of", "required_values", "fuzzy_match")
    yield from _checks(value, at, kinds)


def _checks(row: Object, at: _At, kinds: tuple[str, ...]) -> Iterator[Check]:
    given = {key: value for key, value in row.items() if value is not None}
    if not given:
        raise at.fault(f"nothing to check: expected one of {', '.join(kinds)}")
    for key, value in given.items():
        here = at / key
        if key not in kinds:
            raise here.fault(f"unknown check; known are {', '.join(kinds)}")
        if key == "exact_match":
            if not isinstance(value, str):
                raise here.wrong("a string", value)
            yield Check(key, (value,))
        elif key == "fuzzy_match" and value == NOT_ACHIEVABLE and at.path.endswith("reference_answers"):
            yield Check("unachievable", (value,))
        else:
            values = here.texts(value)
            for index, one in enumerate(values):
                if key == "required_values" and not all(map(is_inequality, one.split(ALTERNATIVE))):
                    raise (here / index).fault(f"expected an inequality such as '>= 12', got {one[:60]!r}")
                if key == "must_exclude" and ALTERNATIVE in one:
                    raise (here / index).fault(f"expected one text, got alternatives: {one[:60]!r}")
            yield Check(key, values)


def _reference_url(row: Object, at: _At) -> str:
    url: str = at.read(row, "reference_url", str)
    at /= "reference_url"
    for one in url.split(ALTERNATIVE):
        if not one.strip():
            raise at.fault(f"expected an address, got {one!r}")
        try:
            urlsplit(one)
        except ValueError as error:
            raise at.fault(f"{one[:80]!r} is not an address: {error}") from None
    return url


def _programs(row: Object, at: _At) -> Iterator[ProgramCheck]:
    programs = at.read(row, "program_html", list)
    at /= "program_html"
    if not programs:
        raise at.fault("nothing to check: expected at least one object")
    for index, program in enumerate(programs):
        here = at / index
        if not isinstance(program, dict):
            raise here.wrong("an object", program)
        prep = program.get("prep_actions")
        contents = here.read(program, "required_contents", dict)
        kinds = ("exact_match", "must_include", "must_exclude", "required_values", "fuzzy_match")
        yield ProgramCheck(
            url=_url(here.read(program, "url", str), here / "url"),
            locator=_locator(here.read(program, "locator", str), here / "locator"),
            contents=tuple(_checks(contents, here / "required_contents", kinds)),
            prep_actions=(here / "prep_actions").texts(prep) if prep else (),
        )


def _url(url: str, at: _At) -> str | Call:
    if url.startswith("func:"):
        return _call(url, at)
    if url != "last" and not url.startswith(("http://", "https://")) and not PLACEHOLDER.match(url):
        raise at.fault(f"expected 'last', an address or 'func:', got {url[:60]!r}")
    return url


def _locator(locator: str, at: _At) -> str | Call:
    locator = locator.strip()
    if locator.startswith("func:"):
        return _call(locator, at)
    if locator and not locator.startswith(("document", "[...document", "lambda:")):
        raise at.fault(f"expected '', 'document...', '[...document...', 'lambda:' or 'func:', got {locator[:60]!r}")
    return locator


def _call(text: str, at: _At) -> Call:
    try:
        return read_call(text.removeprefix("func:"), at.helpers)
    except BadInput as error:
        raise at.fault(str(error)) from None
