"""Scoring: what a task's file asks for, checked part by part on the answer and the page; the score is the product.

WebArena and WebArena-Lite score alike but for this, and each task is scored by its own benchmark's rules:

* ``must_include``: where a reference of one word has to be a word of the text, and not only a part of one. WebArena: in
  an answer, where it is one letter and the only reference. WebArena-Lite: everywhere;
* ``url_match``: "GOLD in PRED" compares the parts of an address in WebArena, its letters in WebArena-Lite; without a
  ``url_note`` it is the rule in WebArena, and "EXACT" is in WebArena-Lite;
* ``fuzzy_match``: a language model judges each reference by itself in WebArena, all at once in WebArena-Lite and of a
  page.

Where upstream's scorers differ from each other or from what a file plainly says, this is what holds here:

* every check that a file lists counts (upstream looks at the first kind under ``required_contents`` only);
* ``<`` and ``>`` exclude equality, and a number may have decimals;
* a locator that throws finds an empty text; one that gives null, like a helper that gives no address or a ``lambda:``
  that gives nothing, finds nothing, and nothing satisfies no check, not even ``must_exclude``;
* no answer satisfies no check of an answer, not even ``must_exclude``.
"""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from turngym.envs.browser.webarena import matching
from turngym.envs.browser.webarena.addresses import fill
from turngym.envs.browser.webarena.helpers import HELPERS, LAST_URL, Call, Helper, Marker
from turngym.envs.browser.webarena.judge import ExactJudge, Judge
from turngym.envs.browser.webarena.matching import ALTERNATIVE
from turngym.envs.browser.webarena.tasks import NOT_ACHIEVABLE, Check, ProgramCheck, WebTask
from turngym.envs.browser.webarena.viewer import Viewer
from turngym.envs.types import BadInput, InfraError

# Finds without ever failing: what a script throws is an outcome, what the browser does is not.
_FIND = """(async () => {
    try {
        let found = (%s
        );
        if (typeof found === "function") found = found();
        found = (await found) ?? null;
        return { found: typeof found === "object" && found !== null && !Array.isArray(found) ? String(found) : found };
    } catch (error) {
        return { thrown: String(error) };
    }
})()"""


@dataclass(frozen=True, slots=True)
class Part:
    """One check."""

    name: str
    """Where it stands in the task's ``eval``, such as ``program_html.0.must_include.1``."""
    value: float
    """In [0, 1]."""
    evidence: str
    """What was sought, and where, in one line."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an attempt at a task is worth."""

    score: float
    """Product of the parts' values."""
    parts: tuple[Part, ...]


def evaluate(
    task: WebTask,
    answer: str | None,
    viewer: Viewer,
    judge: Judge | None = None,
    addresses: Mapping[str, str] | None = None,
    helpers: Mapping[str, Helper] = HELPERS,
) -> Verdict:
    """Score an attempt that ended with ``answer`` (None: without one) on the page that ``viewer`` shows.

    The page is navigated: parts that ask for another address go there, and ``last`` means wherever it then is. Give it
    the very page that the policy left, so that what was filled in is still there. ``addresses`` are those of the
    sites, by placeholder; ``judge`` decides fuzzy matches, by default an :class:`ExactJudge`; ``helpers`` has to hold
    those the task was loaded with.

    Raises :class:`turngym.envs.InfraError` when the browser, a site or the judge fails, :class:`turngym.envs.BadInput`
    when an address or a helper is not given.
    """
    attempt = _Attempt(task, answer, viewer, viewer.url, judge or ExactJudge(), addresses or {}, helpers)
    evaluators: dict[str, Callable[[], Iterator[Part]]] = {
        "string_match": attempt.string_match,
        "url_match": attempt.url_match,
        "program_html": attempt.program_html,
    }
    parts = tuple(part for kind in task.eval.eval_types for part in evaluators[kind]())
    return Verdict(math.prod(part.value for part in parts), parts)


@dataclass(frozen=True, slots=True)
class _Attempt:
    task: WebTask
    answer: str | None
    viewer: Viewer
    last_url: str
    """Where the policy ended."""
    judge: Judge
    addresses: Mapping[str, str]
    helpers: Mapping[str, Helper]

    def string_match(self) -> Iterator[Part]:
        for check in self.task.eval.answers:
            yield from self._hold(check, f"string_match.{check.kind}", self.answer, of_page=False)

    def url_match(self) -> Iterator[Part]:
        gold = fill(self.task.eval.reference_url, self.addresses, self._where("reference_url"))
        within = matching.has_part if self.task.lite else matching.is_within
        rule = matching.is_at if self.task.eval.url_note == "EXACT" else within
        evidence = f"{_short(gold)} {self.task.eval.url_note} {_short(self.last_url)}"
        yield Part("url_match", float(rule(gold, self.last_url)), evidence)

    def program_html(self) -> Iterator[Part]:
        for index, program in enumerate(self.task.eval.program_html):
            content = self._look(program, self._where(f"program_html.{index}.url"))
            content = None if content is None else html.unescape(content)
            for check in program.contents:
                sought = Check(check.kind, tuple(html.unescape(value) for value in check.values))
                yield from self._hold(sought, f"program_html.{index}.{check.kind}", content)

    # What a text has to satisfy ------------------------------------------------------------------------------------

    def _hold(self, check: Check, name: str, text: str | None, of_page: bool = True) -> Iterator[Part]:
        values = [fill(value, self.addresses) for value in check.values]
        together = check.kind in ("exact_match", "one_of", "unachievable", "fuzzy_match")
        for index, value in enumerate([ALTERNATIVE.join(values)] if together else values):
            number = "" if together else f".{index}"
            if text is None:
                yield Part(name + number, 0.0, f"{_short(value)}: there is nothing to look at")
                continue
            score = self._measure(check.kind, values if together else [value], text, of_page, len(values) == 1)
            yield Part(name + number, score, f"{check.kind} {_short(value)} of {_short(text)}")

    def _measure(self, kind: str, values: list[str], text: str, of_page: bool, alone: bool) -> float:
        choices = [value.split(ALTERNATIVE) for value in values]
        alternatives = [one for choice in choices for one in choice]
        match kind:
            case "exact_match":
                return float(any(matching.equals(value, text) for value in values))
            case "must_include":
                letters = alone and not of_page
                return float(any(self._includes(one, text, letters) for one in alternatives))
            case "must_exclude":
                return float(matching.excludes(values[0], text))
            case "one_of":
                return float(any(matching.includes(one, text) for one in alternatives))
            case "required_values":
                return float(any(matching.satisfies(one, text) for one in alternatives))
            case "fuzzy_match":
                return max(self._judged(text, list(one), of_page) for one in itertools.product(*choices))
            case "unachievable":
                if matching.equals(NOT_ACHIEVABLE, text):
                    return 1.0
                return _sound(self.judge.ua_match(text, self.task.eval.string_note, self.task.intent))
        raise ValueError(kind)

    def _judged(self, text: str, references: list[str], of_page: bool) -> float:
        together = of_page or self.task.lite
        return _sound(
            self.judge.fuzzy_match(text, [", ".join(references)] if together else references, self.task.intent)
        )

    def _includes(self, reference: str, text: str, letters: bool) -> bool:
        as_word = self.task.lite or (letters and len(matching.clean(reference)) == 1)
        return matching.includes(reference, text, as_word=as_word)

    # Where to look -------------------------------------------------------------------------------------------------

    def _look(self, program: ProgramCheck, where: str) -> str | None:
        """Go where a check looks; return what it finds there, None for nothing."""
        if program.url != "last":
            url = self._call(program.url, where) if isinstance(program.url, Call) else program.url
            url = fill(str(url), self.addresses, where)
            if not url.startswith(("http://", "https://")):  # a helper found none, or the policy ended outside the web
                return None
            self.viewer.goto(url)
        for action in program.prep_actions:
            if "thrown" in self._find(action):
                break
        if isinstance(program.locator, Call):
            return _text(self._call(program.locator, where))
        if not program.locator:
            return self.viewer.content()
        outcome = self._find(program.locator.removeprefix("lambda:"))
        found = outcome.get("found")
        if program.locator.startswith("lambda:"):
            return _text(found) if found not in ("", 0, False, []) else None
        return "" if "thrown" in outcome else _text(found)

    def _find(self, code: str) -> dict[str, Any]:
        try:
            outcome: dict[str, Any] = self.viewer.evaluate(_FIND % code.strip().rstrip(";"))
        except InfraError as error:
            # All that code throws is caught where it runs, but for code that cannot run at all.
            if error.kind == "page_error" and "SyntaxError" in error.message:
                return {"thrown": error.message}
            raise
        return outcome

    def _call(self, call: Call, where: str) -> Any:
        if call.name not in self.helpers:
            raise BadInput(f"{where}: no helper {call.name!r} is given")
        return self.helpers[call.name](*map(self._argument, call.arguments), addresses=self.addresses)

    def _argument(self, argument: Any) -> Any:
        match argument:
            case Marker.PAGE:
                return self.viewer
            case Marker.LAST_URL:
                return self.last_url
            case str():
                return fill(argument.replace(LAST_URL, self.last_url), self.addresses)
        return argument

    def _where(self, path: str) -> str:
        return f"task {self.task.task_id}: eval.{path}"


def _text(found: Any) -> str | None:
    return None if found is None else str(found)


def _sound(verdict: float) -> float:
    if not 0 <= verdict <= 1:
        raise InfraError("judge", f"a verdict of {verdict} is not in [0, 1]")
    return float(verdict)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 120 else text[:119] + "…")
