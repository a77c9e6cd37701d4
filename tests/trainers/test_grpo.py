"""The loop: what is trained on, what is left out, and what is watched."""

import copy
import dataclasses
import math
import statistics
from types import SimpleNamespace

import pytest
import torch

from turngym.agents import dialects
from turngym.agents.models import tiny
from turngym.agents.models.vlm import VLM, Row
from turngym.agents.policies import draw_seeds, draw_tasks
from turngym.agents.renderer import Renderer
from turngym.envs import Element, Group, InfraError, StopReason
from turngym.envs.rubrics import recorded
from turngym.envs.scenario import EnvironmentBlock, TrainBlock, WarmStartBlock
from turngym.trainers import grpo, recipe, warm_start
from turngym.trainers.evaluate import figures
from turngym.trainers.rows import loss_starts

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
        SimpleNamespace(model=None, tokenizer=None),
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


def odd_batch(talk, settings):
    """Samples whose ratios and references are far from 1 and from each other, and some ids that carry no loss."""
    episodes = [rewarded(episode, reward) for episode, reward in zip(talk[1], (1.0, 0.0, 1.0), strict=True)]
    starts = iter((1, 0, 2, 0, 1, 0))
    batch = grpo.credit(Group("g", tuple(episodes)), settings, recorded, lambda ids: next(starts))
    return [
        dataclasses.replace(
            sample,
            logprobs=tuple(logp + 0.4 * (place % 3 - 1) for place, logp in enumerate(sample.logprobs)),
            reference=tuple(logp - 0.3 * (place % 2) for place, logp in enumerate(sample.logprobs)),
        )
        for sample in batch
    ]


def test_the_objective_is_multi_turn_grpos_word_for_word(talk):
    vlm, episodes = talk
    settings = TrainBlock(kl=0.1, clip_low=0.2, clip_high=0.2)
    batch = odd_batch(talk, settings)
    assert [sample.start for sample in batch] == [1, 0, 2, 0, 1, 0]
    rewards = (1.0, 0.0, 1.0)
    loss, rest = 0.0, iter(batch)
    for episode, reward in zip(episodes, rewards, strict=True):
        advantage = (reward - statistics.fmean(rewards)) / (statistics.stdev(rewards) + 1e-6)
        turns = [next(rest) for _ in episode.turns]
        for sample in turns:
            with torch.no_grad():
                logp = grpo.score(vlm, [sample.row]).logp[0].tolist()
            terms = []
            for now, old, reference in list(zip(logp, sample.logprobs, sample.reference, strict=True))[sample.start :]:
                ratio, apart = math.exp(now - old), reference - now
                clipped = min(max(ratio, 0.8), 1.2)
                gain = min(ratio * advantage, clipped * advantage)
                terms.append(gain - settings.kl * (math.exp(apart) - apart - 1))
            loss -= statistics.fmean(terms) / len(turns) / len(episodes)
    found, _ = grpo.objective(vlm, batch, settings, grpo.State(None), 1.0)
    assert found.item() == pytest.approx(loss, abs=1e-5)


@pytest.mark.parametrize("aggregation", ["traj-turn-token", "token-mean", "seq-token"])
def test_rows_a_forward_pass_change_nothing_but_memory(talk, aggregation):
    settings = TrainBlock(kl=0.1, epochs=1, lr=1e-3, aggregation=aggregation)
    batch = odd_batch(talk, settings)
    ends = []
    for rows in (None, 1, 4):
        vlm = VLM(build().model, talk[0].tokenizer, talk[0].image_processor)
        some = settings.model_copy(update={"forward": rows})
        metrics = grpo.update(vlm, None, batch, some, grpo.new_state(vlm, some), 1.0, 0)
        ends.append((metrics["loss"], metrics["grad_norm"], metrics["entropy"]))
    assert ends[1] == pytest.approx(ends[0], rel=1e-4)
    assert ends[2] == pytest.approx(ends[0], rel=1e-4)


def test_loss_begins_behind_a_text():
    words = build().tokenizer
    eos = words.eos_token_id

    def trained(text, after="<answer>"):
        ids = [*words(text)["input_ids"], eos]
        return words.decode(ids[loss_starts(words, ids, after) :])

    assert trained("<think>red?</think><answer>do()</answer>") == "do()</answer><|im_end|>"
    assert trained("<answer>a<answer>b") == "a<answer>b<|im_end|>"
    assert trained("no answer at all") == "no answer at all<|im_end|>"
    assert trained("red <answer>") == "red <answer><|im_end|>"
    assert trained("<answer>do()", after=None) == "<answer>do()<|im_end|>"
    # An id in which the text ends and something begins carries loss.
    words = tiny.build("tiny-qwen3", ["answer>(x)"] * 20).tokenizer
    ids = words("<answer>(x)")["input_ids"]
    assert ">(" in [words.decode([token]) for token in ids]
    assert words.decode(ids[loss_starts(words, ids, "<answer>") :]) == ">(x)"


def test_only_what_carries_loss_is_changed(talk):
    """With all but the last id of each turn left out, the others' gradients are none."""
    vlm, episodes = talk
    settings = TrainBlock()
    pair = tuple(rewarded(e, r) for e, r in zip(episodes[:2], (1.0, 0.0), strict=True))
    batch = grpo.credit(Group("g", pair), settings, recorded, lambda ids: len(ids) - 1)
    assert [sample.tokens for sample in batch] == [1] * 4
    assert [sample.episode_tokens for sample in batch] == [1, 3, 3, 3]
    scored = grpo.score(vlm, [sample.row for sample in batch])
    assert scored.carries_loss([s.start for s in batch]).sum(-1).tolist() == [1] * 4
    other = [
        dataclasses.replace(s, logprobs=(*(p - 0.7 for p in s.logprobs[:-1]), s.logprobs[-1])) for s in batch
    ]  # what the left-out ids were sampled with is of no account
    losses = [grpo.objective(vlm, part, settings, grpo.State(None), 1.0)[0].item() for part in (batch, other)]
    assert losses[0] == losses[1]


def test_several_tasks_are_watched_and_remembered_apart(talk):
    a, b, c = (
        dataclasses.replace(episode, task=dataclasses.replace(episode.task, id=task, seed=3))
        for episode, task in zip(talk[1], ("one", "two", "two"), strict=True)
    )
    groups, state = [Group("g", (solved(a),)), Group("h", (b, solved(c)))], grpo.State(None)
    watched = grpo._watch(groups, [a, b, c], recorded, set(), ["one", "two"])
    assert [watched[key] for key in ("success", "success/one", "success/two")] == [pytest.approx(2 / 3), 1.0, 0.5]
    grpo._remember(groups, state, ["one", "two"])
    assert state.unsolved == [("two", 3)]  # the seed alone would not say which
    grpo._remember(groups, state, [""])
    assert state.unsolved == [("two", 3), ("", 3)]  # where tasks are drawn from the seed, they are drawn again
    found = figures([solved(a), b, solved(c)])
    assert found["tasks"] == {
        "one": {"success_rate": 1.0, "episodes": 1},
        "two": {"success_rate": 0.5, "episodes": 2},
    }


def test_tasks_are_drawn_in_equal_shares():
    drawn = draw_tasks(["a", "b", "c"], 10, "words", split="test")
    assert all(sorted(task.id for task in drawn[at : at + 3]) == ["a", "b", "c"] for at in (0, 3, 6))
    assert [task.seed for task in drawn] == draw_seeds(10, "words")
    assert {task.split for task in drawn} == {"test"}
    assert draw_tasks(["a", "b", "c"], 10, "words", split="test") == drawn
    orders = {tuple(task.id for task in draw_tasks(["a", "b", "c"], 3, word)) for word in range(20)}
    assert len(orders) > 1


def element(role, name, x, y):
    return Element(role, name, x, y, 20.0, 10.0)


@pytest.mark.parametrize(
    ("arguments", "thought"),
    [
        ({"x": 12, "y": 31}, "<think> Send10,30</think>"),
        ({"x": 90, "y": 90}, ""),
        ({"x": 60, "y": 60}, "<think> 60,60</think>"),
        ({"element": 7}, "<think> [7] button 'Buy'</think>"),
        ({"element": "12"}, '<think> <a title="T" id="12"> Tea</think>'),
        ({"element": 1}, '<think> <p id="1"> Our</think>'),
        ({"element": 2}, ""),
        ({"text": "tea"}, ""),
    ],
)
def test_what_a_demonstration_says_before_its_call(arguments, thought):
    page = '[17] link \'Sell\'\n  [7] button \'Buy\'\n<p id="1"> Our <a title="T" id="12"> Tea </a> is good </p>'
    call = {"name": "click", "arguments": arguments}
    elements = [element("button", "Send", 10.4, 30.0), element("textbox", "many words of a long paragraph", 60, 60)]
    assert warm_start.think(call, elements, page) == thought


def test_of_texts_to_read_only_the_place_is_said(talk):
    vlm, (a, *_) = talk
    shown = [element("button", "Send", 10, 10), element("text", "many words of a long paragraph", 20, 20)]
    turn = dataclasses.replace(a.turns[0], elements=tuple(shown))
    episode = dataclasses.replace(a, turns=(turn, turn))
    qwen = dialects.find("qwen-tools")
    how = {"grounding": False, "screen_reading": 1.0, "seed": 3}
    found = warm_start.examples([episode], Renderer(vlm.tokenizer), qwen, **how)
    listed, asked = (vlm.tokenizer.decode(example.row.completion) for example in found)
    assert "List the screen.<|im_end|>\n<|im_start|>assistant\n Send10,10 20,20<|im_end|>" in listed
    assert "Find on the screen.<|im_end|>\n<|im_start|>assistant\n Send10,10<|im_end|>" in asked
