"""Tasks in the tracker, drawn from :mod:`content`; form and meaning of the steps are in ``sites/drafting.py``."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from turngym.envs.browser.sites.drafting import (
    ONE_LINE,
    UNACHIEVABLE,
    Draft,
    Generator,
    Rows,
    Step,
    Template,
    alternating,
    check,
    exact,
    includes,
    one_line,
)
from turngym.envs.browser.sites.tracker import content
from turngym.envs.browser.sites.tracker.content import Ticket

NEXT = len(content.tickets()) + 1
"""The number that the next ticket gets."""
FACTS = (
    "[...document.querySelectorAll('#ticket :is(.trac-status, .trac-type, .trac-resolution, .summary, td[headers], "
    ".description > .searchable)')].map(it => (it.getAttribute('headers') || it.className).replace(/^(h_|trac-)/, '')"
    f" + ': ' + it.innerText{ONE_LINE}).sort().join('; ')"
)
"""JavaScript for all that a ticket says of itself, by name; its description, if it has one, is ``searchable``."""
CHANGES = "[...document.querySelectorAll('#changelog > .change')]"
MILESTONES = (
    "[...document.querySelectorAll('.milestones > .milestone')].map(it => it.querySelector('h2 em').innerText + ': ' + "
    f"it.querySelector('.description').innerText{ONE_LINE}).sort().join('; ')"
)
SOURCE = f"document.querySelector('#text').value{ONE_LINE}"
MODIFY: Step = {"click": ".trac-topnav a"}
SUBMIT: Step = {"click": "#propertyform input[name=submit]"}
DONE: Step = {"answer": "done"}


def path(ticket: Ticket) -> str:
    """Return the path of a ticket."""
    return f"/ticket/{ticket.id}"


def jump(what: str) -> list[Step]:
    """Go to a ticket (``#5``) or page (``wiki:Team``) with the search box."""
    return [{"fill": "#proj-search", "text": what, "enter": True}]


def find(ticket: Ticket) -> list[Step]:
    """Search for a ticket by its summary and open it."""
    return [*jump(ticket["summary"]), {"click": f'#results dt a[href^="{path(ticket)}"]'}]


def query(filters: dict[str, str]) -> list[Step]:
    """Make a custom query of open tickets; ``filters`` are labels and values."""
    steps: list[Step] = [{"click": '#mainnav a[href="/report"]'}, {"click": '#ctxtnav a[href="/query"]'}]
    for label, value in filters.items():
        field = f'#filters [name="0_{label.lower()}"]'
        steps.append({"select": "#add_filter_0", "option": label})
        steps.append({"fill": field, "text": value} if label == "Owner" else {"select": field, "option": value})
    return [*steps, {"click": "input[name=update]"}]


def facts(values: Mapping[str, str]) -> dict[str, Any]:
    """Require that :data:`FACTS` are these; the ones of a ticket are in :func:`known`."""
    return exact("; ".join(sorted(f"{name}: {one_line(value)}" for name, value in values.items())))


def known(ticket: Ticket, **changed: str) -> dict[str, str]:
    """Return what a ticket says of itself after a change of some of it."""
    about = {**ticket.fields, "reporter": ticket.reporter, "cc": "", "searchable": ticket.text, **changed}
    resolution = about.pop("resolution")
    return {**about, "resolution": f"({resolution})"} if resolution else about


def _open_tickets() -> list[Ticket]:
    return [it for it in content.tickets() if it.open]


def _lookup(ticket: Ticket, name: str) -> Draft:
    value = ticket.reporter if name == "reporter" else ticket[name]
    return Draft(
        "What is the {{field}} of the ticket '{{summary}}'? Answer with that alone.",
        {"field": name, "summary": ticket["summary"]},
        [*find(ticket), {"answer": value}],
        answer=exact(value),
    )


def _lookups() -> Rows:
    names = ("owner", "reporter", "component", "priority", "version")
    return [(it, names[it.id % len(names)]) for it in content.tickets()]


def _resolution(ticket: Ticket) -> Draft:
    return Draft(
        "How was the ticket '{{summary}}' resolved? Answer with the resolution alone.",
        {"summary": ticket["summary"]},
        [*find(ticket), {"answer": ticket["resolution"]}],
        answer=exact(ticket["resolution"]),
    )


def _count(component: str, owner: str) -> Draft:
    number = str(sum(it["component"] == component and it["owner"] == owner for it in _open_tickets()))
    return Draft(
        "How many tickets of the component {{component}} that are not closed does {{owner}} own? "
        "Answer with the number alone.",
        {"component": component, "owner": owner},
        [*query({"Component": component, "Owner": owner}), {"answer": number}],
        answer=exact(number),
    )


def _numbers(component: str, priority: str) -> Draft:
    found = [str(it.id) for it in _open_tickets() if it["component"] == component and it["priority"] == priority]
    return Draft(
        "Which tickets of the component {{component}} with priority {{priority}} are not closed? "
        "Answer with their numbers in ascending order, each with a # before it and commas between.",
        {"component": component, "priority": priority},
        [
            *query({"Component": component, "Priority": priority}),
            {"answer": ", ".join(f"#{number}" for number in found)},
        ],
        answer=exact(", ".join(f"#{number}" for number in found)),
    )


def _some() -> Rows:
    """Components and priorities that there are open tickets of."""
    return sorted({(it["component"], it["priority"]) for it in _open_tickets()})


def _open(ticket: Ticket) -> Draft:
    return Draft(
        "Open the ticket '{{summary}}'.",
        {"summary": ticket["summary"]},
        [*find(ticket), DONE],
        address=path(ticket),
    )


def _remark(ticket: Ticket, text: str, user: str) -> Draft:
    return Draft(
        "Add this comment to ticket #{{number}} and change nothing else: {{text}}",
        {"number": str(ticket.id), "text": text},
        [*jump(f"#{ticket.id}"), {"click": ".trac-topnav a"}, {"fill": "#comment", "text": text}, SUBMIT, DONE],
        pages=[
            check(path(ticket), _last(f".querySelector('.comment').innerText{ONE_LINE}"), exact(text)),
            check(path(ticket), _last(".querySelector('h3.change').innerText"), includes(user)),
            check(path(ticket), f"{CHANGES}.length.toString()", exact(str(len(ticket.changes) + 1))),
            check(path(ticket), FACTS, facts(known(ticket))),
        ],
        user=user,
    )


def _last(then: str) -> str:
    """Return JavaScript for something of the newest entry of the ticket's history."""
    return f"{CHANGES}.pop(){then}"


def _report(summary: str, kind: str, component: str, priority: str, user: str) -> Draft:
    about = {
        "summary": summary, "type": kind, "component": component, "priority": priority, "reporter": user,
        "owner": next(it.owner for it in content.rows.COMPONENTS if it.name == component),
        "status": "new", "milestone": "1.2", "version": "1.1", "keywords": "", "cc": "",
    }  # fmt: skip
    return Draft(
        "Create a ticket of type {{type}} for the component {{component}} with priority {{priority}} and the summary "
        "'{{summary}}'. Leave the rest as it is.",
        {"type": kind, "component": component, "priority": priority, "summary": summary},
        [
            {"click": '#mainnav a[href="/newticket"]'},
            {"fill": "#field-summary", "text": summary},
            {"select": "#field-type", "option": kind},
            {"select": "#field-component", "option": component},
            {"select": "#field-priority", "option": priority},
            SUBMIT,
            DONE,
        ],
        pages=[check(f"/ticket/{NEXT}", FACTS, facts(about))],
        user=user,
    )


def _close(first: Ticket, second: Ticket, how: str, user: str) -> Draft:
    steps: list[Step] = []
    for ticket in (first, second):
        steps += [
            *jump(f"#{ticket.id}"),
            MODIFY,
            {"click": "#action_resolve"},
            {"select": "#action_resolve_resolve_resolution", "option": how},
            SUBMIT,
        ]
    return Draft(
        "Close the tickets #{{first}} and #{{second}} with the resolution {{resolution}}.",
        {"first": str(first.id), "second": str(second.id), "resolution": how},
        [*steps, DONE],
        pages=[
            check(path(ticket), FACTS, facts(known(ticket, status="closed", resolution=how)))
            for ticket in (first, second)
        ],
        user=user,
    )


def _reassign(ticket: Ticket, owner: str, priority: str, user: str) -> Draft:
    return Draft(
        "Assign the ticket '{{summary}}' to {{owner}} and set its priority to {{priority}}.",
        {"summary": ticket["summary"], "owner": owner, "priority": priority},
        [
            *find(ticket),
            MODIFY,
            {"select": "#field-priority", "option": priority},
            {"click": "#action_reassign"},
            {"fill": "#action_reassign_reassign_owner", "text": owner},
            SUBMIT,
            DONE,
        ],
        pages=[
            check(path(ticket), FACTS, facts(known(ticket, owner=owner, priority=priority, status="assigned"))),
        ],
        user=user,
    )


def _milestone(name: str, text: str, user: str) -> Draft:
    ahead = {it.name: it.about for it in content.rows.MILESTONES if not it.done} | {name: text}
    return Draft(
        "Create the milestone {{name}} with the description '{{text}}'.",
        {"name": name, "text": text},
        [
            {"click": '#mainnav a[href="/roadmap"]'},
            {"click": "form#add input[type=submit], #content .buttons form input[type=submit]"},
            {"fill": "#name", "text": name},
            {"fill": "#description", "text": text},
            {"click": "input[name=add]"},
            DONE,
        ],
        pages=[check("/roadmap", MILESTONES, exact("; ".join(sorted(f"{it}: {ahead[it]}" for it in ahead))))],
        user=user,
    )


PAGES = {
    "SailPlan": "We measure sails in square metres.",
    "HarbourTest": "Each release is tried out in a real harbour.",
    "ChartSources": "Charts come from the hydrographic offices.",
    "TestBoats": "Three boats carry the test versions.",
    "RadioTerms": "Texts use the words of the radio.",
    "NightWatch": "One of us reads new tickets each evening.",
}


def _page(name: str, other: str, user: str) -> Draft:
    text = content.pages()[other].rstrip("\n") + f"\n\nSee wiki:{name}.\n"
    return Draft(
        "Create the wiki page {{name}} with the text '{{text}}', and add the line 'See wiki:{{name}}.' at the end of "
        "the page {{other}}.",
        {"name": name, "text": PAGES[name], "other": other},
        [
            *jump(f"wiki:{name}"),
            {"click": "#modifypage input[type=submit]"},
            {"fill": "#text", "text": PAGES[name]},
            {"click": "#save"},
            *jump(f"wiki:{other}"),
            {"click": "#modifypage input[type=submit]"},
            {"fill": "#text", "text": text},
            {"click": "#save"},
            DONE,
        ],
        pages=[
            check(f"/wiki/{name}?action=edit", SOURCE, exact(PAGES[name])),
            check(f"/wiki/{other}?action=edit", SOURCE, exact(one_line(text))),
        ],
        user=user,
    )


def _mail(address: str, user: str) -> Draft:
    return Draft(
        "Set the e-mail address in your preferences to {{address}}.",
        {"address": address},
        [
            {"click": '#metanav a[href="/prefs"]'},
            {"fill": "#email", "text": address},
            {"click": "#userprefs .buttons input[type=submit]"},
            DONE,
        ],
        pages=[check("/prefs", "document.querySelector('#email').value", exact(address))],
        user=user,
    )


def _if_known(ticket: Ticket, what: str, value: str) -> Draft:
    return Draft(
        "What is the {{what}} of the ticket '{{summary}}'? Answer with that alone, or with N/A if the ticket has none.",
        {"what": what, "summary": ticket["summary"]},
        [*find(ticket), {"answer": value or "N/A"}],
        answer=exact(value) if value else UNACHIEVABLE,
        note="" if value else f"The ticket has no {what}.",
    )


def _known_or_not() -> Rows:
    """Fields that some tickets have, with as many tickets that do as tickets that do not."""
    found: list[tuple[Any, ...]] = []
    for what, name in {"milestone": "milestone", "keyword": "keywords", "resolution": "resolution"}.items():
        asked = [(it, what, it[name]) for it in content.tickets()]
        found += alternating([row for row in asked if row[2]], [row for row in asked if not row[2]])
    return found


REMARKS = (
    "Confirmed on the boat this weekend.",
    "The fix is in the nightly build.",
    "Please attach the file that shows it.",
    "This also happens in the demo.",
)
SUMMARIES = (
    "Compass rose is drawn upside down",
    "Print preview ignores the margins",
    "Add a list of recent passages",
    "Move the help texts into one folder",
    "Sound an alarm when the anchor drags",
    "Waypoint names accept only ten letters",
)
NAMES = ("1.3", "2.1", "3.0", "Summer cruise", "Boat show", "Winter refit")
MAILS = tuple(
    f"{name}@driftline.example" for name in ("mail", "crew", "watch", "bosun", "pilot", "mate", "cook", "deck")
)


def _in_turn(rows: Rows) -> Rows:
    """Give each row a developer, in turn."""
    return [(*row, content.DEVELOPERS[place % 3]) for place, row in enumerate(rows)]


def _reports() -> Rows:
    fields = itertools.product(content.rows.TYPES, [it.name for it in content.rows.COMPONENTS])
    shades = content.rows.PRIORITIES
    return [
        (SUMMARIES[place % 6], kind, component, shades[place % 5]) for place, (kind, component) in enumerate(fields)
    ]


def _closable() -> Rows:
    pairs = itertools.pairwise(_open_tickets())
    return [(*pair, ("wontfix", "duplicate", "worksforme", "invalid")[place % 4]) for place, pair in enumerate(pairs)]


def _moves() -> Rows:
    def another(values: tuple[str, ...], now: str, turn: int) -> str:
        others = [it for it in values if it != now]
        return others[turn % len(others)]

    return [
        (it, another(content.DEVELOPERS, it["owner"], it.id), another(content.rows.PRIORITIES, it["priority"], it.id))
        for it in _open_tickets()
    ]


def _cross(items: Any, others: Any) -> Rows:
    return list(itertools.product(items, others))


GENERATOR = Generator(
    "tracker",
    "__TRACKER__",
    "/wiki",
    {
        "field": Template(_lookups, _lookup),
        "resolution": Template(lambda: [(it,) for it in content.tickets() if not it.open], _resolution),
        "count": Template(lambda: _cross([it.name for it in content.rows.COMPONENTS], content.DEVELOPERS), _count),
        "numbers": Template(_some, _numbers),
        "open": Template(lambda: [(it,) for it in content.tickets()], _open),
        "comment": Template(lambda: _in_turn(_cross(_open_tickets(), REMARKS)), _remark),
        "report": Template(lambda: _in_turn(_reports()), _report),
        "close": Template(lambda: _in_turn(_closable()), _close),
        "reassign": Template(lambda: _in_turn(_moves()), _reassign),
        "milestone": Template(
            lambda: _in_turn(_cross(NAMES, ("Nothing but repairs.", "What users asked for."))), _milestone
        ),
        "page": Template(
            lambda: _in_turn(_cross(PAGES, ("Team", "CodingStyle", "ReleaseChecklist", "Meetings"))), _page
        ),
        "mail": Template(lambda: _cross(MAILS, content.DEVELOPERS), _mail),
        "unknown": Template(_known_or_not, _if_known),
    },
)
