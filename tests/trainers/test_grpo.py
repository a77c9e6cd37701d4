"""The loop on a pretended browser: what is trained on, what is left out, and exact resumption."""

import dataclasses
import json
import shutil

import pytest
import torch

from turngym.agents.models.vlm import VLM
from turngym.envs import BadInput, Group, StopReason
from turngym.envs.rubrics import recorded
from turngym.envs.scenario import TrainBlock, parse
from turngym.trainers import grpo, warm_start
from turngym.trainers.evaluate import evaluate, wilson
from turngym.trainers.recipe import train
from turngym.trainers.run import load_state

from .conftest import build, converse, policy_of

RECIPE = {
    "name": "small",
    "environment": {
        "id": "turngym/MiniWoB-v0",
        "task": "click-color",
        "backend": "fake",
        "image_size": [56, 84],
        "max_turns": 2,
    },
    "policy": {"model": "tiny-qwen2_5_vl", "context": {"images": 1}, "max_new_tokens": 12},
    "warm_start": {"episodes": 16, "steps": 12, "batch_size": 8, "until": 1.0,
                   "check_from": 12, "check_every": 12, "check_episodes": 4},
    "train": {"groups": 2, "group_size": 4, "steps": 4, "checkpoint_every": 2, "entropy": 0.1, "entropy_target": 0.5,
              "replay": 0.5},
    "evaluate": {"episodes": 6},
    "workers": 1,
    "slots": 4,
}  # fmt: skip


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


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A whole small run."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    said = []
    return out, train(parse(RECIPE, "test"), out=out, report=said.append), said


def test_a_run_leaves_everything_in_its_folder(whole):
    out, summary, said = whole
    assert {"run.yaml", "episodes.db", "metrics.jsonl", "summary.json", "report.html", "checkpoints"} <= {
        p.name for p in out.iterdir()
    }
    assert json.loads((out / "summary.json").read_text()) == summary
    assert {"run", "success_before", "success_after", "steps", "episodes", "wall_s"} <= summary.keys()
    assert (summary["steps"], summary["episodes"], summary["infra_errors"]) == (4, 32, 0)
    assert any("the gate is open" in line for line in said)
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [r["step"] for r in rows if r["phase"] == "train"] == [1, 2, 3, 4]
    assert [r["step"] for r in rows if r["phase"] == "warm_start"] == list(range(1, 13))
    assert "success" in rows[11]
    assert VLM.load(str(out / "checkpoints" / "4")).model.config.model_type == "qwen2_5_vl"


def test_a_resumed_run_is_the_run_that_never_stopped(whole, tmp_path):
    out, summary, _ = whole
    again = tmp_path / "again"
    shutil.copytree(out, again)
    shutil.rmtree(again / "checkpoints" / "4")
    (again / "summary.json").unlink()
    resumed = train(parse(RECIPE, "test"), out=again, resume=True, report=lambda line: None)
    for key in ("success_before", "success_after", "steps", "episodes"):
        assert resumed[key] == summary[key], key
    straight, second = (VLM.load(str(run / "checkpoints" / "4")).model.state_dict() for run in (out, again))
    assert all(torch.equal(straight[key], second[key]) for key in straight)
    states = [load_state(run / "checkpoints" / "4")["state"] for run in (out, again)]
    assert states[0]["entropy_weight"] == states[1]["entropy_weight"]

    def rows(run):
        lines = (run / "metrics.jsonl").read_text().splitlines()
        keep = ("step", "success", "loss", "grad_norm", "entropy")
        return [{k: row.get(k) for k in keep} for row in map(json.loads, lines) if row["phase"] == "train"]

    assert rows(again) == rows(out)


def test_a_folder_is_not_used_twice_and_only_a_run_of_the_same_recipe_is_resumed(whole, tmp_path):
    out, _, _ = whole
    with pytest.raises(BadInput, match="holds a run already"):
        train(parse(RECIPE, "test"), out=out)
    with pytest.raises(BadInput, match="no run to resume"):
        train(parse(RECIPE, "test"), out=tmp_path, resume=True)
    other = {**RECIPE, "seed": 3}
    with pytest.raises(BadInput, match="cannot resume: 'seed' differs"):
        train(parse(other, "test"), out=out, resume=True)


def test_an_interrupt_keeps_the_last_whole_step(tmp_path, monkeypatch):
    original, calls = grpo.gather, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*args)

    monkeypatch.setattr(grpo, "gather", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(parse({**RECIPE, "train": {**RECIPE["train"], "checkpoint_every": 50}}, "test"), out=tmp_path / "run")
    assert load_state(tmp_path / "run" / "checkpoints" / "2")["state"]["step"] == 2


def test_evaluation_of_a_checkpoint_and_of_built_in_policies(whole):
    out, summary, _ = whole
    scenario = parse(RECIPE, "test")
    found = evaluate(scenario, checkpoint=out / "checkpoints" / "4")
    assert found["success_rate"] == summary["success_after"]
    assert found["ci95"] == summary["ci95_after"]
    assert evaluate(scenario, policy="oracle", episodes=5)["success_rate"] == 1.0
    with pytest.raises(BadInput, match="unknown policy 'orakle'"):
        evaluate(scenario, policy="orakle")
    with pytest.raises(BadInput, match="no model in"):
        evaluate(scenario, checkpoint=out / "nothing")


def test_wilsons_interval_against_published_numbers():
    # Newcombe 1998, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    for (r, n), (low, high) in {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0000, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }.items():
        assert wilson(r, n) == pytest.approx((low, high), abs=5e-5)


def test_the_warm_start_stops_by_its_own_measure(talk):
    vlm, _ = talk
    asked = []

    def measure(step):
        asked.append(step)
        return 0.2 * len(asked)

    settings = parse(RECIPE, "test").warm_start.model_copy(
        update={"until": 0.6, "steps": 50, "check_every": 2, "check_from": 4, "batch_size": 1}
    )
    from turngym.agents.models.vlm import Row

    data = [warm_start.Example(Row((5, 6, 7), (), (8, 9)), (1.0, 1.0))]
    taken = warm_start.train(vlm, data, settings, seed=0, measure=measure, log=lambda row: None)
    assert (taken, asked) == (8, [4, 6, 8])


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
    groups, episodes = grpo.gather(None, None, "t", settings, recorded, 0, state or grpo.State(None))
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
    grpo._remember(groups, state)  # no episode's signals say success
    assert sorted(state.unsolved) == sorted(new)
    state.step = 1
    groups, episodes, _ = gathered(monkeypatch, [(1.0, 0.0)], settings, state=state)
    assert sorted(group.episodes[0].task.seed for group in groups) == sorted(new)
    assert grpo._watch(groups, episodes, recorded, state.unsolved)["new"] == 0
    solved = [
        Group(
            g.id,
            tuple(
                dataclasses.replace(e, turns=(dataclasses.replace(e.turns[0], signals={"success": 1.0}),))
                for e in g.episodes
            ),
        )
        for g in groups[:3]
    ]
    grpo._remember(solved, state)
    assert state.unsolved == [groups[3].episodes[0].task.seed]
