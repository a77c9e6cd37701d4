"""The pool and the rollout, on real worker processes with a pretended browser."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace

import psutil
import pytest

from turngym.agents.policies import BUILT_IN, built_in, draw_seeds, oracle
from turngym.agents.rollout import Decision, Start, rollout, sound, stream
from turngym.agents.workers import LOOK_AHEAD, EnvPool, Reply
from turngym.envs import BadInput, InfraError, StopReason, Task

ENV = "turngym/MiniWoB-v0"
FAKE = {"task": "click-color", "backend": "fake", "max_turns": 3}


def starts(count, word="a", group=""):
    return [Start(f"{word}-{n}", Task("click-color", seed=s), group) for n, s in enumerate(draw_seeds(count, word))]


@pytest.fixture(scope="module")
def pool():
    with EnvPool(ENV, FAKE, workers=2, slots=3, hints=("solution", "elements")) as pool:
        yield pool


def test_the_oracle_succeeds_and_episodes_come_in_the_order_asked_for(pool):
    wanted = starts(20)
    episodes = rollout(pool, oracle(), wanted, phase="play", step=3)
    assert [e.id for e in episodes] == [s.id for s in wanted]
    for episode in episodes:
        assert episode.success
        assert episode.stop_reason is StopReason.SUCCESS
        assert (episode.phase, episode.step, episode.policy) == ("play", 3, "oracle")
        assert episode.terminated and not episode.truncated
        assert episode.task.instruction in episode.turns[0].observation["text"]
        assert len(episode.turns[0].elements) == 4
        assert episode.final is not None


def test_a_task_starts_where_its_page_is_and_else_where_there_is_most_to_spare():
    one, two = Task("click-color", seed=1), Task("click-button", seed=1)
    with EnvPool(ENV, FAKE, workers=2, slots=2) as pool:  # slots 0 and 1 are the first worker's
        free = {0, 1, 2, 3}
        chosen = []
        for task in (one, one, two):
            slot, place = pool.pick(free, [task])
            assert place == 0
            chosen.append(slot)
            free.remove(slot)
            pool.reset(slot, task)
        while pool.waiting:
            pool.replies()
        assert chosen == [0, 2, 1]
        assert [pool.pick({0, 1, 2, 3}, [task]) for task in (one, two)] == [(0, 0), (1, 0)]
        assert pool.pick({1, 3}, [one]) == (3, 0), "none has its page free: one without a page"
        assert pool.pick({1, 3}, [one, one, two]) == (1, 2), "the one that fits the page goes before the others"
        assert pool.pick({1, 3}, [*[one] * LOOK_AHEAD, two]) == (3, 0), "the first has waited long enough"
        assert pool.pick({1}, [one]) == (1, 0)
        os.kill(pool.pids[0], signal.SIGKILL)
        pool.reset(0, one)
        while pool.waiting:
            pool.replies()
        assert pool.pick({1, 2}, [two]) == (1, 0), "what died has no page any more"


def test_episodes_are_there_as_soon_as_they_are_over(pool, monkeypatch):
    wanted, begun, reset = starts(20), [], pool.reset
    monkeypatch.setattr(pool, "reset", lambda slot, task: (begun.append(slot), reset(slot, task)))
    made = stream(pool, oracle(), wanted)
    number, episode = next(made)
    assert episode.id == wanted[number].id
    assert len(begun) < len(wanted)
    assert sorted(e.id for _, e in made) == sorted({s.id for s in wanted} - {episode.id})


def test_equal_starts_are_equal_and_splits_are_not(pool):
    task = Task("click-color", seed=5)
    test = Task("click-color", seed=5, split="test")
    pair = [Start("x", task, "g"), Start("y", task, "g"), Start("z", test)]
    x, y, z = (e.turns[0].observation for e in rollout(pool, oracle(), pair))
    assert x["text"] == y["text"] and (x["images"][0] == y["images"][0]).all()
    assert x["text"] != z["text"] or (x["images"][0] != z["images"][0]).any()


@pytest.mark.parametrize("min_batch", [None, 1, 4])
@pytest.mark.parametrize("name", BUILT_IN)
def test_what_a_policy_does_does_not_depend_on_batching(pool, name, min_batch):
    def play(min_batch):
        policy = built_in(name, pool.action_space, seed=0)
        return [[t.call for t in e.turns] for e in rollout(pool, policy, starts(7, name), min_batch=min_batch)]

    assert play(min_batch) == play(None)


@pytest.mark.parametrize("min_batch", [None, 1, 4])
def test_turn_limit_truncates(pool, min_batch):
    wanted = starts(40, "noop")
    episodes = rollout(pool, built_in("noop", pool.action_space, 0), wanted, min_batch=min_batch)
    assert [e.id for e in episodes] == [s.id for s in wanted]
    assert {(e.stop_reason, e.terminated, e.truncated, len(e.turns)) for e in episodes} == {
        (StopReason.TURN_LIMIT, False, True, 3)
    }


class Backwards:
    """A pool in memory that answers its last slot first, and whose episodes end with their first step."""

    env_id, env_kwargs, size = "test", {}, 2

    def __init__(self):
        self._due = []

    @property
    def waiting(self):
        return len(self._due)

    def pick(self, free, tasks):
        return min(free), 0

    def reset(self, slot, task):
        self._due.append(Reply(slot, {"text": "", "images": ()}, info={"the_task": task}))

    def step(self, slot, call):
        info = {"signals": {"success": 1.0}, "error": None, "stop_reason": "success"}
        self._due.append(Reply(slot, {"text": "", "images": ()}, 1.0, terminated=True, info=info))

    def replies(self):
        due, self._due = self._due[::-1], []
        return due


class Notes:
    """Notes what is decided together; interrupted in one of its decisions, if told so."""

    name, version = "notes", 0

    def __init__(self, interrupted_at=None):
        self.batches, self._interrupted_at = [], interrupted_at

    def act(self, views):
        self.batches.append([view.episode for view in views])
        if len(self.batches) == self._interrupted_at:
            raise KeyboardInterrupt
        return [Decision({"name": "wait", "arguments": {}}) for _ in views]


def test_what_is_decided_together_is_in_the_order_of_the_starts_whoever_answers_first():
    policy = Notes()
    rollout(Backwards(), policy, starts(6))
    assert policy.batches == [["a-0", "a-1"], ["a-2", "a-3"], ["a-4", "a-5"]]


def test_episodes_are_kept_in_batches_as_they_come(monkeypatch):
    monkeypatch.setattr("turngym.agents.rollout.KEEP_EVERY", 4)
    wanted, kept = starts(11), []
    made = rollout(Backwards(), Notes(), wanted, keep=kept.append)
    assert [e.id for e in made] == [s.id for s in wanted]
    assert [len(batch) for batch in kept] == [4, 4, 3]
    assert sorted(e.id for batch in kept for e in batch) == sorted(s.id for s in wanted)


def test_an_interrupt_keeps_the_episodes_that_were_over(monkeypatch):
    monkeypatch.setattr("turngym.agents.rollout.KEEP_EVERY", 4)
    kept = []
    with pytest.raises(KeyboardInterrupt):
        rollout(Backwards(), Notes(interrupted_at=4), starts(20), keep=kept.append)
    assert [len(batch) for batch in kept] == [4, 2]


def test_where_nothing_is_sound_the_first_failure_is_named():
    fine, *_ = made = rollout(Backwards(), Notes(), starts(2))
    failure = {"kind": "browser_died", "message": "it fell"}
    broken = replace(fine, stop_reason=StopReason.INFRA_ERROR, infra_error=failure)
    assert sound([broken, *made]) == made
    assert sound([]) == []
    with pytest.raises(InfraError, match="browser_died: all 2 episodes broke, the first by: it fell"):
        sound([broken, broken])


class Stops:
    """Waits once, then ends the episode itself."""

    name, version = "stops", 7

    def act(self, views):
        stop = [StopReason.TOKEN_LIMIT if view.turns else None for view in views]
        return [Decision({"name": "wait", "arguments": {}}, stop=s) for s in stop]


def test_a_policy_can_end_an_episode(pool):
    episode = rollout(pool, Stops(), starts(1))[0]
    assert (episode.stop_reason, episode.truncated, len(episode.turns)) == (StopReason.TOKEN_LIMIT, True, 1)
    assert episode.policy_version == 7


class Murders:
    """The oracle, but it kills a worker process in its first decision."""

    name, version = "murders", 0

    def __init__(self, victim):
        self._victim = victim

    def act(self, views):
        if self._victim is not None:
            os.kill(self._victim, signal.SIGKILL)
            psutil.wait_procs([psutil.Process(self._victim)], timeout=10)
            self._victim = None
        return oracle().act(views)


@pytest.mark.parametrize("retries", [0, 1])
def test_a_worker_that_dies_costs_failures_of_ours_and_is_replaced(retries):
    with EnvPool(ENV, FAKE, workers=2, slots=2, hints=("solution",)) as pool:
        victim = pool.pids[0]
        episodes = rollout(pool, Murders(victim), starts(6), retries=retries)
        broken = [e for e in episodes if e.infra_error is not None]
        assert len(broken) == 2
        assert {(e.stop_reason, e.infra_error["kind"], e.reward) for e in broken} == {
            (StopReason.INFRA_ERROR, "worker_died", 0.0)
        }
        sound = [e for e in episodes if e.infra_error is None]
        assert all(e.success for e in sound)
        assert len(sound) == (6 if retries else 4)
        assert {e.id for e in sound if "." in e.id} == ({f"{e.id}.1" for e in broken} if retries else set())
        assert victim not in pool.pids


def test_bad_input_comes_back_as_such(pool):
    with pytest.raises(BadInput, match="click-colour"):
        EnvPool(ENV, {**FAKE, "task": "click-colour"})
    with EnvPool(ENV, FAKE) as other, pytest.raises(BadInput, match="no-such-task"):
        rollout(other, built_in("noop", other.action_space, 0), [Start("a", Task("no-such-task", seed=1))])


def test_a_hint_that_is_not_there_is_bad_input():
    with (
        EnvPool(ENV, {"backend": "fake"}, hints=("solution",)) as pool,
        pytest.raises(BadInput, match="has no solution"),
    ):
        rollout(pool, oracle(), [Start("a", Task("click-pie", seed=1))])


def test_closing_ends_the_processes():
    pool = EnvPool(ENV, FAKE, workers=2)
    workers = [psutil.Process(pid) for pid in pool.pids]
    pool.close()
    pool.close()
    assert not [worker for worker in workers if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE]


def test_workers_end_with_their_owner_even_when_it_is_killed(tmp_path):
    script = textwrap.dedent(f"""
        import time
        from turngym.agents.workers import EnvPool
        def main():
            pool = EnvPool({ENV!r}, {FAKE!r}, workers=2)
            print(*pool.pids, flush=True)
            time.sleep(600)
        if __name__ == "__main__":
            main()
    """)
    path = tmp_path / "owner.py"
    path.write_text(script)
    with subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True) as owner:
        workers = [psutil.Process(int(pid)) for pid in owner.stdout.readline().split()]
        assert len(workers) == 2
        owner.kill()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
