"""One private running copy of a site, for one environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from turngym.envs.browser.sites import forkserver
from turngym.envs.browser.sites.install import folder_of
from turngym.envs.browser.sites.registry import Site
from turngym.envs.browser.sites.registry import site as find
from turngym.envs.types import BadInput, InfraError


class Instance:
    """A private running copy of an installed site: its state is nobody else's, its address is its own for life.

    ``host`` is the interface it listens on, ``port`` 0 takes a free one. ``folder`` and ``in_place`` are for the
    installation, which runs the pristine state itself. Errors: :class:`BadInput` for a site that is unknown or not
    installed; :class:`InfraError` of kind ``site_down`` for a copy that cannot be served.
    """

    def __init__(
        self,
        site: Site | str,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        folder: Path | None = None,
        in_place: bool = False,
    ) -> None:
        self.site = find(site)
        self._folder = folder or folder_of(self.site)
        self._host, self._port, self._in_place = host, port, in_place
        self._server: forkserver.ForkServer | None = None
        self._copy = 0
        self._closed = False
        self.pid = 0
        """The process that serves it now."""
        try:
            self.restore()
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> str:
        """Where it is, without a slash at the end."""
        return f"http://{self._host}:{self._port}"

    @property
    def alive(self) -> bool:
        """Whether it is being served. If not, :meth:`restore` serves it again."""
        if self._server is None or not self._server.alive:
            return False
        try:
            return bool(self._server.ask("alive", self._copy)["alive"])
        except InfraError:
            return False

    def restore(self) -> None:
        """Put the pristine state back and serve it by a new process. Returns when it can answer."""
        if self._closed:
            raise InfraError("site_down", f"{self.site.name}: this copy was closed")
        if self._server is None or not self._server.alive:
            self._let_go()
            self._server = forkserver.borrow(self.site.folder, self._folder)
            self._copy = self._server.new_copy()
            where: dict[str, Any] = {"host": self._host, "port": self._port, "in_place": self._in_place}
            try:
                self._port = self._server.ask("open", self._copy, **where)["port"]
            except InfraError:
                self._let_go()
                self._port = 0  # somebody else has it by now
                raise
        self.pid = self._server.ask("restore", self._copy)["pid"]

    def cookies(self, user: str) -> list[dict[str, Any]]:
        """Return the cookies, in Playwright's form, of a user who is logged in, in the pristine state."""
        if user not in self.site.users:
            raise BadInput(f"site {self.site.name}: no user {user!r}; there are {', '.join(self.site.users)}")
        cookies: list[dict[str, Any]] = json.loads((self._folder / "states" / f"{user}.json").read_text())["cookies"]
        return cookies

    def close(self) -> None:
        """End the process and remove its state."""
        self._closed = True
        if self._server is not None and self._server.alive:
            try:
                self._server.ask("close", self._copy)
            except InfraError:
                pass
        self._let_go()

    def _let_go(self) -> None:
        if self._server is not None:
            forkserver.release(self._server)
            self._server = None
