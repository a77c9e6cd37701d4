"""A recording through play, replay, score and view, for people and for machines."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

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
