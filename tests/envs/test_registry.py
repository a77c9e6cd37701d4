"""The registry: environments by id, found by Gymnasium, imported only when made."""

import dataclasses
import os
import subprocess
import sys

import gymnasium as gym
import pytest

from turngym.envs import BadInput, Entry, entries, find, make, register
from turngym.envs.registry import SHIPPED, load

LANTERNS = Entry(
    id="test/Lanterns-v0",
    family="tests",
    about="Lanterns to put out.",
    entry_point="lanterns:Lanterns",
    tasks="lanterns:task_names",
    missing="lanterns:missing",
    kwargs={"max_turns": 4},
)


@pytest.fixture
def registered(monkeypatch):
    """The lanterns, registered for the length of one test."""
    from turngym.envs import registry

    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    register(LANTERNS)
    yield LANTERNS
    del gym.registry[LANTERNS.id]


def run(script, **environment):
    command = [sys.executable, "-c", script]
    environment = {**os.environ, **environment}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    return done


def python(script):
    return run(script).stdout.split()


def package(folder, name, source, target="{name}:register"):
    """Lay out an installed package of that name, whose entry point is its function ``register``, or another."""
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[gymnasium.envs]\nturngym = {target.format(name=name)}\n")
    (folder / f"{name}.py").write_text(source)


def test_gymnasium_finds_every_shipped_id_without_an_import_of_turngym():
    script = "import gymnasium, sys; print(*[i for i in gymnasium.registry if i.startswith('turngym/')])"
    assert python(script) == [entry.id for entry in SHIPPED]


def test_to_look_for_gymnasium_is_not_to_import_it():
    look = "from importlib.util import find_spec; assert find_spec('gymnasium') and find_spec('gymnasium')"
    script = f"{look}; import gymnasium; print(*[i for i in gymnasium.registry if i.startswith('turngym/')])"
    assert python(script) == [entry.id for entry in SHIPPED]


OTHERS = """
from turngym.envs import Entry, register as add

def register():
    add(Entry("others/Env-v0", "others", "Another's.", "others:Env", "others:tasks", "others:missing"))
"""


@pytest.mark.parametrize("first", ["gymnasium", "turngym.envs"])
def test_a_package_that_breaks_costs_only_its_own_environments(first, tmp_path):
    package(tmp_path, "broken", "raise RuntimeError('out of order')")
    package(tmp_path, "others", OTHERS)
    script = (
        f"import {first}, gymnasium; print(*[i for i in gymnasium.registry if i.startswith(('turngym/', 'others/'))])"
    )
    done = run(script, PYTHONPATH=str(tmp_path))
    assert set(done.stdout.split()) == {"others/Env-v0", *(entry.id for entry in SHIPPED)}
    assert done.stderr.count("Warning: the environments of") == 1
    assert "'broken:register' are not registered: RuntimeError: out of order" in done.stderr


def test_gymnasium_is_imported_even_where_turngym_cannot_be():
    done = run("import sys; sys.modules['turngym.envs'] = None; import gymnasium; print(gymnasium.__name__)")
    assert done.stdout.split() == ["gymnasium"]
    assert "the environments of turngym are not registered: ModuleNotFoundError: " in done.stderr


def test_finding_them_imports_no_family():
    script = "import gymnasium, sys; print(*[m for m in sys.modules if m.startswith('turngym.envs.')])"
    assert not [name for name in python(script) if name.startswith("turngym.envs.browser")]


def test_entries_and_find(registered):
    assert registered in entries()
    assert find("test/Lanterns-v0") is registered
    assert {entry.id for entry in SHIPPED} <= {entry.id for entry in entries()}
    assert registered.task_names() == registered.solved_tasks() == ["count"]
    assert registered.what_is_missing() is None


def test_an_unknown_id_is_bad_input_that_names_the_nearest(registered):
    with pytest.raises(BadInput, match="unknown environment 'turngym/MiniWob-v0'; did you mean 'turngym/MiniWoB-v0'"):
        find("turngym/MiniWob-v0")
    with pytest.raises(BadInput, match="did you mean 'test/Lanterns-v0'"):
        make("test/Lantern-v0")
    with pytest.raises(BadInput, match=r"unknown environment 'zzz'; there is .*turngym/MiniWoB-v0"):
        find("zzz")
    with pytest.raises(BadInput, match="unknown environment 'lanterns:Lantern-v0': 'lanterns' registers no"):
        make("lanterns:Lantern-v0")


@pytest.mark.parametrize("env_id", ["nosuch:X-v0", "no such:X-v0", ":X-v0", ".x:X-v0", "a:b:X-v0"])
def test_a_module_that_cannot_be_imported_is_bad_input(env_id):
    with pytest.raises(BadInput, match=f"environment '{env_id}': cannot import") as refusal:
        make(env_id)
    assert "\n" not in str(refusal.value)


def test_make_passes_keywords_over_the_registered_ones(registered):
    assert make("test/Lanterns-v0").unwrapped._max_turns == 4
    assert make("test/Lanterns-v0", max_turns=2).unwrapped._max_turns == 2
    assert make("lanterns:Lanterns-v0").unwrapped._max_turns is None


def test_what_is_made_is_gymnasiums(registered):
    env = make("test/Lanterns-v0")
    assert env.spec.id == "test/Lanterns-v0"
    observation, _ = env.reset(seed=0)
    assert observation in env.observation_space
    _, _, terminated, truncated, _ = env.step(env.action_space.sample())
    assert not (terminated and truncated)


def test_registering_twice_is_no_error_and_the_last_word_counts(registered):
    register(LANTERNS)
    assert [entry.id for entry in entries()].count("test/Lanterns-v0") == 1


def test_load_imports_by_module_and_name():
    assert load("json:dumps")([1]) == "[1]"
    with pytest.raises(BadInput, match="'json:no_such_thing'"):
        load("json:no_such_thing")


@pytest.mark.parametrize("entry", SHIPPED, ids=lambda entry: entry.id)
def test_what_ships_is_complete(entry):
    assert entry.id.startswith("turngym/")
    assert entry.about.endswith(".")
    assert len(entry.task_names()) == len(set(entry.task_names())) > 0
    assert 0 < len(entry.solved_tasks()) == len(set(entry.solved_tasks()) & set(entry.task_names()))
    assert issubclass(load(entry.entry_point), gym.Env)


def test_an_id_may_be_registered_again_in_another_form(registered):
    register(dataclasses.replace(registered, kwargs={"max_turns": 3}))
    assert make(registered.id).unwrapped._max_turns == 3
    assert find(registered.id).kwargs == {"max_turns": 3}


def test_a_module_that_breaks_is_bad_input_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "torn.py").write_text("lights = lamps")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BadInput, match=r"cannot import 'torn': NameError: name 'lamps' is not defined$"):
        make("torn:X-v0")


def test_an_entry_point_may_be_a_module_that_registers_when_it_is_imported(tmp_path):
    package(tmp_path, "others", OTHERS + "register()", target="others")
    done = run("import gymnasium; print('others/Env-v0' in gymnasium.registry)", PYTHONPATH=str(tmp_path))
    assert (done.stdout.split(), done.stderr) == (["True"], "")


def test_an_environment_is_ready_where_nothing_says_what_it_may_miss(registered):
    assert dataclasses.replace(registered, missing="").what_is_missing() is None


@pytest.mark.parametrize("target", ["lanterns:no_such", "no_such:tasks", "lanterns"])
def test_an_entry_that_names_what_is_not_there_is_bad_input(registered, target):
    with pytest.raises(BadInput, match=f"an environment's entry names '{target}': "):
        dataclasses.replace(registered, tasks=target).task_names()
