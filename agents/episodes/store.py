"""The episode store: one SQLite file, whole episodes or none, each picture once, readable while it is written."""

from __future__ import annotations

import errno
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypedDict, Unpack
from urllib.parse import quote

from turngym.agents.episodes.codec import decode, digest, encode, from_png, to_png
from turngym.envs.rubrics import total
from turngym.envs.types import BadInput, Episode, Image, InfraError, Reward, StopReason

APPLICATION_ID = 0x5475726E
"""``Turn``: tells an episode store from anyone else's SQLite file."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    # Version 1: episodes and their pictures.
    (
        """CREATE TABLE episodes (
            seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, env_id TEXT, task TEXT, seed TEXT, phase TEXT,
            step INTEGER, "group" TEXT, policy TEXT, policy_version INTEGER, stop_reason TEXT, reward REAL,
            success INTEGER, turns INTEGER, body TEXT NOT NULL)""",
        "CREATE INDEX episodes_by_phase ON episodes (phase, step)",
        "CREATE TABLE images (hash TEXT NOT NULL UNIQUE, height INTEGER, width INTEGER, png BLOB NOT NULL)",
        f"PRAGMA application_id = {APPLICATION_ID}",
    ),
    # Version 2: scores given afterwards.
    (
        """CREATE TABLE scores (
            episode TEXT NOT NULL REFERENCES episodes (id), rubric TEXT NOT NULL, total REAL, terms TEXT NOT NULL,
            PRIMARY KEY (episode, rubric))""",
    ),
)
"""Statements that bring a file from version k to k + 1; a new file is at version 0."""

SCHEMA_VERSION = len(MIGRATIONS)

_COLUMNS = 'id, env_id, task, seed, phase, step, "group", policy, policy_version, stop_reason, reward, success, turns'


@dataclass(frozen=True, slots=True)
class Summary:
    """What a listing shows of an episode; cheap: no body is parsed, no picture decoded."""

    id: str
    env_id: str
    task: str
    seed: int | None
    phase: str
    step: int
    group: str
    policy: str
    policy_version: int
    stop_reason: StopReason
    reward: float
    success: bool
    turns: int


class Filter(TypedDict, total=False):
    """Which episodes: all that are given must hold. None is the same as not given."""

    phase: str | None
    step: int | None
    task: str | None
    stop_reason: str | None
    success: bool | None
    search: str | None
    """A part of the id, the task or the seed."""


_CONDITIONS = {
    "phase": "phase = :phase",
    "step": "step = :step",
    "task": "task = :task",
    "stop_reason": "stop_reason = :stop_reason",
    "success": "success = :success",
    "search": "(instr(id, :search) OR instr(task, :search) OR instr(seed, :search))",
}


class EpisodeStore:
    """Episodes in a file. Use it as a context manager.

    ``path`` is the file, or a run's folder that holds ``episodes.db``. Mode ``"a"`` creates the file if there is
    none and adds to it; mode ``"r"`` only reads. A file of an older version is migrated, one of a newer version is
    refused. Any number of readers, in other processes too, see each added batch whole, while one writer adds.

    Raises :class:`BadInput` where the file is missing, damaged, not an episode store or not writable, and
    :class:`InfraError` (``disk_full``, ``disk_error``, ``store_busy``) where the machine fails; what was added before
    is never lost.
    """

    def __init__(self, path: str | Path, mode: Literal["r", "a"] = "r") -> None:
        self.path = Path(path)
        if self.path.is_dir():
            self.path = self.path / "episodes.db"
        if mode == "r" and not self.path.is_file():
            raise BadInput(f"{self.path}: no such episode store")
        with self._plain_errors():
            if mode == "a":
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = self._open(mode)

    # Writing --------------------------------------------------------------------------------------------------

    def add(self, episodes: Iterable[Episode], *, replace: bool = False) -> None:
        """Add episodes in one transaction: all of them, or none.

        An id that is there already is refused, unless ``replace``: a run that was resumed from a checkpoint makes
        some steps again. Raises :class:`BadInput` for an episode that cannot be stored.
        """
        batch = list(episodes)
        with self._transaction():
            for episode in batch:
                self._add(episode, replace)

    def save_scores(self, rubric: str, scores: Mapping[str, tuple[Reward, ...]]) -> None:
        """Keep the terms that ``rubric`` gave to each episode id; earlier ones of that rubric are replaced."""
        rows = (
            (episode, rubric, total(terms), json.dumps([asdict(term) for term in terms]))
            for episode, terms in scores.items()
        )
        with self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?)", rows)

    # Reading --------------------------------------------------------------------------------------------------

    def get(self, episode_id: str) -> Episode:
        """Return an episode with its pictures; :class:`BadInput` if there is none of that id or it is damaged."""
        with self._plain_errors():
            row = self._db.execute("SELECT body FROM episodes WHERE id = ?", (episode_id,)).fetchone()
            if row is None:
                raise BadInput(f"{self.path}: no episode {episode_id!r}")
            try:
                return decode(row[0], self._image)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise BadInput(f"{self.path}: episode {episode_id!r} is damaged: {error}") from None

    def episodes(self, **where: Unpack[Filter]) -> Iterator[Episode]:
        """Iterate over the episodes that are there now, in the order they were added; each is read when it is due."""
        with self._plain_errors():
            condition, values = _where(where)
            ids = self._db.execute(f"SELECT id FROM episodes {condition} ORDER BY seq", values).fetchall()
        return (self.get(episode_id) for (episode_id,) in ids)

    def summaries(self, *, limit: int = -1, offset: int = 0, **where: Unpack[Filter]) -> list[Summary]:
        """List episodes in the order they were added; ``limit`` -1 is all."""
        condition, values = _where(where)
        query = f"SELECT {_COLUMNS} FROM episodes {condition} ORDER BY seq LIMIT :limit OFFSET :offset"
        with self._plain_errors():
            rows = self._db.execute(query, values | {"limit": limit, "offset": offset}).fetchall()
        return [_summary(row) for row in rows]

    def count(self, **where: Unpack[Filter]) -> int:
        """Count episodes."""
        condition, values = _where(where)
        with self._plain_errors():
            return int(self._db.execute(f"SELECT count(*) FROM episodes {condition}", values).fetchone()[0])

    def counts(self, by: Literal["phase", "stop_reason", "task"]) -> dict[str, int]:
        """Count episodes by phase, stop reason or task, in the order in which each first came."""
        with self._plain_errors():
            return dict(self._db.execute(f"SELECT {by}, count(*) FROM episodes GROUP BY {by} ORDER BY min(seq)"))

    def image_count(self) -> int:
        """Count distinct pictures."""
        with self._plain_errors():
            return int(self._db.execute("SELECT count(*) FROM images").fetchone()[0])

    def scores(self, rubric: str) -> dict[str, tuple[Reward, ...]]:
        """Return the kept terms of ``rubric``, by episode id."""
        with self._plain_errors():
            rows = self._db.execute("SELECT episode, terms FROM scores WHERE rubric = ?", (rubric,)).fetchall()
        return {episode: tuple(Reward(**term) for term in json.loads(terms)) for episode, terms in rows}

    def __len__(self) -> int:
        return self.count()

    def __iter__(self) -> Iterator[Episode]:
        return self.episodes()

    def close(self) -> None:
        """Close the file; again is a no-op."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Inside ---------------------------------------------------------------------------------------------------

    def _open(self, mode: str) -> sqlite3.Connection:
        if mode == "a":
            db = self._connect("rwc")
            with _closed_on_error(db):
                self._migrate(db, new=_version(db) == 0 and _is_empty(db))
                # Write-ahead log: readers never wait. NORMAL: safe against a killed process and, but for the last
                # moments, a power cut.
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = NORMAL")
            return db
        db = self._connect("ro")
        with _closed_on_error(db):
            if 0 < _version(db) < SCHEMA_VERSION:
                with closing(self._connect("rw")) as writer:
                    self._migrate(writer, new=False)
            self._check(db)
        return db

    def _connect(self, mode: str) -> sqlite3.Connection:
        name = f"file:{quote(str(self.path.absolute()))}?mode={mode}"
        db = sqlite3.connect(name, uri=True, timeout=30.0, isolation_level=None)
        try:
            _version(db)
        except sqlite3.OperationalError:
            db.close()
            log = Path(f"{self.path}-wal")
            if mode != "ro" or (log.exists() and log.stat().st_size):
                raise
            # A finished store in a folder that cannot be written: there is no log to read and no room for one.
            db = sqlite3.connect(f"{name}&immutable=1", uri=True, isolation_level=None)
        return db

    def _migrate(self, db: sqlite3.Connection, *, new: bool) -> None:
        if not new:
            self._check(db)
        if _version(db) >= SCHEMA_VERSION:
            return
        db.execute("BEGIN IMMEDIATE")
        try:
            # Asked again: another process may have migrated while this one waited.
            for version in range(_version(db), SCHEMA_VERSION):
                for statement in MIGRATIONS[version]:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {version + 1}")
            db.execute("COMMIT")
        except BaseException:
            _roll_back(db)
            raise

    def _check(self, db: sqlite3.Connection) -> None:
        if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise BadInput(f"{self.path}: not an episode store")
        version = _version(db)
        if version > SCHEMA_VERSION:
            raise BadInput(
                f"{self.path}: written by a newer TurnGym (store version {version}; "
                f"this one reads up to {SCHEMA_VERSION})"
            )

    def _add(self, episode: Episode, replace: bool) -> None:
        try:
            body = encode(episode, self._put)
            row = (
                episode.id, episode.env_id, episode.task.id,
                None if episode.task.seed is None else str(episode.task.seed),
                episode.phase, episode.step, episode.group, episode.policy, episode.policy_version,
                str(episode.stop_reason), float(episode.reward), episode.success, len(episode.turns), body,
            )  # fmt: skip
            if replace:
                self._db.execute("DELETE FROM scores WHERE episode = ?", (episode.id,))
                self._db.execute("DELETE FROM episodes WHERE id = ?", (episode.id,))
            self._db.execute(
                f"INSERT INTO episodes ({_COLUMNS}, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row
            )
        except sqlite3.IntegrityError:
            raise BadInput(f"{self.path}: there is an episode {episode.id!r} already") from None
        except (ValueError, TypeError, OverflowError) as error:
            raise BadInput(f"{self.path}: episode {episode.id!r} cannot be stored: {error}") from None

    def _put(self, image: Image) -> str:
        # Most pictures repeat: look before encoding.
        name = digest(image)
        if self._db.execute("SELECT 1 FROM images WHERE hash = ?", (name,)).fetchone() is None:
            row = (name, image.shape[0], image.shape[1], to_png(image))
            self._db.execute("INSERT INTO images VALUES (?, ?, ?, ?)", row)
        return name

    def _image(self, name: str) -> Image:
        row = self._db.execute("SELECT png, height, width FROM images WHERE hash = ?", (name,)).fetchone()
        if row is None:
            raise ValueError(f"picture {name} is missing")
        return from_png(*row)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._plain_errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                _roll_back(self._db)
                raise

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.Error as error:
            raise _explain(self.path, error) from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise InfraError("disk_full", f"{self.path}: {error.strerror}") from None
            raise BadInput(f"{self.path}: {error.strerror or error}") from None


def _summary(row: tuple[Any, ...]) -> Summary:
    values = dict(zip(Summary.__slots__, row, strict=True))
    seed, reward = values["seed"], values["reward"]
    return Summary(**values | {
        "seed": None if seed is None else int(seed),
        "stop_reason": StopReason(values["stop_reason"]),
        "reward": float("nan") if reward is None else reward,  # SQLite keeps NaN as NULL.
        "success": bool(values["success"]),
    })  # fmt: skip


def _where(where: Filter) -> tuple[str, dict[str, Any]]:
    given = {key: value for key, value in where.items() if value is not None}
    conditions = [_CONDITIONS[key] for key in given]
    return ("WHERE " + " AND ".join(conditions) if conditions else ""), given


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _is_empty(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master").fetchone() is None


@contextmanager
def _closed_on_error(db: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        db.close()
        raise


def _roll_back(db: sqlite3.Connection) -> None:
    if db.in_transaction:  # A full disk may have rolled back already.
        db.execute("ROLLBACK")


def _explain(path: Path, error: sqlite3.Error) -> BadInput | InfraError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return InfraError("disk_full", f"{path}: {error}")
    if code == sqlite3.SQLITE_IOERR:
        return InfraError("disk_error", f"{path}: {error}")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return InfraError("store_busy", f"{path}: {error}")
    return BadInput(f"{path}: cannot be used as an episode store: {error}")
