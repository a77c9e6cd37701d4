"""Private copies of a site: nobody sees another's state, restoring is complete, nothing outlives its owner."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from turngym.envs.browser.sites import Instance, forkserver
from turngym.envs.types import BadInput, InfraError

from .conftest import NOTES

PATIENCE = 60.0
"""Longest wait for processes to end, seconds."""

OWNER = """
import os, sys
from pathlib import Path
from turngym.envs.browser.sites import Instance, Login, Site
notes = Site("notes", "Notes", "__NOTES__", "/", {"ann": "right", "bea": "right"}, Login("/login", "user", "word"),
             within=Path(sys.argv[1]))
one, two = Instance(notes), Instance(notes)
if sys.argv[2] == "fork" and os.fork() == 0:
    assert not one.alive
    sys.stdin.read()
    os._exit(0)
print(one.address, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def scratch(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where private states go."""
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def pair(scratch: Path) -> Iterator[tuple[Instance, Instance]]:
    one, two = Instance(NOTES), Instance(NOTES)
    yield one, two
    one.close()
    two.close()


def read(address: str, user: str = "") -> str:
    cookies = {"Cookie": f"notes={user}"} if user else {}
    with urllib.request.urlopen(urllib.request.Request(address, headers=cookies), timeout=PATIENCE) as answer:
        return str(answer.read().decode())


def write(address: str, text: str) -> None:
    data = urllib.parse.urlencode({"text": text}).encode()
    urllib.request.urlopen(address + "/add", data, timeout=PATIENCE).close()


def ended(pid: int) -> bool:
    """Wait until a process has ended (a zombie has)."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def below(pid: int) -> set[int]:
    """All descendants of a process."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def test_no_copy_sees_what_another_is_told(pair: tuple[Instance, Instance]) -> None:
    one, two = pair
    assert one.address != two.address
    write(one.address, "mine")
    assert (read(one.address), read(two.address)) == ("hello stranger: seed mine", "hello stranger: seed")


def test_restoring_puts_the_pristine_state_back_and_keeps_address_and_logins(pair: tuple[Instance, Instance]) -> None:
    one, two = pair
    address, before = one.address, one.pid
    write(one.address, "mine")
    write(two.address, "yours")
    one.restore()
    assert one.address == address
    assert ended(before)
    assert read(one.address) == "hello stranger: seed"
    assert read(two.address) == "hello stranger: seed yours"
    cookie = one.cookies("ann")[0]
    assert (cookie["name"], cookie["domain"], cookie["expires"], cookie["httpOnly"]) == ("notes", "127.0.0.1", -1, True)
    assert read(one.address, cookie["value"]) == "hello ann: seed"


def test_a_request_to_the_process_before_does_not_reach_the_next_one(pair: tuple[Instance, Instance]) -> None:
    import socket

    one, _ = pair
    host, port = one.address.removeprefix("http://").split(":")
    os.kill(one.pid, signal.SIGSTOP)
    with socket.create_connection((host, int(port))) as late:
        late.sendall(b"POST /add HTTP/1.0\r\nContent-Length: 9\r\n\r\ntext=late")
        one.restore()
    assert read(one.address) == "hello stranger: seed"


def test_a_user_who_is_not_there_is_bad_input(pair: tuple[Instance, Instance]) -> None:
    with pytest.raises(BadInput, match="site notes: no user 'eve'; there are ann, bea"):
        pair[0].cookies("eve")


def test_a_dead_process_is_noticed_and_restoring_brings_it_back(pair: tuple[Instance, Instance]) -> None:
    one, two = pair
    assert one.alive
    os.kill(one.pid, signal.SIGKILL)
    assert ended(one.pid)
    assert not one.alive
    assert two.alive
    one.restore()
    assert one.alive
    assert read(one.address) == "hello stranger: seed"


def test_a_dead_fork_server_is_ours_and_restoring_starts_another(pair: tuple[Instance, Instance]) -> None:
    one, two = pair
    server = os.getpid(), one._server._process.pid
    address = one.address
    os.kill(server[1], signal.SIGKILL)
    assert ended(one.pid)
    assert ended(two.pid)
    assert not one.alive
    one.restore()
    two.restore()
    assert one.address == address
    assert (one.alive, two.alive) == (True, True)


def test_a_process_that_ends_at_once_is_told_with_its_last_words(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTES_BROKEN", "serve")
    with pytest.raises(
        InfraError, match="notes: it ended before it was ready: SystemExit: the attic is on fire"
    ) as told:
        Instance(NOTES)
    assert told.value.kind == "site_down"
    assert list(scratch.glob("turngym-site-*")) == []


def test_an_application_that_does_not_load_is_told_with_its_last_words(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTES_BROKEN", "load")
    with pytest.raises(InfraError, match="site_down: notes: its server ended: the cellar is flooded"):
        Instance(NOTES)
    assert list(scratch.glob("turngym-site-*")) == []


def test_a_fork_server_that_hangs_is_given_up(pair: tuple[Instance, Instance], monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = pair
    monkeypatch.setattr(forkserver, "TIMEOUT", 0.5)
    server = one._server._process.pid
    os.kill(server, signal.SIGSTOP)
    with pytest.raises(InfraError, match="did not answer within"):
        one.restore()
    assert ended(server)
    assert ended(two.pid)
    monkeypatch.undo()


def test_closing_leaves_neither_process_nor_folder(scratch: Path) -> None:
    one, two = Instance(NOTES), Instance(NOTES)
    pids = below(os.getpid()) & {one.pid, two.pid, one._server._process.pid}
    assert len(pids) == 3
    one.close()
    assert two.alive
    two.close()
    two.close()
    assert all(ended(pid) for pid in pids)
    assert list(scratch.glob("turngym-site-*")) == []
    with pytest.raises(InfraError, match="closed"):
        one.restore()


@pytest.mark.parametrize("how", ["alone", "fork"])
def test_a_killed_owner_leaves_neither_process_nor_folder(scratch: Path, how: str) -> None:
    command = [sys.executable, "-c", OWNER, str(NOTES.within), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        address = owner.stdout.readline().strip()
        assert read(address) == "hello stranger: seed"
        assert len(list(scratch.glob("turngym-site-*"))) == 1
        servers = {pid for pid in below(owner.pid) if b"zygote.py" in Path(f"/proc/{pid}/cmdline").read_bytes()}
        assert len(servers) == 3
        owner.kill()
        assert all(ended(pid) for pid in servers)
    assert list(scratch.glob("turngym-site-*")) == []


def test_what_a_killed_fork_server_left_is_swept_by_the_next(scratch: Path) -> None:
    one = Instance(NOTES)
    os.kill(one._server._process.pid, signal.SIGKILL)
    assert ended(one.pid)
    left = list(scratch.glob("turngym-site-*"))
    assert len(left) == 1
    one.restore()
    assert not left[0].exists()
    assert len(list(scratch.glob("turngym-site-*"))) == 1
    one.close()


def test_storage_states_are_in_playwrights_form(home: Path) -> None:
    states = sorted(home.glob("notes-*/states/*.json"))
    assert [file.stem for file in states] == ["ann", "bea"]
    assert json.loads(states[0].read_text())["origins"] == []
