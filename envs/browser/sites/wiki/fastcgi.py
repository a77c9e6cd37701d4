"""PHP as a FastCGI server, and the client's side of the protocol. Standard library only.

A pool of ``php-cgi`` processes is started once and shared by all copies of the wiki: PHP keeps no state between two
requests, so each request says which copy's data it is about. Compiled code stays warm across episodes.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import socket
import struct
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NoReturn

BEGIN, END, PARAMS, STDIN, STDOUT, STDERR = 1, 3, 4, 5, 6, 7
RESPONDER = 1
TIMEOUT = 60.0
"""Longest wait for PHP, seconds."""
PAUSE = 0.5
"""Wait before a PHP process that ended is replaced, seconds."""


class PhpError(OSError):
    """PHP did not answer."""


def _header(kind: int, length: int) -> bytes:
    return struct.pack("!BBHHBx", 1, kind, 1, length, 0)


def _stream(kind: int, data: bytes) -> bytes:
    parts = [data[i : i + 0xFFFF] for i in range(0, len(data), 0xFFFF)]
    return b"".join(_header(kind, len(part)) + part for part in (*parts, b""))


def _pairs(params: Mapping[str, str]) -> bytes:
    out = bytearray()
    for name, value in params.items():
        encoded = name.encode(), value.encode("utf-8", "surrogateescape")
        for text in encoded:
            out += bytes([len(text)]) if len(text) < 128 else struct.pack("!I", len(text) | 1 << 31)
        out += b"".join(encoded)
    return bytes(out)


def ask(address: str, params: Mapping[str, str], body: bytes = b"") -> bytes:
    """Send one request to the pool at ``address``; return the CGI answer: headers, an empty line, the document."""
    out = bytearray()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(TIMEOUT)
        connection.connect(address)
        begin = _header(BEGIN, 8) + struct.pack("!HB5x", RESPONDER, 0)
        connection.sendall(begin + _stream(PARAMS, _pairs(params)) + _stream(STDIN, body))
        with connection.makefile("rb") as answer:
            while header := answer.read(8):
                _, kind, _, length, padding = struct.unpack("!BBHHBx", header)
                data = answer.read(length)
                answer.read(padding)
                if kind == STDOUT:
                    out += data
                elif kind == STDERR:
                    sys.stderr.write(data.decode(errors="replace") + "\n")
                elif kind == END:
                    return bytes(out)
    raise PhpError("PHP ended in the middle of an answer")


def start_pool(command: Sequence[str], env: Mapping[str, str], size: int) -> tuple[str, int]:
    """Start a pool; return its address and the process to kill for its end. It dies with this process.

    Each PHP process is a child of a keeper, which is this process's child and replaces those that end. The kernel
    kills PHP when the keeper dies, and the keeper when this process does. (PHP's own children would outlive both.)
    """
    address = f"\0turngym-wiki-{secrets.token_hex(16)}"  # Linux: a name that no file has, gone with its socket
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen(128)
    me = os.getpid()
    keeper = os.fork()
    if keeper == 0:
        _keep(listener, command, env, size, me)
    listener.close()
    return address, keeper


def _keep(listener: socket.socket, command: Sequence[str], env: Mapping[str, str], size: int, owner: int) -> NoReturn:
    try:
        _die_with(owner)
        me = os.getpid()
        # PHP takes its listening socket as standard input; what it may print is no answer of the fork server's.
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.closerange(3, listener.fileno())
        os.closerange(listener.fileno() + 1, 1024)
        for _ in range(size):
            _start(listener, command, env, me)
        while True:
            os.wait()
            time.sleep(PAUSE)
            _start(listener, command, env, me)
    finally:
        os._exit(1)


def _start(listener: socket.socket, command: Sequence[str], env: Mapping[str, str], keeper: int) -> None:
    if os.fork() == 0:
        try:
            _die_with(keeper)
            os.dup2(listener.fileno(), 0)
            os.execvpe(command[0], list(command), dict(env))
        finally:
            os._exit(1)


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; it outlives exec
    if os.getppid() != parent:
        os._exit(1)  # it died before we asked
