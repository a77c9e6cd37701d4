"""``turngym list | check | bench``: what is here, whether it is sound, how fast it is."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from turngym.cli import FAILED
from turngym.cli.output import Json, figures, in_words, print_json, stdout_for_the_answer
from turngym.envs.registry import Entry, entries, find
from turngym.envs.types import BadInput

Environment = Annotated[str, typer.Argument(metavar="ENV", help="An id that `turngym list` shows, or module:id.")]
OneTask = Annotated[str | None, typer.Option(metavar="NAME", help="One task. Default: drawn from the seed.")]


def add_to(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command("list", epilog="Example: turngym list")(list_all)
    app.command(epilog="Example: turngym check turngym/MiniWoB-v0 --task click-color --quick")(check)
    app.command(epilog="Example: turngym bench turngym/MiniWoB-v0 --task click-color --seconds 5")(bench)


def list_all(
    env_id: Annotated[str | None, typer.Argument(metavar="[ENV]", help="List the tasks of this one.")] = None,
    json: Json = False,
) -> None:
    """List environments and scenarios: what each needs, and the one command that makes it ready here."""
    if env_id is not None:
        _list_tasks(env_id, json)
        return
    with stdout_for_the_answer():
        answer = {"environments": _environments(), "scenarios": _scenarios()}
    if json:
        print_json(answer)
        return
    console = Console()
    for title, rows in answer.items():
        table = Table(title=title.capitalize(), title_justify="left")
        for key in rows[0] if rows else ():
            if key != "missing":
                table.add_column(key, overflow="fold")
        for row in rows:
            state = "yes" if row["ready"] else f"no: {row['missing']}"
            table.add_row(*(Text(state if key == "ready" else in_words(row[key])) for key in row if key != "missing"))
        console.print(table)


def _list_tasks(env_id: str, json: bool) -> None:
    with stdout_for_the_answer():
        entry = find(env_id)
        solved = set(entry.solved_tasks())
        tasks = [{"name": name, "oracle": name in solved} for name in entry.task_names()]
    if json:
        print_json({"id": entry.id, "tasks": tasks})
        return
    for task in tasks:
        print(f"{task['name']}{'' if task['oracle'] else '  (no oracle)'}")


def _environments() -> list[dict[str, Any]]:
    found = []
    for entry in entries():
        try:
            missing = entry.what_is_missing()
            tasks = _count(entry)
        except Exception as error:  # of a package that may be anyone's, and must not cost us the list
            why = str(error) if isinstance(error, BadInput) else f"{type(error).__name__}: {error}"
            missing, tasks = f"broken: {why}", None
        found.append(
            {"id": entry.id, "family": entry.family, "tasks": tasks, "ready": missing is None, "missing": missing}
        )
    return found


def _count(entry: Entry) -> int | None:
    try:
        return len(entry.task_names())
    except BadInput:  # what lists them is not installed
        return None


def _scenarios() -> list[dict[str, Any]]:
    from turngym.envs.scenario import read, shipped

    found = []
    for name in shipped():
        scenario = read(name)
        needs = [trainer_missing(), find(scenario.environment.id).what_is_missing()]
        missing = " && ".join(need for need in needs if need) or None
        found.append({"name": name, "about": scenario.about, "ready": missing is None, "missing": missing})
    return found


def trainer_missing() -> str | None:
    """Return the command that installs what training needs, or None if it is here."""
    from importlib.util import find_spec

    here = all(find_spec(package) for package in ("torch", "transformers", "tokenizers", "accelerate", "tensorboard"))
    return None if here else "pip install 'turngym[train]'"


def check(
    env_id: Environment,
    task: OneTask = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer seeds, for a first look.")] = False,
    json: Json = False,
) -> int:
    """Prove that an environment keeps its promises: one named check a promise."""
    from turngym.envs.conformance import check as conform

    with stdout_for_the_answer():
        report = conform(env_id, task=task, quick=quick)
    if json:
        print_json({"passed": report.passed, "failed": report.failed, "skipped": report.skipped})
    else:
        console = Console(highlight=False, soft_wrap=True)
        for name in report.passed:
            console.print(Text.assemble(("passed  ", "green"), name))
        for skipped in report.skipped:
            console.print(Text.assemble(("skipped ", "yellow"), f"{skipped['name']}: {skipped['why']}"))
        for failure in report.failed:
            console.print(Text.assemble(("failed  ", "red"), f"{failure['name']}: {failure['why']}"))
        console.print(f"{env_id}: {len(report.passed)} passed, {len(report.failed)} failed")
    return FAILED if report.failed else 0


def bench(
    env_id: Environment,
    task: OneTask = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long to measure, in seconds.")] = 10.0,
    workers: Annotated[int, typer.Option(min=1, help="Environment processes.")] = 2,
    json: Json = False,
) -> None:
    """Measure throughput, latency and memory of an environment on this machine."""
    from turngym.envs.benchmark import bench as measure

    with stdout_for_the_answer():
        answer = measure(env_id, task=task, seconds=seconds, workers=workers)
    print_json(answer) if json else figures(answer, env_id)
