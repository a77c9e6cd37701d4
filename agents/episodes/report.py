"""The report of a run: headline, learning curve, and film strips, as one page of HTML."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TypeVar

from turngym.agents.episodes.charts import interval, learning_curve, small_chart
from turngym.agents.episodes.markup import Html, join, tag
from turngym.agents.episodes.rundata import Rate, RunData, by_name, number, points, wilson
from turngym.agents.episodes.store import EpisodeStore, Summary
from turngym.agents.episodes.strips import strip
from turngym.envs.types import StopReason

CURVES = ("success", "step", "phase")
"""Metrics that are in the learning curve, not in charts of their own."""

PAIRS = {"learned": 3, "kept": 1, "lost": 1, "still failing": 1}
"""How many pairs of each kind a report shows."""

MOST_TASKS = 24
"""Of more tasks than these a report shows only the mean."""

TITLES = {"": "Episodes", "play": "Episodes", "eval": "Evaluation"}
"""Headings of phases that are not called by their own name."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Chosen:
    """Episodes that a report shows together."""

    title: str
    note: str
    cards: tuple[tuple[str, ...], ...]
    """Ids; those in one inner tuple stand side by side."""
    labels: tuple[str, ...] = ()
    """A heading for each card, if any."""


def choose(store: EpisodeStore) -> list[Chosen]:
    """Choose the episodes of a report by rules that its notes tell, never by what looks good."""
    phases = store.counts("phase")
    chosen = []
    if {"before", "after"} <= set(phases):
        chosen.append(_before_and_after(store))
        phases = {phase: count for phase, count in phases.items() if phase not in ("before", "after")}
    if phases.pop("train", 0):
        by_step: dict[int, str] = {}
        for summary in store.summaries(phase="train"):
            by_step.setdefault(summary.step, summary.id)
        picked = _spread(list(by_step.values()), 8)
        note = f"The first episode of {len(picked)} evenly spaced steps."
        chosen.append(Chosen("During training", note, tuple((one,) for one in picked)))
    for phase, count in phases.items():
        picked = _spread([s.id for s in store.summaries(phase=phase)], 2 if phase == "warm_start" else 16)
        note = f"All {count}." if len(picked) == count else f"{len(picked)} of {count:,}, evenly spaced."
        title = TITLES.get(phase, phase.replace("_", " ").capitalize())
        chosen.append(Chosen(title, note, tuple((one,) for one in picked)))
    broken = [summary.id for summary in store.summaries(stop_reason=StopReason.INFRA_ERROR)]
    if broken:
        note = f"{len(broken)} ended by a failure of ours; they count in no rate. The last {min(3, len(broken))}."
        chosen.append(Chosen("Infrastructure failures", note, tuple((one,) for one in broken[-3:])))
    return chosen


def page(run: RunData, body: Html) -> str:
    """Return a whole page around ``body``. It may load nothing and run nothing but its own script."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=f"{policy}; form-action 'self'"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{run.name} · TurnGym"),
        tag("style", Html(style)),
    )
    main = tag("main", tag("header", tag("h1", run.name), tag("p", run.about, class_="about")), body)
    return "<!doctype html>" + tag("html", head, tag("body", main, tag("script", Html(script))), lang="en")


def overview(run: RunData, store: EpisodeStore) -> Html:
    """Headline numbers, the same by task where there are several, and the learning curve."""
    return join(tag("section", *_headline(run, store), class_="headline"), _by_task(store), _curve(run))


def strips(store: EpisodeStore, chosen: Iterable[Chosen], max_turns: int, max_side: int) -> Html:
    """Film strips of the chosen episodes, with a filter that works on the page itself."""
    phases: dict[str, int] = {}
    reasons: dict[str, int] = {}
    sections = []
    for group in chosen:
        cards = []
        for index, ids in enumerate(group.cards):
            episodes = [store.get(one) for one in ids]
            for episode in episodes:
                phases[episode.phase] = phases.get(episode.phase, 0) + 1
                reasons[str(episode.stop_reason)] = reasons.get(str(episode.stop_reason), 0) + 1
            shown = [strip(episode, max_turns=max_turns, max_side=max_side) for episode in episodes]
            label = group.labels[index] if group.labels else None
            cards.append(
                tag("div", tag("h3", label) if label else None, *shown, class_="pair") if len(shown) > 1 else shown[0]
            )
        heading = join(tag("h2", group.title), tag("p", group.note, class_="note"))
        sections.append(tag("section", heading, tag("div", *cards, class_="cards"), class_="group"))
    return join(filters(phases, reasons, {}, live=False), *sections)


def filters(phases: Mapping[str, int], reasons: Mapping[str, int], now: Mapping[str, str], *, live: bool) -> Html:
    """Controls over the strips: on the page itself, or (``live``) a form that asks the server."""

    def select(name: str, label: str, counts: Mapping[str, int]) -> Html | None:
        given = {value: count for value, count in counts.items() if value}
        if not given:
            return None
        options = [tag("option", label, value="")] + [
            tag("option", f"{value.replace('_', ' ')} ({count})", value=value, selected=now.get(name) == value)
            for value, count in given.items()
        ]
        return tag("select", *options, name=name, aria_label=label)

    search = tag("input", type="search", name="search", placeholder="task, seed or id", value=now.get("search", ""),
                 aria_label="search")  # fmt: skip
    return tag(
        "form",
        select("phase", "all phases", phases),
        select("result", "all results", reasons),
        search,
        tag("output", class_="shown"),
        class_="filters",
        data_live="yes" if live else None,
    )


def recipe(run: RunData) -> Html:
    """The recipe as it was run, folded."""
    lost = f"{run.skipped} unreadable lines of metrics.jsonl were left out." if run.skipped else ""
    folded = tag("details", tag("summary", "Recipe (run.yaml)"), tag("pre", run.recipe)) if run.recipe else None
    return tag("footer", folded, tag("p", lost, class_="note") if lost else None)


def seconds_in_words(seconds: float) -> str:
    """Write a duration as people do."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60}h {minutes % 60}m"
    return f"{minutes}m {rest}s" if minutes else f"{seconds:.3g}s"


def _before_and_after(store: EpisodeStore) -> Chosen:
    after = {(s.task, s.seed): s for s in store.summaries(phase="after")}
    kinds: dict[str, list[tuple[str, Summary]]] = {kind: [] for kind in PAIRS}
    for early in store.summaries(phase="before"):
        late = after.get((early.task, early.seed))
        if late is not None and StopReason.INFRA_ERROR not in (early.stop_reason, late.stop_reason):
            outcome = {(False, True): "learned", (True, True): "kept", (True, False): "lost"}
            kinds[outcome.get((early.success, late.success), "still failing")].append((early.id, late))
    cards, labels = [], []
    for kind, pairs in kinds.items():
        for early_id, late in _spread(pairs, PAIRS[kind]):
            cards.append((early_id, late.id))
            labels.append(f"{kind} · seed {late.seed}")
    counts = ", ".join(f"{len(pairs)} {kind}" for kind, pairs in kinds.items())
    note = f"The same held-out seeds: {counts}. Shown are a few of each kind, evenly spaced."
    return Chosen("Before and after RL", note, tuple(cards), tuple(labels))


def _headline(run: RunData, store: EpisodeStore) -> list[Html]:
    before, after = run.rates.get("before"), run.rates.get("after")
    if before is not None and after is not None:
        gain = f"{100 * (after.value - before.value):+.1f}".removesuffix(".0")
        cards = [
            _card(f"{_percent(before)} → {_percent(after)}", "success before → after RL",
                  _interval("before", before), _interval("after", after), wide=True),
            _card(gain, "points gained by RL alone"),
        ]  # fmt: skip
        totals: Mapping[str, float] = {}
    else:
        rates = [
            (phase, rate) for phase, rate in run.rates.items() if phase in ("play", "eval", "") and rate.count != 0
        ]
        cards = [_card(_percent(rate), "success", _interval(phase, rate), wide=True) for phase, rate in rates]
        totals = _totals(store)
    broken = store.count(stop_reason=StopReason.INFRA_ERROR)
    cards.append(_card(f"{number(run.summary.get('episodes')) or len(store) - broken:,.0f}", "episodes"))
    for key, label, form in (
        ("steps", "RL steps", "{:,.0f}"),
        ("mean_reward", "mean reward", "{:.3g}"),
        ("mean_turns", "turns an episode", "{:.3g}"),
    ):
        value = number(run.summary.get(key, totals.get(key)))
        if value is not None:
            cards.append(_card(form.format(value), label))
    wall = number(run.summary.get("wall_s"))
    if wall is not None:
        cards.append(_card(seconds_in_words(wall), "wall time"))
    if broken:
        cards.append(_card(f"{broken:,}", "infrastructure failures, left out of rates"))
    return cards


def _by_task(store: EpisodeStore) -> Html | None:
    """Success on held-out seeds, a card for each of several tasks."""
    rates: dict[str, dict[str, Rate]] = {}
    for phase in ("before", "after", "eval"):
        won: dict[str, list[bool]] = {}
        for summary in store.summaries(phase=phase):
            if summary.stop_reason is not StopReason.INFRA_ERROR:
                won.setdefault(summary.task, []).append(summary.success)
        for task, successes in won.items():
            rates.setdefault(task, {})[phase] = wilson(sum(successes), len(successes))
    if not 1 < len(rates) <= MOST_TASKS:
        return None
    cards = [
        _card(" → ".join(map(_percent, by_phase.values())), task, *(_interval(p, r) for p, r in by_phase.items()))
        for task, by_phase in sorted(rates.items(), key=lambda item: by_name(item[0]))
    ]
    return tag("section", tag("h2", "Success by task"), tag("div", *cards, class_="headline"), class_="tasks")


def _totals(store: EpisodeStore) -> dict[str, float]:
    """Means over the sound episodes."""
    sound = [s for s in store.summaries() if s.stop_reason is not StopReason.INFRA_ERROR]
    if not sound:
        return {}
    reward, turns = sum(s.reward for s in sound), sum(s.turns for s in sound)
    return {"mean_reward": reward / len(sound), "mean_turns": turns / len(sound)}


def _card(value: str, label: str, *more: Html, wide: bool = False) -> Html:
    parts = (tag("div", value, class_="value"), tag("div", label, class_="label"), *more)
    return tag("div", *parts, class_="card wide" if wide else "card")


def _interval(name: str, rate: Rate) -> Html:
    words = f"{100 * rate.low:.0f}–{100 * rate.high:.0f}%" + (f" of {rate.count}" if rate.count else "")
    return tag("div", interval(rate, name or "play"), tag("span", words), class_="interval")


def _curve(run: RunData) -> Html | None:
    warm, train = points(run.rows.get("warm_start", []), "success"), points(run.rows.get("train", []), "success")
    if not train and not warm:
        return None
    ends = run.rates.get("before"), run.rates.get("after")
    # Drawn twice, because text in a drawing shrinks with it: the style sheet shows the one that fits.
    charts = [
        tag("div", learning_curve(warm, train, *ends, width=width, height=height), class_=f"chart {name}")
        for name, width, height in (("broad", 1080, 340), ("narrow", 380, 300))
    ]
    note = "Share of sampled episodes that succeed. Thin: each step; thick: moving average; marks: held-out seeds, 95%."
    return tag("section", tag("h2", "Learning curve"), tag("p", note, class_="note"), *charts, class_="curve")


def metrics(run: RunData) -> Html | None:
    """Small charts of the metrics that change; ``metrics.jsonl`` has them all."""
    charts = []
    for phase in sorted(run.rows, key=lambda name: name != "train"):
        rows = run.rows[phase]
        for key in dict.fromkeys(key for row in rows for key in row):
            series = points(rows, key)
            if key in CURVES or key == "wall_s" or len({value for _, value in series}) < 2:
                continue
            name = key.replace("_", " ") if phase == "train" else f"{phase} {key}".replace("_", " ").strip()
            head = tag("div", tag("span", name), tag("span", f"{series[-1][1]:.3g}", class_="last"), class_="line")
            charts.append(tag("div", head, small_chart(series), class_="card"))
    if not charts:
        return None
    return tag("section", tag("h2", "Other metrics"), tag("div", *charts, class_="metrics"))


def _percent(rate: Rate) -> str:
    return f"{100 * rate.value:.1f}".removesuffix(".0") + "%"


def _spread(items: Sequence[T], count: int) -> list[T]:
    """Take at most ``count`` items, evenly spaced, the first and the last among them."""
    if len(items) <= count:
        return list(items)
    return [items[round(index * (len(items) - 1) / max(1, count - 1))] for index in range(count)]


def _asset(name: str) -> str:
    return resources.files("turngym.agents.episodes").joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
