"""Task files drawn from the sites: numbered, distinct, loadable; their oracles solve them."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from turngym.envs.browser.sites import SITES
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


# In the browser ---------------------------------------------------------------------------------------------------


@pytest.fixture
def rewards(installed_sites, tmp_path):
    """Plays tasks, from a file, as their oracles say; returns the reward of each."""
    made = []

    def play(tasks):
        file = tmp_path / "tasks.json"
        file.write_text(json.dumps(tasks))
        made.append(WebSiteEnv(task_file=str(file), observation="html"))
        return [one(made[-1], str(task["task_id"])) for task in tasks]

    def one(env, name):
        env.reset(seed=0, options={"task": name})
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
