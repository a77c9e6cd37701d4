"""Task files drawn from the sites: numbered, distinct, loadable; their oracles solve them, and vandals do not."""

from __future__ import annotations

import copy
import json
from collections import Counter

import pytest

from turngym.envs.browser.sites import SITES
from turngym.envs.browser.sites.shop import content as shop
from turngym.envs.browser.sites.task_file import draw, generator
from turngym.envs.browser.webarena import load
from turngym.envs.browser.website import WebSiteEnv
from turngym.envs.types import BadInput

ALL = list(SITES)
KINDS = [f"{site}.{template}" for site in ALL for template in generator(site).templates]


def test_tasks_are_numbered_and_no_two_ask_for_the_same(tmp_path):
    tasks = draw(ALL, 300, seed=4, split="train")
    assert [task["task_id"] for task in tasks] == list(range(300))
    assert len({task["intent"] for task in tasks}) == 300
    assert all(KINDS[task["intent_template_id"]] == f"{task['sites'][0]}.{task['template']}" for task in tasks)
    assert {task["split"] for task in tasks} == {"train"}
    file = tmp_path / "tasks.json"
    file.write_text(json.dumps(tasks))
    assert [(it.task_id, it.intent) for it in load(file)] == [(it["task_id"], it["intent"]) for it in tasks]


def test_kinds_and_sites_come_in_turn():
    assert {task["sites"][0] for task in draw(ALL, 3, seed=0, split="train")} == set(ALL)
    counts = Counter(task["intent_template_id"] for task in draw(ALL, 2 * len(KINDS), seed=0, split="test"))
    assert len(counts) == len(KINDS)
    assert set(counts.values()) == {2}


def test_equal_seeds_give_equal_tasks_and_splits_share_none():
    tasks = draw(["wiki"], 60, seed=1, split="train")
    assert draw(["wiki"], 60, seed=1, split="train") == tasks
    assert draw(["wiki"], 20, seed=1, split="train") == tasks[:20]
    assert draw(["wiki"], 60, seed=2, split="train") != tasks
    intents = {task["intent"] for task in tasks}
    assert not intents & {task["intent"] for task in draw(["wiki"], 60, seed=1, split="test")}


def test_all_rows_are_drawn_before_it_says_that_there_are_no_more():
    with pytest.raises(BadInput, match=r"cannot draw 100000 tasks: split 'test' of shop has \d+ different") as told:
        draw(["shop"], 100000, seed=0, split="test")
    most = int(str(told.value).split(" has ")[1].split()[0])
    assert most > 100
    assert len(draw(["shop", "shop"], most, seed=0, split="test")) == most


@pytest.mark.parametrize(
    ("names", "split", "words"), [(["shoppe"], "train", "unknown site 'shoppe'"), (["shop"], "tset", "split must be")]
)
def test_what_is_not_there_is_bad_input(names, split, words):
    with pytest.raises(BadInput, match=words):
        draw(names, 1, seed=0, split=split)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(("site", "template"), [("shop", "not-sold"), ("wiki", "unknown"), ("tracker", "unknown")])
def test_either_split_has_about_as_many_tasks_that_cannot_be_done_as_others(site, template, split):
    maker = generator(site)
    tasks = [maker.task(template, split, row) for row in maker.rows(template, split)]
    assert len({task["intent_template"] for task in tasks}) == 1
    impossible = [task["eval"]["reference_answers"] == {"fuzzy_match": "N/A"} for task in tasks]
    assert 0.35 < sum(impossible) / len(impossible) < 0.65
    assert [bool(task["eval"]["string_note"]) for task in tasks] == impossible


# In the browser ---------------------------------------------------------------------------------------------------


@pytest.fixture
def rewards(installed_sites, tmp_path):
    """Plays tasks, from a file, as their oracles say; returns the reward of each."""
    made = []

    def play(tasks):
        file = tmp_path / "tasks.json"
        file.write_text(json.dumps(tasks))
        made.append(WebSiteEnv(task_file=str(file), observation="html"))
        return [one(made[-1], str(task["task_id"]), task["split"]) for task in tasks]

    def one(env, name, split):
        env.reset(seed=0, options={"task": name, "split": split})
        for _ in range(env.task.max_turns):
            call = env.solution()[0]
            _, reward, terminated, _, info = env.step(call)
            assert info["error"] is None, (call, info["error"])
            if terminated:
                return reward
        raise AssertionError("the episode did not end")

    yield play
    for env in made:
        env.close()


@pytest.mark.browser
@pytest.mark.parametrize("site", ALL)
def test_the_oracle_solves_what_was_drawn(rewards, site):
    assert rewards(draw([site], 6, seed=3, split="test")) == [1.0] * 6


def longest(task):
    """The step of the oracle that fills in most: what was there, and what is new."""
    return max((step for step in task["oracle"] if "fill" in step), key=lambda step: len(step["text"]))


def only(text):
    """Whoever puts this in the place of what was there."""

    def spoil(task):
        longest(task)["text"] = text.format(**task["instantiation_dict"])

    return spoil


def by_shortening(task):
    """Whoever leaves nothing but the heading above the new line."""
    first, *_, last = longest(task)["text"].strip().splitlines()
    longest(task)["text"] = f"{first}\n{last}\n"


def also(step):
    """Whoever changes something else along with what was asked for."""

    def spoil(task):
        saves = [place for place, one in enumerate(task["oracle"]) if "name=submit" in one.get("click", "")]
        task["oracle"].insert(saves[-1], step)

    return spoil


def below_the_categories(task):
    """Whoever writes at the very end of the last section's source."""
    sentence = task["instantiation_dict"]["sentence"]
    assert "[[Category:" in longest(task)["text"]
    longest(task)["text"] = longest(task)["text"].replace(sentence, "") + "\n" + sentence


def linked_and_signed(task):
    """Whoever makes the name a link, and signs."""
    name, note = task["instantiation_dict"]["name"], task["instantiation_dict"]["note"]
    longest(task)["text"] = longest(task)["text"].replace(f" {name}", f" [[{name}]]")
    for step in task["oracle"]:
        if note in step.get("text", ""):
            step["text"] += " --~~~~"


@pytest.mark.browser
@pytest.mark.parametrize(
    ("template", "chosen", "otherwise"),
    [
        ("sentence", [("section", "Work"), ("section", "Lighthouses")], below_the_categories),
        ("mayor", [("town", "Port Ansel"), ("town", "Southsand")], linked_and_signed),  # one has a discussion page
    ],
)
def test_other_ways_of_doing_it_are_as_good(rewards, template, chosen, otherwise):
    maker = generator("wiki")
    drawn = [maker.task(template, "train", row) for row in maker.rows(template, "train")]
    tasks = [next(it for it in drawn if one in it["instantiation_dict"].items()) for one in chosen]
    for number, task in enumerate(tasks):
        task["task_id"] = number
        otherwise(task)
    assert rewards(tasks) == [1.0, 1.0]


def by_copying(task):
    """Whoever writes a new article and makes the old one a redirect, which loses text and history."""
    old, new = task["instantiation_dict"]["article"], task["instantiation_dict"]["new"]
    texts = {new: f"About {old}.", old: f"#REDIRECT [[{new}]]"}
    task["oracle"][:-1] = [
        step
        for title, text in texts.items()
        for step in (
            {"goto": f"__WIKI__/index.php?title={title}&action=edit"},
            {"fill": "#wpTextbox1", "text": text},
            {"click": "#wpSave"},
        )
    ]


def by_renaming(task):
    """Whoever makes the milestone of another one."""
    first = next(place for place, step in enumerate(task["oracle"]) if "fill" in step)
    task["oracle"][:first] = [{"goto": "__TRACKER__/milestone/1.2?action=edit"}]
    task["oracle"][-2] = {"click": "input[name=save]"}


def by_moving(task):
    """Whoever changes an address instead of adding one."""
    person = next(it for it in shop.CUSTOMERS if it.email == task["storage_state"])
    place = next(place for place, step in enumerate(task["oracle"]) if "addresses/add" in step.get("click", ""))
    task["oracle"][place] = {"goto": f"__SHOP__/accounts/addresses/{shop.address_id(person.addresses[0])}/"}


VANDALS = {
    "wiki.sentence": only("== {section} ==\n{sentence}"),
    "wiki.mayor": only("{{{{Town\n| mayor = {name}\n}}}}\n\n== Government ==\nThe mayor is {name}."),
    "wiki.create": only("== {section} ==\nSee also [[{topic}]]."),
    "wiki.rename": by_copying,
    "tracker.page": by_shortening,
    "tracker.comment": also({"fill": "#field-keywords", "text": "spoilt"}),
    "tracker.close": also({"fill": "#field-summary", "text": "Spoilt"}),
    "tracker.reassign": also({"fill": "#field-summary", "text": "Spoilt"}),
    "tracker.report": also({"fill": "#field-keywords", "text": "spoilt"}),
    "tracker.milestone": by_renaming,
    "shop.address": by_moving,
}


@pytest.mark.browser
@pytest.mark.parametrize("name", VANDALS)
def test_who_loses_what_was_there_gets_nothing(rewards, name):
    site, _, template = name.partition(".")
    tasks = [task for task in draw([site], 60, seed=2, split="train") if task["template"] == template][:2]
    spoilt = copy.deepcopy(tasks)
    for task in spoilt:
        VANDALS[name](task)
        task["task_id"] += 1000
    assert rewards([*tasks, *spoilt]) == [1.0, 1.0, 0.0, 0.0]
