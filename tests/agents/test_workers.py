"""Worker processes: what an environment of anyone's does wrong costs its own episode, and is told in one line."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from turngym.agents import workers
from turngym.agents.workers import EnvPool
from turngym.envs import BadInput, InfraError, Task

FAKE = {"task": "click-color", "backend": "fake"}
WAIT = {"name": "wait", "arguments": {}}

SLEEPY = """
import time

import gymnasium as gym
import lanterns

class Sleepy(lanterns.Lanterns):
    def act(self, call):
        time.sleep(60 if self.task.seed == 0 else 1.5)
        return super().act(call)

gym.register("Sleepy-v0", "sleepy:Sleepy")
"""

MOODY = """
import gymnasium as gym
import lanterns

class Moody(lanterns.Lanterns):
    made = 0

    def __init__(self, fails_at, error, **kwargs):
        Moody.made += 1
        if Moody.made == fails_at:
            raise error
        super().__init__(**kwargs)

    def act(self, call):
        if call["name"] == "answer":
            raise KeyError("two\\nlines " + 1000 * "x")
        return super().act(call)

    def close(self):
        raise RuntimeError("never")

gym.register("Moody-v0", "moody:Moody")
"""


@pytest.fixture
def moody(tmp_path, monkeypatch):
    """The id of an environment whose ``fails_at``-th constructor in a process raises, and which hates answers."""
    (tmp_path / "moody.py").write_text(MOODY)
    monkeypatch.syspath_prepend(tmp_path)
    return "moody:Moody-v0"


def all_replies(pool):
    found = {}
    while pool.waiting:
        found |= {reply.slot: reply for reply in pool.replies()}
    return found


def reset(pool):
    for slot in range(pool.size):
        pool.reset(slot, Task("count", seed=slot))
    return all_replies(pool)


def test_an_environment_that_raises_costs_its_own_episode_alone(moody):
    with EnvPool(moody, {"fails_at": 0, "error": None}, slots=2, workers=1) as pool:
        reset(pool)
        pids = pool.pids
        pool.step(0, {"name": "answer", "arguments": {"text": "1"}})
        pool.step(1, WAIT)
        replies = all_replies(pool)
        failure = replies[0].infra_error
        assert failure["kind"] == "env_error"
        assert failure["message"].startswith("KeyError: 'two\\nlines xxx")
        assert failure["message"].endswith("(moody.py, line 16)")
        assert len(failure["message"]) < 400
        assert replies[1].infra_error is None
        assert pool.pids == pids
        assert [reply.infra_error for reply in reset(pool).values()] == [None, None]


def test_a_slow_replacement_of_one_worker_costs_no_other(tmp_path, monkeypatch):
    (tmp_path / "sleepy.py").write_text(SLEEPY)
    monkeypatch.syspath_prepend(tmp_path)
    with EnvPool("sleepy:Sleepy-v0", workers=2, command_seconds=3) as pool:
        reset(pool)
        hung, well = pool.pids
        ready = workers._Worker.ready

        def ready_late(worker):
            space = ready(worker)
            time.sleep(max(0.0, well_due - time.monotonic()) + 0.1)
            return space

        monkeypatch.setattr(workers._Worker, "ready", ready_late)
        pool.step(0, WAIT)
        time.sleep(2)
        pool.step(1, WAIT)  # its answer comes in time, while the other worker is being replaced
        well_due = time.monotonic() + 3
        replies = all_replies(pool)
        assert replies[0].infra_error == {
            "kind": "worker_hung",
            "message": "an environment did not answer within 3 s",
        }
        assert replies[1].infra_error is None
        assert hung not in pool.pids
        assert pool.pids[1] == well


@pytest.mark.parametrize("fails_at", [1, 2])
def test_keywords_that_an_environment_does_not_take_are_bad_input(moody, fails_at):
    kwargs = {"fails_at": fails_at, "error": TypeError("unexpected keyword\nargument")}
    with pytest.raises(BadInput) as refusal, EnvPool(moody, kwargs, slots=2, workers=1) as pool:
        reset(pool)
    assert str(refusal.value).startswith("moody:Moody-v0 cannot be made: unexpected keyword argument")
    assert str(refusal.value).splitlines() == [str(refusal.value)]


def test_a_constructor_that_raises_is_told(moody):
    with pytest.raises(InfraError, match=r"env_error: ValueError: no oil \(moody.py, line 11\)"):
        EnvPool(moody, {"fails_at": 1, "error": ValueError("no oil")}, workers=1)
    with EnvPool(moody, {"fails_at": 2, "error": ValueError("no oil")}, slots=2, workers=1) as pool:
        replies = reset(pool)
        assert replies[0].infra_error is None
        assert replies[1].infra_error == {"kind": "env_error", "message": "ValueError: no oil (moody.py, line 11)"}
        assert [reply.infra_error for reply in reset(pool).values()] == [None, None]


@pytest.mark.parametrize("kwargs", [{"image_size": 84}, {"max_turns": "abc"}, {"task": ["click-color"]}])
def test_a_recipe_with_a_value_of_another_type_is_bad_input(kwargs):
    with pytest.raises(BadInput, match=next(iter(kwargs))):
        EnvPool("turngym/MiniWoB-v0", {**FAKE, **kwargs}, workers=1)


def test_ctrl_c_while_workers_start_is_the_owners_alone(tmp_path):
    script = tmp_path / "owner.py"
    script.write_text(
        textwrap.dedent(f"""
        import signal, sys
        from turngym.agents import workers

        def interrupted(*_):
            sys.exit(130)

        def main():
            signal.signal(signal.SIGINT, interrupted)
            wait = workers._Worker.ready
            def ready(worker):
                print("started", flush=True)
                return wait(worker)
            workers._Worker.ready = ready
            workers.EnvPool("turngym/MiniWoB-v0", {FAKE!r}, workers=2)

        if __name__ == "__main__":
            main()
    """)
    )
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as owner:
        assert owner.stdout.readline() == "started\n"
        os.killpg(owner.pid, signal.SIGINT)
        _, said = owner.communicate(timeout=60)
    assert (owner.returncode, said) == (130, "")


def test_a_list_of_elements_is_a_help_and_not_needed():
    with EnvPool("lanterns:Lanterns-v0", workers=1, hints=("solution", "elements")) as pool:
        pool.reset(0, Task("count", seed=1))
        (reply,) = pool.replies()
    assert reply.infra_error is None
    assert reply.hints["elements"] == ()
    assert reply.hints["solution"]
