"""The sites that there are. Data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from turngym.envs.browser.sites.shop.content import USERS
from turngym.envs.types import BadInput

NOW = 1705309200
"""The time on every site: 2024-01-15 09:00:00 UTC, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Login:
    """How a site is logged in to over HTTP."""

    path: str
    """The page with the form, or, where the fields have no names, the page that asks for HTTP basic credentials."""
    user: str = ""
    """Name of the form's field for the user."""
    password: str = ""
    """Name of the form's field for the password."""


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A web application that TurnGym can install and run."""

    name: str
    """Also the name of the folder with its scripts."""
    title: str
    placeholder: str
    """Stands for the address in task files, without a slash at the end."""
    start: str
    """Path of the first page."""
    users: Mapping[str, str]
    """Password by user name; the names are what the login form takes."""
    login: Login
    debian: tuple[str, ...] = ()
    """Debian packages that it needs."""
    within: Path = Path(__file__).parent
    """The folder that holds the one with its scripts."""

    @property
    def folder(self) -> Path:
        """Its scripts."""
        return self.within / self.name

    @property
    def requirements(self) -> tuple[str, ...]:
        """Its Python packages, pinned; none if it has no ``requirements.txt``."""
        file = self.folder / "requirements.txt"
        lines = file.read_text().split("\n") if file.is_file() else []
        return tuple(line for line in lines if line and not line.startswith("#"))


def _by_name(*sites: Site) -> Mapping[str, Site]:
    return MappingProxyType({site.name: site for site in sites})


SITES = _by_name(
    Site(
        name="shop",
        title="Harbour & Pine, an online shop (django-oscar)",
        placeholder="__SHOP__",
        start="/catalogue/",
        users=USERS,
        login=Login("/accounts/login/", "login-username", "login-password"),
    ),
    Site(
        name="wiki",
        title="Veyle Wiki, an encyclopedia (MediaWiki)",
        placeholder="__WIKI__",
        start="/wiki/Main_Page",
        users={"MarenHolt": "tide-table-4", "TobiasFinch": "stone-wall-9", "Warden": "lamp-keeper-2"},
        login=Login("/wiki/Special:UserLogin", "wpName", "wpPassword"),
        debian=("mediawiki", "php-cli", "php-cgi", "php-sqlite3", "php-mbstring", "php-xml", "php-intl"),
    ),
    Site(
        name="tracker",
        title="Driftline, a project's tickets and pages (Trac)",
        placeholder="__TRACKER__",
        start="/wiki",
        users={"wren": "anchor-light-1", "bruno": "chart-table-2", "celia": "tide-gauge-3", "dmitri": "paper-log-4"},
        login=Login("/login", "user", "password"),
    ),
)
"""Every site by its name."""


def site(name: str | Site) -> Site:
    """Return the site of this name, or the very site that is given; :class:`BadInput` if there is none."""
    if isinstance(name, Site):
        return name
    if name not in SITES:
        raise BadInput(f"unknown site {name!r}: there are {', '.join(SITES)}")
    return SITES[name]
