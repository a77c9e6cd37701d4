"""WebArena-format tasks on real web applications, in real Chromium."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import SplitResult, urlsplit

import numpy as np

from turngym.envs.browser import elements as page_elements
from turngym.envs.browser import pool, site_tasks, tools
from turngym.envs.browser.pool import Backend
from turngym.envs.browser.protocol import Browser, Context, Cookie, host_of
from turngym.envs.browser.sight import Sight
from turngym.envs.browser.site_oracle import Script
from turngym.envs.browser.site_tasks import SiteTask, TaskFile
from turngym.envs.browser.sites import SITES, Instance
from turngym.envs.browser.tabs import MOST_ELEMENTS, MOST_TABS, SCRIPT, Tabs, script_from
from turngym.envs.browser.view import View, image_size_of
from turngym.envs.browser.webarena import (
    HELPERS,
    ChatJudge,
    Judge,
    PageViewer,
    evaluate,
    fill,
    http_status,
    start_urls,
)
from turngym.envs.core import Outcome, Refused, TurnEnv, refuse_split
from turngym.envs.spaces import ToolCallSpace, observation_space
from turngym.envs.types import BadInput, Element, Image, InfraError, Split, StopReason, Task, ToolCall

VIEWPORT = (1280, 720)
"""Width and height of a page as it is shown, pixels."""
FRESH_EVERY = 200
"""Episodes after which the browser's contexts are made anew, so that nothing can pile up in them."""
ATTEMPTS = 2
"""Times a reset tries: a browser or a site that died between episodes is replaced without a word."""


class WebSiteEnv(TurnEnv):
    """Tasks on whole web sites, in the format of WebArena, in real Chromium.

    ## Description
    Tasks are looked up, searched for, filled in and edited on real web applications that run on this machine: ``shop``
    (django-oscar), ``wiki`` (MediaWiki) and ``tracker`` (Trac), installed by ``turngym sites install``. Every
    environment has running copies of its own; a reset puts their pristine databases back. Or on sites of yours, with
    WebArena's task files unchanged: ``task_file="test.json", addresses={"__SHOPPING__": "http://localhost:7770"}``.
    These sites are shared by all who use them, and nothing puts them back: what one episode writes the next one finds.
    Pages reach the task's sites and nothing else. Time stands still on our sites, and in the page but for a second
    with every call that acts on it; on yours a page's time begins with the reset's. Of a storage state the cookies are
    taken, not what pages stored themselves.

    ## Action Space
    ``click(x, y)``, ``double_click(x, y)``, ``drag(x, y, to_x, to_y)``, ``type(text)``, ``press(key)``,
    ``scroll(x, y, dx, dy)`` and ``wait()``, with positions in pixels of the newest image, where there are images.
    Where the observation numbers elements: ``click_element``, ``double_click_element``, ``right_click_element``,
    ``hover_element`` (``element``), ``fill_element(element, text, enter)`` and ``select_option(element, option)``.
    Always ``scroll_page(direction)``, ``goto(url)``, ``back()``, ``forward()``, ``new_tab()``, ``switch_tab(tab)``,
    ``close_tab(tab)``, and ``answer(text)``, which ends the episode.

    ## Observation Space
    ``text`` is the instruction, the address of the page (and of the other tabs), what was asked for of the page, and
    what the last call led to that is not on it: a dialog's words, a download, an address that is not allowed.
    ``observation`` is one or several of ``"screenshot"``, ``"elements"``, ``"html"`` (simplified HTML with numbered
    elements, as WebRL and WebAgent-R1 have it), ``"axtree"``, ``"dom"`` and ``"marks"`` (the screenshot with numbered
    boxes). ``images`` are of 1280 x 720 pixels or ``image_size``; there are none without a kind that shows one. The
    sites' own copies have addresses such as ``http://shop``.

    ## Starting State
    The pristine databases, the task's user logged in, and the task's start pages open, one a tab. Tasks of our own are
    drawn from the seed: their rows are disjoint between the training and the test split.

    ## Rewards
    After ``answer``, the product of the task's evaluators, as WebArena computes them: 0 or 1. ``info["signals"]`` holds
    ``success``, ``score`` and every part by name. Fuzzy matches are decided by a rule; ``judge="URL MODEL"`` has a
    language model behind a chat API decide.

    ## Episode End
    ``answer``: ``success`` if the score is 1, else ``failure``. The episode is truncated after ``max_turns`` (30), and
    then scores 0.

    ## Arguments
    ``task`` (``shop.price``, ... or a ``task_id`` of ``task_file``; default: drawn from the seed), ``task_file`` (one,
    or ``{"train": ..., "test": ...}``; in one, a task that has a ``split`` is of that alone, the others of both),
    ``addresses`` (of your own sites, by placeholder), ``judge``, ``level`` (0), ``split``, ``max_turns``,
    ``image_size=(width, height)``, ``observation`` and ``backend`` (``"devtools"`` or ``"playwright"``).

    ## References
    Zhou et al., WebArena, ICLR 2024. Liu et al., VisualAgentBench (WebArena-Lite), 2024. Wei et al., WebAgent-R1, 2025.
    """

    def __init__(
        self,
        *,
        task: str | None = None,
        task_file: TaskFile | None = None,
        addresses: Mapping[str, str] | None = None,
        judge: str | None = None,
        level: int = 0,
        split: Split = "train",
        max_turns: int | None = None,
        image_size: Sequence[int] | None = None,
        observation: str | Sequence[str] = "screenshot",
        backend: Backend | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(max_turns=max_turns, render_mode=render_mode)
        if level != 0:
            raise BadInput(f"level must be 0, got {level}: web sites have one level each")
        refuse_split(split)
        pool.refuse_backend(backend)
        self._catalogue = site_tasks.Catalogue(task_file)
        if task is not None:
            self._catalogue.check(task)
        self._name, self._split, self._backend = task, split, backend
        self._given = check_addresses(addresses)
        self._judge = judge_of(judge)
        size = image_size_of(image_size, VIEWPORT)
        self._sight = Sight(observation, View(VIEWPORT, size))
        pointing = tools.tools_for(self._sight.kinds, *size, MOST_ELEMENTS)
        self.action_space = ToolCallSpace([*pointing, *tools.site_tools()])
        self.observation_space = observation_space(*size)  # type: ignore[assignment]
        self.timings = self._sight.timings
        """Seconds that each kind of observation took the last time, and the page before them."""
        self._sites: dict[str, Instance] = {}
        self._browser: Browser | None = None
        self._contexts: dict[tuple[str, ...], Context] = {}
        self._episodes = 0
        self._tabs: Tabs | None = None
        self._current: _Current | None = None
        self._picture: tuple[Image, ...] = ()
        self._told = ""

    # What TurnEnv asks for ------------------------------------------------------------------------------------

    def find_task(self, wanted: str | None, rng: np.random.Generator) -> Task:
        """Return the task of that name, of the constructor, or drawn from ``rng``."""
        name = wanted if wanted is not None else self._name
        if name is None:
            names = self._catalogue.names(self.asked_split or self._split)
            name = names[int(rng.spawn(1)[0].integers(len(names)))]
        self._catalogue.check(name)
        return Task(id=name, split=self._split, max_turns=site_tasks.MAX_TURNS)

    def start(self, task: Task, rng: np.random.Generator) -> str:
        """Bring sites and browser to the start of ``task``."""
        found = self._catalogue.make(task.id, rng, task.split)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._start(found)
                return found.web.intent
            except InfraError:
                self._drop()
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def look(self) -> tuple[Image, ...]:
        """Return what was seen after the last call."""
        return self._picture

    def describe(self) -> str:
        """Return where the agent is and what the kinds of observation say of the page."""
        return self._told

    def act(self, call: ToolCall) -> Outcome:
        """Carry out a call, or end with an answer."""
        tabs, current = self._open()
        try:
            if call["name"] == "answer":
                return self._end(str(call["arguments"]["text"]))
            with self._sight.timed("page"):
                self._do(call, tabs, current)
            self._refuse_dead(current)
            result = current.public(tabs.told())
            self._see()
        except InfraError:
            self._drop()
            raise
        if current.script is not None:
            current.script.did(call)
        return Outcome(result=result)

    def elements(self) -> tuple[Element, ...]:
        """List what can be used or read where the page shows, in reading order."""
        tabs, _ = self._open()
        at = self._sight.view.to_image
        return tuple(
            Element(mark.role, mark.name, *at(*mark.point), *at(*mark.box[2:]))
            for mark in page_elements.marks(page_elements.ask(tabs.page, "list")["elements"])
        )

    def solution(self) -> list[ToolCall]:
        """Return the oracle's next calls from the page as it is."""
        tabs, current = self._open()
        if current.script is None:
            raise NotImplementedError(f"there is no oracle for {self.task.id}")
        return current.script.calls(tabs.page, self._sight.numbers, self._sight.view.to_image)

    def picture(self) -> Image | None:
        """Return a picture of the page in front, drawn now."""
        return None if self._tabs is None else self._sight.view.show(self._tabs.draw())

    def close(self) -> None:
        """Close the page and end this environment's copies of the sites; the browser goes with its last page."""
        self._drop()
        for site in self._sites.values():
            site.close()
        self._sites.clear()

    # Inside ---------------------------------------------------------------------------------------------------

    def _start(self, found: SiteTask) -> None:
        self._tabs = None
        self._clear()  # before the sites are, so that no page is left to ask them for anything
        addresses = dict(self._given)
        for name in found.sites:
            if SITES[name].placeholder not in addresses:
                addresses[SITES[name].placeholder] = self._pristine(name).address
        cookies = list(found.cookies)
        for site, user in found.users:
            if site not in self._sites:
                raise BadInput(f"{found.where}: {site} is at an address of yours, where {user} has no login")
            cookies += cast(list[Cookie], self._sites[site].cookies(user))
        hosts = tuple(host_of(address) for address in addresses.values())
        self._tabs = Tabs(self._context(hosts), VIEWPORT, cookies)
        urls = self._checked(found, addresses, hosts)
        script = Script(found.oracle, urls[0]) if found.oracle else None
        self._current = _Current(found, addresses, script)
        for number, url in enumerate(urls):
            if number:
                self._tabs.open()
            self._tabs.goto(url)
            told, status = self._tabs.told(), http_status(self._tabs.page)
            if "Error:" in told or "still loading" in told or status >= 500:
                raise InfraError("site_down", f"the start page {url} is not there: {told or f'HTTP {status}'}")
        self._tabs.switch(0)
        self._see()

    def _checked(self, found: SiteTask, addresses: Mapping[str, str], hosts: Sequence[str]) -> tuple[str, ...]:
        """Return the start pages; :class:`BadInput` for a task that could not be begun or judged here."""
        where = found.where
        if found.web.require_reset and self._given:
            raise BadInput(f"{where}: require_reset: expected false, nothing resets sites at addresses of yours")
        if found.web.geolocation is not None:
            raise BadInput(f"{where}: geolocation: expected null, pages here are nowhere")
        urls = start_urls(found.web, addresses, where)
        if len(urls) > MOST_TABS:
            raise BadInput(f"{where}: start_url: there are {len(urls)} pages, and at most {MOST_TABS} tabs")
        if outside := [url for url in urls if host_of(url) not in hosts]:
            raise BadInput(f"{where}: start_url: {outside[0]} is at none of the addresses: {', '.join(hosts)}")
        fill(found.web.eval.reference_url, addresses, f"{where}: eval.reference_url")
        for program in found.web.eval.program_html:
            if isinstance(program.url, str):
                fill(program.url, addresses, f"{where}: eval.program_html.url")
        return urls

    def _clear(self) -> None:
        """Leave nothing of the last episode in the browser; a cache only of sites that are known to declare it well."""
        self._episodes += 1
        if self._given or self._episodes % FRESH_EVERY == 0:
            for context in self._contexts.values():
                context.close()
            self._contexts.clear()
        for context in self._contexts.values():
            context.reset()

    def _context(self, hosts: tuple[str, ...]) -> Context:
        """Return a context without pages, in a browser that is alive: one for each set of hosts, with its cache."""
        if self._browser is None or not self._browser.alive:
            self._drop()
            self._browser = pool.shared_browser(self._backend or pool.default_backend())
        if hosts not in self._contexts:
            # Sites that are not ours have the real time, by which they make cookies that are to last.
            script = script_from(time.time()) if self._given else SCRIPT
            self._contexts[hosts] = self._browser.new_context(VIEWPORT, script, hosts=hosts)
        return self._contexts[hosts]

    def _pristine(self, name: str) -> Instance:
        """Return this environment's copy of a site in its pristine state."""
        if name in self._sites:
            self._sites[name].restore()
        else:
            self._sites[name] = Instance(SITES[name])
        return self._sites[name]

    def _do(self, call: ToolCall, tabs: Tabs, current: _Current) -> None:
        arguments = call["arguments"]
        match call["name"]:
            case "goto":
                tabs.goto(current.real(arguments["url"]))
            case "back":
                tabs.go(-1)
            case "forward":
                tabs.go(1)
            case "scroll_page":
                tabs.scroll(arguments["direction"])
            case "new_tab":
                tabs.open()
            case "switch_tab":
                tabs.switch(int(arguments["tab"]))
            case "close_tab":
                tabs.close_tab(int(arguments["tab"]))
            case _:
                tabs.do(tools.events(call, self._sight.view.to_page, tabs.page))

    def _see(self) -> None:
        """Look at the page in front, once after every call."""
        tabs, current = self._open()
        frame: Image | None = None
        if self._sight.draws:
            with self._sight.timed("screenshot"):
                frame = tabs.draw()
        self._picture = self._sight.look(tabs.page, frame)
        several = len(tabs.urls) > 1
        where = [
            f"Page: {url}" + f" (tab {number})" * several if number == tabs.now else f"Tab {number}: {url}"
            for number, url in enumerate(tabs.urls)
        ]
        self._told = current.public("\n".join([*where, self._sight.tell()]).rstrip("\n"))

    def _refuse_dead(self, current: _Current) -> None:
        """Raise :class:`InfraError` if a copy of a site has ended: what it should have answered is nobody's failure."""
        for name in current.found.sites:
            if name in self._sites and not self._sites[name].alive:
                raise InfraError("site_down", f"{name}: its process ended")

    def _end(self, text: str) -> Outcome:
        tabs, current = self._open()
        self._refuse_dead(current)
        verdict = evaluate(
            current.found.web, current.private(text), PageViewer(tabs.page), self._judge, current.addresses, HELPERS
        )
        success = verdict.score >= 1.0
        parts = {part.name: float(part.value) for part in verdict.parts}
        signals = {"success": float(success), "score": float(verdict.score), **parts}
        return Outcome(verdict.score, signals, StopReason.SUCCESS if success else StopReason.FAILURE)

    def _open(self) -> tuple[Tabs, _Current]:
        if self._tabs is None or self._current is None:
            raise InfraError("browser_died", "there is no page: reset first")
        return self._tabs, self._current

    def _drop(self) -> None:
        browser, self._browser, self._tabs = self._browser, None, None
        for context in self._contexts.values():
            context.close()
        self._contexts.clear()
        if browser is not None:
            pool.release(browser)


@dataclass(frozen=True, slots=True)
class _Current:
    """The episode's task, and the names of its addresses."""

    found: SiteTask
    addresses: Mapping[str, str]
    script: Script | None

    def public(self, text: str) -> str:
        """Write the addresses of our own copies as they are told, which is the same in every run."""
        for name in self.found.sites:
            text = text.replace(self.addresses[SITES[name].placeholder], f"http://{name}")
        return text

    def private(self, text: str) -> str:
        """Write the addresses that are told as those of our own copies: the other way round than :meth:`public`."""
        for name in self.found.sites:
            text = text.replace(f"http://{name}/", self.addresses[SITES[name].placeholder] + "/")
        return text

    def real(self, url: str) -> str:
        """Return the address that is meant; raise :class:`Refused` for what is none or is outside the task's sites."""
        for placeholder, address in self.addresses.items():
            url = url.replace(placeholder, address) if url.startswith(placeholder) else url
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
        except ValueError:
            raise Refused(f"{url!r} is no address") from None
        if parts.scheme not in ("http", "https"):
            raise Refused(f"{url!r} is no address of a web page")
        if parts.netloc in self.found.sites:
            host = urlsplit(self.addresses[SITES[parts.netloc].placeholder]).netloc
            parts = parts._replace(netloc=host)
        elif host_of(parts.geturl()) not in {host_of(address) for address in self.addresses.values()}:
            raise Refused(f"{url} is outside the allowed sites: {self.allowed}")
        return parts.geturl()

    @property
    def allowed(self) -> str:
        """The sites that the agent can go to."""
        return ", ".join(sorted({self.public(address) for address in self.addresses.values()}))


def check_addresses(addresses: object) -> dict[str, str]:
    """Return addresses by placeholder; :class:`BadInput` for what is neither."""
    if addresses is None:
        return {}
    if not isinstance(addresses, Mapping):
        raise BadInput(f"addresses must map placeholders to addresses, got {addresses!r}")
    for placeholder, address in addresses.items():
        if _parts(address).scheme not in ("http", "https") or not host_of(str(address)):
            raise BadInput(
                f"addresses: {placeholder}: expected an address such as http://localhost:7770, got {address!r}"
            )
    return {str(placeholder): str(address).rstrip("/") for placeholder, address in addresses.items()}


def _parts(address: object) -> SplitResult:
    try:
        parts = urlsplit(address if isinstance(address, str) else "")
        host_of(parts.geturl())
        return parts
    except ValueError:  # half an address, or a port that is none
        return urlsplit("")


def judge_of(text: str | None) -> Judge | None:
    """Return the judge that ``"URL MODEL"`` names; None for the rule."""
    if text is None:
        return None
    url, _, model = str(text).partition(" ")
    if not model or _parts(url).scheme not in ("http", "https"):
        raise BadInput(f"judge must be 'URL MODEL', such as 'http://localhost:8000/v1 my-model', got {text!r}")
    return ChatJudge(url, model)


def task_names(task_file: TaskFile | None = None, split: Split | None = None) -> list[str]:
    """List the tasks of a file, or of the sites that ship with TurnGym; of both splits where none is named."""
    return site_tasks.Catalogue(task_file).names(split)


def solved_tasks(task_file: TaskFile | None = None, split: Split | None = None) -> list[str]:
    """List those that have an oracle."""
    return site_tasks.Catalogue(task_file).solved(split)


def missing() -> str | None:
    """Return the command that makes the environment ready here, or None if it is."""
    from turngym.envs.browser import sites

    return pool.missing() or sites.missing()
