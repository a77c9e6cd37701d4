"""The shop's server: django-oscar on SQLite. See ``zygote.py`` for what the three functions are."""

from __future__ import annotations

import datetime
import functools
import os
import random
import secrets
import socket
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

NOW = datetime.datetime(2024, 1, 15, 9, tzinfo=datetime.UTC)
FOREVER = 10 * 365 * 86400
"""For how long browsers may keep pictures and scripts, seconds. They count from our clock, which is years behind."""

application: Callable[..., Iterable[bytes]]


def build(folder: Path) -> None:
    """Seed the database and draw the pictures."""
    import time_machine

    with time_machine.travel(NOW, tick=False):
        _configure(folder)
        from .content import products
        from .server import pictures, seed

        pictures.write(products(), folder / "media")
        seed.fill()


def load(folder: Path, state: Path) -> None:
    """Import everything and show every kind of page once, so that no copy has to compile a template."""
    import time_machine

    global application
    clock = time_machine.travel(NOW, tick=False).start()
    _configure(folder)
    import waitress.server  # noqa: F401
    from django.core.wsgi import get_wsgi_application
    from django.db import connections
    from whitenoise import WhiteNoise

    django = get_wsgi_application()
    _use(state)
    from .server import warmth

    warmth.visit_all()
    connections.close_all()

    files = WhiteNoise(None, max_age=FOREVER)
    import oscar

    files.add_files(str(Path(oscar.__file__).parent / "static"), prefix="static/")
    files.add_files(str(Path(__file__).parent / "server" / "static"), prefix="static/shop/")
    files.add_files(str(folder / "media"), prefix="media/")

    def answer_request(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            clock.shift(1)  # what is done later is later
        answer: Iterable[bytes] = django(environ, start)
        return answer

    files.application = answer_request
    application = files


def serve(state: Path, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Serve the shop whose database is in ``state``."""
    from django.utils import crypto
    from waitress.server import create_server

    # Tokens and session keys come out alike in every episode; random.seed(0) was called for this process.
    crypto.secrets = SimpleNamespace(choice=random.choice, compare_digest=secrets.compare_digest)
    _use(state)
    waiting: Any = Waiting()
    server = create_server(application, sockets=[listener], _dispatcher=waiting, clear_untrusted_proxy_headers=True)
    ready()
    while True:
        server.asyncore.loop(timeout=60, map=server._map, count=1)
        while waiting.tasks:
            waiting.tasks.popleft().service()


class Waiting:
    """Requests that wait for an answer. There are no threads: the main one has a database connection that is warm."""

    def __init__(self) -> None:
        self.tasks: deque[Any] = deque()

    def add_task(self, task: Any) -> None:
        """Add a request."""
        self.tasks.append(task)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        """Forget what waits; return whether there was something."""
        return bool(self.tasks)


def _configure(folder: Path) -> None:
    os.environ["SHOP_FOLDER"] = str(folder)
    os.environ["DJANGO_SETTINGS_MODULE"] = "shop.server.settings"
    import babel.numbers
    import django

    # A power of ten for every price on a page takes as long as the rest of the page.
    babel.numbers.get_decimal_quantum = functools.cache(babel.numbers.get_decimal_quantum)
    django.setup()
    from oscar.apps.shipping.methods import FixedPrice, Free
    from oscar.apps.shipping.repository import Repository

    from .content import EXPRESS

    standard, express = Free(), FixedPrice(charge_excl_tax=_price(EXPRESS), charge_incl_tax=_price(EXPRESS))
    standard.code, standard.name, standard.description = "standard", "Standard delivery", "Three to five days"
    express.code, express.name, express.description = "express", "Express delivery", "The next day"
    Repository.methods = (standard, express)


def _price(cents: int) -> Any:
    from decimal import Decimal

    return Decimal(cents) / 100


def _use(state: Path) -> None:
    from django.db import connections

    connections["default"].close()
    connections.settings["default"]["NAME"] = str(state / "shop.sqlite3")
    connections["default"].settings_dict["NAME"] = str(state / "shop.sqlite3")
