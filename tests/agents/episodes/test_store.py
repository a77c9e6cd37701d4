"""The episode store: exact, whole, content-addressed, migrated, and plain about every kind of trouble."""

from __future__ import annotations

import dataclasses
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from turngym.agents.episodes.store import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION, EpisodeStore
from turngym.envs.types import BadInput, InfraError, Reward, StopReason, Turn


def same(left: Any, right: Any) -> bool:
    """Equality of value and type, all the way down; -0.0 is not 0.0."""
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and left.shape == right.shape and bool((left == right).all())
    if dataclasses.is_dataclass(left):
        names = [field.name for field in dataclasses.fields(left)]
        return type(left) is type(right) and all(same(getattr(left, n), getattr(right, n)) for n in names)
    if isinstance(left, dict):
        return isinstance(right, dict) and list(left) == list(right) and all(same(left[k], right[k]) for k in left)
    if isinstance(left, (tuple, list)):
        return type(left) is type(right) and len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and repr(left) == repr(right)


def test_every_field_comes_back_exactly(tmp_path, draw):
    episodes = [draw(seed) for seed in range(60)]
    with EpisodeStore(tmp_path / "episodes.db", "a") as store:
        store.add(episodes)
    with EpisodeStore(tmp_path / "episodes.db") as store:
        assert len(store) == 60
        for written, read in zip(episodes, store, strict=True):
            assert same(written, read)
        assert [s.seed for s in store.summaries()] == [e.task.seed for e in episodes]


def test_numpy_numbers_come_back_as_numbers(tmp_path, make):
    [turn] = make().turns
    turn = dataclasses.replace(turn, reward=np.float32(0.5), signals={"success": np.float64(1), "n": np.int64(2)})
    with EpisodeStore(tmp_path / "e.db", "a") as store:
        store.add([make("e", turns=(turn,))])
        [read] = store.get("e").turns
    assert same((read.reward, read.signals), (0.5, {"success": 1.0, "n": 2}))


def test_episodes_are_those_that_were_there_when_asked_for(tmp_path, make):
    with EpisodeStore(tmp_path / "e.db", "a") as store:
        store.add([make("a")])
        asked = store.episodes()
        store.add([make("b")])
        assert [episode.id for episode in asked] == ["a"]


def test_an_image_is_stored_once(tmp_path, make):
    noise = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)
    with EpisodeStore(tmp_path / "e.db", "a") as store:
        store.add([make("a"), make("b")])
        assert store.image_count() == 1
        store.add([make("c", final={"text": "", "images": (noise, noise.copy())})])
        assert store.image_count() == 2
        store.add([make("d", final={"text": "", "images": (noise.reshape(4, 6, 3),)})])
        assert store.image_count() == 3
        assert same(store.get("c").final["images"], (noise, noise))


def test_a_view_of_a_larger_picture_is_stored_by_its_pixels(tmp_path, make):
    large = np.random.default_rng(0).integers(0, 256, (12, 8, 3), np.uint8)
    view = large[::2, ::2]
    with EpisodeStore(tmp_path / "e.db", "a") as store:
        store.add([make("a", final={"text": "", "images": (view, view.copy())})])
        assert store.image_count() == 2  # the other one is the white start
        assert same(store.get("a").final["images"][0], view.copy())


def test_a_batch_is_there_whole_or_not_at_all(tmp_path, make):
    with EpisodeStore(tmp_path / "e.db", "a") as store:
        store.add([make("a")])
        with pytest.raises(BadInput, match=r"e\.db: episode 'c' cannot be stored: set is not JSON"):
            store.add([make("b"), make("c", state={"x": {1, 2}})])
        with pytest.raises(BadInput, match=r"a picture is \(H, W, 3\) uint8, got \(2, 2\)"):
            store.add([make("b"), make("c", final={"text": "", "images": (np.zeros((2, 2), np.uint8),)})])
        with pytest.raises(BadInput, match="there is an episode 'a' already"):
            store.add([make("b"), make("a")])
        assert [s.id for s in store.summaries()] == ["a"]
        store.add([make("b")])
        assert [s.id for s in store.summaries()] == ["a", "b"]


def test_replace_is_for_resumed_runs(tmp_path, make):
    with EpisodeStore(tmp_path / "e.db", "a") as store:
        store.add([make("a"), make("b")])
        store.save_scores("r", {"a": (Reward("x", 1.0),), "b": (Reward("x", 2.0),)})
        store.add([make("a", step=5)], replace=True)
        assert store.get("a").step == 5
        assert set(store.scores("r")) == {"b"}


def test_filters_and_counts(tmp_path, make):
    with EpisodeStore(tmp_path / "e.db", "a") as store:
        store.add([make(f"t{n}", phase="train", step=n // 2, success=n % 2 == 0) for n in range(6)])
        store.add([make("after", phase="after", step=1)])
        assert store.count() == len(store) == 7
        assert store.count(phase="train") == 6
        assert [s.id for s in store.summaries(phase="train", step=1)] == ["t2", "t3"]
        assert [s.id for s in store.summaries(limit=2, offset=3)] == ["t3", "t4"]
        assert [e.id for e in store.episodes(stop_reason=StopReason.FAILURE)] == ["t1", "t3", "t5"]
        assert store.count(success=True, phase="train", search="t4") == 1
        assert store.count(search="%") == 0
        assert store.counts("phase") == {"train": 6, "after": 1}
        assert store.counts("stop_reason") == {"success": 4, "failure": 3}
        assert store.count(task="lights") == 7
        summary = store.summaries(phase="after")[0]
        assert (summary.reward, summary.success, summary.turns, summary.seed) == (1.0, True, 1, 3)
        with pytest.raises(BadInput, match="no episode 'nine'"):
            store.get("nine")


def test_scores_come_back(tmp_path, make):
    terms = (Reward("brevity", 0.5, 2.0, "3 of 6"), Reward("x", -1.0))
    with EpisodeStore(tmp_path / "e.db", "a") as store:
        store.add([make("a")])
        store.save_scores("mine", {"a": (Reward("old", 9.0),)})
        store.save_scores("mine", {"a": terms})
        assert store.scores("mine") == {"a": terms}
        assert store.scores("other") == {}


WRITER = """
import sys, numpy as np
from turngym.agents.episodes.store import EpisodeStore
from turngym.envs.types import *
rng = np.random.default_rng(0)
def episode(id):
    image = rng.integers(0, 256, (60, 40, 3), np.uint8)
    seen = {"text": id, "images": (image,)}
    turn = Turn(seen, "", {"name": "wait", "arguments": {}}, 0.0, {})
    return Episode(id, "x", {}, Task("t"), (turn, turn), seen, False, True, StopReason.TURN_LIMIT, group=id[:-1])
with EpisodeStore(sys.argv[1], "a") as store:
    for batch in range(10**6):
        store.add([episode(f"{batch}.{n}") for n in range(3)])
        print(batch, flush=True)
"""


def test_what_a_killed_writer_leaves_is_whole(tmp_path):
    path = tmp_path / "e.db"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    with writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) == 5:
                break
        with EpisodeStore(path) as reader:  # While it is written, from another process.
            assert len(list(reader.episodes(search="0."))) >= 3
            assert reader.count() % 3 == 0
        for line in writer.stdout:
            if int(line) == 25:
                break
        os.kill(writer.pid, signal.SIGKILL)
    for mode in ("r", "a"):
        with EpisodeStore(path, mode) as store:
            episodes = list(store)
            assert len(episodes) >= 26 * 3
            assert len(episodes) % 3 == 0
            for episode in episodes:
                assert episode.final is not None
                assert episode.final["text"] == episode.id
                assert episode.final["images"][0].shape == (60, 40, 3)


def test_readers_see_nothing_of_an_unfinished_batch_and_never_wait(tmp_path, make):
    path = tmp_path / "e.db"
    with EpisodeStore(path, "a") as store, EpisodeStore(path) as reader:
        store.add([make("a")])
        raw = sqlite3.connect(path, isolation_level=None)
        raw.execute("BEGIN IMMEDIATE")
        raw.execute("DELETE FROM episodes")
        assert reader.count() == 1
        assert reader.get("a").id == "a"
        raw.execute("ROLLBACK")
        raw.close()
        listing = reader.episodes()
        assert next(listing).id == "a"
        store.add([make("b")])
        assert [s.id for s in reader.summaries()] == ["a", "b"]


def old_file(path: Path, version: int) -> None:
    """Write a store as an earlier version did."""
    db = sqlite3.connect(path)
    for statements in MIGRATIONS[:version]:
        for statement in statements:
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {version}")
    db.commit()
    db.close()


@pytest.mark.parametrize("mode", ["r", "a"])
def test_an_older_file_is_migrated(tmp_path, make, mode):
    path = tmp_path / "e.db"
    old_file(path, 1)
    with EpisodeStore(tmp_path / "new.db", "a") as new:
        new.add([make("a")])
    db = sqlite3.connect(path)
    db.execute("ATTACH ? AS new", (str(tmp_path / "new.db"),))
    for table in ("episodes", "images"):
        db.execute(f"INSERT INTO main.{table} SELECT * FROM new.{table}")
    db.commit()
    db.close()
    with EpisodeStore(path, mode) as store:
        assert same(store.get("a"), make("a"))
        assert store.scores("default") == {}  # Version 2 brought this table.
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    db.close()


@pytest.mark.parametrize("mode", ["r", "a"])
def test_a_newer_file_is_refused_and_left_alone(tmp_path, mode):
    path = tmp_path / "e.db"
    old_file(path, SCHEMA_VERSION)
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 7}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(BadInput, match=rf"store version {SCHEMA_VERSION + 7}; this one reads up to {SCHEMA_VERSION}"):
        EpisodeStore(path, mode)
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", ["r", "a"])
@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be one" * 40, b"SQLite format 3\0"])
def test_a_file_that_is_no_database_is_refused(tmp_path, content, mode):
    path = tmp_path / "e.db"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"e\.db: ") as caught:
        EpisodeStore(path, mode)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


@pytest.mark.parametrize("mode", ["r", "a"])
def test_another_programs_database_is_refused(tmp_path, mode):
    path = tmp_path / "e.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE bookmarks (url TEXT)")
    db.close()
    with pytest.raises(BadInput, match=r"e\.db: not an episode store"):
        EpisodeStore(path, mode)


def test_missing_and_empty_files(tmp_path, make):
    with pytest.raises(BadInput, match=r"e\.db: no such episode store"):
        EpisodeStore(tmp_path / "e.db")
    with pytest.raises(BadInput, match=r"episodes\.db: no such episode store"):
        EpisodeStore(tmp_path)
    (tmp_path / "e.db").touch()
    with pytest.raises(BadInput, match="not an episode store"):
        EpisodeStore(tmp_path / "e.db")
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="file"):
        EpisodeStore(tmp_path / "file" / "e.db", "a")
    with EpisodeStore(tmp_path / "new" / "folder" / "episodes.db", "a") as store:
        store.add([make("a")])
    with EpisodeStore(tmp_path / "new" / "folder") as store:
        assert len(store) == 1


def test_a_file_cut_short_is_told_in_one_line(tmp_path, draw):
    path = tmp_path / "e.db"
    with EpisodeStore(path, "a") as store:
        store.add([draw(seed) for seed in range(30)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadInput, match=r"e\.db: ") as caught, EpisodeStore(path) as store:
        list(store)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE episodes SET body = substr(body, 1, 50)", ""),
        ("UPDATE episodes SET body = '[]'", ""),
        ("UPDATE episodes SET body = '{}'", "task"),
        ("""UPDATE episodes SET body = replace(body, '"success"', '"boredom"')""", ""),
        ("DELETE FROM images", "picture [0-9a-f]{32} is missing"),
        ("UPDATE images SET png = substr(png, 1, 40)", "damaged picture"),
        ("UPDATE images SET png = 'text'", ""),
        ("UPDATE images SET width = 999", r"is RGB \(4, 6\), expected RGB \(999, 6\)"),
    ],
)
def test_damage_inside_names_the_episode(tmp_path, make, statement, why):
    path = tmp_path / "e.db"
    with EpisodeStore(path, "a") as store:
        store.add([make("a")])
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()
    with EpisodeStore(path) as store, pytest.raises(BadInput, match=rf"episode .a. is damaged: .*{why}"):
        store.get("a")


def test_a_full_disk_loses_nothing_that_was_finished(tmp_path, draw, make):
    with EpisodeStore(tmp_path / "e.db", "a") as store:
        store.add([make("a")])
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(InfraError, match=r"disk_full: .*e\.db: database or disk is full") as caught:
            store.add([draw(seed) for seed in range(20)])
        assert caught.value.kind == "disk_full"
        assert [s.id for s in store.summaries()] == ["a"]
        store._db.execute("PRAGMA max_page_count = 100000")
        store.add([make("b")])
        assert len(store) == 2


def test_reading_mode_does_not_write(tmp_path, make):
    with EpisodeStore(tmp_path / "e.db", "a") as store:
        store.add([make("a")])
    with EpisodeStore(tmp_path / "e.db") as store, pytest.raises(BadInput, match="readonly database"):
        store.add([make("b")])


def test_a_new_store_says_what_it_is(tmp_path):
    EpisodeStore(tmp_path / "e.db", "a").close()
    db = sqlite3.connect(tmp_path / "e.db")
    assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()


def test_nothing_of_the_nouns_is_forgotten(draw):
    # The random episodes must reach every field with something other than its default.
    turns = [turn for seed in range(60) for turn in draw(seed).turns]
    for field in dataclasses.fields(Turn):
        assert len({repr(getattr(turn, field.name)) for turn in turns}) > 1, field.name
