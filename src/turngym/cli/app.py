"""The typer application, and the one place where an exception becomes a line and an exit code."""

from __future__ import annotations

import errno
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from turngym.cli import BAD_INPUT, DONE, FAILED, INTERRUPTED, environments, recordings, runs, sites
from turngym.cli.runs import Interrupted
from turngym.envs.types import BadInput, InfraError
from turngym.trainers.errors import GateFailure

app = typer.Typer(
    name="turngym",
    help="Environments in which vision-language agents act, and the trainer that makes them better.",
    epilog="Example: turngym train quickstart",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
environments.add_to(app)
runs.add_to(app)
recordings.add_to(app)
sites.add_to(app)

# A line is more use than a traceback where it is not our code: a path that cannot be used, a machine that is full.
THE_PATH = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EROFS}
THE_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE}


def _version(wanted: bool) -> None:
    if wanted:
        from turngym import __version__

        print(f"turngym {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


def run(argv: list[str]) -> int:
    """Run one command; raises ``KeyboardInterrupt`` on Ctrl-C."""
    try:
        code = app(argv, prog_name="turngym", standalone_mode=False)
    except (TyperException, BadInput) as error:
        return _say(error, BAD_INPUT)
    except (InfraError, GateFailure) as error:
        return _say(error, FAILED)
    except OSError as error:
        if error.errno in THE_PATH:
            return _say(error, BAD_INPUT)
        if error.errno in THE_MACHINE:
            return _say(error, FAILED)
        raise
    except Interrupted as error:
        return _say(error, INTERRUPTED)
    if code == INTERRUPTED:  # typer's form of KeyboardInterrupt
        raise KeyboardInterrupt
    return code or DONE


def _say(error: Exception, code: int) -> int:
    text = error.format_message() if isinstance(error, TyperException) else str(error)
    print(f"turngym: {' '.join(text.split())}", file=sys.stderr)
    return code
