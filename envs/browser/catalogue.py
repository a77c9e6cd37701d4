"""The task pages of the installed ``miniwob`` package: their names, where they are and how large. Data."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

from turngym.envs.browser.protocol import Size
from turngym.envs.browser.server import serve
from turngym.envs.types import BadInput

INSTALL = "pip install 'turngym[browser]'"
PAGE = (160, 210)
"""Width and height of a MiniWoB++ page, pixels."""
WINDOW = (500, 320)
"""Width and height of the window that MiniWoB++ pages are made for, of which the page is the upper left corner."""
FLIGHT = "flight."
FLIGHT_PAGE = (375, 667)
"""Width and height of a FlightWoB page, pixels."""
FLIGHT_WINDOW = (600, 800)


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


def _address(file: Path, task: str) -> str:
    # FlightWoB loads parts of itself, which browsers do not do from files.
    folder = root()
    if folder is None or not task.startswith(FLIGHT):
        return file.as_uri()
    return f"{serve(str(folder))}/{file.relative_to(folder).as_posix()}"


def address(task: str) -> str:
    """Return the address of a task's page: a file, or for FlightWoB a place on a local server."""
    return _address(tasks()[task], task)


def hosts(task: str) -> list[str] | None:
    """Return the only host that a task's page may reach; None for pages that are whole."""
    return [urlsplit(address(task)).netloc] if task.startswith(FLIGHT) else None


def images(task: str) -> list[str]:
    """Return the addresses of the image files that a task's page may show."""
    page = tasks()[task]
    if task.startswith(FLIGHT):
        folders = [page.parent]
    else:
        names = re.findall(r"\.\./(common/special/[\w-]+|core/jquery-ui)/", page.read_text())
        folders = [page.parent.parent / name for name in sorted(set(names))]
    files = [file for folder in folders for file in sorted(folder.rglob("*"))]
    return [_address(file, task) for file in files if file.suffix in (".png", ".gif", ".jpg", ".svg")]


def page_size(task: str) -> Size:
    """Return the width and height of a task's page in pixels."""
    return FLIGHT_PAGE if task.startswith(FLIGHT) else PAGE


def window_size(task: str) -> Size:
    """Return the width and height of the window that a task's page is made for, in pixels."""
    return FLIGHT_WINDOW if task.startswith(FLIGHT) else WINDOW


def keeps_state(task: str) -> bool:
    """Whether a task's page remembers something from one episode to the next and must be loaded again."""
    return task.startswith(_KEEPERS) or task == "form-sequence"  # and not its relations


def seed_is_visible(task: str) -> bool:
    """Whether a task's seed can be told from its first picture and its wording."""
    return task not in _ALIKE


def max_turns(task: str) -> int:
    """Return the most turns an episode of a task takes, unless the user says otherwise."""
    return _TURNS.get(task, 60 if task.startswith(FLIGHT) else 10)


def floor(task: str) -> float:
    """Return the mean reward that doing nothing and random play stay under."""
    return _floors().get(task, 0.5)


@functools.cache
def _floors() -> dict[str, float]:
    text = resources.files("turngym.envs.browser").joinpath("floors.json").read_text()
    floors: dict[str, float] = json.loads(text)["floor"]
    return floors


# Measured: an episode with and without random play before it in the same page; pixels and rewards compared.
_KEEPERS = (
    "book-flight", "chase-circle", "choose-date", "drag-cube", "flight.", "hot-cold", "hover-shape", "moving-items",
    "simon-says", "stock-market", "use-colorwheel", "use-slider",
)  # fmt: skip
_ALIKE = frozenset({"find-greatest", "guess-number", "hot-cold", "moving-items", "simon-says"})
_TURNS = {
    task: turns
    for turns, names in {
        20: """
            buy-ticket choose-list click-checkboxes-large click-checkboxes-soft click-collapsible-2
            click-collapsible-2-nodelay click-menu click-menu-2 click-pie click-pie-nodelay click-scroll-list
            click-shades click-tab-2 click-tab-2-easy click-tab-2-hard click-tab-2-medium copy-paste copy-paste-2
            drag-shapes drag-shapes-2 enter-date enter-time find-greatest form-sequence form-sequence-2
            form-sequence-3 generate-number login-user-popup phone-book read-table-2 scroll-text
            sign-agreement text-editor tic-tac-toe use-autocomplete use-autocomplete-nodelay use-slider use-spinner
        """,
        30: """
            choose-date choose-date-easy choose-date-medium choose-date-nodelay daily-calendar drag-cube drag-items
            drag-items-grid drag-sort-numbers email-inbox email-inbox-delete email-inbox-forward
            email-inbox-forward-nl email-inbox-forward-nl-turk email-inbox-important email-inbox-nl-turk
            email-inbox-noscroll email-inbox-reply email-inbox-star-reply guess-number hot-cold multi-layouts
            multi-orderings navigate-tree number-checkboxes odd-or-even order-food search-engine simon-says
            social-media social-media-all social-media-some terminal use-colorwheel use-colorwheel-2 use-slider-2
        """,
        60: "book-flight book-flight-nodelay button-delay stock-market",
        110: "chase-circle moving-items",
    }.items()
    for task in names.split()
}
