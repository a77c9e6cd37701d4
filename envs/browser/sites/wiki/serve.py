"""How the fork server builds, loads and serves the wiki: MediaWiki from Debian, run by a shared pool of PHP processes.

A copy of the wiki is one SQLite file and a small web server in front of PHP. The front answers what never changes
(pictures, styles, scripts) itself, and tells PHP with each request which copy's file to open and what time it is.
"""

from __future__ import annotations

import functools
import hashlib
import json
import mimetypes
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from . import content, fastcgi

NOW = 1705309200
"""2024-01-15 09:00:00 UTC."""
ROOT = Path("/usr/share/mediawiki")
SETTINGS = Path(__file__).with_name("LocalSettings.php")
POOL = 2
"""PHP processes; the browser of one episode keeps no more than that busy."""
ASSETS = re.compile(r"/(resources|skins)/[\w./-]+\.(svg|png|gif|css|js|jpg)")
SCRIPTS = ("/load.php", "/api.php", "/rest.php")
NOT_FOUND = (404, [("Content-Type", "text/plain")], b"no such file\n")
Answer = tuple[int, list[tuple[str, str]], bytes]

_pool = ""
"""The address of the PHP processes, in the fork server and its children."""
_shared = Path()
"""A folder for styles and scripts that PHP has put together once, for all copies."""


def _php(folder: Path, *, jit: bool = True) -> list[str]:
    """PHP's settings: its compiled code is kept, in memory and, for the next start, on disk.

    With the just-in-time compiler PHP reads the code on disk, and adds nothing to it: the installation goes without.
    """
    cache = folder / "opcache"
    cache.mkdir(exist_ok=True)
    settings = {
        "opcache.enable": "1",
        "opcache.validate_timestamps": "0",
        "opcache.enable_file_override": "1",
        "opcache.memory_consumption": "96",
        "opcache.interned_strings_buffer": "16",
        "opcache.max_accelerated_files": "10000",
        "opcache.jit": "tracing" if jit else "disable",
        "opcache.jit_buffer_size": "48M" if jit else "0",
        "opcache.file_cache": str(cache),
        "opcache.lockfile_path": tempfile.gettempdir(),
        "realpath_cache_size": "4M",
        "realpath_cache_ttl": "86400",
        "memory_limit": "256M",
        "display_errors": "0",
        "log_errors": "1",
        "date.timezone": "UTC",
    }
    return [part for name, value in settings.items() for part in ("-d", f"{name}={value}")]


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "MW_CONFIG_FILE": str(SETTINGS),
        "TURNGYM_WIKI_SHARED": str(folder),
        "PHP_FCGI_MAX_REQUESTS": "0",  # never end by itself
    }


def _params(method: str, target: str, data: Path, seconds: int, address: str) -> dict[str, str]:
    """What PHP is told of a request; ``seconds`` is the wiki's time."""
    path, _, query = target.partition("?")
    script = path if path in SCRIPTS else "/index.php"
    host, _, port = address.partition(":")
    return {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_SOFTWARE": "turngym",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "REMOTE_ADDR": "127.0.0.1",
        "REQUEST_METHOD": method,
        "REQUEST_URI": target,
        "QUERY_STRING": query,
        "DOCUMENT_ROOT": str(ROOT),
        "SCRIPT_NAME": script,
        "SCRIPT_FILENAME": f"{ROOT}{script}",
        "HTTP_HOST": address,
        "UNIQUE_ID": "0",
        "TURNGYM_WIKI_DATA": str(data),
        "TURNGYM_WIKI_NOW": str(seconds),
    }


def _parse(answer: bytes) -> Answer:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, headers = 200, []
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
        elif name.lower() not in ("x-powered-by", "last-modified", "content-length", "connection"):
            headers.append((name, value.strip()))
    return status, headers, body


@functools.cache
def _file(path: str) -> Answer:
    """Return a file of MediaWiki's or of ours."""
    file = SETTINGS.with_name("islet.svg") if path == "/islet.svg" else ROOT / path[1:]
    if ".." in path or not file.is_file():
        return NOT_FOUND
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return 200, [("Content-Type", kind), ("Cache-Control", "max-age=86400")], file.read_bytes()


def _loaded(target: str, address: str, render: Callable[[], Answer]) -> Answer:
    """Return styles or scripts: they depend on the address that asks for them and on nothing else."""
    file = _shared / hashlib.sha256(f"{target} {address}".encode()).hexdigest()
    if file.is_file():
        head, _, body = file.read_bytes().partition(b"\n")
        return 200, [("Content-Type", head.decode()), ("Cache-Control", "max-age=86400")], body
    status, headers, body = render()
    kind = dict(headers).get("Content-Type", dict(headers).get("Content-type", ""))
    if status == 200 and kind:
        partial = file.with_suffix(f".{os.getpid()}")
        partial.write_bytes(kind.encode() + b"\n" + body)
        partial.replace(file)
    return status, headers, body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 600
    server: _Front

    def do_GET(self) -> None:
        """Answer a request of any kind."""
        path = self.path.partition("?")[0]
        if path == "/islet.svg" or ASSETS.fullmatch(path):
            self._send(_file(path))
        elif path == "/":
            self._send((302, [("Location", "/wiki/Main_Page")], b""))
        elif path == "/load.php" and "user=" not in self.path:
            self._send(_loaded(self.path, self.headers.get("Host", ""), self._ask_php))
        elif path == "/favicon.ico":
            self._send(_file("/islet.svg"))
        else:
            self._send(self._ask_php())

    do_POST = do_HEAD = do_GET

    def _ask_php(self) -> Answer:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        address = self.headers.get("Host", "127.0.0.1")
        params: dict[str, str] = {}
        if length:
            params |= {"CONTENT_LENGTH": str(length), "CONTENT_TYPE": self.headers.get("Content-Type", "")}
        for name, value in self.headers.items():
            # Without "modified since": two edits within one second are two edits.
            if name.lower() in ("cookie", "user-agent", "accept", "accept-language", "referer", "origin"):
                params["HTTP_" + name.upper().replace("-", "_")] = value
        with self.server.turn:
            self.server.seconds += self.command == "POST"
            params |= _params(self.command, self.path, self.server.data, self.server.seconds, address)
            try:
                return _parse(fastcgi.ask(_pool, params, body))
            except OSError:  # the process that took it died: another can be asked what changes nothing
                if self.command == "POST":
                    os._exit(1)  # nobody knows what has been saved: this copy is of no use to its episode any more
                return _parse(fastcgi.ask(_pool, params, body))

    def _send(self, answer: Answer) -> None:
        status, headers, body = answer
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Front(ThreadingHTTPServer):
    """The web server of one copy. Its clock stands still but for one second a form that is sent.

    So later edits sort after earlier ones, and what an edit makes stale is older than the edit.
    """

    daemon_threads = True

    def __init__(self, listener: socket.socket, data: Path) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.data = data
        self.seconds = NOW
        self.turn = threading.Lock()
        """Held while PHP works for this copy: two that write to one SQLite file get in each other's way."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of browsers that hang up."""


def _adopt(state: Path) -> Path:
    """Give the data's folder a name of this process's own: a late request of the process before finds nothing there."""
    (old,) = state.glob("db-*")
    return old.rename(state / f"db-{os.getpid()}-{time.time_ns()}")


def build(folder: Path) -> None:
    """Install MediaWiki's tables, write the pages of :mod:`content`, and look at each page once."""
    data = folder / "pristine" / "db-0"
    data.mkdir(parents=True)
    (folder / "l10n").mkdir()
    php = ["php", *_php(folder)]
    env = _environment(folder) | {"TURNGYM_WIKI_DATA": str(data)}
    with tempfile.TemporaryDirectory() as made:
        arguments = ["--dbtype", "sqlite", "--dbname", "wiki", "--dbpath", made, "--confpath", made]
        who = ["--scriptpath", "", "--server", "http://127.0.0.1", "--pass", content.USERS["Warden"], content.TITLE]
        fresh = {name: value for name, value in env.items() if name != "MW_CONFIG_FILE"}
        _run([*php, str(ROOT / "maintenance/install.php"), *arguments, *who, "Warden"], fresh)
        shutil.copyfile(Path(made) / "wiki.sqlite", data / "wiki.sqlite")
        _run([*php, str(ROOT / "maintenance/rebuildLocalisationCache.php"), "--lang", "en"], env)
        revisions = Path(made) / "revisions.json"
        revisions.write_text(json.dumps(content.seed()))
        _run([*php, str(SETTINGS.with_name("seed.php")), str(revisions)], env)
    _look_at_all(folder, data)


def _run(command: list[str], env: dict[str, str]) -> None:
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"{command[-1]}: {(done.stdout + done.stderr).strip()[-2000:]}")


def _look_at_all(folder: Path, data: Path) -> None:
    """Have PHP render and keep every page, an hour before the wiki's now: whatever happens later is newer."""
    address, keeper = fastcgi.start_pool(["php-cgi", *_php(folder, jit=False)], _environment(folder), 1)
    try:
        for title in content.titles():
            target = "/wiki/" + urllib.parse.quote(title.replace(" ", "_"), safe="/:")
            status, _, _ = _parse(fastcgi.ask(address, _params("GET", target, data, NOW - 3600, "127.0.0.1:80")))
            if status != 200:
                raise OSError(f"{target}: HTTP {status}")
    finally:
        os.kill(keeper, 9)
        os.waitpid(keeper, 0)


def load(folder: Path, state: Path) -> None:
    """Start the PHP processes and have each compile what pages need."""
    global _pool, _shared
    _shared = state.parent / "assets"
    _shared.mkdir()
    data = _adopt(state)
    _pool, _ = fastcgi.start_pool(["php-cgi", *_php(folder)], _environment(folder), POOL)
    for _ in range(2 * POOL):
        for target in ("/wiki/Main_Page", "/index.php?title=Special:Search&search=harbour", "/wiki/Special:UserLogin"):
            fastcgi.ask(_pool, _params("GET", target, data, NOW, "127.0.0.1:80"))


def serve(state: Path, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Answer on the listening socket, for ever."""
    front = _Front(listener, _adopt(state))
    ready()
    front.serve_forever(poll_interval=60.0)
