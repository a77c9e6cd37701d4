"""The environment in real browsers: every page loads, oracles succeed, equal seeds give equal pixels."""

import hashlib
import inspect
import json
import subprocess
import sys

import pytest

from turngym.envs.browser import catalogue
from turngym.envs.browser.miniwob import MiniWoBEnv, task_names
from turngym.envs.browser.oracles import ORACLES

pytestmark = pytest.mark.browser

VARIED = (
    "chase-circle", "moving-items", "book-flight", "choose-date", "click-pie", "email-inbox", "use-autocomplete",
    "stock-market", "social-media", "text-editor", "choose-list", "flight.Alaska",
)  # fmt: skip
"""Tasks with motion, animation, timers, images, date pickers, lists, frames."""

WORDLESS = {"moving-items"}
"""Tasks with nothing to list at the start."""


def play(env, task, seed, calls):
    """Play random calls; return all that came of them."""
    observation, info = env.reset(seed=seed, options={"task": task})
    env.action_space.seed(calls)
    record = [observation["text"], hashlib.sha256(observation["images"][0].tobytes()).hexdigest()]
    for _ in range(12):
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        record += [reward, str(info["error"]), hashlib.sha256(observation["images"][0].tobytes()).hexdigest()]
        if terminated or truncated:
            break
    return record


IN_A_PROCESS = f"""
import hashlib, json, sys
from turngym.envs.browser.miniwob import MiniWoBEnv

{inspect.getsource(play)}

env = MiniWoBEnv(max_turns=50)
print(json.dumps({{task: play(env, task, 7, 1) for task in sys.argv[1:]}}))
env.close()
"""


@pytest.fixture(scope="module")
def env():
    env = MiniWoBEnv(max_turns=60)
    yield env
    env.close()


def solve(env, task, seed):
    """Let the oracle, asked again every turn, play an episode; return its last reward and the turns it took."""
    env.reset(seed=seed, options={"task": task})
    for turn in range(1, env.task.max_turns + 1):
        _, reward, terminated, truncated, info = env.step(env.solution()[0])
        assert info["error"] is None
        assert info["infra_error"] is None
        if terminated or truncated:
            return reward, turn
    raise AssertionError("the limit of turns did not end the episode")


def full(task, reward):
    """Whether a reward is all that there is; two pages pay for nearness, and a click's numbers are whole."""
    return reward == 1.0 or (task in ("circle-center", "find-midpoint") and reward > 0.85)


def test_every_page_loads_and_shows_something(env):
    for task in task_names():
        observation, info = env.reset(seed=1, options={"task": task})
        assert info["instruction"], task
        assert observation["images"][0].std() > 5, task
        assert env.elements() or task in WORDLESS, task
        assert env.step({"name": "wait", "arguments": {}})[4]["infra_error"] is None, task


@pytest.mark.parametrize("task", ORACLES)
def test_the_oracle_succeeds_within_the_tasks_limit(env, task):
    limit = catalogue.max_turns(task)
    for seed in range(20):
        reward, turns = solve(env, task, seed)
        assert (seed, full(task, reward)) == (seed, True)
        assert turns <= limit


def test_oracles_succeed_through_playwright_too():
    env = MiniWoBEnv(max_turns=60, backend="playwright")
    try:
        assert [task for task in ORACLES if not full(task, solve(env, task, 1)[0])] == []
    finally:
        env.close()


@pytest.mark.parametrize("task", ["click-color", "click-checkboxes", "login-user", "drag-box", "use-slider"])
def test_positions_are_those_of_the_image_whatever_its_size(task):
    for size in [(84, 112), (300, 220)]:
        env = MiniWoBEnv(task=task, image_size=size, max_turns=60)
        try:
            for seed in range(4):
                assert (size, seed, solve(env, task, seed)[0]) == (size, seed, 1.0)
        finally:
            env.close()


def test_colours_are_elements_by_name_and_the_question_is_none(env):
    for seed in range(5):
        _, info = env.reset(seed=seed, options={"task": "click-color"})
        elements = env.elements()
        assert len(elements) == 4
        assert info["instruction"].split()[3] in [element.name for element in elements]
        assert [(element.width, element.height) for element in elements] == [(52, 52)] * 4
        places = [(element.x, element.y) for element in elements]
        assert places == sorted(places, key=lambda place: (place[1], place[0]))
        assert all(y > 50 for _, y in places)


def test_elements_are_in_image_pixels():
    env = MiniWoBEnv(task="click-color", image_size=(80, 105))
    native = MiniWoBEnv(task="click-color")
    try:
        env.reset(seed=2)
        native.reset(seed=2)
        for small, large in zip(env.elements(), native.elements(), strict=True):
            assert (small.name, 2 * small.x, 2 * small.width) == (large.name, large.x, large.width)
    finally:
        env.close()
        native.close()


def test_typed_text_arrives_letter_by_letter(env):
    env.reset(seed=0, options={"task": "enter-text"})
    field = next(element for element in env.elements() if element.role == "textbox")
    env.step({"name": "click", "arguments": {"x": int(field.x), "y": int(field.y)}})
    env.step({"name": "type", "arguments": {"text": "ça \"va\" 'là' 😀 & <b>"}})
    field = next(element for element in env.elements() if element.role == "textbox")
    assert field.name == "ça \"va\" 'là' 😀 & <b>"


def test_refused_calls_change_nothing_in_the_page():
    env = MiniWoBEnv(task="stock-market", image_size=(84, 112), max_turns=50)
    try:
        env.reset(seed=0)
        before = env._page.evaluate("[document.body.innerHTML, turngymPage.now]")
        for call in [
            {"name": "click", "arguments": {"x": 0, "y": 111}},
            {"name": "type", "arguments": {"text": "\ud800"}},
            {"name": "press", "arguments": {"key": "Power"}},
            {"name": "", "arguments": {"error": "no call"}},
        ]:
            assert env.step(call)[4]["error"]
        assert env._page.evaluate("[document.body.innerHTML, turngymPage.now]") == before
    finally:
        env.close()


def test_time_passes_in_the_page_with_every_call_and_shows(env):
    first, _ = env.reset(seed=0, options={"task": "stock-market"})
    pictures = set()
    for _ in range(40):
        observation, *_ = env.step({"name": "wait", "arguments": {}})
        pictures.add(hashlib.sha256(observation["images"][0].tobytes()).hexdigest())
    assert env._page.evaluate("turngymPage.elapsed") == 4000
    assert len(pictures) > 1
    assert first["images"][0].shape == (210, 160, 3)


def test_seeds_are_seen_where_they_are_said_to_be():
    for task, visible in [("click-color", True), ("find-greatest", False)]:
        env = MiniWoBEnv(task=task)
        try:
            starts = {env.reset(seed=seed)[0]["images"][0].tobytes() for seed in range(8)}
            assert env.seed_visible is visible
            assert (len(starts) > 1) is visible
        finally:
            env.close()


def test_equal_seeds_and_calls_give_equal_pixels_and_rewards_in_another_process():
    runs = [
        subprocess.run([sys.executable, "-c", IN_A_PROCESS, *VARIED], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    first, second = map(json.loads, runs)
    assert [task for task in VARIED if first[task] != second[task]] == []
    assert all(len(record) > 10 for record in first.values())


def test_what_was_played_before_does_not_show():
    env = MiniWoBEnv(max_turns=50)
    try:
        tasks = [*VARIED, "enter-text", "copy-paste", "click-scroll-list", "identify-shape"]
        tasks += [
            "use-spinner",
            "click-tab",
            "click-tab-2",
            "click-collapsible",
            "click-collapsible-2",
            "click-dialog-2",
        ]
        tasks += ["multi-layouts", "multi-orderings", "scroll-text", "hot-cold", "hover-shape"]
        for task in tasks:
            records = [play(env, task, 7, 1)]
            for other in range(2):
                play(env, task, 20 + other, 30 + other)
            records.append(play(env, task, 7, 1))
            assert records[0] == records[1], task
    finally:
        env.close()


@pytest.mark.parametrize(
    ("task", "left"),
    [
        ("scroll-text-2", [("click", {"x": 80, "y": 110}), ("type", {"text": "x"})]),
        ("scroll-text-2", [("drag", {"x": 154, "y": 158, "to_x": 154, "to_y": 190})]),
        ("form-sequence-3", [("click", {"x": 80, "y": 82})]),
        ("hot-cold", [("scroll", {"x": 80, "y": 110, "dx": 0, "dy": 10})]),
        ("drag-cube", [("drag", {"x": 80, "y": 110, "to_x": 140, "to_y": 110})]),
    ],
    ids=[
        "text that was typed in",
        "a stretched text area",
        "an open list",
        "a word beside the pointer",
        "a turned cube",
    ],
)
def test_what_was_left_in_a_page_is_gone_with_the_next_start(task, left):
    env = MiniWoBEnv(task=task)
    try:
        first = play_what_it_can(env, seed=7)
        start, _ = env.reset(seed=8)
        for name, arguments in left:
            observation, *_ = env.step({"name": name, "arguments": arguments})
        assert (observation["images"][0] != start["images"][0]).any()
        assert play_what_it_can(env, seed=7) == first
    finally:
        env.close()


def play_what_it_can(env, seed):
    """Play the oracle, or wait where there is none; return the pictures and the last reward."""
    known = env.find_task(None, env.np_random).id in ORACLES
    pictures, (observation, _), over, reward = [], env.reset(seed=seed), False, 0.0
    while not over and len(pictures) < 5:
        pictures.append(observation["images"][0].tobytes())
        call = env.solution()[0] if known else {"name": "wait", "arguments": {}}
        observation, reward, over, _, _ = env.step(call)
    return [*pictures, observation["images"][0].tobytes(), reward]


def test_time_passes_while_something_is_dragged(env):
    env.reset(seed=0, options={"task": "drag-cube"})
    side = "document.querySelector('.active').innerHTML"
    seen = {env._page.evaluate(side)}
    for _ in range(6):
        env.step({"name": "drag", "arguments": {"x": 80, "y": 110, "to_x": 140, "to_y": 130}})
        seen.add(env._page.evaluate(side))
    assert len(seen) > 2  # the cube turns by the clock, and only while the button is held


@pytest.mark.parametrize("task", ["chase-circle", "moving-items"])
def test_pages_that_end_by_the_clock_end_within_the_limit_of_turns(task):
    env = MiniWoBEnv(task=task)
    try:
        env.reset(seed=0)
        truncated = terminated = False
        while not (truncated or terminated):
            *_, terminated, truncated, _ = env.step({"name": "wait", "arguments": {}})
        assert terminated
    finally:
        env.close()
