"""Bad input is exit code 2 and one line on stderr that names what and where; nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import MINIWOB, Command

FILES = {
    "broken.yaml": "name: [",
    "list.yaml": "- 1",
    "typo.yaml": "name: typo\nenvironment: {id: turngym/MiniWoB-v0}\ntrain: {stepz: 3}\n",
    "elsewhere.yaml": "name: elsewhere\nenvironment: {id: turngym/MiniWob-v0}\n",
    "nobody.yaml": "name: nobody\nenvironment: {id: turngym/MiniWoB-v0, task: click-test}\npolicy: {model: ./nobody}\n",
    "corrupt/episodes.db": "this is not SQLite" * 100,
    "empty/run.yaml": "name: empty",
}

TABLE = [
    (["fly"], "fly"),
    (["trian", "quickstart"], "train"),
    (["--fly"], "--fly"),
    (["play"], "ENV"),
    (["list", "turngym/MiniWob-v0"], "turngym/MiniWoB-v0"),
    (["train", "quickstart", "--set", "policy.model=tny-qwen2_5_vl"], "tiny-qwen2_5_vl"),
    (["play", MINIWOB, "--fly"], "--fly"),
    (["play", MINIWOB, "--episodes"], "--episodes"),
    (["play", MINIWOB, "--episodes", "many"], "--episodes"),
    (["play", MINIWOB, "--episodes", "0"], "--episodes"),
    (["play", MINIWOB, "click-test"], "click-test"),
    (["play", "turngym/MiniWob-v0"], "turngym/MiniWoB-v0"),
    (["play", MINIWOB, "--task", "click-tset"], "did you mean 'click-test'"),
    (["play", MINIWOB, "--policy", "oracel"], "oracel"),
    (["play", MINIWOB, "--policy", "oracle"], "--task"),
    (["play", MINIWOB, "--task", "stock-market"], "stock-market"),
    (["play", MINIWOB, "--task", "click-test", "--out", "list.yaml/run"], "list.yaml/run"),
    (["check", "turngym/Nope-v0"], "turngym/Nope-v0"),
    (["check", "nosuch:X-v0"], "nosuch"),
    (["check", MINIWOB, "--task", "click-tset"], "click-tset"),
    (["bench", "turngym/Nope-v0"], "turngym/Nope-v0"),
    (["bench", "nosuch:X-v0"], "nosuch"),
    (["bench", MINIWOB, "--task", "click-tset"], "click-tset"),
    (["bench", MINIWOB, "--seconds", "soon"], "--seconds"),
    (["train"], "SCENARIO"),
    (["train", "quickstrat"], "quickstart"),
    (["train", "nowhere.yaml"], "nowhere.yaml"),
    (["train", "broken.yaml"], "broken.yaml"),
    (["train", "list.yaml"], "list.yaml"),
    (["train", "typo.yaml"], "train.stepz"),
    (["train", "elsewhere.yaml"], "turngym/MiniWob-v0"),
    (["train", "nobody.yaml"], "nobody"),
    (["train", "quickstart", "--set", "policy.model=tiny-qwen"], "tiny-qwen2_5_vl"),
    (["train", "quickstart", "--set", "train.rubric=brevty"], "brevity"),
    (["train", "quickstart", "--set", "policy.dialect=klingon"], "klingon"),
    (["train", "quickstart", "--set", "policy.prompt=toolz"], "toolz"),
    (["train", "quickstart", "--set", "train.steps"], "train.steps"),
    (["train", "quickstart", "--set", "train.steps=few"], "train.steps"),
    (["train", "quickstart", "--set", "environment.tsak=click-test"], "environment.tsak"),
    (["train", "quickstart", "--set", "environment.task=click-tset"], "click-tset"),
    (["train", "quickstart", "--set", "environment.task=null"], "environment.task"),
    (["train", "quickstart", "--set", "environment.task=stock-market"], "stock-market"),
    (["train", "quickstart", "--set", "environment.image_size=84"], "image_size"),
    (["train", "quickstart", "--set", "environment.split=test"], "evaluate.split"),
    (["train", "quickstart", "--set", "name=2024-13-45"], "name=2024-13-45"),
    (["train", "quickstart", "--resume"], "--resume"),
    (["train", "quickstart", "--resume", "--out", "nowhere"], "nowhere"),
    (["eval", "quickstart"], "--checkpoint"),
    (["eval", "quickstart", "--policy", "oracle", "--checkpoint", "empty"], "--policy"),
    (["eval", "quickstart", "--policy", "oracel"], "oracel"),
    (["eval", "quickstart", "--policy", "oracle", "--set", "environment.task=null"], "environment.task"),
    (["eval", "quickstart", "--policy", "oracle", "--split", "tset"], "tset"),
    (["eval", "quickstart", "--policy", "random", "--set", "environment.image_size=84"], "image_size"),
    (["eval", "quickstart", "--policy", "random", "--set", "environment.max_turns=abc"], "max_turns"),
    (["eval", "quickstart", "--policy", "random", "--set", "environment.task=[click-color]"], "environment.task"),
    (["eval", "quickstart", "--checkpoint", "nowhere"], "nowhere"),
    (["eval", "quickstart", "--checkpoint", "empty"], "empty"),
    (["eval", "quickstart", "--api", "http://localhost:1"], "--model"),
    (["eval", "quickstart", "--api", "localhost:1", "--model", "m"], "localhost:1"),
    (["eval", "quickstart", "--policy", "oracle", "--out", "list.yaml/run"], "list.yaml/run"),
    *(
        case
        for command in ("replay", "score", "view")
        for case in (
            ([command], "RUN"),
            ([command, "nowhere"], "nowhere"),
            ([command, "empty"], "empty"),
            ([command, "corrupt"], "corrupt"),
            ([command, "corrupt/episodes.db"], "corrupt/episodes.db"),
        )
    ),
    (["view", "corrupt", "--port", "door"], "--port"),
    (["view", "corrupt", "--port", "70000"], "--port"),
]


@pytest.mark.parametrize("json", [False, True], ids=["", "json"])
@pytest.mark.parametrize(("arguments", "names"), TABLE, ids=[" ".join(arguments) for arguments, _ in TABLE])
def test_one_line_that_names_it(arguments: list[str], names: str, json: bool, turngym: Command) -> None:
    for file, text in FILES.items():
        Path(file).parent.mkdir(exist_ok=True)
        Path(file).write_text(text)
    said = turngym(*arguments, *(["--json"] if json else []))
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("turngym: ")
    assert said.err.count("\n") == 1
    assert names in said.err
    assert sorted(str(path) for path in Path().rglob("*") if path.is_file()) == sorted(FILES)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("arguments", "names"),
    [(["replay", "--episode", "nobody"], "nobody"), (["score", "--rubric", "brevty"], "brevity")],
)
def test_a_recording_is_there_but_not_what_is_asked_of_it(
    arguments: list[str], names: str, recording: Path, turngym: Command
) -> None:
    said = turngym(*arguments, recording)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert names in said.err


def test_a_corrupt_store_is_left_as_it_is(turngym: Command) -> None:
    broken = Path("episodes.db")
    broken.write_text("this is not SQLite" * 100)
    assert turngym("score", broken, "--save").code == 2
    assert broken.read_text() == "this is not SQLite" * 100
