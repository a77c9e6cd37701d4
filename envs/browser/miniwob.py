"""MiniWoB++: 130 small web tasks and four FlightWoB pages, in real Chromium."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from importlib import resources
from typing import Any

import numpy as np

from turngym.envs.browser import catalogue, pool, tools
from turngym.envs.browser.oracles import ORACLES
from turngym.envs.browser.pool import Backend
from turngym.envs.browser.protocol import LOAD_SECONDS, Browser, Event, Move, Page
from turngym.envs.browser.screen import Node, Screen
from turngym.envs.browser.sight import Sight
from turngym.envs.browser.view import View, image_size_of
from turngym.envs.core import Outcome, TurnEnv, refuse_split
from turngym.envs.scenario import nearest
from turngym.envs.spaces import ToolCallSpace, observation_space
from turngym.envs.types import BadInput, Element, Image, InfraError, Split, StopReason, Task, ToolCall

SCRIPT = "".join(
    resources.files("turngym.envs.browser").joinpath("scripts", name).read_text()
    for name in ("page.js", "mute.js", "elements.js", "miniwob.js")
)
STEP_MS = 100
"""Time that passes in the page with every accepted call, milliseconds."""
HELD_MS = 20
"""How much of it passes after each move of a drag: some pages look at the pointer by the clock."""
READY_MS = 10
"""The same while a page that loads parts of itself gets ready."""
LOOKS_MS = 5000
"""Longest wait for its fonts and images, real milliseconds."""
READY_SECONDS = 20.0
"""Longest wait for such a page."""
RELOAD_EVERY = 500
"""Episodes after which a page is loaded anew, so that nothing can pile up in it."""
ATTEMPTS = 2
"""Times a reset tries: a browser that died between episodes is replaced without a word."""


def task_names() -> list[str]:
    """List the task pages of the installed ``miniwob`` package by name."""
    return list(catalogue.tasks())


def solved_tasks() -> list[str]:
    """List the tasks that have an oracle."""
    return list(ORACLES)


def missing() -> str | None:
    """Return the command that makes the environment ready here, or None if it is."""
    return catalogue.INSTALL if catalogue.root() is None else pool.missing()


class MiniWoBEnv(TurnEnv):
    """MiniWoB++: small web tasks in real Chromium, seen as pixels, acted on with mouse and keyboard.

    ## Description
    The 130 task pages of the ``miniwob`` package and its four FlightWoB pages, each under its own name
    (``click-color``, ``email-inbox``, ``flight.AA``, ...). The page is loaded from the installed package; nothing
    comes from the network. Time in the page stands still but for 100 ms with every accepted call, so an episode is a
    function of its seed and its calls, on any machine, however slow.

    ## Action Space
    ``click(x, y)``, ``double_click(x, y)``, ``drag(x, y, to_x, to_y)``, ``type(text)``, ``press(key)``,
    ``scroll(x, y, dx, dy)`` and ``wait()``. Positions are pixels of the newest image; one outside the page is
    refused. ``type`` takes any Unicode text: what is on a US keyboard is typed key by key, a newline is Enter, a tab
    is Tab, all else is inserted. ``press`` takes the keys that its schema lists. Tools that take a position need a
    picture: with ``html``, ``axtree`` or ``dom`` alone there are none of them.

    With every observation but ``screenshot`` there are also tools that take an element's number:
    ``click_element(element)``, ``double_click_element``, ``right_click_element``, ``hover_element``,
    ``fill_element(element, text, enter=False)``, which replaces what a field holds, and
    ``select_option(element, option)`` by an option's label. The element is scrolled into view; one that is gone,
    hidden or covered is refused.

    ## Observation Space
    ``text`` is the page's instruction, followed by what ``observation`` asks for: one of these kinds, or a list of
    them. All number the same elements alike, in document order, and the numbers hold until the next observation.

    - ``screenshot`` (the default): the picture alone.
    - ``elements``: the picture, and a list of what can be used or read on it, in reading order.
    - ``marks``: the picture with a numbered box around all that can be used, and the list of these.
    - ``html``: simplified HTML in the form of WebRL and WebAgent-R1: what says nothing is left out, what can be
      clicked has its number as its id.
    - ``axtree``: the accessibility tree, one ``[number] role 'name', properties`` a line, indented.
    - ``dom``: the visible elements with their attributes, one a line, indented.

    A text is cut after 40,000 characters, and says so. ``images`` holds a picture each for the screenshot and the
    marks, or none, 160 x 210 pixels (FlightWoB 375 x 667) or ``image_size``, into which the page is scaled down in
    proportion, white where it does not reach. ``env.unwrapped.timings`` holds how long each kind took the last time,
    in seconds, and ``page`` acting, page time and drawing together, for they are one exchange.

    ## Starting State
    The page's random numbers are seeded from ``np_random``: with even numbers on the training split, odd ones on the
    test split. Pages that make a difference between the two themselves are told which it is. Five tasks look alike
    at the start whatever the seed.

    ## Rewards
    The page's own reward, without decay over time, when it ends the episode: mostly 1 or -1, on some pages a part
    for a part of the task. ``info["signals"]`` holds ``success`` (1 if that reward is above 0) and ``raw_reward``.

    ## Episode End
    The page decides: ``success`` or ``failure``. The episode is truncated after the task's limit of turns (10 to 110).
    The pages' own time limits are off. ``hover-shape`` never ends by itself, and so never pays.

    ## Arguments
    ``task`` (default: drawn from the seed, FlightWoB apart), ``level`` (0: there is one level), ``split``,
    ``max_turns``, ``image_size=(width, height)``, ``observation`` (one kind or a list of kinds), and
    ``backend``: ``"devtools"`` (headless shell, frames on demand; the default where there is one), ``"playwright"``
    (any Chromium) or ``"fake"`` (no browser: a stand-in for tests). All environments of a process share a browser.
    ``TURNGYM_CHROMIUM`` names another browser, ``TURNGYM_BROWSER_TIMEOUT`` the longest wait for its answer, seconds.
    ``TURNGYM_PLAYWRIGHT`` has Playwright drive ``headed`` Chromium, ``firefox``, ``webkit`` or a browser at an address.

    ## References
    Shi et al., World of Bits, ICML 2017. Liu et al., Reinforcement Learning on Web Interfaces using Workflow-Guided
    Exploration, ICLR 2018. The ``miniwob`` package of the Farama Foundation. Yang et al., Set-of-Mark Prompting, 2023.
    Qi et al., WebRL, 2024. Wei et al., WebAgent-R1, 2025.
    """

    def __init__(
        self,
        *,
        task: str | None = None,
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
            raise BadInput(f"level must be 0, got {level}: MiniWoB pages have one level each")
        refuse_split(split)
        pool.refuse_backend(backend)
        if task is not None:
            _check_name(task)
        self.seed_visible = task is None or catalogue.seed_is_visible(task)  # type: ignore[misc]
        self._name, self._split = task, split
        self._backend = backend
        native = catalogue.page_size(task or "")
        self._image_size = image_size_of(image_size, native)
        self._sight = Sight(observation, View(native, self._image_size))
        self.timings = self._sight.timings
        """Seconds that each kind of observation took the last time."""
        self.action_space = ToolCallSpace(tools.tools_for(self._sight.kinds, *self._image_size))
        self.observation_space = observation_space(*self._image_size)  # type: ignore[assignment]
        self._browser: Browser | None = None
        self._page: Page | None = None
        self._loaded: str | None = None
        self._episodes = 0
        self._hosts: list[str] | None = None
        self._frame: Image | None = None
        self._seen: Screen | None = None

    # What TurnEnv asks for ------------------------------------------------------------------------------------

    def find_task(self, wanted: str | None, rng: np.random.Generator) -> Task:
        """Return the task of that name, of the constructor, or drawn from ``rng``."""
        name = wanted if wanted is not None else self._name
        if name is None:
            # Drawn from a child generator, so that a start depends on the seed alone, however its task was chosen.
            names = [name for name in task_names() if not name.startswith(catalogue.FLIGHT)]
            name = names[int(rng.spawn(1)[0].integers(len(names)))]
        _check_name(name)
        return Task(id=name, split=self._split, max_turns=catalogue.max_turns(name), floor=catalogue.floor(name))

    def start(self, task: Task, rng: np.random.Generator) -> str:
        """Bring the page to the start of ``task``."""
        _check_name(task.id)
        seed = 2 * int(rng.integers(2**31)) + (task.split == "test")
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._start(task.id, seed, task.split)
            except InfraError:
                self._drop()
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def look(self) -> tuple[Image, ...]:
        """Read the page; return it as it was drawn last, without and with marks, where pictures were asked for."""
        return self._sight.look(self._page, self._frame)

    def describe(self) -> str:
        """Return what the kinds of observation say of the page."""
        return self._sight.tell()

    def act(self, call: ToolCall) -> Outcome:
        """Use mouse or keyboard."""
        events = tools.events(call, self._sight.view.to_page, self._open_page())
        held = sum(isinstance(event, Move) and event.held for event in events)
        state = self._interact(events, f"turngym.step({STEP_MS - held * HELD_MS})")
        success = bool(state["done"]) and state["reward"] > 0
        stop = (StopReason.SUCCESS if success else StopReason.FAILURE) if state["done"] else None
        signals = {"success": float(success), "raw_reward": float(state["reward"])}
        return Outcome(reward=float(state["reward"]) if stop else 0.0, signals=signals, stop=stop)

    def elements(self) -> tuple[Element, ...]:
        """List what can be used or read in the task area, in reading order."""
        width, height = self._sight.view.to_image(1.0, 1.0)
        return tuple(
            Element(
                node.role,
                node.label,
                *self._sight.view.to_image(node.x, node.y),
                node.width * width,
                node.height * height,
            )
            for node in self._screen().nodes
        )

    def solution(self) -> list[ToolCall]:
        """Return the oracle's calls from the page as it is; without pictures its clicks go by number."""
        oracle = ORACLES.get(self.task.id)
        if oracle is None:
            raise NotImplementedError(f"there is no oracle for {self.task.id}")
        convert = self._to_image if self._sight.draws else self._to_element
        return [convert(call) for call in oracle.plan(self._screen())]

    def picture(self) -> Image | None:
        """Return a picture of the page, drawn now."""
        return None if self._page is None else self._sight.view.show(self._page.draw())

    def close(self) -> None:
        """Close the page; the browser goes with its last page."""
        self._drop()

    # Inside ---------------------------------------------------------------------------------------------------

    def _start(self, name: str, seed: int, split: Split) -> str:
        self._load(name)
        # The pointer goes back to the corner, or the start would show where the last episode left it.
        arguments = json.dumps([seed, split, *self._sight.view.page, tools.MOST_ELEMENTS])[1:-1]
        state = self._interact((Move(0, 0),), f"turngym.start({arguments})")
        instruction = str(state["instruction"])
        deadline = time.monotonic() + READY_SECONDS
        while not state["ready"]:
            if time.monotonic() > deadline:
                raise InfraError("page_error", f"{name} was not ready within {READY_SECONDS:g} s")
            state = self._interact((), f"turngym.step({READY_MS})")
        return instruction

    def _load(self, name: str) -> None:
        """Have the page of that task open, in a browser that is alive."""
        if self._browser is None or not self._browser.alive:
            self._drop()
            self._browser = pool.shared_browser(self._backend or pool.default_backend())
        if self._page is not None and self._sight.view.page != catalogue.page_size(name):
            self._page.close()
            self._page = None
        if self._page is None:
            self._sight.view = View(catalogue.page_size(name), self._image_size)
            window, self._hosts = catalogue.window_size(name), catalogue.hosts(name)
            self._page = self._browser.new_page(self._sight.view.page, SCRIPT, window, self._hosts)
            self._loaded = None
        self._episodes += 1
        if self._loaded != name or catalogue.keeps_state(name) or self._episodes % RELOAD_EVERY == 0:
            self._page.goto(catalogue.address(name))
            self._page.evaluate(f"turngymPage.preload({json.dumps(catalogue.images(name))})")
            self._loaded = name

    def _interact(self, events: Sequence[Event], js: str) -> Any:
        self._seen = None
        try:
            page = self._open_page()
            with self._sight.timed("page"):
                events = _pass_time_while_held(page, events)
                if self._hosts is None:
                    state, self._frame = page.interact(events, js, draw=self._sight.draws)
                else:  # it loads parts of itself, and has links
                    page.perform(events)
                    page.settle(LOAD_SECONDS)
                    said = page.evaluate(js)
                    page.settle(LOAD_SECONDS)
                    page.evaluate(f"turngymPage.looks({LOOKS_MS})")
                    now, self._frame = page.interact((), "turngym.step(0)", draw=self._sight.draws)
                    state = {**said, **now}
        except InfraError:
            self._drop()
            raise
        return state

    def _open_page(self) -> Page:
        if self._page is None:
            raise InfraError("browser_died", "there is no page: reset first")
        return self._page

    def _screen(self) -> Screen:
        """Return what is on the page, with what the task's oracle asks for beside it; read once until it changes."""
        if self._seen is None:
            oracle = ORACLES.get(self.task.id)
            seen = self._open_page().evaluate(f"turngym.look({oracle.probe if oracle else 'null'})")
            self._seen = Screen(self.task.instruction, tuple(map(Node.read, seen["elements"])), seen["probe"])
        return self._seen

    def _to_image(self, call: ToolCall) -> ToolCall:
        arguments = dict(call["arguments"])
        for x, y in (("x", "y"), ("to_x", "to_y")):
            if x in arguments:
                point = self._sight.view.to_image(arguments[x], arguments[y])
                arguments |= {x: math.floor(point[0]), y: math.floor(point[1])}
        return {"name": call["name"], "arguments": arguments}

    def _to_element(self, call: ToolCall) -> ToolCall:
        arguments = call["arguments"]
        if "x" not in arguments:
            return call
        at = [node for node in self._screen().nodes if (node.x, node.y) == (arguments["x"], arguments["y"])]
        if call["name"] != "click" or not at or at[0].number is None:
            raise NotImplementedError(f"the oracle for {self.task.id} needs a picture to {call['name']} on")
        return {"name": "click_element", "arguments": {"element": at[0].number}}

    def _drop(self) -> None:
        page, browser = self._page, self._browser
        self._page = self._browser = self._loaded = None
        if page is not None:
            page.close()
        if browser is not None:
            pool.release(browser)


def _pass_time_while_held(page: Page, events: Sequence[Event]) -> Sequence[Event]:
    """Let happen what there is up to the last move of a drag, with time after each move; return the rest."""
    rest: list[Event] = []
    for event in events:
        rest.append(event)
        if isinstance(event, Move) and event.held:
            page.perform(rest)
            page.evaluate(f"turngym.step({HELD_MS})")
            rest = []
    return rest


def _check_name(task: str) -> None:
    if task not in task_names():
        raise BadInput(f"unknown MiniWoB task {task!r}{nearest(str(task), task_names())}")
