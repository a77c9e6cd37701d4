"""Ctrl-C: exit code 130, one line, and what was finished is there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from turngym.agents.episodes.store import EpisodeStore

from .conftest import MINIWOB

TURNGYM = [sys.executable, "-c", "import sys; from turngym.cli import main; sys.exit(main())"]


def read_until(terminal: int, words: bytes) -> None:
    """Read what a program shows on a terminal until it shows a match of ``words``; its end raises ``OSError``."""
    seen = b""
    while not re.search(words, seen):
        seen += os.read(terminal, 65536)


def rest(terminal: int) -> str:
    """Read the rest of what a program shows, without colours and cursor movements."""
    seen = b""
    try:
        while more := os.read(terminal, 65536):
            seen += more
    except OSError:  # Linux's end of file for a terminal
        pass
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", seen.decode())


@pytest.mark.browser
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_play_keeps_what_was_finished(tmp_path: Path, number: signal.Signals) -> None:
    run = tmp_path / "run"
    terminal, its_side = os.openpty()
    command = [*TURNGYM, "play", MINIWOB, "--task", "click-test", "--episodes", "100000", "--out", str(run), "--json"]
    # In a group of its own, as a shell does: Ctrl-C goes to the program and to all that it started.
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=its_side,
        start_new_session=True,
        env=environment,
        # A shell has what it starts in the background ignore Ctrl-C, the tests too; this program is in front.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as playing:
        os.close(its_side)
        try:
            read_until(terminal, rb"[1-9]\d* solved")
            # Ctrl-C goes to all of the group, a polite end to the program alone.
            (os.killpg if number == signal.SIGINT else os.kill)(playing.pid, number)
            last = rest(terminal)
            out, _ = playing.communicate(timeout=60)
        finally:
            playing.kill()
            os.close(terminal)
    assert (playing.returncode, out) == (130, b"")
    assert last.rstrip("\n").splitlines()[-1] == f"turngym: interrupted; what was finished is in {run}"
    assert last.count("turngym:") == 1
    assert "Traceback" not in last
    with EpisodeStore(run) as store:
        assert len(store) >= 1
        assert all(episode.success for episode in store)


@pytest.mark.parametrize("moment", ["import rich", "import gymnasium"])
def test_it_is_one_line_while_the_program_still_loads(moment: str) -> None:
    code = f"""
import signal, sys
from turngym.cli import main

class Impatient:
    def find_spec(self, name, path=None, target=None):
        if "import " + name == {moment!r}:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Impatient())
sys.exit(main(["list"]))
"""
    loading = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (loading.returncode, loading.stdout, loading.stderr) == (130, "", "turngym: interrupted\n")
