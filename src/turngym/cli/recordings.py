"""``turngym replay | score | view``: what can be done with recorded episodes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from turngym.cli import DONE, FAILED
from turngym.cli.output import Json, counted, figures, print_json, stdout_for_the_answer

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or an episodes.db file.")]


def add_to(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command(epilog="Example: turngym replay runs/quickstart-20260101-120000")(replay)
    app.command(epilog="Example: turngym score runs/quickstart-20260101-120000 --rubric default")(score)
    app.command(epilog="Example: turngym view runs/quickstart-20260101-120000 --export report.html")(view)


def replay(
    run: Run,
    episode: Annotated[str | None, typer.Option(metavar="ID", help="One episode. Default: all.")] = None,
    import_: Annotated[
        list[str] | None,
        typer.Option("--import", metavar="MODULE", help="Import what registers the environment; repeatable."),
    ] = None,
    json: Json = False,
) -> int:
    """Re-execute recorded actions and compare what is seen byte for byte; pictures of differences go to RUN/replay."""
    from turngym.agents.episodes.replay import replay as carry_out_again
    from turngym.agents.episodes.store import EpisodeStore
    from turngym.envs.registry import import_module

    with stdout_for_the_answer(), EpisodeStore(run) as store:
        for module in import_ or ():
            import_module(module, "--import")
        ids = None if episode is None else [episode]
        with counted("replay", len(ids or store)) as step:
            report = carry_out_again(store, ids, pictures=store.path.parent / "replay", progress=step)
    if json:
        print_json(report)
    else:
        console = Console(highlight=False, soft_wrap=True)
        for found in report["diverged"]:
            where = f"episode {found['episode']}, turn {found['turn']}: "
            picture = f" ({found['picture']})" if found["picture"] else ""
            console.print(Text.assemble(("diverged ", "red"), where, found["what"], picture))
        for broken in report["failed"]:
            why = "{kind}: {message}".format(**broken["infra_error"])
            console.print(Text.assemble(("failed   ", "red"), f"episode {broken['episode']}: {why}"))
        console.print(f"{report['identical']} of {report['episodes']} episodes identical")
    return FAILED if report["diverged"] or report["failed"] else DONE


def score(
    run: Run,
    rubric: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="A rubric's name, or a Python file. `default`: each task's own.")
    ] = "default",
    save: Annotated[bool, typer.Option("--save", help="Keep the scores in the run.")] = False,
    json: Json = False,
) -> None:
    """Score recorded episodes with today's rewards or new ones, without any environment."""
    from turngym.agents.episodes.score import score as rate
    from turngym.agents.episodes.store import EpisodeStore

    with stdout_for_the_answer():
        # Opened for reading first: opening for adding would make an empty store of a mistyped name.
        with EpisodeStore(run) as store:
            path, episodes = store.path, len(store)
        with EpisodeStore(path, "a" if save else "r") as store, counted("score", episodes) as step:
            answer = rate(store, rubric, save=save, progress=step)
    print_json(answer) if json else figures(answer, f"{run}")


def view(
    run: Run,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the local page. Default: a free one.", show_default=False)
    ] = 0,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write one self-contained file instead of serving.")
    ] = None,
    json: Json = False,
) -> None:
    """Show episodes as film strips with thoughts, actions, rewards and curves: a local page until Ctrl-C, or a file."""
    from turngym.agents.episodes import view as pages

    if export is not None:
        answer = {"file": str(pages.export(run, export))}
        print_json(answer) if json else print(f"file: {answer['file']}")
        return
    url, server = pages.serve(run, port)
    with server:
        print_json({"url": url}) if json else print(f"url: {url} (Ctrl-C ends it)")
        sys.stdout.flush()  # whoever reads a pipe waits for it
        server.serve_forever()
