"""Tasks of the wiki and the tracker: in WebArena's form, the splits apart, their answers those of the rows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from turngym.envs.browser.sites import SITES
from turngym.envs.browser.sites.drafting import Generator
from turngym.envs.browser.sites.tracker import content as tracker_content
from turngym.envs.browser.sites.tracker.tasks import GENERATOR as TRACKER
from turngym.envs.browser.sites.wiki import content as wiki_content
from turngym.envs.browser.sites.wiki import rows
from turngym.envs.browser.sites.wiki.tasks import GENERATOR as WIKI
from turngym.envs.types import BadInput

SEEDS = range(10)
BOTH = [(site, template) for site in (WIKI, TRACKER) for template in site.templates]
NAMES = [f"{site.site}-{template}" for site, template in BOTH]
each_template = pytest.mark.parametrize(("site", "template"), BOTH, ids=NAMES)
each_site = pytest.mark.parametrize("site", [WIKI, TRACKER], ids=["wiki", "tracker"])


def tasks(site: Generator, template: str, split: Any = "train") -> list[dict[str, Any]]:
    return [site.generate(np.random.default_rng(seed), template, split) for seed in SEEDS]


def answers(site: Generator, template: str) -> list[tuple[dict[str, str], Any]]:
    found = [*tasks(site, template), *tasks(site, template, "test")]
    return [(task["instantiation_dict"], task["eval"]["reference_answers"]) for task in found]


@each_template
def test_a_task_is_in_webarenas_form(site: Generator, template: str) -> None:
    for task in tasks(site, template):
        assert json.loads(json.dumps(task)) == task
        assert "{{" not in task["intent"]
        assert all(value in task["intent"] for value in task["instantiation_dict"].values())
        kinds = task["eval"]["eval_types"]
        assert kinds
        assert ("string_match" in kinds) == (task["eval"]["reference_answers"] is not None)
        assert ("url_match" in kinds) == bool(task["eval"]["reference_url"])
        assert ("program_html" in kinds) == bool(task["eval"]["program_html"])
        assert all(page["url"].startswith(site.placeholder + "/") for page in task["eval"]["program_html"])
        assert all(page["locator"].startswith(("document.", "[...document.")) for page in task["eval"]["program_html"])
        assert task["storage_state"] is None or task["storage_state"] in SITES[site.site].users
        assert [*task["oracle"][-1]] == ["answer"]


@each_template
def test_equal_seeds_give_equal_tasks_and_others_give_others(site: Generator, template: str) -> None:
    assert tasks(site, template) == tasks(site, template)
    assert len({task["intent"] for task in tasks(site, template)}) > 1


@each_template
def test_train_and_test_share_no_subject(site: Generator, template: str) -> None:
    train = {repr(row[0]) for row in site.rows(template, "train")}
    test = {repr(row[0]) for row in site.rows(template, "test")}
    assert train and test and not train & test
    intents = [
        {site.task(template, split, row)["intent"] for row in site.rows(template, split)} for split in ("train", "test")
    ]
    assert not intents[0] & intents[1]
    assert len(intents[1]) > 1


@each_site
def test_a_template_that_is_not_there_is_bad_input(site: Generator) -> None:
    with pytest.raises(BadInput, match=f"site {site.site} has no task template 'chess': there are "):
        site.generate(np.random.default_rng(0), "chess")


@each_site
def test_placeholders_and_users_are_the_sites(site: Generator) -> None:
    users = {"wiki": wiki_content.USERS, "tracker": tracker_content.USERS}[site.site]
    assert SITES[site.site].users == users
    assert SITES[site.site].placeholder == site.placeholder
    assert SITES[site.site].start == site.start


def test_facts_are_those_of_the_rows() -> None:
    things = {
        it.name: it
        for it in (*rows.ISLANDS, *rows.TOWNS, *rows.PEOPLE, *rows.FESTIVALS, *rows.SHIPS, *rows.LIGHTHOUSES)
    }
    columns = {"Area": "area", "Population": "population", "Settled": "settled", "Founded": "founded", "Built": "built",
               "Born": "born", "First held": "since", "Mayor": "mayor", "Month": "month", "Owner": "owner",
               "Island": "island", "Home port": "port", "Place": "town"}  # fmt: skip
    seen = 0
    for place in range(80):
        task = WIKI.generate(np.random.default_rng(place), "fact")
        values, wanted = task["instantiation_dict"], task["eval"]["reference_answers"]["exact_match"]
        if values["fact"] in columns:
            seen += 1
            fact = getattr(things[values["article"]], columns[values["fact"]])
            assert wanted.replace(",", "").removesuffix(" km²") == str(fact)
    assert seen > 20


def test_comparisons_have_one_answer_and_it_is_right() -> None:
    towns = {town.name: town for town in rows.TOWNS}
    keys = {
        "founded first": ("founded", min),
        "founded last": ("founded", max),
        "most inhabitants": ("population", max),
        "fewest inhabitants": ("population", min),
        "deepest harbour": ("depth", max),
        "shallowest harbour": ("depth", min),
    }
    for split in ("train", "test"):
        for row in WIKI.rows("compare", split):  # type: ignore[arg-type]
            task = WIKI.task("compare", split, row)  # type: ignore[arg-type]
            values, wanted = task["instantiation_dict"], task["eval"]["reference_answers"]["exact_match"]
            column, best = next(it for words, it in keys.items() if values["which"].endswith(words))
            figures = [getattr(town, column) for town in rows.TOWNS if town.island == values["island"]]
            assert figures.count(best(figures)) == 1
            assert getattr(towns[wanted], column) == best(figures)
            assert towns[wanted].island == values["island"]


def test_what_some_articles_do_not_say_is_what_the_rows_do_not() -> None:
    people = {it.name: it for it in rows.PEOPLE}
    for row in [*WIKI.rows("unknown", "train"), *WIKI.rows("unknown", "test")]:
        task = WIKI.task("unknown", "train", row)
        values, wanted = task["instantiation_dict"], task["eval"]["reference_answers"]
        here = values["article"]
        if "festival" in values["what"]:
            given = [it.name for it in rows.FESTIVALS if it.town == here]
        elif "ship" in values["what"]:
            given = [it.name for it in rows.SHIPS if it.port == here]
        elif "lighthouse" in values["what"]:
            given = [it.name for it in rows.LIGHTHOUSES if it.island == here]
        else:
            given = [str(people[here].died)] if people[here].died else []
        assert len(given) < 2
        assert wanted == ({"exact_match": given[0]} if given else {"fuzzy_match": "N/A"})


def test_what_some_tickets_lack_is_what_they_have_not() -> None:
    tickets = {it["summary"]: it for it in tracker_content.tickets()}
    names = {"milestone": "milestone", "keyword": "keywords", "resolution": "resolution"}
    for values, wanted in answers(TRACKER, "unknown"):
        value = tickets[values["summary"]][names[values["what"]]]
        assert wanted == ({"exact_match": value} if value else {"fuzzy_match": "N/A"})


def test_the_wiki_is_whole() -> None:
    articles = wiki_content.articles()
    names = {it.title for it in wiki_content.revisions()}
    assert len(articles) >= 40
    assert len({it.title for it in articles}) == len(articles)
    assert {town.island for town in rows.TOWNS} == {island.name for island in rows.ISLANDS}
    for island in rows.ISLANDS:
        inside = [town for town in rows.TOWNS if town.island == island.name]
        assert island.capital in {town.name for town in inside}
        assert sum(town.population for town in inside) <= island.population
        assert min(town.founded for town in inside) >= island.settled
    places = {town.name for town in rows.TOWNS}
    assert {it.home for it in rows.PEOPLE} | {it.port for it in rows.SHIPS} | {
        it.town for it in rows.FESTIVALS
    } <= places
    assert set(wiki_content.REDIRECTS.values()) <= names
    assert not set(wiki_content.REDIRECTS) & {it.title for it in articles}
    assert {it.user for it in wiki_content.revisions() if ":" not in it.title} > set(wiki_content.USERS)


def test_counts_of_tickets_are_those_of_the_rows() -> None:
    tickets = [it for it in tracker_content.tickets() if it.open]
    for values, wanted in answers(TRACKER, "count"):
        mine = [it for it in tickets if (it["component"], it["owner"]) == (values["component"], values["owner"])]
        assert int(wanted["exact_match"]) == len(mine)
    for values, wanted in answers(TRACKER, "numbers"):
        found = [
            it.id for it in tickets if (it["component"], it["priority"]) == (values["component"], values["priority"])
        ]
        assert wanted["exact_match"] == ", ".join(f"#{number}" for number in sorted(found))


def test_the_tracker_is_whole() -> None:
    tickets = tracker_content.tickets()
    assert len(tickets) >= 60
    assert [it.id for it in tickets] == list(range(1, len(tickets) + 1))
    assert len({it["summary"] for it in tickets}) == len(tickets)
    for it in tickets:
        moments = [it.time, *(change.time for change in it.changes)]
        assert moments == sorted(set(moments)) and moments[-1] <= tracker_content.ENDED
        assert it.open == (it["resolution"] == "")
        assert it["owner"] in tracker_content.DEVELOPERS
    assert sum(bool(it.changes) for it in tickets) > 30
