"""A pool of environments in worker processes. Each worker holds a few environments ("slots") and steps one at a time.

Slots of one worker share what their family shares in a process (one browser, say), so that many episodes can wait for
the same batch of completions without a process each. An environment that raises costs its own episode an
infrastructure failure, a worker that dies or hangs those of all its slots, and is replaced. Workers end with their
owner: they see its pipe close, and on Linux the kernel kills them even while they are busy.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
import traceback
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, cast

from turngym.envs import BadInput, InfraError, InfraFailure, Observation, Task, ToolCall, ToolCallSpace, TurnEnv, make
from turngym.envs.processes import belong_to, deaf_to_interrupts
from turngym.envs.spaces import LONGEST_REASON

LOOK_AHEAD = 64
"""Starts among which one is looked for that fits the page of a free slot."""

COMMAND_SECONDS = 300.0
"""Longest wait for a worker's next reply: more than environments of ours wait by themselves, for a page to load (10 s),
a judge (60 s a reference), a site's start, twice (240 s). Theirs cost one episode, this one those of all slots."""
START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back from a slot."""

    slot: int
    observation: Observation | None = None
    """None only where the environment broke before it could show anything."""
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)
    hints: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    """Time the environment took."""
    infra_error: InfraFailure | None = None


class EnvPool:
    """``workers`` processes of ``slots`` environments each, numbered 0 .. workers * slots - 1.

    :meth:`reset` and :meth:`step` return at once; :meth:`replies` waits for what has come back. Commands of one worker
    are carried out in the order in which they were given.
    """

    def __init__(
        self,
        env_id: str,
        env_kwargs: Mapping[str, Any] | None = None,
        *,
        workers: int = 2,
        slots: int = 1,
        hints: Sequence[str] = (),
        command_seconds: float = COMMAND_SECONDS,
    ) -> None:
        self.env_id, self.env_kwargs, self.hints = env_id, dict(env_kwargs or {}), tuple(hints)
        self.size = workers * slots
        self._slots, self._command_seconds = slots, command_seconds
        self._tasks: list[str | None] = [None] * self.size
        """What each slot has had last."""
        self._workers: list[_Worker] = []
        try:
            self._workers = [self._hire() for _ in range(workers)]
            spaces = [worker.ready() for worker in self._workers]
        except BaseException:
            self.close()
            raise
        self.action_space: ToolCallSpace = spaces[0]

    def pick(self, free: Collection[int], tasks: Iterable[Task]) -> tuple[int, int]:
        """Return the slot of ``free`` to start in next, and which of the first ``tasks`` to start there.

        The first task that a slot has had last (another page costs ten times a reset); else the first of all, in a slot
        that has had none, of the worker with the most to spare. What is picked changes nothing but the time it takes.
        """
        spare = Counter(slot // self._slots for slot in free)
        ordered = sorted(free, key=lambda slot: (-spare[slot // self._slots], slot))
        had = {self._tasks[slot]: slot for slot in reversed(ordered)}
        for place, task in enumerate(islice(tasks, LOOK_AHEAD)):
            if task.id in had:
                return had[task.id], place
        return had.get(None, ordered[0]), 0

    def reset(self, slot: int, task: Task) -> None:
        """Start ``task`` (its id, seed and split count) in a slot; equal tasks start identically."""
        self._tasks[slot] = task.id
        self._send(slot, ("reset", task))

    def step(self, slot: int, call: ToolCall) -> None:
        """Carry out a call in a slot."""
        self._send(slot, ("step", call))

    def try_out(self, tasks: Iterable[Task]) -> None:
        """Start tasks and throw them away: what cannot be started, or has no hints to give, is refused now."""
        free = list(range(self.size))
        for task in tasks:
            if not free:
                free = [reply.slot for reply in self.replies()]
            self.reset(free.pop(), task)
        while self.waiting:
            self.replies()

    def ask(self, hints: Sequence[str] = ()) -> None:
        """Ask for other hints from now on; hints cost time."""
        self.hints = tuple(hints)

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.process.pid for worker in self._workers if worker.process.pid is not None]

    @property
    def waiting(self) -> int:
        """Number of commands whose reply is still to come."""
        return sum(len(worker.commands) for worker in self._workers)

    def replies(self) -> list[Reply]:
        """Wait until at least one reply is there and return all that are; empty if none is due."""
        found: list[Reply] = []
        while not found and self.waiting:
            busy = {w.connection: w for w in self._workers if w.commands}
            now = time.monotonic()
            patience = max(0.0, min(w.deadline for w in busy.values()) - now)
            for connection in wait(list(busy), timeout=patience):
                found += self._receive(busy[cast(Connection, connection)])
            for worker in busy.values():
                # Another one's replacement may have taken so long that its answer lies there unread.
                if worker.commands and worker.deadline <= time.monotonic() and not worker.connection.poll():
                    why = f"an environment did not answer within {self._command_seconds:.0f} s"
                    found += self._replace(worker, "worker_hung", why)
        return found

    def close(self) -> None:
        """End all workers; again is a no-op."""
        for worker in self._workers:
            worker.dismiss()
        for worker in self._workers:
            worker.bury()
        self._workers = []

    def __enter__(self) -> EnvPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _hire(self) -> _Worker:
        return _Worker(self.env_id, self.env_kwargs)

    def _send(self, slot: int, command: tuple[str, Any]) -> None:
        worker = self._workers[slot // self._slots]
        if not worker.commands:
            worker.deadline = time.monotonic() + self._command_seconds
        worker.commands.append(slot)
        try:
            worker.connection.send((slot, *command, self.hints))
        except OSError:
            pass  # it died: its end of file is read, and answered for, in replies()

    def _receive(self, worker: _Worker) -> list[Reply]:
        found: list[Reply] = []
        try:
            while worker.connection.poll():
                reply = worker.connection.recv()
                worker.commands.popleft()
                worker.deadline = time.monotonic() + self._command_seconds
                if isinstance(reply, BadInput):
                    raise reply
                found.append(reply)
        except (EOFError, OSError):
            found += self._replace(worker, "worker_died", f"worker process {worker.process.pid} died")
        return found

    def _replace(self, worker: _Worker, kind: str, why: str) -> list[Reply]:
        worker.process.kill()
        worker.bury()
        lost, worker.commands = worker.commands, deque()
        new = self._hire()
        number = self._workers.index(worker)
        self._workers[number] = new
        self._tasks[number * self._slots : (number + 1) * self._slots] = [None] * self._slots
        new.ready()
        return [Reply(slot, infra_error={"kind": kind, "message": why}) for slot in lost]


class _Worker:
    """The owner's side of a worker process."""

    def __init__(self, env_id: str, env_kwargs: dict[str, Any]) -> None:
        # Spawned, not forked: a forked child would hold every other worker's pipe open and never see its owner go.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.commands: deque[int] = deque()
        self.deadline = 0.0
        arguments = (theirs, os.getpid(), env_id, env_kwargs)
        self.process = context.Process(target=_work, args=arguments, daemon=True)
        with deaf_to_interrupts():
            self.process.start()
        theirs.close()

    def ready(self) -> ToolCallSpace:
        """Wait for the first word: the action space, or why there is none."""
        try:
            if not self.connection.poll(START_SECONDS):
                raise InfraError("worker_hung", f"a worker process did not start within {START_SECONDS:.0f} s")
            word = self.connection.recv()
        except EOFError:
            raise InfraError("worker_died", f"worker process {self.process.pid} died at its start") from None
        if isinstance(word, Exception):
            raise word
        return cast(ToolCallSpace, word)

    def dismiss(self) -> None:
        """Close the pipe, which ends the process."""
        self.connection.close()

    def bury(self) -> None:
        """Wait for the process to end, and kill it if it does not."""
        self.connection.close()
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _work(
    connection: Connection,
    owner: int,
    env_id: str,
    env_kwargs: dict[str, Any],
) -> None:
    """Serve one owner until its pipe closes."""
    belong_to(owner)
    envs = _Envs(env_id, env_kwargs)
    try:
        connection.send(envs.first_word())
        while True:
            slot, verb, argument, hints = connection.recv()
            connection.send(envs.carry_out(slot, verb, argument, hints))
    except (EOFError, OSError):
        pass  # the owner is gone
    finally:
        envs.close()


class _Envs:
    """A worker's environments: one a slot, made when it is first wanted."""

    def __init__(self, env_id: str, env_kwargs: dict[str, Any]) -> None:
        self._env_id, self._env_kwargs = env_id, env_kwargs
        self._spare: list[Any] = []
        self._slots: dict[int, Any] = {}

    def first_word(self) -> ToolCallSpace | BadInput | InfraError:
        """Return the action space, or why there is none."""
        try:
            self._spare.append(self._make())
        except (BadInput, InfraError) as error:
            return error
        except Exception as error:
            return InfraError("env_error", _in_one_line(error))
        space: ToolCallSpace = self._spare[0].action_space
        return space

    def carry_out(self, slot: int, verb: str, argument: Any, hints: tuple[str, ...]) -> Reply | BadInput:
        """Reset or step the environment of a slot; what goes wrong there stays there."""
        if slot not in self._slots and verb == "step":
            return _failed(slot, "worker_died", "the worker process that held this episode died")
        try:
            if slot not in self._slots:
                self._slots[slot] = self._spare.pop() if self._spare else self._make()
            return _carry_out(self._slots[slot], slot, verb, argument, hints)
        except InfraError as error:
            return _failed(slot, error.kind, error.message)
        except BadInput as error:
            return error
        except Exception as error:  # of an environment that may be anyone's, and is not trusted after it
            _close(self._slots.pop(slot, None))
            return _failed(slot, "env_error", _in_one_line(error))

    def close(self) -> None:
        """Close all of them."""
        for env in [*self._spare, *self._slots.values()]:
            _close(env)

    def _make(self) -> Any:
        try:
            return make(self._env_id, **self._env_kwargs)
        except TypeError as error:  # keywords that it does not take
            raise BadInput(f"{self._env_id} cannot be made: {' '.join(str(error).split())}") from None


def _failed(slot: int, kind: str, message: str) -> Reply:
    return Reply(slot, infra_error={"kind": kind, "message": message})


def _close(env: Any) -> None:
    with contextlib.suppress(Exception):
        if env is not None:
            env.close()


def _in_one_line(error: Exception) -> str:
    """Say what an environment raised, and where, for whoever wrote it."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{text[:LONGEST_REASON]} ({Path(where.filename).name}, line {where.lineno})"


def _carry_out(env: Any, slot: int, verb: str, argument: Any, hints: tuple[str, ...]) -> Reply:
    began = time.perf_counter()
    core: TurnEnv = env.unwrapped
    if verb == "reset":
        task: Task = argument
        observation, info = env.reset(seed=task.seed, options={"task": task.id or None, "split": task.split})
        reward, terminated, truncated = 0.0, False, False
        info = {**info, "the_task": core.task}
    else:
        observation, reward, terminated, truncated, info = env.step(argument)
    over = terminated or truncated
    known = {} if over else {hint: _hint(core, hint) for hint in hints}
    seconds = time.perf_counter() - began
    return Reply(slot, observation, reward, terminated, truncated, info, known, seconds, info["infra_error"])


def _hint(core: TurnEnv, name: str) -> Any:
    try:
        return getattr(core, name)()
    except NotImplementedError:
        if name == "elements":  # a help, where there is a list
            return ()
        raise BadInput(f"task {core.task.id!r} has no {name}: no oracle is written for it") from None
