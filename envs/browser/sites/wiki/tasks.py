"""Tasks in the wiki, drawn from :mod:`rows`; form and meaning of the steps are in ``sites/drafting.py``."""

from __future__ import annotations

import itertools
from typing import Any
from urllib.parse import quote

from turngym.envs.browser.sites.drafting import (
    UNACHIEVABLE,
    Draft,
    Generator,
    Rows,
    Step,
    Template,
    check,
    exact,
    includes,
    one_line,
)
from turngym.envs.browser.sites.wiki import content, rows

EDITORS = ("MarenHolt", "TobiasFinch")
SEARCH = "#searchInput"
SAVE = "#wpSave"
WATCHED = "document.querySelector('textarea[name=wpTitles]').value.trim().split('\\n').sort().join('|')"
HEADING = "document.querySelector('#firstHeading').innerText"
FIRST_SAVED = "[...document.querySelectorAll('#pagehistory li')].pop().innerText"
UNSIGNED = r".replace(/\s*-*\s*\[\[User:[^\n]*\(UTC\)\s*$/, '')"
"""JavaScript that takes the signature from the end of a page: whoever writes on a discussion page may sign."""


def path(title: str) -> str:
    """Return the path of a page."""
    return "/wiki/" + quote(title.replace(" ", "_"), safe="/:'()")


def find(title: str) -> list[Step]:
    """Open a page by its name, in the search box."""
    return [{"fill": SEARCH, "text": title, "enter": True}]


def act_on(title: str, action: str) -> str:
    """Return the path of a form or list about a page: ``edit``, ``history``."""
    return f"/index.php?title={path(title).removeprefix('/wiki/')}&action={action}"


def source(title: str, text: str, first: str = "") -> dict[str, Any]:
    """Require that a page's source is this text, whose categories come last.

    White space does not count, nor where the categories are: whoever adds to the last section may write below them.
    ``first`` is JavaScript that goes behind the source as it is saved.
    """
    categories_last = (
        r".split(/(\[\[Category:.*?\]\])/)"
        ".sort((a, b) => a.startsWith('[[Category:') - b.startsWith('[[Category:')).join(' ')"
    )
    tidy = categories_last + r".replace(/\s*(==+)\s*/g, ' $1 ').replace(/\s+/g, ' ')"
    return check(
        act_on(title, "edit"), f"document.querySelector('#wpTextbox1').value{first}{tidy}", exact(one_line(text))
    )


def plain(value: str) -> str:
    """Return a fact as the reader sees it."""
    return value.replace("[[", "").replace("]]", "")


def _fact(article: content.Article, name: str) -> Draft:
    value = plain(article.facts[name])
    return Draft(
        "According to the fact sheet of the article {{article}}, what is given for '{{fact}}'? Answer with that alone.",
        {"article": article.title, "fact": name},
        [*find(article.title), {"answer": value}],
        answer=exact(value),
    )


_HOPS = {
    "ship": "In which year was the home port of the ship {{name}} founded? Answer with the year alone.",
    "person": "How many inhabitants does the town have that {{name}} is from? Answer as the article writes it.",
    "festival": "Who is the mayor of the town in which {{name}} is held? Answer with the name alone.",
}


def _hop(name: str, kind: str, town: rows.Town) -> Draft:
    answer = {"ship": str(town.founded), "person": content.number(town.population), "festival": town.mayor}[kind]
    steps = [*find(name), {"click": f'#mw-content-text a[href="{path(town.name)}"]'}, {"answer": answer}]
    return Draft(_HOPS[kind], {"name": name}, steps, answer=exact(answer))


def _hops() -> Rows:
    towns = {town.name: town for town in rows.TOWNS}
    ships = [(it.name, "ship", towns[it.port]) for it in rows.SHIPS]
    people = [(it.name, "person", towns[it.home]) for it in rows.PEOPLE]
    return [*ships, *people, *((it.name, "festival", towns[it.town]) for it in rows.FESTIVALS)]


_MOST = {
    "was founded first": lambda town: -town.founded,
    "was founded last": lambda town: town.founded,
    "has the most inhabitants": lambda town: town.population,
    "has the fewest inhabitants": lambda town: -town.population,
    "has the deepest harbour": lambda town: town.depth,
    "has the shallowest harbour": lambda town: -town.depth,
}


def _towns_of(island: str) -> list[rows.Town]:
    return [town for town in rows.TOWNS if town.island == island]


def _compare(island: str, which: str) -> Draft:
    towns = _towns_of(island)
    best = max(towns, key=_MOST[which]).name
    look = [step for town in sorted(towns) for step in find(town.name)]
    return Draft(
        "Which of the towns on {{island}} {{which}}? Answer with its name alone.",
        {"island": island, "which": which},
        [*find(f"Category:Places on {island}"), *look, {"answer": best}],
        answer=exact(best),
    )


def _members(category: str) -> list[str]:
    named = [it.title for it in content.articles() if category in it.categories]
    return named + (["Veyle Archipelago"] if category == "Islands" else [])


def _count(category: str) -> Draft:
    number = str(len(_members(category)))
    return Draft(
        "How many pages are in the category {{category}}? Answer with the number alone.",
        {"category": category},
        [*find(f"Category:{category}"), {"answer": number}],
        answer=exact(number),
    )


def _ships(decade: int, before: bool) -> Draft:
    names = sorted(it.name for it in rows.SHIPS if (it.built < decade) == before)
    return Draft(
        "Which ships on the list of ships were built {{when}} {{year}}? "
        "Answer with their names in alphabetical order, with commas between.",
        {"when": "before" if before else "in or after", "year": str(decade)},
        [{"click": f'#p-navigation a[href="{path("List of ships")}"]'}, {"answer": ", ".join(names)}],
        answer=exact(", ".join(names)),
    )


def _author(article: content.Article) -> Draft:
    author = next(it.user for it in content.revisions() if it.title == article.title)
    return Draft(
        "Who wrote the first version of the article {{article}}? Answer with the user name alone.",
        {"article": article.title},
        [*find(article.title), {"click": "#ca-history a"}, {"answer": author}],
        answer=exact(author),
    )


def _open(title: str) -> Draft:
    if title.startswith("Talk:"):
        steps = [*find(title.removeprefix("Talk:")), {"click": "#ca-talk a"}]
        return Draft(
            "Open the discussion page of the article {{article}}.",
            {"article": title.removeprefix("Talk:")},
            [*steps, {"answer": "done"}],
            address=path(title),
        )
    return Draft(
        "Open the page that lists what is in the category {{category}}.",
        {"category": title.removeprefix("Category:")},
        [*find(title), {"answer": "done"}],
        address=path(title),
    )


SENTENCES = (
    "A survey was made in the autumn of 2023.",
    "Visitors are asked to leave the gates as they find them.",
    "An old song has a verse about it.",
    "The harbour office publishes the details each spring.",
    "A plaque in the town hall recalls it.",
    "Schoolchildren paint it every year.",
)


def _longer(article: content.Article, name: str, line: str) -> str:
    """Return an article's source with one more line at the end of a section."""
    section = f"== {name} ==\n{article.sections[name]}\n"
    return content.wikitext(article).replace(section, f"{section}\n{line}\n")


def _edit_section(article: content.Article, name: str, whole: str) -> list[Step]:
    """Open an article's section and save it as it is in ``whole``, the article's source to be."""
    link = f"h2:has(#{name.replace(' ', '_')}) .mw-editsection a"
    section = whole[whole.index(f"== {name} ==") :].partition("\n== ")[0]
    return [*find(article.title), {"click": link}, {"fill": "#wpTextbox1", "text": section}, {"click": SAVE}]


def _sentence(article: content.Article, name: str, sentence: str, user: str) -> Draft:
    whole = _longer(article, name, sentence)
    return Draft(
        "Add this sentence at the end of the section {{section}} of the article {{article}}: {{sentence}}",
        {"section": name, "article": article.title, "sentence": sentence},
        [*_edit_section(article, name, whole), {"answer": "done"}],
        pages=[source(article.title, whole)],
        user=user,
    )


NAMES = ("Agda Brenner", "Colm Hathaway", "Ines Marlow", "Oskar Tide", "Philippa Stoke", "Yannick Roe")


def _mayor(town: rows.Town, name: str, user: str) -> Draft:
    article = next(it for it in content.articles() if it.title == town.name)
    body = content.wikitext(article)
    shown = article.facts["Mayor"]
    new = body.replace(f"mayor = {shown}", f"mayor = {name}").replace(f"The mayor is {shown}.", f"The mayor is {name}.")
    note = f"{name} is the new mayor."
    talk = f"{_talk(town.name)}\n\n== New mayor ==\n{note}"
    return Draft(
        "{{town}} has a new mayor, {{name}}. Change the name in the fact sheet and in the section Government, then add "
        "a topic 'New mayor' to the discussion page of the article that says: {{note}}",
        {"town": town.name, "name": name, "note": note},
        [
            *find(town.name),
            {"click": "#ca-edit a"},
            {"fill": "#wpTextbox1", "text": new},
            {"click": SAVE},
            {"click": "#ca-talk a"},
            *([{"click": "#ca-addsection a"}] if _talk(town.name) else []),
            {"fill": "#wpTextbox1", "text": note if _talk(town.name) else f"== New mayor ==\n{note}"},
            *([{"fill": "#wpSummary", "text": "New mayor"}] if _talk(town.name) else []),
            {"click": SAVE},
            {"answer": "done"},
        ],
        pages=[
            source(town.name, new, f".replaceAll('[[{name}]]', '{name}')"),  # a link will do
            source(f"Talk:{town.name}", talk, UNSIGNED),
        ],
        user=user,
    )


def _talk(title: str) -> str:
    """Return the source of an article's discussion page; empty where there is none."""
    return next((it.text for it in reversed(content.revisions()) if it.title == f"Talk:{title}"), "")


TOPICS = {
    "Reed paper": "Reed paper is made from the reeds of the Veyle Archipelago.",
    "Oyster racks": "Oyster racks are wooden frames that dry out at low water.",
    "Slate roofs": "Slate roofs last for two hundred years.",
    "Moor paths": "Moor paths are marked with white stones.",
    "Night ferries": "Night ferries run on the three nights of Lantern Tide.",
    "Rowing mail": "Rowing mail is carried by boat on calm days.",
    "Stone walls": "Stone walls are built without mortar.",
    "Warm springs": "Warm springs rise along the northern shore.",
}


def _create(topic: str, article: content.Article, name: str, user: str) -> Draft:
    whole = _longer(article, name, f"See also [[{topic}]].")
    return Draft(
        "Create the article {{topic}} with the text '{{text}}', and add the line 'See also [[{{topic}}]].' at the end "
        "of the section {{section}} of the article {{article}}.",
        {"topic": topic, "text": TOPICS[topic], "section": name, "article": article.title},
        [
            *find(topic),
            {"click": ".mw-search-createlink a"},
            {"fill": "#wpTextbox1", "text": TOPICS[topic]},
            {"click": SAVE},
            *_edit_section(article, name, whole),
            {"answer": "done"},
        ],
        pages=[source(topic, TOPICS[topic]), source(article.title, whole)],
        user=user,
    )


def _redirect(article: content.Article, other: str, user: str) -> Draft:
    return Draft(
        "Make the page {{other}} a redirect to the article {{article}}.",
        {"other": other, "article": article.title},
        [
            *find(other),
            {"click": ".mw-search-createlink a"},
            {"fill": "#wpTextbox1", "text": f"#REDIRECT [[{article.title}]]"},
            {"click": SAVE},
            {"answer": "done"},
        ],
        pages=[
            check(path(other), HEADING, exact(article.title)),
            check(path(other), "document.querySelector('.mw-redirectedfrom').innerText", includes(other)),
        ],
        user=user,
    )


def _rename(article: content.Article, new: str, user: str) -> Draft:
    return Draft(
        "Rename the article {{article}} to {{new}}, and leave a redirect behind.",
        {"article": article.title, "new": new},
        [
            *find(article.title),
            {"goto": path("Special:MovePage/" + article.title)},
            {"fill": "input[name=wpNewTitleMain]", "text": new},
            {"click": "button[name=wpMove], input[name=wpMove]"},
            {"answer": "done"},
        ],
        pages=[
            check(path(article.title), HEADING, exact(new)),
            source(new, content.wikitext(article)),
            check(act_on(new, "history"), FIRST_SAVED, includes("New article")),  # renamed, not copied
        ],
        user=user,
    )


def _watch(first: content.Article, second: content.Article, user: str) -> Draft:
    titles = f"{first.title}\n{second.title}"
    return Draft(
        "Put the articles {{first}} and {{second}} on your watchlist.",
        {"first": first.title, "second": second.title},
        [
            {"click": "#pt-watchlist a"},
            {"click": f'a[href="{path("Special:EditWatchlist/raw")}"]'},
            {"fill": "textarea[name=wpTitles]", "text": titles},
            {"click": "#mw-content-text form button[type=submit]"},
            {"answer": "done"},
        ],
        pages=[check(path("Special:EditWatchlist/raw"), WATCHED, exact("|".join(sorted((first.title, second.title)))))],
        user=user,
    )


def _if_known(article: str, what: str, answer: str | None) -> Draft:
    return Draft(
        "According to the wiki, what is {{what}} {{article}}? Answer with that alone, or with N/A if the wiki does not "
        "say.",
        {"what": what, "article": article},
        [*find(article), {"answer": answer or "N/A"}],
        answer=exact(answer) if answer else UNACHIEVABLE,
        note="" if answer else f"The wiki does not give {what} {article}.",
    )


def _known_or_not() -> Rows:
    """Articles, what is asked of each kind of them, and the answer, which some of each kind do not give (None)."""
    festivals = {it.town: it.name for it in rows.FESTIVALS}
    lights = {it.island: it.name for it in rows.LIGHTHOUSES}
    ports = [it.port for it in rows.SHIPS]
    ships = {it.port: it.name for it in rows.SHIPS}
    one_ship_at_most = [it.name for it in rows.TOWNS if ports.count(it.name) < 2]
    return [
        *((it.name, "the name of the festival held in", festivals.get(it.name)) for it in rows.TOWNS),
        *((name, "the name of the ship whose home port is", ships.get(name)) for name in one_ship_at_most),
        *((it.name, "the name of the lighthouse on", lights.get(it.name)) for it in rows.ISLANDS),
        *((it.name, "the year of death of", str(it.died) if it.died else None) for it in rows.PEOPLE),
    ]


def _edits() -> Rows:
    """Every section of every article, with a sentence and somebody to write it."""
    sections = [(it, name) for it in content.articles() for name in it.sections]
    return [
        (article, name, SENTENCES[place % len(SENTENCES)], EDITORS[place % 2])
        for place, (article, name) in enumerate(sections)
    ]


def _pairs(items: tuple[Any, ...], others: tuple[Any, ...]) -> Rows:
    """Every item with every other and, in turn, one of the editors."""
    crossed = [(item, other) for item in items for other in others]
    return [(*pair, EDITORS[place % 2]) for place, pair in enumerate(crossed)]


def _watches() -> Rows:
    """Articles with their neighbours in the list, so that both are of one kind."""
    items = content.articles()
    return [(*pair, EDITORS[place % 2]) for place, pair in enumerate(itertools.pairwise(items))]


def _of_kind(*kinds: str) -> tuple[content.Article, ...]:
    return tuple(it for it in content.articles() if it.kind in kinds)


def _creations() -> Rows:
    places = _of_kind("Island", "Town")
    crossed = [(topic, it, next(iter(it.sections))) for topic in TOPICS for it in places]
    return [(*row, EDITORS[place % 2]) for place, row in enumerate(crossed)]


_OTHER = ("The {} page", "{} (Veyle)", "{} today")
_TITLES = [f"Talk:{it.title}" for it in content.articles() if _talk(it.title)]
_TITLES += [f"Category:{name}" for name in content.categories()]

GENERATOR = Generator(
    "wiki",
    "__WIKI__",
    "/wiki/Main_Page",
    {
        "fact": Template(lambda: [(it, name) for it in content.articles() for name in it.facts], _fact),
        "hop": Template(_hops, _hop),
        "compare": Template(
            lambda: [(it.name, which) for it in rows.ISLANDS if len(_towns_of(it.name)) > 1 for which in _MOST],
            _compare,
        ),
        "count": Template(lambda: [(name,) for name in content.categories() if name != "Lists"], _count),
        "ships": Template(
            lambda: [(year, before) for year in (1900, 1950, 1960, 1970, 1980, 1990, 2000) for before in (False, True)],
            _ships,
        ),
        "author": Template(lambda: [(it,) for it in content.articles()], _author),
        "open": Template(lambda: [(title,) for title in _TITLES], _open),
        "sentence": Template(_edits, _sentence),
        "mayor": Template(lambda: _pairs(rows.TOWNS, NAMES), _mayor),
        "create": Template(_creations, _create),
        "redirect": Template(
            lambda: [(it, form.format(it.title), user) for it, form, user in _pairs(content.articles(), _OTHER)],
            _redirect,
        ),
        "rename": Template(
            lambda: [
                (it, f"{it.title} of {place}", user)
                for it, place, user in _pairs(_of_kind("Lighthouse", "Ship"), ("the Isles", "Veyle", "the North"))
            ],
            _rename,
        ),
        "watch": Template(_watches, _watch),
        "unknown": Template(_known_or_not, _if_known),
    },
)
