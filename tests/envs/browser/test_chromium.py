import os
import stat
import sys

import pytest

from turngym.envs import BadInput
from turngym.envs.browser import chromium, pool
from turngym.envs.browser.miniwob import missing


@pytest.fixture
def empty_machine(monkeypatch, tmp_path):
    monkeypatch.delenv(chromium.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(chromium, "HEADLESS_SHELLS", ("chromium-headless-shell",))
    return tmp_path


def executable(folder, name):
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_without_a_browser_the_message_holds_the_one_command(empty_machine):
    with pytest.raises(BadInput, match="apt-get install -y chromium-headless-shell"):
        chromium.find()
    assert missing() == "apt-get install -y chromium-headless-shell"


def test_the_headless_shell_is_preferred(empty_machine):
    plain = executable(empty_machine, "chromium")
    assert chromium.find() == plain
    assert chromium.headless_shell() is None
    assert pool.default_backend() == "playwright"
    shell = executable(empty_machine, "chromium-headless-shell")
    assert chromium.find() == chromium.headless_shell() == shell
    assert pool.default_backend() == "devtools"


def test_the_variable_overrides_the_search(empty_machine, monkeypatch):
    executable(empty_machine, "chromium-headless-shell")
    mine = executable(empty_machine, "my-browser")
    monkeypatch.setenv(chromium.VARIABLE, mine)
    assert chromium.find() == mine
    assert pool.default_backend() == "playwright"


def test_a_variable_that_leads_nowhere_is_named(empty_machine, monkeypatch):
    monkeypatch.setenv(chromium.VARIABLE, os.fspath(empty_machine / "nothing"))
    with pytest.raises(BadInput, match=r"TURNGYM_CHROMIUM=.*nothing: not an executable"):
        chromium.find()
    assert missing() == "unset TURNGYM_CHROMIUM"


def test_a_browser_that_playwright_must_drive_needs_playwright(empty_machine, monkeypatch):
    executable(empty_machine, "chromium")
    assert missing() is None
    monkeypatch.setitem(sys.modules, "playwright", None)
    assert missing() == "pip install 'turngym[browser]'"
    with pytest.raises(BadInput, match=r"needs the playwright package: run `pip install 'turngym\[browser\]'`"):
        pool.launch("playwright")
    executable(empty_machine, "chromium-headless-shell")
    assert missing() is None


@pytest.mark.parametrize("text", ["soon", "0", "-1", "inf", "nan"])
def test_the_time_limit_must_be_seconds(monkeypatch, text):
    monkeypatch.setenv(pool.TIMEOUT_VARIABLE, text)
    with pytest.raises(BadInput, match="TURNGYM_BROWSER_TIMEOUT"):
        pool.launch("fake")
