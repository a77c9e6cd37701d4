"""``turngym play | train | eval``: commands that make episodes."""

from __future__ import annotations

import contextlib
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from turngym.cli.environments import Environment, OneTask, trainer_missing
from turngym.cli.output import Json, counted, figures, print_json, stdout_for_the_answer
from turngym.envs.types import BadInput

if TYPE_CHECKING:
    from turngym.envs.types import Episode

RUNS = Path("runs")

Recipe = Annotated[str, typer.Argument(metavar="SCENARIO", help="A YAML file, or a name that `turngym list` shows.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the recipe, such as train.steps=10; repeatable."),
]
Out = Annotated[Path | None, typer.Option(metavar="RUN", help="The run's folder. Default: runs/NAME-TIME.")]


class Interrupted(Exception):
    """Ctrl-C, with where to find what was finished."""


def add_to(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command(epilog="Example: turngym play turngym/MiniWoB-v0 --task click-color --episodes 20")(play)
    app.command(epilog="Example: turngym train quickstart --set train.steps=20 --out runs/first")(train)
    app.command("eval", epilog="Example: turngym eval quickstart --policy random --episodes 50")(evaluate)


def play(
    env_id: Environment,
    task: OneTask = None,
    policy: Annotated[str, typer.Option(metavar="NAME", help="oracle, random, noop or spam.")] = "oracle",
    episodes: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal episodes.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Environment processes.")] = 2,
    out: Out = None,
    json: Json = False,
) -> None:
    """Run a built-in policy in an environment and record it."""
    from turngym.agents.play import play as make_episodes

    run = out or _new_run(env_id.rpartition("/")[2])
    with stdout_for_the_answer(), _kept_in(run), counted(f"{policy} plays", episodes) as step:
        won = 0
        broken: list[str] = []

        def count(episode: Episode) -> None:
            nonlocal won
            won += episode.success
            if episode.infra_error is not None:
                broken.append(f"{episode.infra_error['kind']}: {episode.infra_error['message']}")
            step(f"{won} solved")

        answer = make_episodes(
            env_id, task=task, policy=policy, episodes=episodes, seed=seed, workers=workers, out=run, on_episode=count
        )
    print_json(answer) if json else figures(answer, env_id)
    if broken:
        print(f"turngym: {len(broken)} attempts broke on our side, the first by {broken[0]}", file=sys.stderr)


def train(
    scenario: Recipe,
    set_: Overrides = None,
    out: Out = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted run stopped: --out's, or the newest one's.")
    ] = False,
    json: Json = False,
) -> None:
    """Run a whole recipe: warm start, reinforcement learning, evaluation, report."""
    from turngym.envs.scenario import read

    with stdout_for_the_answer():
        recipe = read(scenario, set_)
        _need_trainer()
        from turngym.trainers.recipe import train as run_recipe

        run = out or (_newest_run(recipe.name) if resume else _new_run(recipe.name))
        changes = [word for change in set_ or () for word in ("--set", change)]
        go_on = shlex.join(["turngym", "train", scenario, *changes, "--out", str(run), "--resume"])
        with _kept_in(run, f"go on with: {go_on}"):
            answer = run_recipe(recipe, out=run, resume=resume, report=_teller())
    if json:
        print_json(answer)
    else:
        figures(answer, recipe.name)
        print(f"report: {run / 'report.html'}")


def evaluate(
    scenario: Recipe,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="DIR", exists=True, file_okay=False, help="A model folder, such as RUN/checkpoints/60."),
    ] = None,
    policy: Annotated[str | None, typer.Option(metavar="NAME", help="oracle, random, noop or spam.")] = None,
    api: Annotated[str | None, typer.Option(metavar="URL", help="A chat API; needs --model.")] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="The model to ask --api for.")] = None,
    episodes: Annotated[int | None, typer.Option(min=1, help="How many. Default: the recipe's.")] = None,
    split: Annotated[str | None, typer.Option(metavar="train|test", help="Default: the recipe's.")] = None,
    set_: Overrides = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Measure success with a 95% interval, and record it."""
    from turngym.envs.scenario import read

    if sum(choice is not None for choice in (checkpoint, policy, api)) != 1:
        raise BadInput("eval needs exactly one of --checkpoint DIR, --policy NAME and --api URL")
    if (api is None) != (model is None):
        raise BadInput("--api URL and --model NAME go together")
    with stdout_for_the_answer():
        recipe = read(scenario, set_)
        if checkpoint is not None:
            _need_trainer()
        from turngym.trainers.evaluate import evaluate as measure

        # A name of its own: `train --resume` looks for the newest folder of the recipe's.
        run = out or _new_run(f"{recipe.name}-eval")
        with _kept_in(run):
            answer = measure(
                recipe,
                checkpoint=checkpoint,
                policy=policy,
                api=api,
                model=model,
                episodes=episodes,
                split=split,
                out=run,
            )
    print_json(answer) if json else figures(answer, recipe.name)


def _teller() -> Callable[[str], None]:
    """Return a function that says a line on stderr, with the time since now before it."""
    console, began = Console(stderr=True, highlight=False, soft_wrap=True), time.monotonic()

    def tell(line: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - began), 60)
        console.print(Text.assemble((f"{minutes:3d}:{seconds:02d} ", "dim"), line))

    return tell


def _need_trainer() -> None:
    command = trainer_missing()
    if command is not None:
        raise BadInput(f"models need packages that are not installed: run `{command}`")


def _new_run(name: str) -> Path:
    return RUNS / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"


def _newest_run(name: str) -> Path:
    runs = sorted(RUNS.glob(f"{name}-[0-9]*-[0-9]*"))
    if not runs:
        raise BadInput(f"--resume: there is no {RUNS}/{name}-TIME here; --out RUN names one elsewhere")
    return runs[-1]


@contextlib.contextmanager
def _kept_in(run: Path, hint: str = "") -> Iterator[None]:
    """Say on Ctrl-C where what was finished is."""
    try:
        yield
    except KeyboardInterrupt:
        kept = f"what was finished is in {run}" if run.exists() else "nothing was finished"
        raise Interrupted("; ".join(part for part in ("interrupted", kept, hint) if part)) from None
