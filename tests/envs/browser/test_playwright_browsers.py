"""Which browser Playwright drives: one that runs already, one with a window, or none that there is."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

import pytest

from turngym.envs import BadInput
from turngym.envs.browser import chromium
from turngym.envs.browser.miniwob import MiniWoBEnv

pytestmark = pytest.mark.browser


@pytest.fixture
def remote(tmp_path):
    """The address of a Chromium that somebody else runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [chromium.find(), *chromium.FLAGS, f"--remote-debugging-port={port}", f"--user-data-dir={tmp_path}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{address}/json/version", timeout=5).close()
            break
        time.sleep(0.1)
    yield address, process
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_browser_that_runs_already_is_used_and_left_running(remote, monkeypatch):
    address, process = remote
    here = MiniWoBEnv(task="click-color", backend="playwright")
    expected = here.reset(seed=3)[0]
    here.close()
    monkeypatch.setenv("TURNGYM_PLAYWRIGHT", address)
    env = MiniWoBEnv(task="click-color", backend="playwright")
    observation, _ = env.reset(seed=3)
    assert observation["text"] == expected["text"]
    assert (observation["images"][0] == expected["images"][0]).all()
    for call in env.solution():
        reward = env.step(call)[1]
    env.close()
    assert reward == 1.0
    assert process.poll() is None


def test_a_headless_shell_has_no_window(monkeypatch):
    monkeypatch.delenv(chromium.VARIABLE, raising=False)
    names = []
    monkeypatch.setattr(shutil, "which", lambda name: names.append(name))
    with pytest.raises(BadInput, match="no Chromium found"):
        chromium.find(headed=True)
    assert names == list(chromium.BROWSERS)


def test_what_is_no_browser_is_refused(monkeypatch):
    monkeypatch.setenv("TURNGYM_PLAYWRIGHT", "netscape")
    env = MiniWoBEnv(task="click-color", backend="playwright")
    with pytest.raises(BadInput, match=r"^TURNGYM_PLAYWRIGHT=netscape: expected headed, firefox, webkit, or"):
        env.reset(seed=0)
