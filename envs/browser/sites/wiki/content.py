"""What the wiki says: articles made of :mod:`rows`, their histories, talk pages, templates. Pure and deterministic."""

from __future__ import annotations

import calendar
import functools
import random
from typing import NamedTuple

from . import rows as rows  # noqa: TID251  (relative: the site's own environment knows no turngym)

TITLE = "Veyle Wiki"
USERS = {"MarenHolt": "tide-table-4", "TobiasFinch": "stone-wall-9", "Warden": "lamp-keeper-2"}
"""Passwords of those who can log in: two editors and an administrator."""
AUTHORS = (*USERS, "GullWatcher", "OldSalt")
"""Everybody who has written something."""
BEGAN = calendar.timegm((2023, 2, 1, 8, 0, 0))
ENDED = calendar.timegm((2024, 1, 14, 21, 0, 0))


class Revision(NamedTuple):
    """One saved state of a page."""

    title: str
    text: str
    user: str
    comment: str


class Article(NamedTuple):
    """An article: its sections after the lead, and the fact sheet beside it."""

    title: str
    kind: str
    facts: dict[str, str]
    lead: str
    sections: dict[str, str]
    categories: tuple[str, ...]


def number(value: int) -> str:
    """Write a number as the articles do: 14,200."""
    return f"{value:,}"


def _years(person: rows.Person) -> str:
    return f"{person.born}–{person.died}" if person.died else f"born {person.born}"


def _listing(names: list[str]) -> str:
    return "\n".join(f"* [[{name}]]" for name in names) or "None is recorded."


def _island(it: rows.Island) -> Article:
    towns = [town.name for town in rows.TOWNS if town.island == it.name]
    lights = [light.name for light in rows.LIGHTHOUSES if light.island == it.name]
    facts = {
        "Area": f"{it.area} km²",
        "Population": number(it.population),
        "Highest point": f"{it.peak} ({it.height} m)",
        "Settled": str(it.settled),
        "Main town": f"[[{it.capital}]]",
    }
    lead = (
        f"'''{it.name}''' is an island of the [[Veyle Archipelago]]. It covers {it.area} square kilometres "
        f"and has {number(it.population)} inhabitants, most of them in [[{it.capital}]]. {it.note}"
    )
    sections = {
        "Geography": f"The highest point is {it.peak}, {it.height} metres above the sea.",
        "Settlement": f"The first settlers came in {it.settled}. The towns and villages are:\n{_listing(towns)}",
        "Lighthouses": _listing(lights),
    }
    return Article(it.name, "Island", facts, lead, sections, ("Islands",))


def _town(it: rows.Town) -> Article:
    people = [person.name for person in rows.PEOPLE if person.home == it.name]
    ships = [ship.name for ship in rows.SHIPS if ship.port == it.name]
    festivals = [festival.name for festival in rows.FESTIVALS if festival.town == it.name]
    known = {person.name for person in rows.PEOPLE}
    mayor = f"[[{it.mayor}]]" if it.mayor in known else it.mayor
    facts = {
        "Island": f"[[{it.island}]]",
        "Population": number(it.population),
        "Founded": str(it.founded),
        "Harbour depth": f"{it.depth} m",
        "Mayor": mayor,
    }
    lead = (
        f"'''{it.name}''' is a town on [[{it.island}]] in the [[Veyle Archipelago]], founded in {it.founded}. "
        f"It has {number(it.population)} inhabitants. {it.note}"
    )
    sections = {
        "Harbour": f"At low water the harbour is {it.depth} metres deep. Ships whose home it is:\n{_listing(ships)}",
        "Government": f"The mayor is {mayor}.",
        "Culture": f"Festivals:\n{_listing(festivals)}\n\nPeople from {it.name}:\n{_listing(people)}",
    }
    return Article(it.name, "Town", facts, lead, sections, ("Towns", f"Places on {it.island}"))


def _person(it: rows.Person) -> Article:
    facts = {"Born": str(it.born), "Died": str(it.died) if it.died else "living", "From": f"[[{it.home}]]"}
    facts["Occupation"] = it.trade
    verb = "was" if it.died else "is"
    article = "an" if it.trade[0] in "aeiou" else "a"
    lead = f"'''{it.name}''' ({_years(it)}) {verb} {article} {it.trade} from [[{it.home}]]. {it.note}"
    sections = {
        "Life": f"{it.name} was born in {it.born} in [[{it.home}]]"
        + (f" and died in {it.died}, aged about {it.died - it.born}." if it.died else ", and still lives there."),
        "Work": f"The archive in [[Port Ansel]] keeps letters and papers of the {it.trade}.",
    }
    century = (it.born - 1) // 100 + 1
    return Article(it.name, "Person", facts, lead, sections, ("People", f"People born in the {century}th century"))


def _festival(it: rows.Festival) -> Article:
    length = "one day" if it.days == 1 else f"{it.days} days"
    facts = {"Place": f"[[{it.town}]]", "Month": it.month, "First held": str(it.since), "Length": length}
    lead = f"'''{it.name}''' is a festival held in [[{it.town}]] each {it.month}. It lasts {length}. {it.note}"
    sections = {
        "History": f"It was first held in {it.since}.",
        "Getting there": f"In {it.month} there are additional ferries to [[{it.town}]].",
    }
    return Article(it.name, "Festival", facts, lead, sections, ("Festivals", f"Festivals in {it.month}"))


def _ship(it: rows.Ship) -> Article:
    facts = {"Type": it.kind, "Built": str(it.built), "Length": f"{it.length} m", "Home port": f"[[{it.port}]]"}
    facts["Owner"] = it.owner
    lead = f"'''''{it.name}''''' is a {it.kind} built in {it.built}. {it.note}"
    sections = {
        "Description": f"She is {it.length} metres long and belongs to {it.owner}.",
        "Service": f"Her home port is [[{it.port}]].",
    }
    return Article(it.name, "Ship", facts, lead, sections, ("Ships",))


def _lighthouse(it: rows.Lighthouse) -> Article:
    facts = {"Island": f"[[{it.island}]]", "Built": str(it.built), "Height": f"{it.height} m"}
    facts |= {"Range": f"{it.range} nautical miles", "Keeper": it.keeper}
    lead = f"'''{it.name}''' is a lighthouse on [[{it.island}]], built in {it.built}. {it.note}"
    sections = {
        "Tower": f"The tower is {it.height} metres high.",
        "Light": f"The light can be seen from {it.range} nautical miles away. It is kept by the {it.keeper}.",
    }
    return Article(it.name, "Lighthouse", facts, lead, sections, ("Lighthouses",))


@functools.cache
def articles() -> tuple[Article, ...]:
    """Every article about a thing, one a row."""
    return (
        *map(_island, rows.ISLANDS),
        *map(_town, rows.TOWNS),
        *map(_person, rows.PEOPLE),
        *map(_festival, rows.FESTIVALS),
        *map(_ship, rows.SHIPS),
        *map(_lighthouse, rows.LIGHTHOUSES),
    )


def wikitext(it: Article, *, stub: bool = False) -> str:
    """Return an article's source; a stub is what its first author left: the lead and the categories."""
    sheet = "".join(f"| {name.lower().replace(' ', '_')} = {value}\n" for name, value in it.facts.items())
    body = "".join(f"\n== {name} ==\n{text}\n" for name, text in it.sections.items())
    links = "\n".join(f"[[Category:{name}]]" for name in it.categories)
    if stub:
        return f"{it.lead}\n\n{links}"
    return f"{{{{{it.kind}\n| name = {it.title}\n{sheet}}}}}\n{it.lead}\n{body}\n{links}"


def _template(it: Article) -> Revision:
    row = '|-\n! scope="row" style="text-align:left; padding-right:1em; vertical-align:top" | {}\n| {{{{{{{}|}}}}}}\n'
    lines = "".join(row.format(name, name.lower().replace(" ", "_")) for name in it.facts)
    style = (
        "float:right; clear:right; width:19em; margin:0 0 1em 1.5em; padding:0.3em; "
        "border:1px solid #a2a9b1; background:#f8f9fa; font-size:88%; line-height:1.5"
    )
    head = '! colspan="2" style="background:#cfe3ea; font-size:120%; padding:0.3em; text-align:center" | {{{name}}}\n'
    return Revision(f"Template:{it.kind}", f'{{| style="{style}"\n{head}{lines}|}}', "Warden", "A fact sheet")


REDIRECTS = {
    "Veyle": "Veyle Archipelago",
    "Ansel": "Port Ansel",
    "The Isles": "Veyle Archipelago",
    "Cormorant (ferry)": "MV Cormorant",
    "Shearwater": "MV Shearwater",
    "Feast of Lanterns": "Lantern Tide",
    "The 999 Steps": "Stair Race",
    "Amblin": "Josef Amblin",
}

_TALK = (
    (
        "Harrow",
        "Sheep",
        "How many sheep are there now? The article should say.",
        "The wool exchange prints a figure each June.",
    ),
    ("Port Ansel", "Length of the pier", "I measured 412 metres on the chart.", "Let us wait for a printed source."),
    (
        "Ember",
        "Last eruption",
        "Was 1904 an eruption or only smoke?",
        "Oda Lindqvist calls it a stirring, and so do we.",
    ),
    ("Quillhaven", "Tide mills", "Are all three open to visitors?", "Two are; the third needs a new wheel."),
    ("Grey Maiden", "Rigging", "The old picture shows three masts.", "The third was added for the photograph."),
    ("Lantern Tide", "Date", "Does it begin on the first or the second Friday?", "On the second, since 1951."),
    ("Ansel Light", "Tallest tower?", "Is the mast on Mount Corrie not taller?", "It is, but it is not a tower."),
    (
        "Josef Amblin",
        "Portrait",
        "There is a portrait in the museum at Merrow.",
        "I shall ask whether we may describe it.",
    ),
    ("Stairfoot", "Number of steps", "I counted 1,001.", "The two at the top belong to the chapel."),
    (
        "MV Dunlin",
        "Retirement",
        "The newspaper says she retires in 2025.",
        "Noted; we change the article when it happens.",
    ),
)


def _main_page() -> str:
    head = f"Welcome to '''{TITLE}''', the encyclopedia of the [[Veyle Archipelago]] that all its people can edit."
    kinds = ("Islands", "Towns", "People", "Festivals", "Ships", "Lighthouses")
    explore = " &nbsp;•&nbsp; ".join(f"[[:Category:{kind}|{kind}]]" for kind in kinds)
    box = 'style="width:50%; vertical-align:top; padding:0.6em 1em; border:1px solid {}; background:{}"'
    featured = rows.TOWNS[0]
    known = "".join(
        f"* ... about [[{it.name}]]: {it.note[0].lower()}{it.note[1:]}\n"
        for it in (rows.SHIPS[4], rows.LIGHTHOUSES[5], rows.PEOPLE[12])
    )
    months = "".join(f"* {it.month}: [[{it.name}]] in [[{it.town}]]\n" for it in rows.FESTIVALS[:4])
    islands = ", ".join(f"[[{it.name}]]" for it in rows.ISLANDS)
    return (
        f'<div style="padding:0.7em 1em; border:1px solid #9fb9c2; background:#eaf3f6; font-size:115%">{head}<br />'
        f'<span style="font-size:85%">{explore}</span></div>\n'
        '{| style="width:100%; border-spacing:0.6em; margin:0.4em -0.6em"\n'
        f"| {box.format('#b9cdb0', '#f4f9f1')} |\n=== Featured article ===\n"
        f"'''[[{featured.name}]]''' is the largest town of the archipelago, founded in {featured.founded}. "
        f"{featured.note} ''([[{featured.name}|read on]])''\n"
        f"| {box.format('#c9bfd8', '#f7f4fb')} |\n=== Did you know ... ===\n{known}"
        f"|-\n| {box.format('#d8c9a8', '#fbf7ee')} |\n=== Festivals ===\n"
        f"{months}''([[List of festivals|all of them]])''\n"
        f"| {box.format('#b5c4d8', '#f2f6fb')} |\n=== The islands ===\n{islands}.\n\n"
        "See also the [[List of towns]], the [[List of ships]] and the [[Project:Village pump|Village pump]].\n|}\n"
        "__NOTOC__\n__NOEDITSECTION__"
    )


def _table(header: tuple[str, ...], lines: list[tuple[object, ...]]) -> str:
    body = "".join("|-\n" + "".join(f"| {cell}\n" for cell in line) for line in lines)
    return '{| class="wikitable"\n' + "".join(f"! {name}\n" for name in header) + body + "|}"


def _overviews() -> dict[str, str]:
    towns = [(f"[[{it.name}]]", f"[[{it.island}]]", it.founded, f"{it.depth} m") for it in rows.TOWNS]
    ships = [(f"[[{it.name}]]", it.kind, it.built, f"[[{it.port}]]") for it in rows.SHIPS]
    festivals = [(f"[[{it.name}]]", f"[[{it.town}]]", it.month, it.since) for it in rows.FESTIVALS]
    islands = [(f"[[{it.name}]]", f"{it.area} km²", f"{it.peak} ({it.height} m)", it.settled) for it in rows.ISLANDS]
    return {
        "List of towns": "The towns of the [[Veyle Archipelago]].\n\n"
        + _table(("Town", "Island", "Founded", "Harbour"), list(towns)) + "\n\n[[Category:Lists]]",
        "List of ships": "Ships whose home is in the [[Veyle Archipelago]].\n\n"
        + _table(("Ship", "Type", "Built", "Home port"), list(ships)) + "\n\n[[Category:Lists]]",
        "List of festivals": "The festivals of the year.\n\n"
        + _table(("Festival", "Town", "Month", "First held"), list(festivals)) + "\n\n[[Category:Lists]]",
        "Veyle Archipelago": "The '''Veyle Archipelago''' is a group of eight inhabited islands in the northern ocean. "
        "It is governed from [[Port Ansel]].\n\n== Islands ==\n"
        + _table(("Island", "Area", "Highest point", "Settled"), list(islands))
        + "\n\n== Transport ==\nFerries link all islands; see the [[List of ships]].\n\n"
        "== Culture ==\nThere is a festival in most months; see the [[List of festivals]].\n\n[[Category:Islands]]",
    }  # fmt: skip


def categories() -> dict[str, str]:
    """The text of each category's page."""
    names = sorted({name for it in articles() for name in it.categories} | {"Lists"})
    return {name: f"{name} of the [[Veyle Archipelago]]." for name in names}


def _community() -> list[Revision]:
    pump = (
        "Talk about the wiki itself.\n\n"
        "== Spelling of names ==\nWe write ''Port Ansel'', never ''Port-Ansel''. [[User:GullWatcher|GullWatcher]]\n\n"
        "== Pictures ==\nThere are none yet; describe in words. [[User:OldSalt|OldSalt]]"
    )
    todo = "* more about [[Tarn]]\n* the history of [[Veyle Archipelago|the ferries]]\n* a page on reed paper"
    sidebar = "* navigation\n** mainpage|mainpage-description\n** List of towns|Towns\n** List of ships|Ships\n"
    sidebar += "** recentchanges-url|recentchanges\n** Project:Village pump|Village pump\n* TOOLBOX"
    pages = {
        "Project:Village pump": pump,
        "Project:To do": todo,
        "Project:About": f"{TITLE} was begun in 2023 by people of the [[Veyle Archipelago]].",
        "Project:Privacy policy": "We keep the name you edit under, and nothing else.",
        "Project:General disclaimer": "Do not navigate by this encyclopedia.",
        "MediaWiki:Sidebar": sidebar,
        "MediaWiki:Helplogin-url": "Project:About",
        "MediaWiki:Retrievedfrom": "&#32;",  # else each page's text holds the address of the copy
    }
    people = {
        "User:MarenHolt": "I live in [[Merrow]] and write about ships.",
        "User:TobiasFinch": "Stone walls, mostly. From [[Lowen Quay]].",
        "User:Warden": "Administrator. Leave a message on my talk page.",
        "User:GullWatcher": "Birds and festivals.",
        "User:OldSalt": "Forty years at sea.",
    }
    own = [Revision(title, text, title.removeprefix("User:"), "About me") for title, text in people.items()]
    return [Revision(title, text, "Warden", "New page") for title, text in pages.items()] + own


def _history(it: Article, rng: random.Random) -> list[Revision]:
    """An article's revisions, oldest first: a stub, the whole, and now and then a slip that is mended."""
    first, second, third = rng.sample(AUTHORS, 3)
    whole = wikitext(it)
    out = [Revision(it.title, wikitext(it, stub=True), first, "New article")]
    out.append(Revision(it.title, whole, second, "More, and a fact sheet"))
    if rng.random() < 0.4:
        out.append(Revision(it.title, whole.replace("Veyle Archipelago", "Veyle archipelago"), third, "Spelling"))
        out.append(Revision(it.title, whole, second, "Archipelago with a capital letter, as everywhere"))
    return out


@functools.cache
def revisions() -> tuple[Revision, ...]:
    """Every revision of every page, in the order in which they were saved."""
    rng = random.Random(20240115)
    kinds = {it.kind: it for it in articles()}
    fixed = [_template(it) for it in kinds.values()] + _community()
    fixed += [Revision(title, text, "Warden", "Overview") for title, text in _overviews().items()]
    fixed += [Revision(f"Category:{name}", text, "Warden", "Category") for name, text in categories().items()]
    fixed.append(Revision("Main Page", _main_page(), "Warden", "A front page"))
    histories = [_history(it, rng) for it in articles()]
    woven: list[Revision] = []
    while any(histories):  # histories run side by side, each in its own order
        history = rng.choice([it for it in histories if it])
        woven.append(history.pop(0))
    for old, new in REDIRECTS.items():
        woven.append(Revision(old, f"#REDIRECT [[{new}]]", rng.choice(AUTHORS), "Another name"))
    for page, heading, question, answer in _TALK:
        asked, answered = rng.sample(AUTHORS, 2)
        text = f"== {heading} ==\n{question} [[User:{asked}|{asked}]]"
        woven.append(Revision(f"Talk:{page}", text, asked, heading))
        woven.append(Revision(f"Talk:{page}", f"{text}\n\n:{answer} [[User:{answered}|{answered}]]", answered, heading))
    return (*fixed, *woven)


def seed() -> dict[str, object]:
    """What the wiki's seeder reads: users, and revisions with the second at which each was saved."""
    saved = revisions()
    step = (ENDED - BEGAN) / (len(saved) - 1)
    lines = [{**it._asdict(), "time": round(BEGAN + step * i)} for i, it in enumerate(saved)]
    return {"users": dict.fromkeys(AUTHORS) | USERS, "admins": ["Warden"], "began": BEGAN, "revisions": lines}


def titles() -> list[str]:
    """Every page, and the special pages that a visitor is likely to open."""
    special = ["Special:RecentChanges", "Special:AllPages", "Special:Categories", "Special:UserLogin", "Special:Search"]
    return sorted({it.title for it in revisions()} - set(REDIRECTS)) + special
