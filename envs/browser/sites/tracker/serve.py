"""How the fork server builds, loads and serves the tracker: Trac, in the forked process itself."""

from __future__ import annotations

import functools
import mimetypes
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timezone, tzinfo
from pathlib import Path
from typing import Any

import trac
import trac.util
import waitress
from trac.util import datefmt

from . import content

NOW = 1705309200
"""2024-01-15 09:00:00 UTC."""
ENV = "env"
"""Trac's folder within a state; relative, so that what is loaded once serves any state: the process goes there."""
HTDOCS = Path(trac.__file__).parent / "htdocs"
THREADS = 4
CONFIG = {
    "trac": {
        "database": "sqlite:db/trac.db",
        "default_charset": "utf-8",
        "default_date_format": "iso8601",
        "default_dateinfo_format": "absolute",
        "default_timezone": "UTC",
        "default_language": "en",
        "permission_policies": "DefaultWikiPolicy, DefaultTicketPolicy, DefaultPermissionPolicy",
        "secure_cookies": "disabled",
        "debug_sql": "disabled",
    },
    "components": {
        "tracker.plugin.*": "enabled",
        "trac.web.auth.loginmodule": "disabled",
        "trac.notification.*": "disabled",
        "trac.versioncontrol.*": "disabled",
    },
    "header_logo": {"src": "site/logo.svg", "alt": "Driftline", "width": "230", "height": "64", "link": "/wiki"},
    "project": {
        "name": content.TITLE,
        "descr": "Passage planning for small boats",
        "footer": "",
        "icon": "site/logo.svg",
    },
    "metanav": {"help": "disabled", "about": "disabled", "order": "login, logout, prefs"},
    "ticket": {
        "default_component": content.rows.COMPONENTS[0].name,
        "default_type": "defect",
        "default_priority": "major",
        "default_version": "1.1",
        "default_milestone": "1.2",
        "restrict_owner": "disabled",
        "preserve_newlines": "enabled",
    },
    "query": {
        "items_per_page": "50",
        "default_query": "status=!closed",
        "default_anonymous_query": "status=!closed",
    },
    "logging": {"log_type": "none"},
}


class Clock:
    """The tracker's time: it stands still but for one second a form that is sent, so that later changes sort later."""

    def __init__(self) -> None:
        self.seconds = NOW
        self._lock = threading.Lock()

    def tick(self) -> None:
        """Let a second pass."""
        with self._lock:
            self.seconds += 1

    def time(self) -> float:
        """Seconds since 1970."""
        return float(self.seconds)

    def now(self, zone: tzinfo | None = None) -> datetime:
        """The same as a date, in a time zone (default: the machine's, which is UTC)."""
        return datetime.fromtimestamp(self.seconds, zone)

    def rule(self) -> None:
        """Be the time of every module of Trac that is imported from now on."""
        datefmt.time_now = trac.util.time_now = self.time
        datefmt.datetime_now = self.now


clock = Clock()
clock.rule()

from trac.env import Environment, open_environment  # noqa: E402  (these take the time along when they are imported)
from trac.perm import PermissionSystem  # noqa: E402
from trac.ticket import model  # noqa: E402
from trac.web.main import dispatch_request  # noqa: E402
from trac.wiki.model import WikiPage  # noqa: E402

from . import plugin  # noqa: E402, F401  (Trac finds components that are imported)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)  # noqa: UP017  (Trac compares with this object)


def build(folder: Path) -> None:
    """Make Trac's folder and write what :mod:`content` says into it."""
    os.chdir(folder / "pristine")
    clock.seconds = content.BEGAN
    options = [(section, name, value) for section, values in CONFIG.items() for name, value in values.items()]
    env = Environment(str(Path(ENV).absolute()), create=True, options=options)
    _plan(env)
    for ticket in content.tickets():
        _write_ticket(env, ticket)
    for name, text in content.pages().items():
        page = WikiPage(env, name)
        page.text = text
        page.save(content.ADMINISTRATOR, "", _moment(content.BEGAN))
    with env.db_transaction as db:  # the users, known by name before they first log in
        for user in content.USERS:
            db("INSERT INTO session VALUES (%s, 1, %s)", (user, content.BEGAN))
            db("INSERT INTO session_attribute VALUES (%s, 1, 'name', %s)", (user, user.capitalize()))
    env.shutdown()
    for left in ("conf/trac.ini.sample", "log", "README"):
        path = Path(ENV) / left
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _plan(env: Any) -> None:
    """Milestones, components, versions and rights in the place of Trac's examples."""
    for kind in (model.Component, model.Version, model.Milestone):
        for it in list(kind.select(env)):
            it.delete()
    for component in content.rows.COMPONENTS:
        made = model.Component(env)
        made.name, made.owner, made.description = component.name, component.owner, component.about
        made.insert()
    for name, since in content.rows.VERSIONS:
        made = model.Version(env)
        made.name, made.time = name, _moment(content.day(since))
        made.insert()
    for milestone in content.rows.MILESTONES:
        made = model.Milestone(env)
        made.name, made.due, made.description = milestone.name, _moment(content.day(milestone.due)), milestone.about
        made.completed = _moment(content.day(milestone.done)) if milestone.done else None
        made.insert()
    permissions = PermissionSystem(env)
    env.db_transaction("DELETE FROM permission")
    for who, rights in content.RIGHTS.items():
        for right in rights:
            permissions.grant_permission(who, right)
    for developer in content.DEVELOPERS:
        permissions.grant_permission(developer, "developers")


def _write_ticket(env: Any, it: content.Ticket) -> None:
    ticket = model.Ticket(env)
    first = dict(it.fields, status="new", resolution="")
    for name, value in first.items():
        ticket[name] = value
    ticket["reporter"], ticket["description"] = it.reporter, it.text
    number = ticket.insert(_moment(it.time))
    if number != it.id:
        raise OSError(f"ticket {it.id} became {number}")
    for change in it.changes:
        for name, value in change.fields.items():
            ticket[name] = value
        ticket.save_changes(change.author, change.comment, _moment(change.time))


@functools.cache
def _file(path: str) -> tuple[str, bytes] | None:
    """Return the kind and bytes of a file that never changes; None if there is none."""
    if path == "/chrome/site/logo.svg":
        file = Path(__file__).with_name("logo.svg")
    elif path.startswith("/chrome/common/") and ".." not in path:
        file = HTDOCS / path.removeprefix("/chrome/common/")
    else:
        return None
    if not file.is_file():
        return None
    return mimetypes.guess_type(path)[0] or "application/octet-stream", file.read_bytes()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer one request: files at once, pages by Trac."""
    path = environ["PATH_INFO"]
    if path == "/favicon.ico":
        path = "/chrome/site/logo.svg"
    found = _file(path)
    if found:
        headers = [
            ("Content-Type", found[0]),
            ("Content-Length", str(len(found[1]))),
            ("Cache-Control", "max-age=86400"),
        ]
        start_response("200 OK", headers)
        return [found[1]]
    if environ["REQUEST_METHOD"] == "POST":
        clock.tick()
    # Two edits within one second are two edits: no page is "not modified".
    for name in ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_NONE_MATCH"):
        environ.pop(name, None)
    environ["trac.env_path"] = ENV
    answer: Iterable[bytes] = dispatch_request(environ, start_response)
    return answer


def _go(state: Path) -> None:
    """Make a state the one that is served. Trac reads its settings anew when their file's time is another."""
    os.chdir(state)
    os.utime(f"{ENV}/conf/trac.ini", (NOW, NOW))


def load(folder: Path, state: Path) -> None:
    """Open Trac and have it render the pages that visitors see most, so that all is imported and compiled."""
    _go(state)
    for path in ("/wiki", "/report", "/report/1", "/query", "/ticket/1", "/newticket", "/login", "/roadmap", "/search"):
        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": None,
            "wsgi.errors": None,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.version": (1, 0),
        }
        for _ in application(environ, lambda status, headers, error=None: lambda data: None):
            pass
    open_environment(ENV, use_cache=True).shutdown()  # a child may not share a connection to the database


def serve(state: Path, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Answer on the listening socket, for ever."""
    _go(state)
    server = waitress.create_server(application, sockets=[listener], threads=THREADS, ident="")
    ready()
    server.run()
