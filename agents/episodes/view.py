"""View: a run as one self-contained file, or as a local page that shows every episode."""

from __future__ import annotations

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlencode, urlsplit

from turngym.agents.episodes.markup import Html, join, tag
from turngym.agents.episodes.report import choose, filters, metrics, overview, page, recipe, strips
from turngym.agents.episodes.rundata import read_run
from turngym.agents.episodes.store import EpisodeStore, Filter
from turngym.agents.episodes.strips import strip
from turngym.envs.types import BadInput, InfraError

PER_PAGE = 24
MAX_TURNS, MAX_SIDE = 12, 800
"""Of an exported episode and of its pictures, in pixels: what keeps the file small."""


def export(run_dir: str | Path, file: str | Path) -> Path:
    """Write the report of a run (its folder, or its ``episodes.db``) as one file that needs nothing else.

    Raises :class:`BadInput` where there is no run, or the file cannot be written.
    """
    with EpisodeStore(run_dir) as store:
        run = read_run(store.path.parent, store)
        body = join(overview(run, store), strips(store, choose(store), MAX_TURNS, MAX_SIDE), metrics(run), recipe(run))
    path = Path(file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(page(run, body).encode("utf-8", "replace"))
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def serve(run_dir: str | Path, port: int = 0) -> tuple[str, ThreadingHTTPServer]:
    """Listen on this machine only and return the address and the server; ``serve_forever`` is the caller's.

    Port 0 takes a free one. The run may still be written to: each request reads it anew. Raises :class:`BadInput`
    where there is no run, or the port is taken.
    """
    EpisodeStore(run_dir).close()
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), _handler(lambda query: _listing(run_dir, query)))
    except OSError as error:
        raise BadInput(f"port {port}: {error.strerror or error}") from None
    return f"http://127.0.0.1:{server.server_port}/", server


def _listing(run_dir: str | Path, query: dict[str, str]) -> str:
    """Return one page of all episodes that a query asks for."""
    with EpisodeStore(run_dir) as store:
        run = read_run(store.path.parent, store)
        where: Filter = {
            "phase": query.get("phase") or None,
            "stop_reason": query.get("result") or None,
            "search": query.get("search") or None,
        }
        count = store.count(**where)
        pages = max(1, -(-count // PER_PAGE))
        asked = query.get("page", "1")
        number = min(pages, max(1, int(asked))) if asked.isdecimal() and len(asked) < 9 else 1
        first = number == 1 and not any(where.values())
        found = store.summaries(limit=PER_PAGE, offset=(number - 1) * PER_PAGE, **where)
        controls = filters(store.counts("phase"), store.counts("stop_reason"), query, live=True)
        body = join(
            overview(run, store) if first else tag("p", tag("a", "overview", href="/")),
            controls,
            tag("p", f"{count:,} episodes, page {number} of {pages}", class_="note"),
            tag("div", *(strip(store.get(summary.id)) for summary in found), class_="cards"),
            _links(query, number, pages),
            metrics(run) if first else None,
            recipe(run),
        )
        return page(run, body)


def _links(query: dict[str, str], number: int, pages: int) -> Html:
    kept = {key: value for key, value in query.items() if key in ("phase", "result", "search")}
    links = []
    for label, target in (("first", 1), ("previous", number - 1), ("next", number + 1), ("last", pages)):
        if 1 <= target <= pages and target != number:
            links.append(tag("a", label, href="/?" + urlencode({**kept, "page": target}, errors="replace")))
    return tag("nav", *links, class_="pages")


def _handler(answer: Callable[[dict[str, str]], str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers GET / and nothing else."""

        def do_GET(self) -> None:
            port = cast(ThreadingHTTPServer, self.server).server_port
            # A page elsewhere can point its own host name here; only our own names are answered.
            if self.headers.get("Host") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
                return self._send(403, "text/plain", "not this host")
            address = urlsplit(self.path)
            if address.path != "/":
                return self._send(404, "text/plain", "no such page")
            query = {key: values[-1] for key, values in parse_qs(address.query).items()}
            try:
                return self._send(200, "text/html", answer(query))
            except (BadInput, InfraError) as error:
                return self._send(500, "text/plain", str(error))

        def _send(self, status: int, kind: str, text: str) -> None:
            content = text.encode("utf-8", "replace")
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the terminal is the command's."""

    return Handler
