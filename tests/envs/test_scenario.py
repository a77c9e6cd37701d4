"""Scenarios: shipped ones are valid, and bad ones are refused with the key and the nearest valid one."""

import json
import re

import pytest
import yaml

from turngym.envs import BadInput, find
from turngym.envs.scenario import Scenario, nearest, parse, read, shipped

ENVIRONMENT = {"id": "turngym/MiniWoB-v0", "task": "click-color"}


@pytest.fixture
def recipe(tmp_path):
    """Write a recipe; return its path."""

    def write(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return str(path)

    return write


def refusal(action):
    with pytest.raises(BadInput) as raised:
        action()
    text = str(raised.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("name", sorted(shipped()))
def test_what_ships_is_valid_and_is_called_what_its_file_is(name):
    for variant in ("", *yaml.safe_load(shipped()[name].read_text()).get("variants", {})):
        scenario = read(name, [f"variant={variant}"] if variant else [])
        assert (scenario.name, scenario.variant) == (name, variant)
        assert scenario.about.endswith(".")


def test_the_quickstart_ships():
    assert "quickstart" in shipped()


def test_defaults_fill_what_is_left_out():
    scenario = parse({"name": "mine", "environment": ENVIRONMENT}, "here")
    assert scenario.warm_start is None
    assert scenario.train.algorithm == "grpo"
    assert scenario.policy.context.images is None
    assert scenario.environment.kwargs == {"task": "click-color"}
    assert isinstance(scenario, Scenario)


def test_a_scenario_cannot_be_changed():
    scenario = parse({"name": "mine", "environment": ENVIRONMENT}, "here")
    with pytest.raises(ValueError, match="frozen"):
        scenario.seed = 5


def test_a_path_is_read_and_overridden(recipe):
    path = recipe("name: mine\nenvironment: {id: turngym/MiniWoB-v0}\n")
    overrides = ["train.steps=7", "policy.context.images=2", "environment.task=click-test", "train.until=null"]
    scenario = read(path, [*overrides, "environment.image_size=[84, 112]"])
    assert scenario.train.steps == 7
    assert scenario.policy.context.images == 2
    assert scenario.train.until is None
    assert scenario.environment.kwargs == {"task": "click-test", "image_size": [84, 112]}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"nme": "x"}, "did you mean 'name'"),
        ({"train": {"stesp": 3}}, "unknown key 'train.stesp'; did you mean 'steps'?"),
        ({"policy": {"context": {"image": 1}}}, "unknown key 'policy.context.image'; did you mean 'images'?"),
        ({"warm_start": {"epsiodes": 1}}, "unknown key 'warm_start.epsiodes'; did you mean 'episodes'?"),
        ({"environment": {**ENVIRONMENT, "imagesize": [1, 1]}}, "unknown key 'environment.imagesize'; did you mean"),
        ({"environment": {"task": "click-color"}}, "environment.id: field required"),
        ({"environment": {"id": "turngym/MiniWob-v0"}}, "did you mean 'turngym/MiniWoB-v0'"),
        ({"train": {"lr": -1}}, "train.lr: input should be greater than 0"),
        ({"train": {"steps": "many"}}, "train.steps: input should be a valid integer"),
        ({"train": {"algorithm": "ppo"}}, "train.algorithm: input should be 'grpo'"),
        ({"train": 3}, "train: input should be"),
        ({"policy": {"context": {"images": -1}}}, "policy.context.images: input should be greater than or equal to 0"),
        ({"workers": 0}, "workers: input should be greater than or equal to 1"),
        ({"environment": {**ENVIRONMENT, "split": "test"}}, "environment.split cannot be set: .* evaluate.split"),
        ({"environment": {**ENVIRONMENT, "spilt": "test"}}, "unknown key 'environment.spilt'; valid are task, level,"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(data, says):
    why = refusal(lambda: parse({"name": "mine", "environment": ENVIRONMENT, **data}, "mine.yaml"))
    assert says in why or re.search(says, why)


def test_the_refusal_names_the_file(recipe):
    path = recipe("name: mine\nenvironment: {id: turngym/MiniWoB-v0}\ntran: {}\n")
    assert refusal(lambda: read(path)).startswith(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a\n- b\n", "a scenario is a mapping"),
        ("", "a scenario is a mapping"),
        ("name: [1,\n", "not valid YAML"),
        ("name: 2024-13-45\n", "not valid YAML: month must be in 1..12"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(recipe, text, says):
    assert says in refusal(lambda: read(recipe(text)))


def test_a_name_that_is_nothing_is_refused_with_the_nearest():
    assert "the nearest shipped one is 'quickstart'" in refusal(lambda: read("quikstart"))
    assert "no scenario 'zzz'" in refusal(lambda: read("zzz"))
    assert "no/such/file.yaml" in refusal(lambda: read("no/such/file.yaml"))


def test_a_folder_is_refused(tmp_path):
    assert str(tmp_path) in refusal(lambda: read(str(tmp_path)))


@pytest.mark.parametrize("override", ["train.steps", "=3", "", "train.steps.more=1", "name.more=1"])
def test_an_override_that_is_none_is_refused(override):
    assert repr(override) in refusal(lambda: read("quickstart", [override]))


def test_an_override_with_an_unknown_key_is_refused():
    assert "did you mean 'steps'" in refusal(lambda: read("quickstart", ["train.stesp=3"]))


@pytest.mark.parametrize("override", ["train.steps=[1", "name=2024-13-45", "seed=" + 5000 * "9"])
def test_an_override_that_is_no_yaml_is_refused(override):
    assert override in refusal(lambda: read("quickstart", [override]))


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00name")
    assert str(path) in refusal(lambda: read(str(path)))


def test_nearest_word():
    assert nearest("stesp", ["steps", "lr"]) == "; did you mean 'steps'?"
    assert nearest("zzz", ["steps", "lr"]) == "; valid are steps, lr"


def test_an_overshoot_lies_above_what_is_wanted():
    base = {"name": "mine", "environment": ENVIRONMENT}
    assert parse({**base, "warm_start": {"until": 0.5, "overshoot": 0.7}}, "here").warm_start.overshoot == 0.7
    assert parse({**base, "warm_start": {"overshoot": 0.7}}, "here").warm_start.until is None
    said = refusal(lambda: parse({**base, "warm_start": {"until": 0.8, "overshoot": 0.7}}, "here"))
    assert "warm_start: " in said
    assert "overshoot is 0.7 and must not lie below until, which is 0.8" in said


def test_keywords_that_a_constructor_passes_on_to_its_bases(monkeypatch):
    class Base:
        def __init__(self, *, task=None, max_turns=None):
            pass

    class Mine(Base):
        def __init__(self, *, lights=4, **kwargs):
            super().__init__(**kwargs)

    monkeypatch.setattr("turngym.envs.scenario.load", lambda target: Mine)
    environment = {**ENVIRONMENT, "lights": 2, "max_turns": 3}
    assert parse({"name": "mine", "environment": environment}, "here").environment.kwargs["max_turns"] == 3
    for key in ("kwargs", "max_turn"):
        said = refusal(lambda key=key: parse({"name": "mine", "environment": {**ENVIRONMENT, key: 1}}, "here"))
        assert f"unknown key 'environment.{key}'" in said


def test_all_tasks_are_those_of_the_environment_as_it_is_made(tmp_path):
    every = parse({"name": "m", "environment": {"id": "turngym/MiniWoB-v0", "tasks": "all"}}, "h")
    assert every.environment.task_names() == tuple(find("turngym/MiniWoB-v0").task_names())
    scored = {"eval_types": ["string_match"], "reference_answers": {"exact_match": "x"}}
    rows = [{"task_id": n, "sites": [], "start_url": "__A__", "intent": "Say x", "eval": scored} for n in range(5)]
    for split, some in (("train", rows[:3]), ("test", rows[2:])):
        (tmp_path / f"{split}.json").write_text(json.dumps(some))
    environment = {
        "id": "turngym/WebSite-v0",
        "task_file": {split: str(tmp_path / f"{split}.json") for split in ("train", "test")},
        "addresses": {"__A__": "http://localhost:1"},
    }
    block = parse({"name": "m", "environment": {**environment, "tasks": "all"}}, "h").environment
    assert find(block.id).solved_tasks(**block.kwargs) == []
    assert (block.task_names(), block.task_names("test")) == (("0", "1", "2"), ("2", "3", "4"))
    named = parse({"name": "m", "environment": {**environment, "tasks": [1, "4"]}}, "h").environment
    assert named.task_names() == named.task_names("test") == ("1", "4")
    assert parse({"name": "m", "environment": {**environment, "task": 1}}, "h").environment.task_names() == ("1",)
    if find("turngym/WebSite-v0").what_is_missing() is None:
        said = refusal(lambda: parse({"name": "m", "environment": {**environment, "task": "9"}}, "h"))
        assert "environment.task: there is no '9' in turngym/WebSite-v0" in said


def test_several_tasks(recipe):
    path = recipe("name: mine\nenvironment: {id: turngym/MiniWoB-v0, tasks: [click-test, click-color]}\n")
    scenario = read(path)
    assert scenario.environment.task_names() == ("click-test", "click-color")
    assert scenario.environment.kwargs == {}
    assert parse({"name": "m", "environment": ENVIRONMENT}, "h").environment.task_names() == ("click-color",)
    assert parse({"name": "m", "environment": {"id": ENVIRONMENT["id"]}}, "h").environment.task_names() == ("",)
    for tasks, says in (
        ("[click-colr]", "environment.tasks: there is no 'click-colr' in .*; did you mean 'click-color'"),
        ("[click-test, click-test]", "environment.tasks: 'click-test' is there twice"),
        ("click-test", "environment.tasks: expected a list of names, or all"),
    ):
        assert re.search(says, refusal(lambda tasks=tasks: read(path, [f"environment.tasks={tasks}"])))
    assert "both set" in refusal(lambda: read(path, ["environment.task=click-test"]))


VARIANTS = """
name: mine
about: The recipe.
environment: {id: turngym/MiniWoB-v0, task: click-color}
warm_start: {episodes: 7, steps: 3}
variants:
  zero: {about: Without., warm_start: null}
  long: {warm_start: {steps: 30}, policy: {context: {images: 1}}}
"""


def test_variants_take_the_place_of_what_differs(recipe):
    path = recipe(VARIANTS)
    plain, zero = read(path), read(path, ["variant=zero"])
    assert (plain.variant, plain.warm_start.steps) == ("", 3)
    assert (zero.variant, zero.warm_start, zero.about) == ("zero", None, "Without.")
    long = read(path, ["variant=long", "warm_start.steps=5", "seed=3"])
    assert (long.warm_start.episodes, long.warm_start.steps, long.policy.context.images, long.seed) == (7, 5, 1, 3)
    assert "there is no variant 'zro'; did you mean 'zero'?" in refusal(lambda: read(path, ["variant=zro"]))
    assert "unknown key 'train.stps'" in refusal(
        lambda: read(recipe(VARIANTS + "  bad: {train: {stps: 1}}\n"), ["variant=bad"])
    )


@pytest.mark.parametrize("variants", ["[zero]", "{zero: 3}", "zero"])
def test_variants_that_are_none(recipe, variants):
    assert "variants: a mapping of names" in refusal(lambda: read(recipe(f"name: mine\nvariants: {variants}\n")))


def test_a_text_for_observations_names_what_there_is():
    data = {
        "name": "mine",
        "environment": ENVIRONMENT,
        "policy": {"context": {"opening": "Task: {instruction} {html}"}},
    }
    said = refusal(lambda: parse(data, "mine.yaml"))
    assert "policy.context.opening: " in said
    assert "{html} stands for nothing; there is {instruction}, {page}, {turn}" in said
