"""The task pages of the installed ``miniwob`` package: their names, where they are and how large. Data."""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path

from turngym.envs.types import BadInput

INSTALL = "pip install 'turngym[browser]'"
PAGE = (160, 210)
"""Width and height of a MiniWoB++ page, pixels."""
WINDOW = (500, 320)
"""Width and height of the window that MiniWoB++ pages are made for, of which the page is the upper left corner."""
FLIGHT = "flight."
FLIGHT_PAGE = (375, 667)
"""Width and height of a FlightWoB page, pixels."""


@functools.cache
def root() -> Path | None:
    """Return the folder of HTML files inside the ``miniwob`` package, without importing it; None if not installed."""
    spec = importlib.util.find_spec("miniwob")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return Path(folders[0]) / "html" if folders else None


@functools.cache
def tasks() -> dict[str, Path]:
    """Return every task page by its name; :class:`BadInput` if ``miniwob`` is not installed."""
    folder = root()
    if folder is None:
        raise BadInput(f"the miniwob package is not installed: run `{INSTALL}`")
    pages = {path.stem: path for path in sorted((folder / "miniwob").glob("*.html"))}
    flights = {FLIGHT + path.parent.name: path for path in sorted((folder / "flight").glob("*/wrapper.html"))}
    return pages | flights


def images(task: str) -> list[str]:
    """Return the addresses of the image files that a task's page may show."""
    page = tasks()[task]
    folders = set(re.findall(r"\.\./(common/special/[\w-]+|core/jquery-ui)/", page.read_text()))
    files = [file for folder in sorted(folders) for file in sorted((page.parent.parent / folder).rglob("*"))]
    return [file.as_uri() for file in files if file.suffix in (".png", ".gif")]


def page_size(task: str) -> tuple[int, int]:
    """Return the width and height of a task's page in pixels."""
    return FLIGHT_PAGE if task.startswith(FLIGHT) else PAGE
