"""Every command explains itself, with an example that is valid, and loads nothing heavy to do so."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest
from typer.main import get_command

from turngym.cli.app import app

from .conftest import Command

GROUP = get_command(app)
COMMANDS = ["list", "check", "play", "train", "eval", "replay", "score", "view", "bench"]


def test_the_promised_commands_are_there(turngym: Command) -> None:
    assert set(COMMANDS) <= set(GROUP.commands)
    said = turngym("--help")
    assert said.code == 0
    assert [name for name in COMMANDS if f" {name} " not in said.out] == []


def test_no_command_shows_the_help(turngym: Command) -> None:
    assert turngym() == turngym("--help")


def test_version(turngym: Command) -> None:
    from turngym import __version__

    assert (turngym("--version").out, turngym("--version").code) == (f"turngym {__version__}\n", 0)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_that_the_command_accepts(name: str, turngym: Command) -> None:
    said = turngym(name, "--help")
    assert (said.code, said.err) == (0, "")
    example = said.out.partition("Example: ")[2].strip()
    program, command, *arguments = shlex.split(example)
    assert (program, command) == ("turngym", name)
    GROUP.commands[name].make_context(name, arguments)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained_and_every_command_has_json(name: str) -> None:
    parameters = GROUP.commands[name].params
    assert [parameter.name for parameter in parameters if not parameter.help] == []
    assert any("--json" in parameter.opts for parameter in parameters)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["train", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
import sys
from turngym.cli import main
code = main({arguments})
heavy = {{"torch", "transformers", "playwright", "selenium", "miniwob", "turngym.envs.browser"}} & set(sys.modules)
print(*heavy, end="", file=sys.stderr)
sys.exit(code)
"""
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (asked.returncode, asked.stderr) == (0, "")
