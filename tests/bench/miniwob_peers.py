"""TurnGym's MiniWoB beside the environments of other packages: the same tasks and clicks, in one interleaved run.

    python tests/bench/miniwob_peers.py [--rounds 2] [--minutes 6] [--out runs/miniwob_peers.json]

Every peer has a process of its own (a driver) and, unless it is TurnGym, a virtual environment ``.venv-bench-*`` beside
this repository's, made here when missing. For each round and task the peers take their turn one after the other, so
that what else runs on the machine touches all alike. A peer that cannot be set up or measured is named with its reason.
They do not observe the same: the table says what each returns.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from turngym.envs.benchmark import memory
from turngym.envs.browser import catalogue, chromium

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TASKS = (
    "click-test",
    "click-button",
    "login-user",
    "enter-text",
    "click-checkboxes",
    "use-autocomplete",
    "email-inbox",
    "book-flight",
)
ANSWER_SECONDS = 120.0
INSTALL_SECONDS = 600.0


class Missing(Exception):
    """A peer cannot be measured here; the message says why."""


@dataclass
class Peer:
    """One environment package in one setting, and what was measured of it."""

    name: str
    driver: str
    argument: str = ""
    package: str = ""
    """What pip installs into the peer's virtual environment; empty for TurnGym."""
    missing: str | None = None
    process: subprocess.Popen[str] | None = None
    stderr: IO[bytes] | None = None
    said: str = ""
    """The driver's standard error, once it ended."""
    reset_ms: list[float] = field(default_factory=list)
    step_ms: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    observes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def venv(self) -> Path:
        """The peer's virtual environment."""
        return ROOT / f".venv-bench-{self.package.partition('==')[0]}"

    def start(self) -> None:
        """Install what is missing and start the driver; remember why not if that fails."""
        try:
            python = self._python()
            self.stderr = tempfile.TemporaryFile()  # noqa: SIM115 - stop() closes it
            command = [python, str(HERE / self.driver), *self.argument.split()]
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.stderr,
                text=True,
                env=environment(self.venv),
                start_new_session=True,
            )
        except Missing as error:
            self.missing = str(error)

    def _python(self) -> str:
        if not self.package:
            return sys.executable
        python, stamp = self.venv / "bin" / "python", self.venv / f"installed-{self.package}"
        if not stamp.exists():
            print(f"installing {self.package} into {self.venv.name}", file=sys.stderr)
            self._run([sys.executable, "-m", "venv", "--clear", str(self.venv)])
            self._run([str(python), "-m", "pip", "install", "--quiet", self.package])
            stamp.touch()
        return str(python)

    @staticmethod
    def _run(command: list[str]) -> None:
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=INSTALL_SECONDS, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            raise Missing(f"{' '.join(command[1:4])} took longer than {INSTALL_SECONDS:.0f} s") from None
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["it said nothing"]
            raise Missing(f"{' '.join(command[1:4])} failed: {said[-1]}")

    def measure(self, task: str) -> None:
        """Let the driver measure one task, and read its memory while the environment is still open."""
        if self.process is None:
            return
        answer = self._ask({"task": task})
        if "error" in answer:
            self.failures.append(f"{task}: {answer['error']}")
        else:
            self.reset_ms += answer["reset_ms"]
            self.step_ms += answer["step_ms"]
            self.observes = answer["observes"]
            self.memory_mb.append(memory([self.process.pid])[0])
        if self.process is not None:
            self._ask({})  # close the environment, so that it does not run while others are measured

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self.process is not None and self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return self._gone("the driver ended")
        if not select.select([self.process.stdout], [], [], ANSWER_SECONDS)[0]:
            return self._gone(f"no answer within {ANSWER_SECONDS:.0f} s")
        line = self.process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else self._gone("the driver ended")
        return answer

    def _gone(self, why: str) -> dict[str, Any]:
        self.stop(patience=0.0)
        return {"error": "; ".join([why, *self.said.strip().splitlines()[-1:]])}

    def stop(self, patience: float = 20.0) -> None:
        """End the driver and all that it started."""
        process, self.process = self.process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None and self.stderr is not None
        try:
            process.stdin.close()
            process.wait(patience)
        except (OSError, subprocess.TimeoutExpired):
            pass
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        process.stdout.close()
        self.stderr.seek(0)
        self.said = self.stderr.read().decode(errors="replace")
        self.stderr.close()


PEERS = (
    Peer("TurnGym, DevTools", "drive_turngym.py", "devtools"),
    Peer("TurnGym, DevTools, DOM listing too", "drive_turngym.py", "devtools screenshot dom"),
    Peer("TurnGym, DevTools, accessibility tree too", "drive_turngym.py", "devtools screenshot axtree"),
    Peer("TurnGym, Playwright", "drive_turngym.py", "playwright"),
    Peer("miniwob 1.1.0, Selenium", "drive_miniwob.py", package="miniwob==1.1.0"),
    Peer("BrowserGym 0.14.3", "drive_browsergym.py", "default", "browsergym-miniwob==0.14.3"),
    Peer("BrowserGym 0.14.3, no delays", "drive_browsergym.py", "zero", "browsergym-miniwob==0.14.3"),
)


def environment(venv: Path) -> dict[str, str]:
    """Return environment variables that show every package the same browser, driver and pages."""
    browser, driver, pages = chromium.find(), shutil.which("chromedriver"), catalogue.root()
    variables = {**os.environ, "MINIWOB_URL": f"{pages.as_uri()}/miniwob/" if pages else ""}
    if driver:
        variables |= {"MINIWOB_CHROME_BINARY": browser, "MINIWOB_CHROMEDRIVER": driver}
    if venv.name.startswith(".venv-bench-browsergym") and venv.exists():
        # BrowserGym pins Playwright 1.44, which looks for its own download, and part of it takes no other path.
        wrapper = venv / "browsers" / "chromium-1117" / "chrome-linux" / "chrome"
        wrapper.parent.mkdir(parents=True, exist_ok=True)
        wrapper.write_text(f'#!/bin/sh\nexec "{browser}" --no-sandbox "$@"\n')
        wrapper.chmod(0o755)
        variables["PLAYWRIGHT_BROWSERS_PATH"] = str(venv / "browsers")
    return variables


def spread(samples: list[float]) -> dict[str, float]:
    """Return the median, the quartiles and the number of samples."""
    low, middle, high = statistics.quantiles(samples, n=4, method="inclusive")
    return {"median": middle, "p25": low, "p75": high, "n": len(samples)}


def summary(peer: Peer) -> dict[str, Any]:
    """Return what was found of a peer: numbers, or why there are none."""
    said = {"name": peer.name, "missing": peer.missing, "failures": peer.failures}
    if len(peer.reset_ms) < 2 or len(peer.step_ms) < 2:
        return {**said, "missing": peer.missing or "; ".join(peer.failures[:1]) or "nothing was measured"}
    measured = {"reset_ms": spread(peer.reset_ms), "step_ms": spread(peer.step_ms)}
    return {**said, **measured, "memory_mb": max(peer.memory_mb), "observes": peer.observes}


def table(found: list[dict[str, Any]]) -> str:
    """Return the findings as a markdown table; ratios are to the first peer that was measured."""
    heads = ("environment", "reset ms (quartiles)", "ratio", "step ms (quartiles)", "ratio", "memory MB", "observes")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    measured = [peer for peer in found if peer["missing"] is None]
    for peer in found:
        if peer["missing"] is not None:
            lines.append(f"| {peer['name']} | not measured: {peer['missing']} | | | | | |")
            continue
        cells = [peer["name"]]
        for what in ("reset_ms", "step_ms"):
            numbers = peer[what]
            cells.append(f"{numbers['median']:.1f} ({numbers['p25']:.1f} to {numbers['p75']:.1f})")
            cells.append(f"{numbers['median'] / measured[0][what]['median']:.1f}")
        observes, more = peer["observes"][:4], len(peer["observes"]) - 4
        cells += [f"{peer['memory_mb']:.0f}", ", ".join(observes) + (f" and {more} more" if more > 0 else "")]
        if peer["failures"]:
            cells[-1] += f"; failed {len(peer['failures'])} times"
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def run(peers: tuple[Peer, ...], rounds: int, minutes: float) -> int:
    """Measure the peers in turn, for about so long; return how many visits to a task each was given."""
    visits = [task for _ in range(rounds) for task in TASKS]
    try:
        for peer in peers:
            peer.start()
        deadline = time.monotonic() + 60 * minutes
        for number, task in enumerate(visits):
            if time.monotonic() > deadline:
                return number
            print(f"{number + 1} of {len(visits)}: {task}", file=sys.stderr)
            for peer in peers:
                peer.measure(task)
        return len(visits)
    finally:
        for peer in peers:
            peer.stop()


def main() -> None:
    """Measure, print the table, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=6.0, help="stop measuring after this long")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "miniwob_peers.json")
    arguments = parser.parse_args()
    before, visits = os.getloadavg()[0], run(PEERS, arguments.rounds, arguments.minutes)
    found = [summary(peer) for peer in PEERS]
    machine = {
        "cpus": os.cpu_count(),
        "load_before": before,
        "load_after": os.getloadavg()[0],
        "browser": chromium.find(),
    }
    report = {"tasks": TASKS, "rounds": arguments.rounds, "visits": visits, "machine": machine, "peers": found}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=2) + "\n")
    print(table(found))
    planned, load = arguments.rounds * len(TASKS), machine["load_after"]
    print(f"\n{visits} of {planned} visits to tasks; {os.cpu_count()} CPUs, load {before:.1f} before, {load:.1f} after")


if __name__ == "__main__":
    main()
