"""The tabs of one agent on web sites: a browser context in which nothing happens but by the agent's actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources

from turngym.envs.browser.protocol import LOAD_SECONDS, Context, Cookie, Event, Happening, Page, Size, host_of
from turngym.envs.core import Refused
from turngym.envs.types import Image

MOST_ELEMENTS = 2000
"""Elements of a page that are numbered."""
SCRIPT = "".join(
    resources.files("turngym.envs.browser").joinpath("scripts", name).read_text()
    for name in ("network.js", "page.js", "elements.js")
)
SCRIPT += f"window.turngymElements?.configure({{most: {MOST_ELEMENTS}}});"
"""Runs in every document before its own scripts; see the three."""
STEP_MS = 1000
"""Time that passes in the page in front with every action, milliseconds."""
SLICES = 4
"""Parts of that time; between them, what scripts ask of the network is waited for."""
QUIET_MS = 5000
"""Longest wait for the network in each of them, real milliseconds."""
MOST_TABS = 8
"""Tabs that can be open."""
PASS = f"""(async () => {{
  for (let slice = 0; slice < {SLICES}; slice++) {{
    window.turngymPage?.advance({STEP_MS // SLICES});
    if (!await (window.turngymNetwork?.quiet({QUIET_MS}) ?? true)) return false;
  }}
  return await (window.turngymPage?.looks({QUIET_MS}) ?? true);
}})()"""
WORDS: Mapping[str, str] = {
    "dialog": "The page said: {}",
    "download": "Error: the page offered a file, {}; downloads are refused.",
    "denied": "Error: {} is outside the allowed sites; the page stays.",
    "slow": "The page was stopped while it was still loading: {}",
    "failed": "Error: this could not be shown: {}",
}
"""What the agent is told of what happened, by its kind."""


def script_from(now: float) -> str:
    """Return :data:`SCRIPT` for documents that believe it to be ``now``, seconds since 1970, when they load."""
    return f"window.turngymStart = {now * 1000:.0f};{SCRIPT}"


def pass_time(page: Page) -> bool:
    """Wait until a page has loaded, and let it have its time; False if the network kept it waiting too long."""
    page.settle(LOAD_SECONDS)
    came = bool(page.evaluate(PASS))
    page.settle(LOAD_SECONDS)
    return came


class Tabs:
    """The tabs of one agent, in a context without any, of which ``size`` is the viewport.

    Methods raise :class:`turngym.envs.InfraError` when the browser or a site fails, and
    :class:`~turngym.envs.core.Refused` for what cannot be done, with everything as it was.
    """

    def __init__(self, context: Context, size: Size, cookies: Sequence[Cookie] = ()) -> None:
        self._context = context
        if cookies:
            self._context.add_cookies(cookies)
        self._pages: list[Page] = [self._context.new_page()]
        self._now = 0
        self._size = size
        self._told: list[str] = []

    @property
    def page(self) -> Page:
        """The page in front."""
        return self._pages[self._now]

    @property
    def urls(self) -> tuple[str, ...]:
        """The address of each tab."""
        return tuple(page.url for page in self._pages)

    @property
    def now(self) -> int:
        """Number of the tab in front."""
        return self._now

    def do(self, events: Sequence[Event]) -> None:
        """Use mouse and keyboard, and wait until what they led to is there."""
        self.page.perform(events)
        self.settle()

    def goto(self, url: str) -> None:
        """Load an address in this tab."""
        self.page.goto(url)
        self.settle()

    def go(self, steps: int) -> None:
        """Go back (-1) or forward (1)."""
        if not self.page.go(steps):
            raise Refused("there is no page to go back to" if steps < 0 else "there is no page to go forward to")
        self.settle()

    def scroll(self, direction: str) -> None:
        """Scroll the page ``up`` or ``down`` by most of a screen."""
        sign = 1 if direction == "down" else -1
        self.page.evaluate(f"window.scrollBy(0, {sign * self._size[1] * 4 // 5})")
        self.settle()

    def open(self, url: str = "") -> None:
        """Open a tab and switch to it."""
        if len(self._pages) >= MOST_TABS:
            raise Refused(f"there are {MOST_TABS} tabs, which is the most")
        self._pages.append(self._context.new_page())
        self._now = len(self._pages) - 1
        if url:
            self.goto(url)

    def switch(self, number: int) -> None:
        """Switch to a tab."""
        self._check(number)
        self._now = number

    def close_tab(self, number: int) -> None:
        """Close a tab; the one to its left comes to the front if it was there."""
        self._check(number)
        if len(self._pages) == 1:
            raise Refused("the last tab stays open")
        self._pages.pop(number).close()
        self._now = max(0, self._now - 1) if number <= self._now else self._now

    def settle(self) -> None:
        """Wait until the page in front has loaded, and let it have its time."""
        if not pass_time(self.page):
            self._told.append(WORDS["slow"].format(self.page.url))
        for happening in self.page.happenings():
            self._tell(happening)

    def draw(self) -> Image:
        """Return a picture of the page in front."""
        return self.page.draw()

    def told(self) -> str:
        """Return, a line each, what happened since this was last asked and no picture shows."""
        lines, self._told = self._told, []
        return "\n".join(lines)

    def _check(self, number: int) -> None:
        if number >= len(self._pages):
            raise Refused(f"there is no tab {number}: there are {len(self._pages)}, counted from 0")

    def _tell(self, happening: Happening) -> None:
        if happening.kind == "popup" and not host_of(happening.text):
            self._told.append(f"The page wanted to open {happening.text}, which is no page.")
        elif happening.kind != "popup":
            self._told.append(WORDS[happening.kind].format(happening.text))
        elif len(self._pages) >= MOST_TABS:
            self._told.append(f"Error: the page wanted a tab for {happening.text}; there are {MOST_TABS} already.")
        else:
            self.open(happening.text)
