"""A recording through play, replay, score and view, for people and for machines."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from turngym.agents.episodes.store import EpisodeStore
from turngym.envs.types import Episode

from .conftest import MINIWOB, Command

pytestmark = pytest.mark.browser


def test_play_records_and_counts(turngym: Command) -> None:
    said = turngym(
        "play", MINIWOB, "--task", "click-test", "--episodes", 2, "--workers", 1, "--out", "played", "--json"
    )
    answer = json.loads(said.out)
    assert (said.code, said.err) == (0, "")
    assert set(answer) >= {"episodes", "success_rate", "mean_reward", "mean_turns", "infra_errors", "wall_s", "run"}
    assert (answer["episodes"], answer["success_rate"], answer["infra_errors"]) == (2, 1.0, 0)
    assert answer["run"] == "played"
    assert (Path("played") / "episodes.db").is_file()


def test_play_without_out_makes_a_flat_run(turngym: Command) -> None:
    said = turngym("play", MINIWOB, "--task", "click-test", "--episodes", 1, "--policy", "noop", "--json")
    run = json.loads(said.out)["run"]
    assert re.fullmatch(r"runs/MiniWoB-v0-\d{8}-\d{6}", run)
    assert (Path(run) / "episodes.db").is_file()


def test_replay_is_identical(recording: Path, turngym: Command) -> None:
    said = turngym("replay", recording, "--json")
    answer = json.loads(said.out)
    assert (said.code, said.err) == (0, "")
    assert (answer["episodes"], answer["identical"], answer["diverged"]) == (3, 3, [])
    assert "3 of 3 episodes identical" in turngym("replay", recording / "episodes.db").out


def other_reward(episode: Episode) -> tuple[Episode, str]:
    *earlier, last = episode.turns
    wrong = replace(episode, turns=(*earlier, replace(last, reward=0.25)))
    return wrong, f"reward: expected 0.25, got {last.reward}"


def other_screenshot(episode: Episode) -> tuple[Episode, str]:
    first, *later = episode.turns
    image = first.observation["images"][0].copy()
    image[5, 9] ^= 255
    seen = {"text": first.observation["text"], "images": (image,)}
    wrong = replace(episode, turns=(replace(first, observation=seen), *later))
    height, width, _ = image.shape
    return wrong, f"image 0: 1 of {height * width} pixels differ, the first at x=9, y=5"


@pytest.mark.parametrize("change", [other_reward, other_screenshot])
def test_replay_names_and_draws_what_differs(
    change: Callable[[Episode], tuple[Episode, str]], recording: Path, turngym: Command
) -> None:
    with EpisodeStore(recording) as recorded, EpisodeStore("changed/episodes.db", "a") as store:
        first, second, third = recorded
        wrong, what = change(second)
        store.add([first, wrong, third])
    turn = 0 if change is other_screenshot else len(second.turns) - 1

    said = turngym("replay", "changed", "--json")
    answer = json.loads(said.out)
    assert (said.code, said.err) == (1, "")
    assert (answer["episodes"], answer["identical"], answer["failed"]) == (3, 2, [])
    (found,) = answer["diverged"]
    assert (found["episode"], found["turn"], found["what"]) == (second.id, turn, what)
    assert Path(found["picture"]).parent == Path("changed/replay")
    with Image.open(found["picture"]) as picture:
        picture.verify()

    said = turngym("replay", "changed")
    assert (said.code, said.err) == (1, "")
    assert said.out.splitlines() == [
        f"diverged episode {second.id}, turn {turn}: {what} ({found['picture']})",
        "2 of 3 episodes identical",
    ]


def test_score_needs_no_environment(recording: Path, turngym: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNGYM_CHROMIUM", "/nowhere")
    answer = json.loads(turngym("score", recording, "--rubric", "success", "--json").out)
    assert (answer["episodes"], answer["rubric"], answer["mean"], answer["per_term"]) == (
        3,
        "success",
        1,
        {"success": 1},
    )


def test_score_takes_a_file(recording: Path, turngym: Command) -> None:
    Path("half.py").write_text(
        "from turngym.envs import Reward\n\ndef rubric(episode):\n    return (Reward('half', 0.5),)\n"
    )
    answer = json.loads(turngym("score", recording, "--rubric", "half.py", "--save", "--json").out)
    assert (answer["mean"], answer["per_term"]) == (0.5, {"half": 0.5})


def test_view_exports_one_file(recording: Path, turngym: Command) -> None:
    said = turngym("view", recording, "--export", "report.html", "--json")
    assert (said.code, json.loads(said.out)) == (0, {"file": "report.html"})
    assert "click-test" in Path("report.html").read_text()


def test_view_serves_a_page_until_ctrl_c(recording: Path) -> None:
    command = [sys.executable, "-c", "import sys; from turngym.cli import main; sys.exit(main())"]
    with subprocess.Popen(
        [*command, "view", str(recording), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stdout is not None
        url = json.loads(serving.stdout.readline())["url"]
        with urllib.request.urlopen(url, timeout=60) as page:
            assert "click-test" in page.read().decode()
        serving.send_signal(2)
        rest, error = serving.communicate(timeout=60)
    assert (serving.returncode, rest, error) == (130, "", "turngym: interrupted\n")
