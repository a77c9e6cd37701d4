"""What ``turngym bench`` measures: throughput, latency and memory of an environment under random play."""

from __future__ import annotations

import io
import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import BrokenBarrierError
from typing import Any, TypedDict

from turngym.envs.processes import belong_to, deaf_to_interrupts
from turngym.envs.registry import find, make
from turngym.envs.types import BadInput, InfraError, Observation

START_SECONDS = 120.0
"""How long workers may take to make their environment and finish a first episode's first step."""

RESETS_SHARE = 0.3
"""Part of the time that goes to resets alone; the rest goes to play."""

PROC = Path("/proc")
MEGABYTE = 1024.0 * 1024.0


class Figures(TypedDict):
    """What was measured, over all workers together."""

    env: str
    task: str | None
    workers: int
    seconds: float
    """Wall-clock seconds measured, starting the environments excluded."""
    steps_per_s: float
    """Random play, the resets between its episodes included."""
    resets_per_s: float
    """Resets back to back."""
    reset_ms_p50: float
    step_ms_p50: float
    step_ms_p99: float
    rss_mb: float | None
    """Peak megabytes (2**20) of the workers and all that they started, browsers included."""
    memory: str
    """How ``rss_mb`` was counted: ``pss`` shares common pages out, ``rss`` counts them in every process; ``unknown``
    where there is no ``/proc``."""
    bytes_per_step: float
    """One observation: its images as PNG and its text as UTF-8."""
    infra_error_share: float
    """Resets and steps that broke on our side, of all."""


@dataclass
class Tally:
    """What one worker saw; times in seconds."""

    resets: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    resets_wall: float = 0.0
    play_wall: float = 0.0
    alone: int = 0
    """Resets of the phase that does nothing else."""
    broken: int = 0
    bytes_per_step: float = 0.0


def bench(
    env_id: str,
    *,
    task: str | None = None,
    seconds: float = 10.0,
    workers: int = 2,
    kwargs: Mapping[str, Any] | None = None,
) -> Figures:
    """Measure ``workers`` processes, each stepping an environment of its own with random calls.

    ``seconds`` of wall clock are measured: three tenths for resets alone, the rest for play.
    Raises :class:`BadInput` for an unknown environment or task, :class:`InfraError` if a worker cannot start.
    """
    if seconds <= 0 or workers < 1:
        raise BadInput(f"bench needs seconds > 0 and at least 1 worker, got {seconds} and {workers}")
    if ":" not in env_id:
        find(env_id)
    keywords = {**(kwargs or {}), **({} if task is None else {"task": task})}
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(workers)
    pipes, processes = [], []
    try:
        for worker in range(workers):
            ours, theirs = context.Pipe(duplex=False)
            arguments = (os.getpid(), env_id, keywords, seconds, worker, barrier, theirs)
            process = context.Process(target=_work, args=arguments, daemon=True)
            with deaf_to_interrupts():
                process.start()
            theirs.close()
            pipes.append(ours)
            processes.append(process)
        peak, counted = _watch([process.pid or 0 for process in processes], pipes)
        tallies = _receive(pipes)
    finally:
        for process in processes:
            process.terminate()
            process.join()
    return _figures(env_id, task, seconds, tallies, peak, counted)


def _figures(env_id: str, task: str | None, seconds: float, tallies: list[Tally], peak: float, counted: str) -> Figures:
    steps = sorted(second * 1000 for tally in tallies for second in tally.steps)
    resets = [second * 1000 for tally in tallies for second in tally.resets]
    broken = sum(tally.broken for tally in tallies)
    if not steps or not resets:
        raise InfraError("nothing_measured", f"{broken} resets and steps broke and none succeeded; try more seconds")
    return {
        "env": env_id,
        "task": task,
        "workers": len(tallies),
        "seconds": seconds,
        "steps_per_s": sum(len(tally.steps) / tally.play_wall for tally in tallies if tally.steps),
        "resets_per_s": sum(tally.alone / tally.resets_wall for tally in tallies if tally.alone),
        "reset_ms_p50": statistics.median(resets),
        "step_ms_p50": statistics.median(steps),
        "step_ms_p99": steps[min(len(steps) - 1, int(0.99 * len(steps)))],
        "rss_mb": None if counted == "unknown" else peak,
        "memory": counted,
        "bytes_per_step": statistics.mean(tally.bytes_per_step for tally in tallies),
        "infra_error_share": broken / (broken + len(steps) + len(resets)),
    }


# In a worker --------------------------------------------------------------------------------------------------


def _work(
    owner: int,
    env_id: str,
    kwargs: dict[str, Any],
    seconds: float,
    worker: int,
    barrier: Barrier,
    pipe: Connection,
) -> None:
    """Measure, and send a :class:`Tally` or the exception that stopped it."""
    belong_to(owner)
    env = None
    try:
        env = make(env_id, **kwargs)
        pipe.send(_measure(env, seconds, worker, barrier))
    except Exception as error:
        barrier.abort()  # so that nobody waits for this worker any longer
        if not isinstance(error, BadInput | InfraError | BrokenBarrierError):
            raise
        pipe.send(error)
    finally:
        if env is not None:
            env.close()


def _measure(env: Any, seconds: float, worker: int, barrier: Barrier) -> Tally:
    env.action_space.seed(worker)
    env.reset(seed=worker)
    observation = env.step(env.action_space.sample())[0]  # warm: what is loaded lazily is loaded now
    tally = Tally(bytes_per_step=size(observation))
    barrier.wait(START_SECONDS)
    parent, began = os.getppid(), time.perf_counter()
    while time.perf_counter() - began < RESETS_SHARE * seconds and os.getppid() == parent:
        tally.alone += _reset(env, tally)
    tally.resets_wall = time.perf_counter() - began
    began, over = time.perf_counter(), False
    while time.perf_counter() - began < (1 - RESETS_SHARE) * seconds and os.getppid() == parent:
        if over:
            over = not _reset(env, tally)
            continue
        call, start = env.action_space.sample(), time.perf_counter()
        *_, terminated, truncated, info = env.step(call)
        if info["infra_error"] is None:
            tally.steps.append(time.perf_counter() - start)
        tally.broken += info["infra_error"] is not None
        over = terminated or truncated
    tally.play_wall = time.perf_counter() - began
    return tally


def _reset(env: Any, tally: Tally) -> bool:
    start = time.perf_counter()
    try:
        env.reset()
    except InfraError:
        tally.broken += 1
        return False
    tally.resets.append(time.perf_counter() - start)
    return True


def size(observation: Observation) -> int:
    """Bytes of an observation: its images as PNG and its text as UTF-8."""
    from PIL import Image

    total = len(observation["text"].encode())
    for image in observation["images"]:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        total += len(file.getvalue())
    return total


# In the parent ------------------------------------------------------------------------------------------------


def _receive(pipes: list[Connection]) -> list[Tally]:
    tallies: list[Tally] = []
    late = 0
    for pipe in pipes:
        try:
            answer = pipe.recv()
        except EOFError:
            raise InfraError("worker_died", "a worker ended without an answer; its error is above") from None
        if isinstance(answer, BrokenBarrierError):
            late += 1  # it waited for another, whose answer says more
        elif isinstance(answer, Exception):
            raise answer
        else:
            tallies.append(answer)
    if late:
        raise InfraError("worker_late", f"not every worker was ready within {START_SECONDS:.0f} s")
    return tallies


def _watch(roots: list[int], pipes: list[Connection]) -> tuple[float, str]:
    """Return the peak memory of the processes under ``roots`` until every pipe has something, and how it is counted."""
    peak, counted = 0.0, "pss"
    waiting = list(pipes)
    while waiting:
        now, how = memory(roots)
        peak = max(peak, now)
        counted = counted if how == "pss" else how
        for pipe in multiprocessing.connection.wait(waiting, timeout=0.5):
            waiting.remove(pipe)  # type: ignore[arg-type]
    return peak, counted


def memory(roots: list[int]) -> tuple[float, str]:
    """Return the megabytes of these processes and all their descendants, and how counted (see :class:`Figures`)."""
    total, counted = 0, "pss" if PROC.is_dir() else "unknown"
    for pid in descendants(roots):
        with suppress(OSError):  # it ended while we looked
            try:
                text = (PROC / str(pid) / "smaps_rollup").read_text()
                total += _kilobytes(text, "Pss:")
            except PermissionError:
                counted = "rss"
                total += _kilobytes((PROC / str(pid) / "status").read_text(), "VmRSS:")
    return total * 1024 / MEGABYTE, counted


def _kilobytes(text: str, key: str) -> int:
    for line in text.splitlines():
        if line.startswith(key):
            return int(line.split()[1])
    return 0  # a process that is ending has no memory left


def descendants(roots: list[int]) -> Iterator[int]:
    """List the processes with these ids and all that they started."""
    children: dict[int, list[int]] = {}
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):
            # The name, in parentheses, may hold anything; after it come the state and the parent's id.
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    queue = list(roots)
    while queue:
        pid = queue.pop()
        yield pid
        queue += children.get(pid, [])
