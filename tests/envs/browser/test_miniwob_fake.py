"""The environment's control flow on the fake browser: no Chromium needed."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from turngym.envs import BadInput, InfraError, Task
from turngym.envs.browser import pool
from turngym.envs.browser.fake import FakeBrowser, FakePage
from turngym.envs.browser.miniwob import ATTEMPTS, MiniWoBEnv, task_names


@pytest.fixture
def make():
    made = []

    def build(**kwargs):
        made.append(MiniWoBEnv(**{"task": "click-color", "backend": "fake", **kwargs}))
        return made[-1]

    yield build
    for env in made:
        env.close()


@pytest.fixture
def browsers(monkeypatch):
    """Every browser that is launched, in order."""
    launched = []

    def launch(backend):
        launched.append(FakeBrowser())
        return launched[-1]

    monkeypatch.setattr(pool, "launch", launch)
    return launched


WAIT = {"name": "wait", "arguments": {}}


def test_it_is_a_gymnasium_environment(make):
    check_env(make(max_turns=5), skip_render_check=True)


def test_the_oracle_succeeds_and_a_wrong_box_fails(make):
    env = make()
    for seed in range(10):
        env.reset(seed=seed)
        observation, reward, terminated, truncated, info = env.step(env.solution()[0])
        assert (reward, terminated, truncated, info["stop_reason"]) == (1.0, True, False, "success")
        assert info["signals"] == {"success": 1.0, "raw_reward": 1.0}
        assert observation["images"][0].shape == (210, 160, 3)
    env.reset(seed=0)
    right = env.solution()[0]["arguments"]
    wrong = next(box for box in env.elements() if (box.x, box.y) != (right["x"], right["y"]))
    *_, info = env.step({"name": "click", "arguments": {"x": int(wrong.x), "y": int(wrong.y)}})
    assert (info["stop_reason"], info["signals"]["success"]) == ("failure", 0.0)


def test_the_oracle_succeeds_at_any_image_size(make):
    for size in [(84, 112), (40, 60), (300, 120)]:
        env = make(image_size=list(size))
        for seed in range(5):
            observation, _ = env.reset(seed=seed)
            assert observation["images"][0].shape == (size[1], size[0], 3)
            assert env.step(env.solution()[0])[1] == 1.0


def test_turn_limits_truncate(make):
    env = make(max_turns=2)
    env.reset(seed=0)
    assert env.step(WAIT)[3] is False
    *_, terminated, truncated, info = env.step(WAIT)
    assert (terminated, truncated, info["stop_reason"]) == (False, True, "turn_limit")


def test_refused_calls_touch_nothing(make):
    env = make(image_size=(84, 112))
    before, _ = env.reset(seed=0)
    for call in [
        {"name": "click", "arguments": {"x": 10, "y": 111}},
        {"name": "click", "arguments": {"x": 84, "y": 0}},
        {"name": "type", "arguments": {"text": "\udc00"}},
        {"name": "nothing", "arguments": {}},
    ]:
        after, reward, terminated, truncated, info = env.step(call)
        assert info["error"]
        assert (reward, terminated, truncated) == (0.0, False, False)
        assert (after["images"][0] == before["images"][0]).all()
        assert after["text"].endswith(f"Error: {info['error']}")


def test_splits_draw_disjoint_page_seeds(make, monkeypatch):
    seeds = {}
    for split in ("train", "test"):
        env = make(split=split)
        started = seeds[split] = set()
        monkeypatch.setattr(env, "_start", lambda name, seed, split, started=started: started.add(seed) or "")
        for seed in range(50):
            env.reset(seed=seed)
    assert all(seed % 2 == 0 for seed in seeds["train"])
    assert all(seed % 2 == 1 for seed in seeds["test"])
    assert len(seeds["train"]) == len(seeds["test"]) == 50


def test_a_start_depends_on_the_seed_alone_however_the_task_was_chosen(make):
    drawn = make(task=None)
    observation, info = drawn.reset(seed=4)
    again, _ = drawn.reset(seed=4, options={"task": drawn.task})
    named, _ = make(task=info["task"]).reset(seed=4)
    for other in (again, named):
        assert other["text"] == observation["text"]
        assert (other["images"][0] == observation["images"][0]).all()
    assert len({drawn.reset(seed=seed)[1]["task"] for seed in range(20)}) > 10


def test_elements_are_listed_and_clicked_by_number(make):
    env = make(observation="elements")
    observation, info = env.reset(seed=1)
    lines = observation["text"].split("\n")
    assert lines[0] == info["instruction"]
    names = [line.partition("'")[2].rstrip("'") for line in lines[1:]]
    assert names == [element.name for element in env.elements()]
    wanted = info["instruction"].split()[3]
    assert env.step({"name": "click_element", "arguments": {"element": names.index(wanted)}})[1] == 1.0


def test_several_kinds_are_told_apart_and_number_alike(make):
    env = make(observation=["screenshot", "elements", "html", "marks"])
    observation, info = env.reset(seed=1)
    wanted = info["instruction"].split()[3]
    told = observation["text"].split("\n")
    number = told.index(f"[{[element.name for element in env.elements()].index(wanted)}] div '{wanted}'") - 2
    assert told[1] == "elements:"
    assert f'<div id="{number}"> {wanted} </div>' in observation["text"]
    plain, marked = observation["images"]
    assert plain.shape == marked.shape
    assert (plain != marked).any()
    assert set(env.timings) == {"page", "elements", "html", "marks"}
    assert env.step({"name": "click_element", "arguments": {"element": number}})[1] == 1.0


def test_text_alone_draws_nothing_and_has_no_tools_for_positions(make, monkeypatch):
    env = make(observation="html")

    def draw(page):
        raise AssertionError("a picture was drawn")

    monkeypatch.setattr(FakePage, "draw", draw)
    observation, _ = env.reset(seed=0)
    assert observation["images"] == ()
    assert env.step(WAIT)[0]["images"] == ()
    names = env.action_space.names
    assert names[:3] == ("type", "press", "wait")
    assert "click_element" in names
    assert not {"click", "double_click", "drag", "scroll"} & set(names)
    assert env.solution()[0]["name"] == "click_element"
    assert env.step(env.solution()[0])[1] == 1.0


def test_an_element_that_is_not_there_is_refused(make):
    env = make(observation="elements")
    env.reset(seed=1)
    for call in [
        {"name": "click_element", "arguments": {"element": 4}},
        {"name": "select_option", "arguments": {"element": 0, "option": "x"}},
    ]:
        _, reward, terminated, _, info = env.step(call)
        assert info["error"]
        assert (reward, terminated) == (0.0, False)


def test_what_is_not_observed_can_be_rendered(make):
    shown, unseen = (make(observation=kind, render_mode="rgb_array") for kind in ("screenshot", "html"))
    for env in (shown, unseen):
        assert env.render() is None
        env.reset(seed=3)
    assert unseen._images == ()
    assert (unseen.render() == shown.render()).all()


@pytest.mark.parametrize(("break_it", "kind"), [("die", "browser_died"), ("hang", "browser_hung")])
def test_a_broken_browser_ends_the_episode_as_ours_and_is_replaced(make, browsers, break_it, kind):
    envs = [make(), make()]
    firsts = [env.reset(seed=seed)[0] for seed, env in enumerate(envs)]
    assert len(browsers) == 1
    getattr(browsers[0], break_it)()
    for env in envs:
        observation, reward, terminated, truncated, info = env.step(WAIT)
        assert (reward, terminated, truncated, info["stop_reason"]) == (0.0, False, True, "infra_error")
        assert info["infra_error"]["kind"] == kind
        with pytest.raises(gym.error.ResetNeeded):
            env.step(WAIT)
    for seed, (env, first) in enumerate(zip(envs, firsts, strict=True)):
        observation, _ = env.reset(seed=seed)
        assert (observation["images"][0] == first["images"][0]).all()
    assert len(browsers) == 2
    assert browsers[1].pages == 2


def test_a_browser_that_died_between_episodes_is_replaced_without_a_word(make, browsers):
    env = make()
    env.reset(seed=0)
    browsers[0].die()
    assert env.reset(seed=1)[1]["infra_error"] is None


def test_a_browser_that_never_lives_fails_the_reset(make, monkeypatch):
    def launch(backend):
        browser = FakeBrowser()
        browser.die()
        return browser

    monkeypatch.setattr(pool, "launch", launch)
    with pytest.raises(InfraError, match="browser_died"):
        make().reset(seed=0)
    assert ATTEMPTS == 2


def test_one_browser_serves_all_and_goes_with_the_last(make, browsers):
    envs = [make() for _ in range(5)]
    for env in envs:
        env.reset(seed=0)
    assert len(browsers) == 1
    assert browsers[0].pages == 5
    for env in envs:
        assert browsers[0].alive
        env.close()
        env.close()
    assert not browsers[0].alive
    assert browsers[0].pages == 0
    envs[0].reset(seed=0)
    assert len(browsers) == 2


def test_nothing_is_launched_before_the_first_reset(make, browsers):
    env = make()
    env.close()
    assert browsers == []


def test_observations_are_the_callers_own(make):
    env = make()
    observation, _ = env.reset(seed=0)
    observation["images"][0][:] = 7
    after, *_ = env.step(WAIT)
    assert not np.array_equal(after["images"][0], observation["images"][0])


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"task": "click-colour"}, "unknown MiniWoB task 'click-colour'; did you mean 'click-color'"),
        ({"level": 1}, "level must be 0"),
        ({"split": "dev"}, "split must be"),
        ({"image_size": [84]}, "image_size must be"),
        ({"image_size": [0, 5]}, "image_size must be"),
        ({"image_size": "84"}, "image_size must be"),
        ({"image_size": 84}, "image_size must be .*, got 84"),
        ({"image_size": [84, 11.2]}, "image_size must be"),
        ({"image_size": [True, True]}, "image_size must be"),
        ({"image_size": {84: 112, 1: 1}}, "image_size must be"),
        ({"task": ["click-color"]}, "unknown MiniWoB task"),
        ({"task": 5}, "unknown MiniWoB task 5"),
        ({"level": "easy"}, "level must be 0"),
        ({"split": ["train"]}, "split must be"),
        ({"backend": {}}, "backend must be one of"),
        ({"max_turns": "abc"}, "max_turns .* got 'abc'"),
        ({"observation": "htlm"}, "observation must be one of .*, got 'htlm'; did you mean 'html'"),
        ({"observation": []}, "observation must be a kind or a list of different kinds"),
        ({"observation": ["html", "html"]}, "observation must be a kind or a list of different kinds"),
        ({"observation": ["html", 3]}, "observation must be one of .*, got 3"),
        ({"observation": None}, "observation must be a kind"),
        ({"backend": "selenium"}, "backend must be one of devtools, playwright, fake"),
        ({"max_turns": 0}, "max_turns"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(kwargs, message):
    with pytest.raises(BadInput, match=message) as refusal:
        MiniWoBEnv(**{"backend": "fake", **kwargs})
    assert "\n" not in str(refusal.value)


def test_an_unknown_task_at_reset_is_bad_input(make):
    env = make()
    for task in ("email-imbox", Task(id="email-imbox")):
        with pytest.raises(BadInput, match="did you mean 'email-inbox'"):
            env.reset(seed=0, options={"task": task})


def test_tasks_are_the_packages_pages_by_their_own_names():
    names = task_names()
    assert len(names) == len(set(names)) == 134
    assert {"click-color", "email-inbox-nl-turk", "flight.AA", "flight.Alaska-auto-medium"} <= set(names)


def test_a_task_without_an_oracle_says_so(make):
    env = make(task="hot-cold")
    env.reset(seed=0)
    with pytest.raises(NotImplementedError, match="hot-cold"):
        env.solution()


def test_the_manual_has_its_headings():
    headings = [line.strip()[3:] for line in MiniWoBEnv.__doc__.splitlines() if line.strip().startswith("## ")]
    assert headings == [
        "Description", "Action Space", "Observation Space", "Starting State", "Rewards", "Episode End", "Arguments",
        "References",
    ]  # fmt: skip
