"""Installing: once, whole or not at all, one at a time; told in one line what is missing."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from turngym.envs.browser import sites
from turngym.envs.browser.sites import Instance, Login, Site
from turngym.envs.browser.sites.install import fingerprint, place
from turngym.envs.types import BadInput, InfraError

from .conftest import NOTES

INSTALLER = """
import sys
from pathlib import Path
from turngym.envs.browser import sites
notes = sites.Site("notes", "Notes", "__NOTES__", "/", {"ann": "right"}, sites.Login("/login", "user", "word"),
                   within=Path(sys.argv[1]))
print(sites.install(notes, lambda line: print(line, flush=True)), flush=True)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for sites."""
    monkeypatch.setenv("TURNGYM_SITES", str(tmp_path / "sites"))
    return tmp_path / "sites"


@pytest.fixture
def notes(tmp_path: Path) -> Site:
    """A copy of the notes that a test can change."""
    shutil.copytree(NOTES.folder, tmp_path / "notes", ignore=shutil.ignore_patterns("__pycache__"))
    return dataclasses.replace(NOTES, within=tmp_path)


def whole(home: Path) -> list[str]:
    """What is installed, and what is left over."""
    return sorted(path.name for path in home.iterdir() if not path.name.startswith(".lock-"))


def test_installing_twice_is_installing_once(home: Path, notes: Site) -> None:
    said: list[str] = []
    assert not sites.installed(notes)
    with pytest.raises(BadInput, match="site 'notes' is not installed: run `turngym sites install notes`"):
        Instance(notes)
    assert sites.install(notes, said.append) is True
    assert [line.partition(":")[0] for line in said] == ["notes"] * 3
    before = {path: path.stat().st_mtime_ns for path in place(notes).rglob("*")}
    assert sites.install(notes, said.append) is False
    assert {path: path.stat().st_mtime_ns for path in place(notes).rglob("*")} == before
    assert len(said) == 3
    assert whole(home) == [place(notes).name]


def test_changed_scripts_are_another_installation_and_replace_it(home: Path, notes: Site) -> None:
    sites.install(notes)
    before = place(notes)
    fingerprint.cache_clear()
    (notes.folder / "tasks.py").write_text("# what the server does not read")
    assert place(notes) == before
    serve = notes.folder / "serve.py"
    serve.write_text(serve.read_text().replace("'seed'", "'another seed'"))
    fingerprint.cache_clear()
    assert not sites.installed(notes)
    assert sites.install(notes)
    assert before != place(notes)
    assert whole(home) == [place(notes).name]


def test_an_installation_that_is_in_use_is_not_removed(home: Path, notes: Site) -> None:
    sites.install(notes)
    instance = Instance(notes)
    before = place(notes)
    (notes.folder / "more.txt").write_text("more")
    fingerprint.cache_clear()
    sites.install(notes)
    assert instance.alive
    instance.restore()
    assert whole(home) == sorted([before.name, place(notes).name])
    instance.close()


def test_what_fails_leaves_nothing(home: Path, notes: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    serve = notes.folder / "serve.py"
    serve.write_text(serve.read_text().replace("create table notes (text)", "create table"))
    with pytest.raises(InfraError, match=r"install_failed: notes: .*incomplete input"):
        sites.install(notes)
    assert whole(home) == []
    monkeypatch.setenv("NOTES_BROKEN", "serve")
    serve.write_text((NOTES.folder / "serve.py").read_text())
    fingerprint.cache_clear()
    with pytest.raises(InfraError, match="the attic is on fire"):
        sites.install(notes)
    assert whole(home) == []


def test_a_login_that_is_refused_fails_the_installation(home: Path, notes: Site) -> None:
    with pytest.raises(InfraError, match=r"logging in to .* as ann: refused"):
        sites.install(dataclasses.replace(notes, users={"ann": "wrong"}))
    assert whole(home) == []
    with pytest.raises(InfraError, match="no form with the fields name and word"):
        sites.install(dataclasses.replace(notes, login=Login("/login", "name", "word")))


def test_a_killed_installer_is_cleaned_up_after(home: Path, notes: Site) -> None:
    command = [sys.executable, "-c", INSTALLER, str(notes.within)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as installer:
        assert installer.stdout is not None
        assert installer.stdout.readline().startswith("notes: ")
        installer.send_signal(signal.SIGKILL)
    assert not sites.installed(notes)
    assert [name for name in whole(home) if not name.startswith(".")] == []
    sites.install(notes)
    assert whole(home) == [place(notes).name]


def test_of_two_installers_one_installs(home: Path, notes: Site) -> None:
    command = [sys.executable, "-c", INSTALLER, str(notes.within)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(lines[-1] for lines in said) == ["False", "True"]
    assert sorted(map(len, said)) == [1, 4]


def test_a_missing_debian_package_is_one_line_for_who_is_not_root(
    home: Path, notes: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(BadInput) as told:
        sites.install(dataclasses.replace(notes, debian=("no-such-package-1", "no-such-package-2")))
    line = "apt-get install -y --no-install-recommends no-such-package-1 no-such-package-2"
    assert str(told.value) == f"site 'notes' needs Debian packages: run `{line}` as root"
    assert whole(home) == []


def test_what_is_missing_is_one_command(home: Path) -> None:
    assert sites.missing() == "turngym sites install"
    assert sites.missing(["shop"]) == "turngym sites install shop"
    assert sites.missing([]) is None
    with pytest.raises(BadInput, match="unknown site 'shoppe': there are shop"):
        sites.install("shoppe")


@pytest.mark.parametrize("name", sites.SITES)
def test_every_site_is_described(name: str) -> None:
    site = sites.SITES[name]
    assert site.name == name
    assert site.placeholder == f"__{name.upper()}__"
    assert site.start.startswith("/")
    assert (site.folder / "serve.py").is_file()
    assert all("==" in line for line in site.requirements)
    assert site.users
    json.dumps(dict(site.users))


def test_the_folder_is_the_users_own_unless_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TURNGYM_SITES", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert place(NOTES).parent == tmp_path / "turngym" / "sites"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert place(NOTES).parent == tmp_path / ".local" / "share" / "turngym" / "sites"


def test_no_site_is_loaded_by_importing_the_list() -> None:
    code = "import sys, turngym.envs.browser.sites; print(*{'django', 'playwright', 'torch'} & set(sys.modules))"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert asked.stdout.strip() == ""
