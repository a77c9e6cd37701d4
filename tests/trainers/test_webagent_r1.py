"""The recipe of WebAgent-R1, cut short, on a shop of text and with a tiny language model."""

import json
import re
from pathlib import Path

import pytest

from turngym.agents import dialects
from turngym.agents.episodes.store import EpisodeStore
from turngym.agents.models import tiny
from turngym.agents.models.vlm import VLM
from turngym.agents.policies import ClumsyOracle, draw_tasks, oracle
from turngym.agents.renderer import Renderer
from turngym.agents.rollout import Start, rollout
from turngym.envs import BadInput
from turngym.envs.scenario import read
from turngym.trainers import warm_start
from turngym.trainers.evaluate import pool_of
from turngym.trainers.recipe import train

SHORT = [
    "environment={id: 'shelves:Shelves-v0', tasks: [buy, order]}",
    "policy.model=tiny-qwen3",
    "policy.dialect=qwen-tools",
    "policy.prompt=none",
    "policy.max_new_tokens=12",
    "warm_start={episodes: 24, steps: 40, batch_size: 8, lr: 0.001, grounding: false, screen_reading: 0}",
    f"train.rubric={Path(__file__).with_name('letters.py')}",  # so that groups differ, however little is learned
    "train.loss_after=<tool_call>",
    "train.groups=2",
    "train.forward=3",
    "train.steps=2",
    "train.lr=0.001",
    "evaluate.episodes=6",
    "workers=1",
]


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def test_the_published_settings():
    """What stands on the paper's card, by name: a slip of the keyboard in the recipe is found here."""
    recipe = read("webagent_r1", SHORT[:1])
    assert (recipe.train.lr, recipe.train.kl, recipe.train.max_grad_norm) == (1e-6, 0.001, 0.01)
    assert (recipe.train.group_size, recipe.policy.temperature, recipe.environment.kwargs) == (4, 1.0, {})
    assert (recipe.train.aggregation, recipe.train.advantage, recipe.train.rubric) == (
        "traj-turn-token", "grpo", "success",
    )  # fmt: skip
    assert recipe.policy.context.stub == "** Simplified html **"
    assert read("webagent_r1", [*SHORT[:1], "variant=zero"]).warm_start is None
    assert read("webagent_r1", [*SHORT[:1], "variant=cot"]).warm_start.grounding


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        out, said = tmp_path_factory.mktemp("runs") / "whole", []
        return out, train(read("webagent_r1", SHORT), out=out, report=said.append), said


def test_the_whole_recipe_runs_on_text_alone(whole):
    out, summary, said = whole
    assert (summary["steps"], summary["episodes"], summary["infra_errors"]) == (2, 16, 0)
    assert summary["tasks"].keys() == {"buy", "order"}
    for when in ("success_before", "success_after"):
        assert sum(task[when] for task in summary["tasks"].values()) / 2 == pytest.approx(summary[when])
    assert any("the gate is open" in line and "pages" in line for line in said)
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [row["rows"] > 0 for row in rows if row["phase"] == "train"] == [True, True]
    losses = [row["loss"] for row in rows if row["phase"] == "warm_start"]
    assert losses[-1] < losses[0] / 2
    assert not VLM.load(str(out / "checkpoints" / "2")).sees
    with EpisodeStore(out) as store:
        for phase in ("warm_start", "before", "train"):
            shares = [summary.task for summary in store.summaries(phase=phase)]
            assert shares.count("buy") == shares.count("order") > 0


def test_every_turn_was_sampled_where_only_the_newest_page_is_whole(whole):
    words = VLM.load(str(whole[0] / "checkpoints" / "2")).tokenizer
    with EpisodeStore(whole[0]) as store:
        episodes = [store.get(summary.id) for summary in store.summaries(phase="train")]
    long = [episode for episode in episodes if len(episode.turns) > 2]
    assert long
    for episode in long:
        wanted = episode.task.instruction
        assert all(turn.observation["text"].startswith(wanted + "\n") for turn in episode.turns)
        pages = [turn.observation["text"].removeprefix(wanted + "\n") for turn in episode.turns]
        users = [
            [part.split("<|im_end|>")[0] for part in words.decode(turn.tokens.context).split("<|im_start|>user\n")[1:]]
            for turn in episode.turns
        ]
        assert users[0] == [f"Task Instruction: {wanted}\n\nRound 0\n\n{pages[0]}"]
        assert users[2] == [
            f"Task Instruction: {wanted}\n\nRound 0\n\n** Simplified html **",
            "Round 1\n\n** Simplified html **",
            f"Round 2\n\n{pages[2]}",
        ]
        said = [turn.tokens.ids for turn in episode.turns[:2]]
        assert all(_within(ids, episode.turns[2].tokens.context) for ids in said)


def _within(part, ids):
    return any(ids[at : at + len(part)] == part for at in range(len(ids)))


def test_without_a_warm_start(tmp_path):
    found = train(read("webagent_r1", ["variant=zero", *(s for s in SHORT if "warm_start" not in s)]),
                  out=tmp_path / "run", report=lambda line: None)  # fmt: skip
    assert found["steps"] == 2
    with EpisodeStore(tmp_path / "run") as store:
        assert set(store.counts("phase")) == {"before", "train", "after"}


@pytest.mark.parametrize(("variant", "thought"), [("", ""), ("cot", "<think> [{number}] link '{thing}'</think>")])
def test_what_demonstrations_say(variant, thought):
    recipe = read("webagent_r1", [*([f"variant={variant}"] if variant else []), SHORT[0]])
    with pool_of(recipe, ("solution",)) as pool:
        starts = [Start(f"s{n}", task) for n, task in enumerate(draw_tasks(["buy"], 4, "demonstrations"))]
        episodes = rollout(pool, oracle(), starts)
    dialect = dialects.find("qwen-tools")
    vlm = tiny.build("tiny-qwen3", warm_start.corpus(episodes, pool.action_space, dialect))
    settings = recipe.warm_start
    data = warm_start.examples(
        episodes, Renderer(vlm.tokenizer, policy=recipe.policy.context), dialect,
        grounding=settings.grounding, screen_reading=settings.screen_reading, seed=0,
    )  # fmt: skip
    for episode, example in zip(episodes, data[::2], strict=True):
        first = episode.turns[0]
        thing = episode.task.instruction.removeprefix("Buy ").removesuffix(".")
        wanted = thought.format(number=first.call["arguments"]["element"], thing=thing) + dialect.write(first.call)
        assert vlm.tokenizer.decode(example.row.completion) == wanted + "<|im_end|>"


def test_a_clumsy_oracle_is_imitated_as_it_is(tmp_path):
    recipe = read("webagent_r1", SHORT[:1])
    with pool_of(recipe, ("solution",)) as pool:
        starts = [Start(f"s{n}", task) for n, task in enumerate(draw_tasks(["buy"], 12, "mistakes"))]
        played = [rollout(pool, ClumsyOracle(pool.action_space, share, 0), starts) for share in (0.0, 0.4, 0.4)]
        plain = rollout(pool, oracle(), starts)
    said = [[[turn.call for turn in e.turns] for e in episodes] for episodes in (*played, plain)]
    assert said[0] == said[3] != said[1] == said[2]
    assert any(episode.success and len(episode.turns) > 2 for episode in played[1]), "it goes on after a mistake"
    lines = []
    train(
        read("webagent_r1", [*SHORT, "warm_start.mistakes=0.7", "train.steps=1"]),
        out=tmp_path / "run",
        report=lines.append,
    )
    (line,) = (line for line in lines if "imitates" in line)
    solved, imitated = (int(word) for word in re.findall(r"it solved (\d+): the warm start imitates (\d+)", line)[0])
    assert solved < imitated == read("webagent_r1", SHORT).warm_start.episodes


def test_a_model_that_reads_only_text_is_shown_no_images(tmp_path):
    with pytest.raises(BadInput, match=r"model 'tiny-qwen3' reads only text: set policy\.context\.images to 0$"):
        train(read("webagent_r1", [*SHORT, "policy.context.images=1"]), out=tmp_path / "run", report=lambda line: None)
