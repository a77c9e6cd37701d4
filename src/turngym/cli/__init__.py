"""The command line: thin commands over the libraries, and one place that turns errors into exit codes."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

__all__ = ["main"]

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in ``argv`` (default: the process's own arguments) and return the exit code.

    0: done. 1: a check, a replay or a bar failed, or something of ours broke. 2: bad input. 130: interrupted.
    A polite end (SIGTERM: a cluster's, ``kill``'s) is an interrupt like Ctrl-C: what was finished is kept.
    Whatever is not 0 leaves one line on stderr, unless the command's own output says it; only a bug leaves a traceback.
    """
    with contextlib.suppress(OSError):  # the folder may be gone
        here = str(Path.cwd())
        if here not in sys.path:  # `module:id` may name a file here; last, so that it hides no package
            sys.path.append(here)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        # Inside the try, so that Ctrl-C during the first tenth of a second is one line too.
        from turngym.cli.output import stdout_for_the_answer

        with stdout_for_the_answer():  # third parties register their environments now
            from turngym.cli.app import run

        return run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        print("turngym: interrupted", file=sys.stderr)
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    hear = signal.getsignal(signal.SIGINT)
    if callable(hear):
        hear(number, frame)
    else:  # ignored, as for a job in the background of a script
        raise KeyboardInterrupt
