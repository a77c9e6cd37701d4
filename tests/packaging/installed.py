"""Is the package whole? Copied out and run by .ci/run against an installed wheel, away from the repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import turngym

SITE = Path(sysconfig.get_path("purelib"))
SCRIPTS = Path(sysconfig.get_path("scripts"))


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_it_is_the_installed_package_that_is_tested() -> None:
    assert Path(turngym.__file__) == SITE / "turngym" / "__init__.py"


def test_only_turngym_and_its_pth_are_at_the_top() -> None:
    files = metadata.files("turngym") or []
    tops = {file.parts[0] for file in files if not file.parts[0].startswith("..")}
    assert tops == {"turngym", "turngym-gymnasium.pth", f"turngym-{turngym.__version__}.dist-info"}


def test_every_file_of_the_repository_is_in_the_wheel() -> None:
    files = Path(os.environ["TURNGYM_FILES"]).read_text().split()
    expected = [SITE / "turngym" / file.removeprefix("src/turngym/") for file in files]
    assert expected
    assert [str(file) for file in expected if not file.is_file()] == []


def test_the_versions_agree() -> None:
    assert metadata.version("turngym") == turngym.__version__


def test_gymnasium_finds_the_environments_without_an_import_of_turngym() -> None:
    code = "import gymnasium; print(gymnasium.spec('turngym/MiniWoB-v0').id)"
    found = run(sys.executable, "-c", code)
    assert (found.stdout.strip(), found.stderr) == ("turngym/MiniWoB-v0", "")


def test_an_episode_runs() -> None:
    code = """
import gymnasium
env = gymnasium.make("turngym/MiniWoB-v0", task="click-test")
env.reset(seed=1)
print(max(env.step(call)[1] for call in env.unwrapped.solution()))
env.close()
"""
    played = run(sys.executable, "-c", code)
    assert (played.stdout.strip(), played.stderr) == ("1.0", "")


def test_the_command_line_says_what_is_here_and_what_is_missing() -> None:
    listed = run(str(SCRIPTS / "turngym"), "list", "--json")
    assert (listed.returncode, listed.stderr) == (0, "")
    answer = json.loads(listed.stdout)
    assert all(environment["ready"] for environment in answer["environments"])
    # Installed without the extra `train`: the recipe is there, and says what it lacks.
    quickstart = next(recipe for recipe in answer["scenarios"] if recipe["name"] == "quickstart")
    assert (quickstart["ready"], quickstart["missing"]) == (False, "pip install 'turngym[train]'")


def test_training_without_its_packages_is_one_line() -> None:
    refused = run(str(SCRIPTS / "turngym"), "train", "quickstart")
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert len(refused.stderr.splitlines()) == 1
    assert "turngym[train]" in refused.stderr
