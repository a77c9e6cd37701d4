"""``turngym sites``: what is there, what is missing, and a copy to look at."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.main import get_command

from turngym.cli.app import app
from turngym.envs.browser import sites
from turngym.envs.browser.webarena import load

from .conftest import Command

GROUP = get_command(app).commands["sites"]
COMMANDS = ["install", "list", "serve", "tasks"]


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNGYM_SITES", str(tmp_path / "sites"))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_that_the_command_accepts(name: str, turngym: Command) -> None:
    said = turngym("sites", name, "--help")
    assert (said.code, said.err) == (0, "")
    program, group, command, *arguments = shlex.split(said.out.partition("Example: ")[2])
    assert (program, group, command) == ("turngym", "sites", name)
    GROUP.commands[name].make_context(name, arguments)
    assert [parameter.name for parameter in GROUP.commands[name].params if not parameter.help] == []
    assert any("--json" in parameter.opts for parameter in GROUP.commands[name].params)


def test_list_says_what_is_missing_and_the_command_for_it(nowhere: None, turngym: Command) -> None:
    said = turngym("sites", "list", "--json")
    assert (said.code, said.err) == (0, "")
    rows = json.loads(said.out)["sites"]
    assert [row["name"] for row in rows] == list(sites.SITES)
    for row in rows:
        assert (row["ready"], row["missing"]) == (False, f"turngym sites install {row['name']}")
        assert row["users"]
    assert "turngym sites install shop" in turngym("sites", "list").out


def test_a_site_that_is_not_there_is_bad_input(nowhere: None, turngym: Command) -> None:
    for command in ("install", "serve"):
        said = turngym("sites", command, "shoppe")
        assert (said.code, said.out) == (2, "")
        assert said.err.startswith("turngym: unknown site 'shoppe': there are shop")
        assert len(said.err.splitlines()) == 1


def test_serving_what_is_not_installed_is_bad_input(nowhere: None, turngym: Command) -> None:
    said = turngym("sites", "serve", "shop")
    assert (said.code, said.out) == (2, "")
    assert said.err == "turngym: site 'shop' is not installed: run `turngym sites install shop`\n"


def test_a_task_file_is_drawn_without_any_site_installed(nowhere: None, turngym: Command) -> None:
    chosen = ["wiki", "tracker", "--count", "30", "--seed", "2", "--split", "test"]
    said = turngym("sites", "tasks", *chosen, "--out", "some.json", "--json")
    assert (said.code, json.loads(said.out), said.err) == (0, {"file": "some.json", "tasks": 30}, "")
    tasks = load("some.json")
    assert [task.task_id for task in tasks] == list(range(30))
    assert {task.sites[0] for task in tasks} == {"wiki", "tracker"}
    assert {task.extra["split"] for task in tasks} == {"test"}
    assert turngym("sites", "tasks", "--count", "30", "--out", "all.json").out == "file: all.json (30 tasks)\n"
    assert {task.sites[0] for task in load("all.json")} == set(sites.SITES)
    turngym("sites", "tasks", "--count", "30", "--seed", "0", "--split", "train", "--out", "again.json")
    assert Path("again.json").read_bytes() == Path("all.json").read_bytes()
    assert sorted(path.name for path in Path().iterdir()) == ["again.json", "all.json", "some.json"]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["shoppe", "--out", "new.json"], "unknown site 'shoppe': there are shop"),
        (["shop"], "--out"),
        (["--out", "there.json"], "there.json is there already"),
        (["--out", "no/where.json"], "no/where.json: there is no folder no"),
        (["--out", "new.json", "--count", "0"], "--count"),
        (["wiki", "--out", "new.json", "--count", "100000"], "cannot draw 100000 tasks: split 'train' of wiki has "),
        (["--out", "new.json", "--seed", "-1"], "--seed"),
        (["--out", "new.json", "--split", "tset"], "split must be 'train' or 'test', got 'tset'"),
    ],
)
def test_a_task_file_that_cannot_be_is_one_line(arguments: list[str], names: str, turngym: Command) -> None:
    Path("there.json").write_text("mine")
    said = turngym("sites", "tasks", *arguments)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert said.err.startswith("turngym: ")
    assert names in said.err
    assert [(path.name, path.read_text()) for path in Path().iterdir()] == [("there.json", "mine")]


def test_install_and_serve(turngym: Command) -> None:
    sites.install("shop")
    said = turngym("sites", "install", "shop", "--json")
    assert (said.code, json.loads(said.out)) == (0, {"installed": [], "already": ["shop"]})
    assert turngym("sites", "install", "shop").out == "already: shop\n"
    command = [sys.executable, "-c", "import sys; from turngym.cli import main; sys.exit(main())"]
    with subprocess.Popen(
        [*command, "sites", "serve", "shop", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as server:  # fmt: skip
        assert server.stdout is not None
        assert server.stderr is not None
        answer = json.loads(server.stdout.readline())
        assert answer["users"] == dict(sites.SITES["shop"].users)
        with urllib.request.urlopen(answer["url"], timeout=60) as page:
            assert b"Harbour &amp; Pine" in page.read()
        server.terminate()
        assert server.wait(60) == 130
        assert server.stderr.read() == "turngym: interrupted\n"
