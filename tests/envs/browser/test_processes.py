"""Nothing outlives its owner, and what breaks is told and replaced. Real browsers, really killed."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from turngym.envs.browser import playwright_backend, pool
from turngym.envs.browser.miniwob import MiniWoBEnv
from turngym.envs.browser.protocol import Key

pytestmark = pytest.mark.browser

BACKENDS = ["devtools", "playwright"]
WAIT = {"name": "wait", "arguments": {}}
PATIENCE = 60.0
"""Longest wait for processes to end, seconds."""

OWNER = """
import sys, time
from turngym.envs.browser.miniwob import MiniWoBEnv
env = MiniWoBEnv(task="click-color", backend=sys.argv[1])
env.reset(seed=0)
print("ready", flush=True)
sys.stdin.read()
"""

FORKED = """
import os, sys, time
from turngym.envs.browser import pool
browser = pool.launch(sys.argv[1])
child = os.fork()
if child == 0:
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)
sys.stdin.read()
"""


def processes():
    """Parent and state of every process."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        found[int(path.parent.name)] = (int(parent), state)
    return found


def descendants(pid):
    parents = {child: parent for child, (parent, _) in processes().items()}
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return {child for child in found - {pid} if not keeps_books(child)}


def keeps_books(pid):
    """Whether it is Python's own resource tracker, which an earlier test's worker processes leave with this one."""
    try:
        return "multiprocessing.resource_tracker" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def browsers_of(pids):
    return [pid for pid in pids if "chrom" in Path(f"/proc/{pid}/cmdline").read_text().partition("\0")[0]]


def send(number, pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def running(pids):
    return {pid for pid, (_, state) in processes().items() if pid in pids and state != "Z"}


def unburied(pids):
    """Those of these processes that have ended and that this one, their parent, has not waited for."""
    return {
        pid for pid, (parent, state) in processes().items() if pid in pids and parent == os.getpid() and state == "Z"
    }


def end(pids):
    """Wait until none of these processes runs; return those that still do."""
    deadline = time.monotonic() + PATIENCE
    while running(pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return running(pids)


def start(script, tmp_path, *arguments):
    child = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
    )
    assert child.stdout.readline() == "ready\n"
    return child


def finish(child):
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()


@pytest.fixture(params=BACKENDS)
def env(request):
    env = MiniWoBEnv(task="click-color", backend=request.param)
    yield env
    env.close()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_killed_owner_leaves_neither_browser_nor_file(tmp_path, backend):
    owner = start(OWNER, tmp_path, backend)
    browsers = descendants(owner.pid)
    assert browsers
    finish(owner)
    assert not end(browsers)
    assert [str(path) for path in tmp_path.rglob("*") if path.is_file() and "chrom" in str(path).lower()] == []
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(("playwright", "org.chromium"))] == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_forked_child_does_not_keep_its_parents_browser(tmp_path, backend):
    owner = start(FORKED, tmp_path, backend)
    forked = next(pid for pid in descendants(owner.pid) if "python" in Path(f"/proc/{pid}/exe").resolve().name)
    browsers = descendants(owner.pid) - {forked}
    assert browsers
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert not end(browsers)
    assert running({forked})
    finish(owner)
    assert not end({forked})


def test_a_killed_browser_ends_the_episode_as_ours_and_is_replaced(env):
    first, _ = env.reset(seed=3)
    before = descendants(os.getpid())
    send(signal.SIGKILL, browsers_of(before))
    _, reward, terminated, truncated, info = env.step(WAIT)
    assert (reward, terminated, truncated, info["stop_reason"]) == (0.0, False, True, "infra_error")
    assert info["infra_error"]["kind"] == "browser_died"
    again, _ = env.reset(seed=3)
    assert (again["images"][0] == first["images"][0]).all()
    assert env.step(env.solution()[0])[1] == 1.0
    assert not end(before)


def test_a_page_that_hangs_is_given_up_and_its_browser_replaced(env):
    first, _ = env.reset(seed=3)
    env._browser.timeout = 3.0
    before = descendants(os.getpid())
    env._page.evaluate("addEventListener('mousedown', () => { for (;;); }), 0")
    _, reward, terminated, truncated, info = env.step({"name": "click", "arguments": {"x": 5, "y": 5}})
    assert (reward, terminated, truncated, info["stop_reason"]) == (0.0, False, True, "infra_error")
    assert info["infra_error"]["kind"] == "browser_hung"
    again, _ = env.reset(seed=3)
    assert (again["images"][0] == first["images"][0]).all()
    assert not end(before)


def test_a_browser_that_is_stopped_is_given_up_whatever_it_is_sent(env):
    env.reset(seed=3)
    env._browser.timeout = 3.0
    before = descendants(os.getpid())
    browsers = browsers_of(before)
    send(signal.SIGSTOP, browsers)
    # Should the step wait for the browser for ever, it goes on after a while, and the test fails.
    watchdog = threading.Timer(PATIENCE, send, (signal.SIGCONT, browsers))
    watchdog.start()
    *_, info = env.step({"name": "type", "arguments": {"text": 1000 * "more than a pipe holds, "}})
    watchdog.cancel()
    assert info["infra_error"]["kind"] == "browser_hung"
    assert env.reset(seed=3)[1]["infra_error"] is None
    assert not end(before)


def test_a_browser_reads_on_while_what_it_says_is_not_read():
    """Otherwise both pipes could be full, and each side wait for the other."""
    browser = pool.launch("devtools")
    page = browser.new_page((160, 210))
    page.evaluate("addEventListener('keydown', () => console.log('x'.repeat(1000))), 0")
    browser.call("Runtime.enable", session=page._session)
    page.interact([Key("a")] * 2000, "0")
    assert page.evaluate("1 + 1") == 2
    browser.close()


def test_playwrights_driver_is_known_wherever_there_is_no_proc(monkeypatch):
    monkeypatch.setattr(playwright_backend, "_child_of_this_thread", lambda: None)
    browser = pool.launch("playwright")
    assert browser._driver in descendants(os.getpid()) - set(browsers_of(descendants(os.getpid())))
    browser.close()
    assert not end({browser._driver})


def test_playwrights_driver_is_known_wherever_playwright_keeps_it():
    browser = pool.launch("playwright")
    assert browser.do(lambda: playwright_backend._driver_of(object())) == (browser._driver, None)
    browser.close()


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_time_limit_comes_from_the_environment(backend, monkeypatch):
    monkeypatch.setenv(pool.TIMEOUT_VARIABLE, "123.5")
    browser = pool.launch(backend)
    assert browser.timeout == 123.5
    browser.close()


def test_a_crashed_page_is_a_dead_browser_at_once():
    env = MiniWoBEnv(task="click-color", backend="devtools")
    env.reset(seed=3)
    page = [pid for pid in descendants(os.getpid()) if "--type=renderer" in Path(f"/proc/{pid}/cmdline").read_text()]
    for pid in page:
        os.kill(pid, signal.SIGKILL)
    *_, info = env.step(WAIT)
    assert info["infra_error"]["kind"] == "browser_died"
    assert env.reset(seed=3)[1]["infra_error"] is None
    env.close()


def test_closing_leaves_nothing(env):
    env.reset(seed=0)
    mine = descendants(os.getpid())
    assert mine
    env.close()
    env.close()
    assert not end(mine)
    assert not unburied(mine)
