"""The loop: what is trained on, what is left out, and what is watched."""

import copy
import dataclasses
import statistics
from types import SimpleNamespace

import pytest
import torch

from turngym.agents.models.vlm import VLM, Row
from turngym.envs import Group, InfraError, StopReason
from turngym.envs.rubrics import recorded
from turngym.envs.scenario import EnvironmentBlock, TrainBlock, WarmStartBlock
from turngym.trainers import grpo, recipe, warm_start
from turngym.trainers.evaluate import figures

from .conftest import build, converse, policy_of


def rewarded(episode, reward, stop=StopReason.TURN_LIMIT):
    turns = (*episode.turns[:-1], dataclasses.replace(episode.turns[-1], reward=reward))
    return dataclasses.replace(episode, turns=turns, stop_reason=stop)


@pytest.fixture(scope="module")
def talk():
    vlm = build()
    policy = policy_of(vlm)
    return vlm, [converse(policy, name, turns) for name, turns in (("a", 1), ("b", 3), ("c", 2))]


def test_every_turn_of_an_episode_gets_its_advantage(talk):
    _, (a, b, _) = talk
    samples = grpo.credit(Group("g", (rewarded(a, 1.0), rewarded(b, -1.0))), TrainBlock(), recorded)
    assert [round(s.advantage, 3) for s in samples] == [0.707, -0.707, -0.707, -0.707]
    assert [s.turns for s in samples] == [1, 3, 3, 3]
    assert [s.row.completion for s in samples[1:]] == [turn.tokens.ids for turn in b.turns]
    assert [len(s.row.images) for s in samples[1:]] == [1, 2, 3]


@pytest.mark.parametrize("rewards", [(1.0, 1.0, 1.0), (1.0,)])
def test_groups_with_nothing_to_compare_are_not_trained_on(talk, rewards):
    episodes = tuple(rewarded(e, r) for e, r in zip(talk[1], rewards, strict=False))
    assert grpo.credit(Group("g", episodes), TrainBlock(), recorded) == []


def test_an_update_raises_what_was_rewarded_and_lowers_what_was_not(talk):
    vlm, episodes = talk
    vlm = VLM(build().model, vlm.tokenizer, vlm.image_processor)
    good, bad = rewarded(episodes[1], 1.0), rewarded(episodes[2], 0.0)
    settings = TrainBlock(lr=1e-3, epochs=1)
    batch = grpo.credit(Group("g", (good, bad)), settings, recorded)
    before = grpo.score(vlm, [s.row for s in batch])
    metrics = grpo.update(vlm, None, batch, settings, grpo.new_state(vlm, settings), 1.0, 0)
    after = grpo.score(vlm, [s.row for s in batch])
    change = ((after.logp - before.logp) * after.mask).sum(-1)
    assert change[:3].sum() > 0 > change[3:].sum()
    assert metrics["rows"] == 5
    assert metrics["kl"] == pytest.approx(0.0, abs=1e-6)  # the first pass is on policy


def test_an_empty_batch_changes_nothing(talk):
    vlm, _ = talk
    settings = TrainBlock()
    weights = [w.clone() for w in vlm.model.parameters()]
    assert grpo.update(vlm, None, [], settings, grpo.new_state(vlm, settings), 1.0, 0) == {"rows": 0}
    assert all(torch.equal(a, b) for a, b in zip(weights, vlm.model.parameters(), strict=True))


def test_the_entropy_weight_moves_towards_its_target(talk):
    vlm, (a, b, _) = talk
    vlm = VLM(build().model, vlm.tokenizer, vlm.image_processor)
    batch = grpo.credit(Group("g", (rewarded(a, 1.0), rewarded(b, 0.0))), TrainBlock(), recorded)
    for target, up in ((100.0, True), (0.0, False)):
        settings = TrainBlock(entropy=0.1, entropy_target=target, epochs=1)
        state = grpo.new_state(vlm, settings)
        grpo.update(vlm, None, batch, settings, state, 1.0, 0)
        assert (state.entropy_weight > 0.1) is up


def test_a_reference_pulls_back(talk):
    vlm, (a, b, _) = talk
    settings = TrainBlock(kl=0.5, epochs=1)
    batch = grpo.credit(Group("g", (rewarded(a, 1.0), rewarded(b, 0.0))), settings, recorded)
    other = build(seed=1).model
    state = grpo.new_state(vlm, settings)

    def distance(model):
        reference = VLM(model, vlm.tokenizer, vlm.image_processor)
        scored = grpo.with_reference(reference, batch, settings, 1.0)
        assert [sample.row for sample in scored] == [sample.row for sample in batch]
        return grpo.objective(vlm, scored, settings, state, 1.0)[1]["kl_reference"]

    assert distance(other) > 0
    assert distance(vlm.model) == pytest.approx(0.0, abs=1e-6)


IMITATED = [
    warm_start.Example(Row((5, 6, 7), (), (8, 9)), (1.0, 1.0)),
    warm_start.Example(Row((5, 7, 6), (), (9, 8)), (1.0, 1.0)),
    warm_start.Example(Row((6, 7, 5), (), (7, 9)), (1.0, 1.0)),
]


def imitate(talk, successes, **settings):
    """Warm a model up whose success at a step is ``successes(step)``; return steps taken, checks, rows and weights."""
    vlm, _ = talk
    vlm = vlm.twin(copy.deepcopy(vlm.model))
    asked, rows = [], []

    def measure(step):
        asked.append(step)
        return successes(step)

    block = WarmStartBlock(batch_size=1, **{"steps": 50, "check_every": 4, **settings})
    taken = warm_start.train(vlm, IMITATED, block, seed=0, measure=measure, log=rows.append)
    return taken, asked, rows, vlm.model.state_dict()


def test_the_warm_start_stops_by_its_own_measure(talk):
    taken, asked, rows, _ = imitate(talk, lambda step: step / 20, until=0.6)
    assert (taken, asked) == (12, [4, 8, 12])
    assert [row["step"] for row in rows] == list(range(1, 13))
    assert [row["success"] for row in rows if "success" in row] == [0.2, 0.4, 0.6]
    assert imitate(talk, lambda step: 0.5, until=0.6, steps=9)[:2] == (9, [4, 8])
    assert imitate(talk, lambda step: 1.0, steps=9)[:2] == (9, [])


def test_the_warm_start_is_not_measured_before_the_loss_is_low(talk):
    _, _, rows, _ = imitate(talk, lambda step: 0.0, steps=20)
    bar = statistics.fmean(row["loss"] for row in rows[2:12]) + 1e-6
    assert statistics.fmean(row["loss"] for row in rows[:8]) > bar, "the losses fall"
    taken, asked, again, _ = imitate(talk, lambda step: 0.0, until=0.6, check_below=bar, steps=20)
    assert (taken, asked) == (20, [12, 16, 20])
    assert [row["loss"] for row in again] == [row["loss"] for row in rows]


def test_a_warm_start_that_overshot_goes_back_and_looks_sooner(talk):
    sudden = {4: 0.1, 8: 0.2, 9: 0.2, 10: 0.6, 12: 1.0}.__getitem__
    taken, asked, rows, weights = imitate(talk, sudden, until=0.5, overshoot=0.7)
    assert (taken, asked) == (10, [4, 8, 12, 10])
    assert [row["step"] for row in rows] == list(range(1, 11)), "what was undone is not told"
    straight = imitate(talk, sudden, steps=50, until=0.5, check_every=10)
    assert straight[:2] == (10, [10])
    assert [row["loss"] for row in rows] == [row["loss"] for row in straight[2]]
    assert all(torch.equal(weights[name], straight[3][name]) for name in weights), "as if it had never been beyond"


def test_a_warm_start_that_cannot_be_caught_in_between_stops_above(talk):
    taken, asked, _, _ = imitate(talk, lambda step: float(step > 8), until=0.5, overshoot=0.7)
    assert (taken, asked) == (9, [4, 8, 12, 10, 9])


def gathered(monkeypatch, rewards, settings, broken=(), state=None):
    """Run gather over a world whose n-th group gets the n-th rewards; return groups, episodes and rounds."""
    rounds = []

    def made(pool, policy, starts, *, phase, step):
        rounds.append(len(starts))
        found = []
        for start in starts:
            _, _, number, member = start.id.split("-")
            reward = rewards[int(number) % len(rewards)][int(member)]
            stop = StopReason.INFRA_ERROR if (int(number), int(member)) in broken else StopReason.SUCCESS
            episode = converse(_Mute(), start.id, 1)
            made_of = {"group": start.group, "task": start.task}
            found.append(dataclasses.replace(rewarded(episode, reward, stop), **made_of))
        return found

    class _Mute:
        def act(self, views):
            from turngym.agents.rollout import Decision

            return [Decision({"name": "wait", "arguments": {}}) for _ in views]

    monkeypatch.setattr(grpo, "rollout", made)
    groups, episodes = grpo.gather(None, None, ["t"], settings, recorded, 0, state or grpo.State(None))
    return groups, episodes, rounds


def test_groups_of_equal_reward_are_replaced_within_bounds(monkeypatch):
    settings = TrainBlock(groups=4, group_size=2, refill=2.0)
    live, dead = (1.0, 0.0), (1.0, 1.0)
    assert gathered(monkeypatch, [live], settings)[2] == [8]
    groups, _, rounds = gathered(monkeypatch, [live, dead, live, dead], settings)
    assert rounds == [8, 8]  # half were live, so twice what is missing
    assert sum(len(set(grpo.worth(g.episodes, recorded))) > 1 for g in groups) == 4
    assert gathered(monkeypatch, [dead], settings)[2] == [8, 8]
    assert gathered(monkeypatch, [dead], TrainBlock(groups=4, group_size=2))[2] == [8]


def test_failures_of_ours_shrink_their_group_and_never_count_as_reward(monkeypatch):
    settings = TrainBlock(groups=1, group_size=3)
    groups, episodes, _ = gathered(monkeypatch, [(1.0, 1.0, 0.0)], settings, broken={(0, 2)})
    assert len(episodes) == 3
    assert [e.reward for e in groups[0].episodes] == [1.0, 1.0]
    assert grpo.credit(groups[0], settings, recorded) == []
    groups = [Group(g.id, tuple(map(solved, g.episodes))) for g in groups]
    watched = grpo._watch(groups, episodes, recorded, set(), ["t"])
    assert [watched[key] for key in ("success", "new", "reward", "turns")] == [1.0, 2, 1.0, 1.0]
    assert [watched[key] for key in ("episodes", "infra_errors")] == [3, 1]


def solved(episode):
    turns = (*episode.turns[:-1], dataclasses.replace(episode.turns[-1], signals={"success": 1.0}))
    return dataclasses.replace(episode, turns=turns)


def broken(episode):
    failure = {"kind": "browser_died", "message": "it died of " + episode.id}
    return dataclasses.replace(episode, stop_reason=StopReason.INFRA_ERROR, infra_error=failure)


def test_failures_of_ours_are_in_no_measure_of_success(talk, monkeypatch):
    a, b, c = talk[1]
    made = [solved(a), broken(b), c]
    found = figures(made)
    assert (found["success_rate"], found["episodes"], found["infra_errors"]) == (0.5, 2, 1)
    assert (found["mean_turns"], found["ci95"]) == (1.5, pytest.approx([0.0945, 0.9055], abs=1e-4))
    scenario = SimpleNamespace(
        warm_start=WarmStartBlock(check_episodes=3), seed=0, environment=EnvironmentBlock(id="x")
    )
    monkeypatch.setattr(recipe, "rollout", lambda *_, **__: made)
    assert recipe._check(scenario, SimpleNamespace(keep=None), None, None, step=10) == 0.5
    with pytest.raises(InfraError, match="browser_died: all 2 episodes broke, the first by: it died of b") as caught:
        figures([broken(b), broken(c)])
    assert caught.value.kind == "browser_died"


def steps_of(monkeypatch, groups, episodes, steps=1):
    """Train on what is given instead of gathered; return the metrics of the steps, and the state."""
    policy = SimpleNamespace(engine=SimpleNamespace(update=lambda model, version: None))
    monkeypatch.setattr(grpo, "gather", lambda *_: (groups, episodes))
    monkeypatch.setattr(grpo, "update", lambda *_: {})
    seen, state = [], grpo.State(None)
    state.unsolved = [(e.task.id, e.task.seed) for e in episodes if e.group == "again"]
    grpo.train(
        SimpleNamespace(model=None),
        policy,
        None,
        ["t"],
        TrainBlock(steps=steps),
        state,
        rubric=recorded,
        reference=None,
        seed=0,
        temperature=1.0,
        before_first_update=lambda sound: None,
        after_step=lambda metrics, made: seen.append(metrics),
    )
    return seen, state


def test_a_step_without_new_starts_says_nothing_of_success(talk, monkeypatch):
    a, b, _ = talk[1]
    old = dataclasses.replace(a, group="again", task=dataclasses.replace(a.task, seed=5))
    new = dataclasses.replace(solved(b), task=dataclasses.replace(b.task, seed=6))
    (metrics,), state = steps_of(monkeypatch, [Group("g", (old,))], [old])
    assert "success" not in metrics and metrics["new"] == 0
    assert list(state.recent) == []
    (metrics,), state = steps_of(monkeypatch, [Group("g", (old,)), Group("h", (new,))], [old, new])
    assert metrics["success"] == 1.0
    assert list(state.recent) == [1.0]


def test_a_step_in_which_everything_broke_ends_training_before_the_gate_sees_it(talk, monkeypatch):
    a, b, _ = talk[1]
    with pytest.raises(InfraError, match="browser_died: all 2 episodes broke, the first by: it died of a"):
        steps_of(monkeypatch, [Group("g", ())], [broken(a), broken(b)])


def test_a_penalty_needs_something_to_compare_with():
    arguments = {"rubric": recorded, "seed": 0, "temperature": 1.0, "before_first_update": None, "after_step": None}
    for kl, reference in ((0.1, None), (0.0, build())):
        with pytest.raises(ValueError, match="kl and a reference go together"):
            grpo.train(None, None, None, ["t"], TrainBlock(kl=kl), grpo.State(None), reference=reference, **arguments)


def test_the_learning_rate_decays_to_its_last_value(talk):
    vlm, (a, b, _) = talk
    vlm = VLM(build().model, vlm.tokenizer, vlm.image_processor)
    settings = TrainBlock(lr=1e-4, decay=0.1, steps=11, epochs=1)
    batch = grpo.credit(Group("g", (rewarded(a, 1.0), rewarded(b, 0.0))), settings, recorded)
    state = grpo.new_state(vlm, settings)
    rates = []
    for step in (0, 5, 10):
        state.step = step
        rates.append(grpo.update(vlm, None, batch, settings, state, 1.0, 0)["lr"])
    assert rates == pytest.approx([1e-4, 5.5e-5, 1e-5])


def test_unsolved_starts_are_attempted_again_until_they_are_solved(monkeypatch):
    settings = TrainBlock(groups=4, group_size=2, replay=1.0)
    state = grpo.State(None)
    groups, _, _ = gathered(monkeypatch, [(1.0, 0.0)], settings, state=state)
    new = [group.episodes[0].task.seed for group in groups]
    assert len(set(new)) == 4
    grpo._remember(groups, state, ["t"])  # no episode's signals say success
    assert sorted(state.unsolved) == sorted(("t", seed) for seed in new)
    state.step = 1
    groups, episodes, _ = gathered(monkeypatch, [(1.0, 0.0)], settings, state=state)
    assert sorted(group.episodes[0].task.seed for group in groups) == sorted(new)
    assert grpo._watch(groups, episodes, recorded, set(state.unsolved), ["t"])["new"] == 0
    grpo._remember([Group(g.id, tuple(map(solved, g.episodes))) for g in groups[:3]], state, ["t"])
    assert state.unsolved == [("t", groups[3].episodes[0].task.seed)]
