"""``turngym replay | score | view``: what can be done with recorded episodes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from turngym.cli import FAILED
from turngym.cli.output import Json, figures, print_json, stdout_for_the_answer

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or an episodes.db file.")]


def add_to(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command(epilog="Example: turngym replay runs/quickstart-20260101-120000")(replay)
    app.command(epilog="Example: turngym score runs/quickstart-20260101-120000 --rubric default")(score)
    app.command(epilog="Example: turngym view runs/quickstart-20260101-120000 --export report.html")(view)


def replay(
    run: Run,
    episode: Annotated[str | None, typer.Option(metavar="ID", help="One episode. Default: all.")] = None,
    json: Json = False,
) -> int:
    """Re-execute recorded actions and compare what is seen byte for byte."""
    from turngym.agents.episodes import replay as again

    with stdout_for_the_answer():
        answer = again(run, episode=episode)
    if json:
        print_json(answer)
    else:
        console = Console(highlight=False)
        for different in answer["diverged"]:
            line = "episode {episode}, turn {turn}: {what}".format(**different)
            console.print(Text.assemble(("diverged ", "red"), line, f" ({different['picture']})"))
        console.print(f"{answer['identical']} of {answer['episodes']} episodes identical")
    return FAILED if answer["diverged"] else 0


def score(
    run: Run,
    rubric: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="A rubric's name, or a Python file; `default`: each task's own.")
    ],
    save: Annotated[bool, typer.Option("--save", help="Keep the scores in the run.")] = False,
    json: Json = False,
) -> None:
    """Score recorded episodes with today's rewards or new ones, without any environment."""
    from turngym.agents.episodes import score as rate

    with stdout_for_the_answer():
        answer = rate(run, rubric=rubric, save=save)
    print_json(answer) if json else figures(answer, f"{run}")


def view(
    run: Run,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the local page; 0 takes a free one.")] = 8000,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write one self-contained file instead of serving.")
    ] = None,
    json: Json = False,
) -> None:
    """Show episodes as film strips with thoughts, actions, rewards and curves."""
    from turngym.agents.episodes import view as show

    with stdout_for_the_answer():
        answer = show(run, port=port, export=export)
    print_json(answer) if json else figures(answer, f"{run}")
