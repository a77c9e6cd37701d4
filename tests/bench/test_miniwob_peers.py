"""The comparison's own bookkeeping: no number without a measurement, and nothing left running."""

import importlib.util
import json
import os
import select
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def peers():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("miniwob_peers", HERE / "miniwob_peers.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def peer(peers, tmp_path, monkeypatch):
    """Make a peer from the text of its driver."""
    monkeypatch.setattr(peers, "HERE", tmp_path)
    monkeypatch.setattr(peers, "environment", lambda venv: {**os.environ, "PYTHONPATH": str(HERE)})

    def make(script, name="a peer"):
        (tmp_path / f"{name}.py").write_text(script)
        return peers.Peer(name, f"{name}.py")

    return make


SOUND = """
import sys
import numpy as np
from driver import serve
class Env:
    turns = 0
    def reset(self, seed):
        return {"text": "Go.", "images": (np.zeros((210, 160, 3), np.uint8),)}, {}
    def step(self, action):
        self.turns += 1
        print("packages chatter")
        return {}, 0.0, action == (60, 150), False, {}
    def close(self):
        print("closed after", self.turns, file=sys.stderr)
serve(lambda task: Env(), lambda env, x, y: (x, y))
"""


def test_a_driver_measures_and_says_what_it_observes(peer):
    sound = peer(SOUND)
    sound.start()
    sound.measure("click-test")
    sound.measure("click-button")
    sound.stop()
    assert sound.failures == []
    assert (len(sound.reset_ms), len(sound.step_ms)) == (4, 16)
    assert sound.observes == ["images 160x210", "text"]
    assert min(sound.memory_mb) > 0
    assert sound.said.count("closed after 8") == 2


def test_a_task_that_fails_is_named_and_the_next_is_measured(peer):
    picky = peer(SOUND.replace("lambda task: Env()", "lambda task: {'click-test': Env}[task]()"))
    picky.start()
    for task in ("book-flight", "click-test"):
        picky.measure(task)
    picky.stop()
    assert picky.failures == ["book-flight: KeyError: 'book-flight'"]
    assert len(picky.reset_ms) == 2


def test_a_driver_that_dies_is_missing_with_its_last_word(peers, peer):
    broken = peer("import no_such_package")
    broken.start()
    broken.measure("click-test")
    broken.measure("click-button")
    found = peers.summary(broken)
    assert "No module named 'no_such_package'" in found["missing"]
    assert "reset_ms" not in found


def test_what_cannot_be_installed_is_missing_with_the_reason(peers, monkeypatch, tmp_path):
    monkeypatch.setattr(peers, "ROOT", tmp_path)
    monkeypatch.setattr(peers.Peer, "_run", staticmethod(lambda command: refuse(peers, command)))
    absent = peers.Peer("absent", "drive.py", package="nothing==1")
    absent.start()
    absent.measure("click-test")
    assert peers.summary(absent)["missing"] == "-m venv --clear failed: no space"


def refuse(peers, command):
    raise peers.Missing(f"{' '.join(command[1:4])} failed: no space")


def test_the_table_has_ratios_and_no_number_for_who_is_missing(peers):
    fast, far = peers.Peer("fast", "d.py"), peers.Peer("far", "d.py")
    for peer, factor in ((fast, 1.0), (far, 10.0)):
        peer.reset_ms, peer.step_ms = [factor, 2 * factor, 3 * factor], [4 * factor] * 5
        peer.memory_mb, peer.observes = [100.0], [*"vwxyz"]
    far.failures.append("book-flight: lost")
    found = [peers.summary(peer) for peer in (fast, far)]
    found.append({"name": "gone", "missing": "no chromedriver", "failures": []})
    lines = peers.table(found).splitlines()
    assert lines[2] == "| fast | 2.0 (1.5 to 2.5) | 1.0 | 4.0 (4.0 to 4.0) | 1.0 | 100 | v, w, x, y and 1 more |"
    assert lines[3].startswith(
        "| far | 20.0 (15.0 to 25.0) | 10.0 | 40.0 (40.0 to 40.0) | 10.0 | 100 | v, w, x, y and 1"
    )
    assert lines[3].endswith("; failed 1 times |")
    assert lines[4] == "| gone | not measured: no chromedriver | | | | | |"
    assert json.loads(json.dumps(found)) == found


def test_stopping_ends_what_the_driver_started(peer):
    from turngym.envs.benchmark import descendants

    stubborn = peer(
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('started', flush=True)\n"
        "input()"
    )
    stubborn.start()
    assert stubborn.process.stdout.readline() == "started\n"
    started = set(descendants([stubborn.process.pid]))
    ends = [os.pidfd_open(pid) for pid in started]
    stubborn.stop(patience=0.0)
    assert [bool(select.select([ended], [], [], 30)[0]) for ended in ends] == [True, True]
    for ended in ends:
        os.close(ended)
