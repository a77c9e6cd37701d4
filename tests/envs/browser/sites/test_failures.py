"""A site that dies under an episode: our failure, whatever the policy did, and the next episode is sound."""

import os
import signal
import threading
import time

import psutil
import pytest

from turngym.envs.browser.website import WebSiteEnv

pytestmark = pytest.mark.browser


@pytest.fixture
def env(installed_sites):
    env = WebSiteEnv(observation="html")
    yield env
    env.close()


def next_step(env):
    _, reward, terminated, truncated, info = env.step(env.solution()[0])
    return reward, terminated, truncated, info


def is_ours(env, what, reward, terminated, truncated, info):
    assert (reward, terminated, truncated, info["stop_reason"]) == (0.0, False, True, "infra_error")
    assert info["infra_error"]["kind"] == "site_down"
    assert what in info["infra_error"]["message"]
    env.reset(seed=1)
    *_, info = next_step(env)
    assert info["infra_error"] is None


@pytest.mark.parametrize("answers", [False, True])
def test_a_site_whose_process_ends_is_our_failure(env, answers):
    env.reset(seed=1, options={"task": "tracker.comment"})
    next_step(env)
    os.kill(env._sites["tracker"].pid, signal.SIGKILL)
    while env._sites["tracker"].alive:
        time.sleep(0.01)
    call = {"name": "answer", "arguments": {"text": "done"}} if answers else {"name": "wait", "arguments": {}}
    _, reward, terminated, truncated, info = env.step(call)
    is_ours(env, "tracker", reward, terminated, truncated, info)


def test_an_edit_that_is_lost_with_the_process_that_saved_it_is_our_failure(env):
    env.reset(seed=1, options={"task": "wiki.sentence"})
    for _ in range(3):  # search, edit, fill in; what comes next saves it
        env.step(env.solution()[0])
    php = [it for it in psutil.Process().children(recursive=True) if it.name().startswith("php-cgi")]
    thread = threading.Thread(target=kill_at_work, args=(php,))
    thread.start()
    is_ours(env, "wiki", *next_step(env))
    thread.join()


def kill_at_work(processes):
    """Kill processes as soon as one of them does something."""
    idle = {process: process.cpu_times() for process in processes}
    deadline = time.monotonic() + 20
    while all(process.cpu_times() == before for process, before in idle.items()) and time.monotonic() < deadline:
        time.sleep(0.001)
    for process in processes:
        process.kill()
