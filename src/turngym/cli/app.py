"""The typer application, and the one place where an exception becomes a line and an exit code."""

from __future__ import annotations

import errno
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from turngym.cli import BAD_INPUT, DONE, FAILED, INTERRUPTED, environments, recordings, runs
from turngym.cli.runs import Interrupted
from turngym.envs.types import BadInput, InfraError

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

# The disk or the rights on it, not our code: a line is more use than a traceback.
OF_THE_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE}


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
    except InfraError as error:
        return _say(error, FAILED)
    except OSError as error:
        if error.errno not in OF_THE_MACHINE:
            raise
        return _say(error, FAILED)
    except Interrupted as error:
        return _say(error, INTERRUPTED)
    if code == INTERRUPTED:  # typer's form of KeyboardInterrupt
        raise KeyboardInterrupt
    return code or DONE


def _say(error: Exception, code: int) -> int:
    text = error.format_message() if isinstance(error, TyperException) else str(error)
    print(f"turngym: {' '.join(text.split())}", file=sys.stderr)
    return code
