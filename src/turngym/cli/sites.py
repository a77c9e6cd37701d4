"""``turngym sites install | list | serve | tasks``: the web applications that tasks are played on."""

from __future__ import annotations

import sys
import time
from json import dumps
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from turngym.cli.output import Json, in_words, print_json, stdout_for_the_answer
from turngym.envs.types import BadInput, Split

SiteName = Annotated[str, typer.Argument(metavar="NAME", help="A site that `turngym sites list` shows.")]


def add_to(app: typer.Typer) -> None:
    """Add this file's commands."""
    sites = typer.Typer(no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]})
    sites.command(epilog="Example: turngym sites install shop")(install)
    sites.command("list", epilog="Example: turngym sites list")(list_all)
    sites.command(epilog="Example: turngym sites serve shop --port 8000")(serve)
    sites.command(epilog="Example: turngym sites tasks wiki tracker --count 50 --out tasks.json")(tasks)
    app.add_typer(
        sites,
        name="sites",
        help="Install, list and serve the web applications that tasks are played on, and write task files.",
        epilog="Example: turngym sites list",
    )


def install(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Which. Default: all.")] = None,
    json: Json = False,
) -> None:
    """Install sites: packages of their own, content, and users who are logged in. What is installed is left alone."""
    from turngym.envs.browser import sites

    console, began = Console(stderr=True, highlight=False, soft_wrap=True), time.monotonic()

    def tell(line: str) -> None:
        console.print(Text.assemble((f"{time.monotonic() - began:4.0f} s ", "dim"), line))

    answer: dict[str, list[str]] = {"installed": [], "already": []}
    with stdout_for_the_answer():
        for site in [sites.site(name) for name in names or sites.SITES]:
            answer["installed" if sites.install(site.name, tell) else "already"].append(site.name)
    if json:
        print_json(answer)
        return
    for what, found in answer.items():
        if found:
            print(f"{what}: {', '.join(found)}")


def list_all(json: Json = False) -> None:
    """List sites: whether each is installed, and the one command that installs it."""
    from turngym.envs.browser import sites

    rows = [
        {
            "name": site.name,
            "title": site.title,
            "placeholder": site.placeholder,
            "users": list(site.users),
            "ready": sites.installed(site.name),
            "missing": sites.missing([site.name]),
        }
        for site in sites.SITES.values()
    ]
    if json:
        print_json({"sites": rows})
        return
    table = Table(title="Sites", title_justify="left")
    for column in ("name", "title", "placeholder", "ready"):
        table.add_column(column, overflow="fold")
    for row in rows:
        ready = "yes" if row["ready"] else f"no: {row['missing']}"
        table.add_row(*(Text(in_words(row[key])) for key in ("name", "title", "placeholder")), Text(ready))
    Console().print(table)


def tasks(
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write. One that is there is left alone.")],
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Which sites. Default: all.")] = None,
    count: Annotated[int, typer.Option(min=1, help="How many tasks, in all.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal tasks.")] = 0,
    split: Annotated[str, typer.Option(metavar="train|test", help="The two share no subject.")] = "train",
    json: Json = False,
) -> None:
    """Write a task file in WebArena's format: different tasks drawn from what the sites hold, all kinds in turn."""
    from turngym.agents.episodes.files import write_whole
    from turngym.envs.browser import sites
    from turngym.envs.browser.sites.task_file import draw

    if out.exists():
        raise BadInput(f"{out} is there already: choose another --out")
    if not out.parent.is_dir():
        raise BadInput(f"{out}: there is no folder {out.parent}")
    drawn = draw(names or list(sites.SITES), count, seed, cast(Split, split))
    write_whole(out, dumps(drawn, indent=2) + "\n")
    print_json({"file": out, "tasks": len(drawn)}) if json else print(f"file: {out} ({len(drawn)} tasks)")


def serve(
    name: SiteName,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port. Default: a free one.", show_default=False)] = 0,
    host: Annotated[str, typer.Option(help="Interface to listen on.")] = "127.0.0.1",
    json: Json = False,
) -> None:
    """Serve a private copy of a site until Ctrl-C, for people to look at. Nothing done there is kept."""
    from turngym.envs.browser import sites
    from turngym.envs.types import InfraError

    with stdout_for_the_answer():
        site = sites.site(name)
        instance = sites.Instance(site, host, port)
    try:
        if json:
            print_json({"url": instance.address + site.start, "users": dict(site.users)})
        else:
            print(f"url: {instance.address}{site.start} (Ctrl-C ends it)")
            for user, password in site.users.items():
                print(f"user: {user}  password: {password}")
        sys.stdout.flush()  # whoever reads a pipe waits for it
        while instance.alive:
            time.sleep(1.0)
        raise InfraError("site_down", f"{name}: it ended")
    finally:
        instance.close()
