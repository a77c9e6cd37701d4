"""Every kind of task on every site: its oracle solves it in the browser, and who does nothing does not."""

import pytest

from turngym.envs.browser.website import WebSiteEnv, task_names

pytestmark = pytest.mark.browser

NAMES = task_names()
MAYBE = ("shop.not-sold", "wiki.unknown", "tracker.unknown")
"""Of these some tasks cannot be done."""
BY_POSITION = ("shop.cheapest", "shop.profile", "wiki.hop", "tracker.close")
"""Tasks that are also done by mouse and keyboard alone: lists, forms, links, pages longer than the screen."""


@pytest.fixture(scope="module")
def env(installed_sites):
    env = WebSiteEnv(observation="html")
    yield env
    env.close()


@pytest.fixture(scope="module")
def seeing(installed_sites):
    env = WebSiteEnv(observation="screenshot")
    yield env
    env.close()


def solve(env, name, split, seed):
    env.reset(seed=seed, options={"task": name, "split": split})
    for _ in range(env.task.max_turns):
        call = env.solution()[0]
        *_, reward, terminated, truncated, info = env.step(call)
        assert info["error"] is None, (call, info["error"])
        if terminated or truncated:
            return reward, info
    raise AssertionError("the episode did not end")


def test_there_are_enough_kinds():
    for site in ("shop", "wiki", "tracker"):
        assert sum(name.startswith(f"{site}.") for name in NAMES) >= 6


@pytest.mark.parametrize("name", NAMES)
def test_the_oracle_solves_it(env, name):
    reward, info = solve(env, name, "train", 1)
    assert (reward, info["stop_reason"]) == (1.0, "success"), info["signals"]


@pytest.mark.parametrize("name", BY_POSITION)
def test_the_oracle_solves_it_by_mouse_and_keyboard(seeing, name):
    reward, info = solve(seeing, name, "test", 2)
    assert (reward, info["stop_reason"]) == (1.0, "success"), info["signals"]


def seed_of(env, name, achievable=True):
    """The first seed that draws a task that can be done, or one that cannot."""
    for seed in range(1, 30):
        env.reset(seed=seed, options={"task": name})
        if achievable == all(check.kind != "unachievable" for check in env._current.found.web.eval.answers):
            return seed
    raise AssertionError("no such task was drawn")


@pytest.mark.parametrize("name", NAMES)
def test_who_only_says_done_or_nothing_fails(env, name):
    seed = seed_of(env, name)
    for text in ("done", "N/A"):
        env.reset(seed=seed, options={"task": name})
        _, reward, *_, info = env.step({"name": "answer", "arguments": {"text": text}})
        assert (reward, info["stop_reason"]) == (0.0, "failure"), text


@pytest.mark.parametrize("name", MAYBE)
def test_what_cannot_be_done_is_asked_for_like_what_can(env, name):
    asked = []
    for achievable in (True, False):
        seed = seed_of(env, name, achievable)
        asked.append(env._current.found.web.intent_template)
        assert solve(env, name, "train", seed)[0] == 1.0
        env.reset(seed=seed, options={"task": name})
        _, reward, *_ = env.step({"name": "answer", "arguments": {"text": "N/A"}})
        assert reward == (0.0 if achievable else 1.0)
    assert asked[0] == asked[1]


def test_two_environments_never_see_each_others_state(env):
    other = WebSiteEnv(observation="html")
    try:
        for one in (env, other):
            one.reset(seed=5, options={"task": "shop.basket"})
        while (call := env.solution()[0])["name"] != "answer":
            env.step(call)
        basket = {"name": "goto", "arguments": {"url": "http://shop/basket/"}}
        mine, theirs = env.step(basket)[0]["text"], other.step(basket)[0]["text"]
        assert "Your basket is empty" not in mine
        assert "Your basket is empty" in theirs
        env.reset(seed=5, options={"task": "shop.basket"})
        assert "Your basket is empty" in env.step(basket)[0]["text"]
    finally:
        other.close()


def test_equal_seeds_give_equal_pixels_and_words_in_another_environment(seeing):
    other = WebSiteEnv(observation="screenshot")
    try:
        for name in ("shop.price", "wiki.fact", "tracker.comment"):
            looks = []
            for one in (seeing, other):
                first, _ = one.reset(seed=3, options={"task": name})
                second, *_ = one.step(one.solution()[0])
                looks.append([first, second])
            for mine, theirs in zip(*looks, strict=True):
                assert mine["text"] == theirs["text"]
                assert (mine["images"][0] == theirs["images"][0]).all(), name
    finally:
        other.close()
