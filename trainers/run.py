"""A run's folder: recipe, episodes, metrics and checkpoints, each written so that a crash loses nothing.

``RUN/run.yaml``, ``RUN/episodes.db``, ``RUN/metrics.jsonl``, ``RUN/summary.json``, ``RUN/checkpoints/STEP/``,
``RUN/report.html``, and TensorBoard's event files.
"""

from __future__ import annotations

import json
import pickle
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml

from turngym.agents.episodes.files import disk_errors, write_whole
from turngym.agents.episodes.recording import described, refuse_folder
from turngym.agents.episodes.store import EpisodeStore
from turngym.agents.models.vlm import VLM
from turngym.envs import BadInput, Episode
from turngym.envs.scenario import Scenario
from turngym.trainers.board import Board


def refuse_run(folder: Path, *, resume: bool) -> None:
    """Raise :class:`BadInput` for a folder that a run can neither begin in nor go on in."""
    there = (folder / "run.yaml").exists()
    if resume and not there:
        raise BadInput(f"{folder} holds no run to resume")
    if there and not resume:
        raise BadInput(f"{folder} holds a run already: choose another --out, or --resume it")
    if not resume:
        refuse_folder(folder)


class Run:
    """A run's folder, open for writing.

    ``began`` is when its work began, by ``time.monotonic()``; now, where it is not given.
    """

    def __init__(self, folder: Path, scenario: Scenario, *, resume: bool, began: float | None = None) -> None:
        self.folder, self.scenario = folder, scenario
        refuse_run(folder, resume=resume)
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if resume:
                self._same_recipe()
            else:
                write_whole(folder / "run.yaml", described(scenario.model_dump(mode="json")))
        self._before = self._seconds_before() if resume else 0.0
        self.store = EpisodeStore(folder / "episodes.db", "a")
        self._began = time.monotonic() if began is None else began
        with disk_errors(folder):
            self._board = Board(folder / "tensorboard")

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def wall_s(self) -> float:
        """Seconds of work, those before a resume included."""
        return self._before + time.monotonic() - self._began

    def keep(self, episodes: list[Episode]) -> None:
        """Store episodes; those of a part of the run that is made again replace the earlier ones."""
        self.store.add(episodes, replace=True)

    def log(self, phase: str, row: Mapping[str, float]) -> None:
        """Append a row to ``metrics.jsonl`` and to TensorBoard."""
        line = json.dumps({"phase": phase, **row, "wall_s": round(self.wall_s, 3)})
        scalars = {f"{phase}/{key}": value for key, value in row.items() if key != "step"}
        with disk_errors(self.folder):
            with (self.folder / "metrics.jsonl").open("a") as file:
                file.write(line + "\n")
            self._board.add(scalars, int(row.get("step", 0)))

    def forget_after(self, step: int | None) -> None:
        """Drop the metrics of training steps after ``step``, or all of them if it is None: they will be made again."""
        path = self.folder / "metrics.jsonl"
        if not path.exists():
            return
        lines = [] if step is None else path.read_text().splitlines()
        kept = [line for line in lines if step is not None and not _is_after(line, step)]
        write_whole(path, "".join(line + "\n" for line in kept))

    def save_checkpoint(self, step: int, vlm: VLM, state: Mapping[str, Any]) -> Path:
        """Write ``checkpoints/STEP`` whole or not at all: a model folder and the trainer's state.

        Where that step is there already, its weights are the same: only the trainer's state is written again.
        """
        folder = self.checkpoint(step)
        partial = folder.with_name(f".{step}.partial")
        state = {**state, "wall_s": self.wall_s}
        with disk_errors(self.folder):
            if (folder / "trainer.pt").is_file():
                torch.save(state, folder / ".trainer.pt.partial")
                (folder / ".trainer.pt.partial").replace(folder / "trainer.pt")
                return folder
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            vlm.save(partial)
            torch.save(state, partial / "trainer.pt")
            shutil.rmtree(folder, ignore_errors=True)  # without a trainer's state it was no checkpoint
            partial.rename(folder)
        return folder

    def checkpoint(self, step: int) -> Path:
        """Return where the checkpoint of a step is, or would be."""
        return self.folder / "checkpoints" / str(step)

    def newest_checkpoint(self) -> Path | None:
        """Return the checkpoint of the highest step, if there is one."""
        there = (self.folder / "checkpoints").glob("*/trainer.pt")
        found = [path.parent for path in there if path.parent.name.isdecimal()]
        return max(found, key=lambda path: int(path.name), default=None)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write ``summary.json`` and the report."""
        from turngym.agents.episodes.view import export

        with disk_errors(self.folder):
            write_whole(self.folder / "summary.json", json.dumps(summary, indent=1) + "\n")
            export(self.folder, self.folder / "report.html")

    def close(self) -> None:
        """Close the files; again is a no-op."""
        self.store.close()
        self._board.close()

    def _same_recipe(self) -> None:
        path = self.folder / "run.yaml"
        try:
            recorded = yaml.safe_load(path.read_text())
        except (yaml.YAMLError, ValueError) as error:
            raise BadInput(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
        if not isinstance(recorded, dict):
            raise BadInput(f"{path}: a recipe is a mapping of keys, got {type(recorded).__name__}")
        wanted = self.scenario.model_dump(mode="json")
        for key in {**wanted, **recorded}:
            if key != "versions" and recorded.get(key) != wanted.get(key):
                raise BadInput(f"{path}: cannot resume: {key!r} differs from the recipe that is given")

    def _seconds_before(self) -> float:
        newest = self.newest_checkpoint()
        return 0.0 if newest is None else float(load_state(newest)["wall_s"])


def load_state(checkpoint: Path) -> dict[str, Any]:
    """Read a checkpoint's trainer state (tensors and plain data only: nothing in it is executed)."""
    path = checkpoint / "trainer.pt"
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        why = (str(error).strip() or "it is empty").splitlines()[0]
        raise BadInput(f"{path}: damaged, remove {checkpoint}: {why}") from None
    return state


def _is_after(line: str, step: int) -> bool:
    try:
        row = json.loads(line)
    except ValueError:
        return True  # the half line of a run that was killed
    return bool(row.get("phase") == "train" and row.get("step", 0) > step) or row.get("phase") == "after"
