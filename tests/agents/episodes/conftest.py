"""Episodes to store, show and replay: random ones with awkward values, and real ones of a tiny environment."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest

from turngym.envs.core import Outcome, Refused, TurnEnv
from turngym.envs.spaces import Tool, ToolCallSpace, observation_space
from turngym.envs.types import (
    Element,
    Episode,
    Image,
    InfraError,
    Observation,
    StopReason,
    Task,
    Tokens,
    ToolCall,
    Turn,
)

WORDS = ("", " ", "naïve 図 🙂", "\x00\r\n\t", "half \ud800 pair", "'; DROP TABLE episodes; --", "</script>", "\\u0000")
NUMBERS = (0.0, -0.0, 1.0, 1 / 3, -1e-308, 5e-324, 1.7976931348623157e308, float("-inf"))
SHAPES = ((1, 1), (7, 5), (0, 4), (3, 0), (112, 84))


def random_episode(seed: int) -> Episode:
    """Draw an episode in which every field takes awkward values sooner or later."""
    rng = np.random.default_rng(seed)

    def pick(values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    def name() -> str:
        return "".join(pick(string.printable) for _ in range(int(rng.integers(1, 9)))) + str(seed)

    def number() -> float:
        return float(pick([*NUMBERS, rng.normal()]))

    def integers() -> tuple[int, ...]:
        return tuple(int(n) for n in rng.integers(0, 2**40, size=int(rng.integers(0, 4))))

    def thing(depth: int = 2) -> Any:
        kinds = [None, True, pick(WORDS), number(), int(rng.integers(-(2**60), 2**60)), 2**70]
        return pick([*kinds, [thing(depth - 1)], {pick(WORDS): thing(depth - 1)}]) if depth else pick(kinds)

    def seen() -> Observation:
        shapes = [pick(SHAPES) for _ in range(int(rng.integers(0, 3)))]
        return {"text": pick(WORDS), "images": tuple(rng.integers(0, 256, (*s, 3), np.uint8) for s in shapes)}

    def turn() -> Turn:
        tokens = Tokens(integers(), integers(), integers(), (number(), number()), bool(rng.integers(2)))
        elements = tuple(Element(pick(WORDS), pick(WORDS), number(), number(), number(), number()) for _ in range(2))
        call: ToolCall = {"name": pick(WORDS), "arguments": {pick(WORDS): thing()}}
        return Turn(seen(), pick(WORDS), call, pick([0.0, 1.0, 1 / 3]), {pick(WORDS): number()}, pick([None, "no"]),
                    number(), number(), pick([None, tokens]), pick([(), elements]))  # fmt: skip

    task = Task(name(), pick([None, 0, 7, 2**80]), pick(WORDS), {pick(WORDS): thing()},
                int(rng.integers(4)), pick(["train", "test"]), int(rng.integers(1, 30)), pick([None, 2.5]), pick(WORDS),
                number())  # fmt: skip
    return Episode(f"e{seed}", name(), {"image_size": [84, 112], "x": thing()}, task,
                   tuple(turn() for _ in range(int(rng.integers(0, 4)))), pick([None, seen()]), bool(rng.integers(2)),
                   bool(rng.integers(2)), pick(list(StopReason)),
                   pick([None, {"kind": "died", "message": pick(WORDS)}]),
                   pick(WORDS[:3]), int(rng.integers(99)), pick(["", "train"]), int(rng.integers(99)), pick(WORDS[:3]),
                   {pick(WORDS): thing()})  # fmt: skip


def plain_episode(id: str = "e", **fields: Any) -> Episode:
    """A one-turn episode of white pictures; ``fields`` replace its own."""
    white = np.full((6, 4, 3), 255, np.uint8)
    seen: Observation = {"text": "Press it.", "images": (white,)}
    call: ToolCall = {"name": "click", "arguments": {"x": 1, "y": 2}}
    success = fields.pop("success", True)
    turn = Turn(seen, "<think>there</think> click", call, float(success), {"success": float(success)})
    stop = StopReason.SUCCESS if success else StopReason.FAILURE
    base = {
        "id": id, "env_id": "test/Lights-v0", "env_kwargs": {}, "task": Task("lights", 3, "Press it."),
        "turns": (turn,), "final": seen, "terminated": True, "truncated": False, "stop_reason": stop,
    }  # fmt: skip
    return Episode(**base | fields)


class LightsEnv(TurnEnv):
    """Put all lights on: ``press(index)`` toggles one. Seeded starts; trouble can be planted from outside."""

    looks: ClassVar[int] = 0
    made: ClassVar[int] = 0
    perturb_look: ClassVar[int | None] = None
    """Flip one pixel of the picture of this look."""
    break_at_step: ClassVar[int | None] = None

    def __init__(self, lights: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        LightsEnv.made += 1
        self.lights = lights
        press = Tool("press", "Toggle a light.", {"index": {"type": "integer", "minimum": 0, "maximum": 99}})
        self.action_space = ToolCallSpace([press])
        self.observation_space = observation_space(8 * lights, 8)

    def find_task(self, wanted: str | None, rng: np.random.Generator) -> Task:
        return Task(wanted or "all-on", max_turns=6)

    def start(self, task: Task, rng: np.random.Generator) -> str:
        self.steps = 0
        self.on = rng.integers(0, 2, self.lights).astype(bool)
        self.on[:2] = False  # At least two presses from the goal.
        return "Put all lights on."

    def look(self) -> tuple[Image, ...]:
        image = np.zeros((8, 8 * self.lights, 3), np.uint8)
        for index in np.flatnonzero(self.on):
            image[:, 8 * index : 8 * index + 8] = (255, 200, 0)
        if LightsEnv.looks == LightsEnv.perturb_look:
            image[5, 9] ^= 1
        LightsEnv.looks += 1
        return (image,)

    def act(self, call: ToolCall) -> Outcome:
        if self.steps == LightsEnv.break_at_step:
            raise InfraError("lamp_broke", "no light")
        self.steps += 1
        index = call["arguments"]["index"]
        if index >= self.lights:
            raise Refused(f"there is no light {index}")
        self.on[index] = not self.on[index]
        done = bool(self.on.all())
        return Outcome(float(done), {"success": float(done)}, StopReason.SUCCESS if done else None)

    def solution(self) -> list[ToolCall]:
        return [press(int(index)) for index in np.flatnonzero(~self.on)]


def press(index: int) -> ToolCall:
    return {"name": "press", "arguments": {"index": index}}


def play_lights(id: str, seed: int, calls: list[ToolCall] | None = None, **kwargs: Any) -> Episode:
    """Play ``calls`` (default: the oracle's) and record them."""
    env = gym.make("test/Lights-v0", disable_env_checker=True, **kwargs)
    seen, info = env.reset(seed=seed, options={"task": "all-on"})
    turns, terminated, truncated = [], False, False
    for call in env.unwrapped.solution() if calls is None else calls:
        before = seen
        seen, reward, terminated, truncated, info = env.step(call)
        turns.append(Turn(before, "", call, reward, info["signals"], info["error"]))
        if terminated or truncated:
            break
    task = env.unwrapped.task
    env.close()
    stop = StopReason(info["stop_reason"] or "policy_stop")
    broke = info["infra_error"]
    return Episode(id, "test/Lights-v0", kwargs, task, tuple(turns), None if broke else seen,
                   terminated or stop is StopReason.POLICY_STOP, truncated, stop, broke)  # fmt: skip


@pytest.fixture
def lights() -> Iterator[type[LightsEnv]]:
    """The environment class, registered, without trouble; ``lights.looks`` counts from 0."""
    gym.register("test/Lights-v0", entry_point=LightsEnv)
    LightsEnv.looks = LightsEnv.made = 0
    LightsEnv.perturb_look = LightsEnv.break_at_step = None
    yield LightsEnv
    del gym.registry["test/Lights-v0"]


@pytest.fixture
def play(lights: type[LightsEnv]) -> Callable[..., Episode]:
    """``play(id, seed, calls=None, **kwargs)`` records an episode of the lights."""
    return play_lights


@pytest.fixture
def make() -> Callable[..., Episode]:
    """``make(id, **fields)`` builds an episode of one turn."""
    return plain_episode


@pytest.fixture
def draw() -> Callable[[int], Episode]:
    """``draw(seed)`` builds an awkward episode."""
    return random_episode
