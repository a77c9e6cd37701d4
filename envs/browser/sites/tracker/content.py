"""What the tracker holds: every ticket with its history, wiki pages, rights. Pure and deterministic."""

from __future__ import annotations

import calendar
import functools
import random
from dataclasses import dataclass

from . import rows as rows  # noqa: TID251  (relative: the site's own environment knows no turngym)

TITLE = "Driftline"
USERS = {"wren": "anchor-light-1", "bruno": "chart-table-2", "celia": "tide-gauge-3", "dmitri": "paper-log-4"}
"""Passwords of those who can log in: an administrator and three developers."""
ADMINISTRATOR = "wren"
DEVELOPERS = ("bruno", "celia", "dmitri")
REPORTERS = (*USERS, "kestrel", "quayle", "mira")
KEYWORDS = ("regression", "usability", "performance", "easy", "crash", "safety")
BEGAN = calendar.timegm((2023, 2, 6, 9, 0, 0))
ENDED = calendar.timegm((2024, 1, 12, 17, 0, 0))
DAY = 86400

RIGHTS = {
    "anonymous": (
        *("TICKET_VIEW", "WIKI_VIEW", "REPORT_VIEW", "ROADMAP_VIEW", "MILESTONE_VIEW", "TIMELINE_VIEW", "SEARCH_VIEW"),
    ),
    "authenticated": ("TICKET_CREATE", "TICKET_APPEND", "TICKET_CHGPROP", "WIKI_CREATE", "WIKI_MODIFY"),
    "developers": ("TICKET_MODIFY", "TICKET_BATCH_MODIFY", "REPORT_CREATE", "MILESTONE_CREATE", "MILESTONE_MODIFY"),
    ADMINISTRATOR: ("TRAC_ADMIN",),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a ticket's history: what was said, and the new values of what was changed. Seconds since 1970."""

    author: str
    comment: str
    time: int
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as it is now, with how it came to be so."""

    id: int
    fields: dict[str, str]
    reporter: str
    time: int
    text: str
    changes: tuple[Change, ...]

    def __getitem__(self, field: str) -> str:
        return self.fields[field]

    @property
    def open(self) -> bool:
        """Whether there is still something to be done."""
        return self.fields["status"] != "closed"


_REMARKS = (
    "I can reproduce this.",
    "Which version are you on?",
    "Seen on two machines here, always after a long day.",
    "A test that fails would help.",
    "Let us talk about it at the next meeting.",
    "There is a patch on my machine; it needs another look.",
    "Same here, and it is worse with large charts.",
    "I think this belongs into the next release.",
    "Not as easy as it looks.",
)
_ENDINGS = {
    "fixed": "Mended, with a test.",
    "wontfix": "This would cost more than it is worth.",
    "duplicate": "We have this already.",
    "worksforme": "I tried for an hour and it does not happen.",
    "invalid": "It is meant to be like this.",
}


def _milestone(ended: int, rng: random.Random) -> str:
    """What a ticket that ended at this time was part of; 0 for one that has not ended."""
    if not ended:
        return rng.choice(("1.2", "1.2", "2.0", ""))
    return next((it.name for it in rows.MILESTONES if it.done and ended < day(it.done)), "1.2")


def day(text: str) -> int:
    """Return noon of a day YYYY-MM-DD in seconds since 1970."""
    year, month, date = map(int, text.split("-"))
    return calendar.timegm((year, month, date, 12, 0, 0))


def _version(when: int) -> str:
    return next((name for name, since in reversed(rows.VERSIONS) if when >= day(since)), "0.9")


def _ticket(number: int, report: rows.Report, when: int, rng: random.Random) -> Ticket:
    """Give a report its life: who wrote it, what was said, who has it and how it ended, if it has."""
    owner = next(it.owner for it in rows.COMPONENTS if it.name == report.component)
    if rng.random() < 0.4:
        owner = rng.choice(DEVELOPERS)
    status = rng.choices(("new", "assigned", "accepted", "closed"), (3, 3, 2, 6))[0]
    closed = status == "closed"
    born = {
        "summary": report.summary,
        "component": report.component,
        "type": report.type,
        "priority": report.priority,
        "milestone": "",
        "version": _version(when),
        "owner": owner,
        "status": "new",
        "resolution": "",
        "keywords": rng.choice(("", *KEYWORDS)),
    }
    moment, changes = when, []
    for remark in rng.sample(_REMARKS, rng.randint(0, 3)):
        moment += rng.randint(2, 60) * 3600
        changes.append(Change(rng.choice(REPORTERS), remark, moment, {}))
    fields = dict(born)
    if status != "new":
        moment += rng.randint(2, 60) * 3600
        last = {"status": status}
        ending = rng.choices(list(_ENDINGS), (6, 1, 1, 1, 1))[0] if closed else ""
        if closed:
            last["resolution"] = ending
        fields |= last
        changes.append(Change(owner, _ENDINGS.get(ending, ""), moment, last))
    fields["milestone"] = _milestone(moment if closed else 0, rng)
    reporter = rng.choice(REPORTERS)
    history = tuple(Change(it.author, it.comment, min(it.time, ENDED), it.fields) for it in changes)
    return Ticket(number, fields, reporter, when, report.text, history)


@functools.cache
def tickets() -> tuple[Ticket, ...]:
    """Every ticket; the number of one is its place in the list, from 1."""
    rng = random.Random(20240115)
    reports = list(rows.REPORTS)
    rng.shuffle(reports)
    step = (ENDED - 20 * DAY - BEGAN) // len(reports) // 3600 * 3600
    return tuple(_ticket(i + 1, it, BEGAN + i * step + rng.randrange(8) * 3600, rng) for i, it in enumerate(reports))


_HELP = {
    "TracTickets": "= Tickets =\nA ticket is one thing to be done. Its history is below it, and the form below that.\n",
    "TracReports": "= Reports =\nReports are saved lists of tickets; the numbers in braces name them.\n",
    "TracQuery": "= Queries =\nAdd a filter for each field that matters, and press ''Update''.\n",
    "TracWiki": "= Wiki =\nWhoever is logged in may edit these pages. See [wiki:WikiFormatting].\n",
    "TracSearch": "= Search =\nAll words must occur. A number after # goes to the ticket.\n",
    "TracRoadmap": "= Roadmap =\nEach milestone with how much of it is done.\n",
    "TracTimeline": "= Timeline =\nWhat happened, the latest first.\n",
    "TracGuide": "= Help =\n[wiki:TracTickets], [wiki:TracReports], [wiki:TracQuery], [wiki:TracSearch]\n",
    "WikiFormatting": "= Formatting =\n{{{= Title =}}}, {{{'''bold'''}}}, {{{[wiki:Page]}}}, {{{#1}}}: a ticket.\n",
}


def pages() -> dict[str, str]:
    """The source of each wiki page of ours, by name."""
    parts = "\n".join(f"||= {it.name} =|| {it.owner} || {it.about} ||" for it in rows.COMPONENTS)
    plan = "\n".join(f" * milestone:{it.name}, due {it.due}: {it.about}" for it in rows.MILESTONES)
    return {
        "WikiStart": f"= {TITLE} =\n{TITLE} plans passages for small boats: charts, tides and routes in one window.\n\n"
        "== Where to go ==\n * [/report Reports]: lists of tickets\n * [/query Custom query]: search tickets by field\n"
        " * [/roadmap Roadmap]: what comes when\n * [wiki:Team]: who looks after what\n"
        " * [wiki:ReleaseChecklist]: what is done before a release\n * [wiki:Meetings]: notes\n"
        " * [wiki:CodingStyle]: how we write\n\n"
        f"== Plan ==\n{plan}\n",
        "Team": f"= Team =\n||= Component =||= Owner =||= About =||\n{parts}\n\n{ADMINISTRATOR} runs this site.\n",
        "ReleaseChecklist": "= Release checklist =\n 1. All blockers are closed.\n 1. The manual is up to date.\n"
        " 1. Packages are signed.\n 1. The download page is changed.\n 1. The milestone is completed.\n",
        "Meetings": "= Meetings =\n== 12 January 2024 ==\n * harmonic constants first\n * next meeting in two weeks\n\n"
        "== 15 December 2023 ==\n * version 1.1 is well received\n * the installer needs care\n",
        "CodingStyle": "= Coding style =\nShort functions. Units in names. No clever code near shoals.\n",
        **_HELP,
        "SandBox": "= Sand box =\nTry the formatting here.\n",
    }  # fmt: skip
