"""The lanterns with one fault each, which the conformance suite must find; and sound ones that are odd in one way."""

import random
import time
from dataclasses import replace

import gymnasium as gym
import numpy as np
from lanterns import Lanterns

from turngym.envs import InfraError, Outcome, Refused, StopReason, Tool, ToolCallSpace

FAULTS = {}
"""The environments with a fault: gymnasium id -> the checks that must fail, all others passing."""


def fault(*checks, **kwargs):
    """Register a faulty environment with the checks that find it out."""

    def add(cls):
        gym.register(f"{cls.__name__}-v0", f"faulty_lanterns:{cls.__name__}", kwargs=kwargs)
        FAULTS[f"{cls.__name__}-v0"] = set(checks)
        cls.__doc__ = cls.__doc__ if "##" in (cls.__doc__ or "") else Lanterns.__doc__
        return cls

    return add


@fault("gymnasium", "seeds_differ")
class Deaf(Lanterns):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=0, options=options)


@fault("seeds_differ")
class DrawsNothing(Lanterns):
    def start(self, task, rng):
        # Brightness alone tells the splits apart here.
        return super().start(task, np.random.default_rng(5))


@fault("global_rng")
class TouchesGlobalRandom(Lanterns):
    def start(self, task, rng):
        random.random()
        return super().start(task, rng)


@fault("global_rng")
class TouchesGlobalNumpy(Lanterns):
    def act(self, call):
        np.random.random()  # noqa: NPY002 - the fault
        return super().act(call)


@fault("global_rng", "gymnasium", "same_seed", "same_seed_elsewhere", "repeatable")
class DrawsFromGlobalNumpy(Lanterns):
    def start(self, task, rng):
        return super().start(task, np.random.default_rng(np.random.randint(2**31)))  # noqa: NPY002 - the fault


@fault("same_seed_elsewhere")
class DrawsFromTheProcess(Lanterns):
    PROCESS = time.time_ns()

    def start(self, task, rng):
        instruction = super().start(task, rng)
        return f"{instruction} ({self.PROCESS})"


@fault("splits")
class OneSplit(Lanterns):
    def __init__(self, *, split="train", **kwargs):
        super().__init__(split="train", **kwargs)


@fault("repeatable", "gymnasium")
class TimesInInfo(Lanterns):
    def _info(self, **kwargs):
        return {**super()._info(**kwargs), "seconds": time.time()}


@fault("repeatable")
class LooksAtTheClock(Lanterns):
    def describe(self):
        return f"It is {time.time_ns()}." if self._turn > 1 else ""


class Meddled(Lanterns):
    """What follows changes what a step returns."""

    def step(self, action):
        return self.meddle(*super().step(action))


@fault("refused_calls")
class PaysForRefusals(Meddled):
    def meddle(self, observation, reward, terminated, truncated, info):
        return observation, 0.01 if info["error"] else reward, terminated, truncated, info


@fault("refused_calls")
class RefusesInSilence(Meddled):
    def meddle(self, observation, reward, terminated, truncated, info):
        return observation, reward, terminated, truncated, {**info, "error": None}


@fault("refused_calls")
class RefusesFinally(Meddled):
    def meddle(self, observation, reward, terminated, truncated, info):
        return observation, reward, terminated or "unknown tool" in (info["error"] or ""), truncated, info


@fault("refused_calls")
class RaisesOnBadCalls(Lanterns):
    def step(self, action):
        action["name"]
        return super().step(action)


@fault("refused_calls")
class RefusesForFree(Lanterns):
    def step(self, action):
        if isinstance(action, dict) and action.get("name") == "no_such_tool":
            self._turn -= 1
        return super().step(action)


@fault("refused_calls")
class ChangesTheWorldAnyway(Lanterns):
    def step(self, action):
        if isinstance(action, dict) and action.get("name") == "no_such_tool":
            self.light = 255 - self.light
            self._observe("")
        return super().step(action)


@fault("refused_calls")
class TakesOffence(Lanterns):
    """What follows a refused call is refused too."""

    offended = False

    def step(self, action):
        if isinstance(action, dict) and action.get("name") == "no_such_tool":
            self.offended = True
        return super().step(action)

    def start(self, task, rng):
        self.offended = False
        return super().start(task, rng)

    def act(self, call):
        if self.offended:
            raise Refused("there is no tool of that name")
        return super().act(call)


@fault("refused_calls")
class MovesTheGoal(Lanterns):
    """Only who plays well after a refused call can tell."""

    def step(self, action):
        if isinstance(action, dict) and action.get("name") == "no_such_tool":
            self.count += 1
        return super().step(action)


@fault("odd_text")
class ChokesOnText(Lanterns):
    def act(self, call):
        if call["name"] == "answer" and "\x00" in call["arguments"]["text"]:
            raise ValueError("embedded null byte")
        return super().act(call)


@fault("nothing_shared", "gymnasium")
class SharesAnArray(Lanterns):
    def _observation(self):
        return {"text": self._text, "images": self._images}


@fault("nothing_shared")
class SharesAList(Lanterns):
    HISTORY = []  # noqa: RUF012 - the fault

    def _info(self, **kwargs):
        return {**super()._info(**kwargs), "history": self.HISTORY}


@fault("oracle")
class WrongOracle(Lanterns):
    def solution(self):
        return [{"name": "answer", "arguments": {"text": "0"}}]


@fault("oracle")
class OracleGivesUp(Lanterns):
    def solution(self):
        return super().solution()[:-1]


@fault("oracle")
class OracleRefused(Lanterns):
    def solution(self):
        return [{"name": "put_out", "arguments": {"column": 99, "row": 0}}]


@fault("oracle")
class HidesSuccess(Meddled):
    def meddle(self, observation, reward, terminated, truncated, info):
        return observation, reward, terminated, truncated, {**info, "signals": {}}


@fault("spam")
class PaysParrots(Lanterns):
    def act(self, call):
        outcome = super().act(call)
        if call["name"] == "answer" and "Put out" in call["arguments"]["text"]:
            return Outcome(reward=1.0, signals={"success": 1.0}, stop=StopReason.SUCCESS)
        return outcome


@fault("noop")
class PaysIdlers(Lanterns):
    def act(self, call):
        outcome = super().act(call)
        return Outcome(0.2, outcome.signals) if call["name"] == "wait" else outcome


@fault("random", "spam")
class PaysAnyAnswer(Lanterns):
    def act(self, call):
        outcome = super().act(call)
        return Outcome(1.0, {"success": 1.0}, StopReason.SUCCESS) if outcome.stop else outcome


@fault("turn_limit", "end_flags", "refused_calls")
class BothFlags(Meddled):
    def meddle(self, observation, reward, terminated, truncated, info):
        return observation, reward, terminated or truncated, truncated, info


@fault("turn_limit", "refused_calls", "reset_needed")
class NoLimit(Lanterns):
    def _limit(self):
        return None


@fault("turn_limit", "end_flags")
class NoStopReason(Meddled):
    def meddle(self, observation, reward, terminated, truncated, info):
        return observation, reward, terminated, truncated, {**info, "stop_reason": None}


@fault("reset_needed")
class StepsAfterTheEnd(Lanterns):
    def step(self, action):
        if self._task is not None:
            self._over = False
        return super().step(action)


@fault("info")
class MissingInfoKey(Lanterns):
    def _info(self, **kwargs):
        info = super()._info(**kwargs)
        del info["instruction"]
        return info


@fault("info")
class SignalsAreWords(Meddled):
    def meddle(self, observation, reward, terminated, truncated, info):
        signals = {**info["signals"], "mood": "fine"}
        return observation, reward, terminated, truncated, {**info, "signals": signals}


@fault("rewards")
class RewardsAreNumpy(Meddled):
    def meddle(self, observation, reward, terminated, truncated, info):
        return observation, np.float64(reward), terminated, truncated, info


@fault("rewards", "gymnasium", "oracle", "noop", "random", "spam", "refused_calls", "repeatable")
class RewardsAreNotNumbers(Meddled):
    def meddle(self, observation, reward, terminated, truncated, info):
        return observation, float("nan"), terminated, truncated, info


@fault("observations", "gymnasium", "keywords")
class WrongSize(Lanterns):
    def look(self):
        return (super().look()[0][:-1],)


@fault("keywords")
class OneSize(Lanterns):
    def __init__(self, *, image_size=None, **kwargs):
        super().__init__(**kwargs)


@fault("keywords")
class KnowsNoLevels(Lanterns):
    def __init__(self, *, task=None, split="train", max_turns=None, image_size=(24, 16), render_mode=None):
        super().__init__(task=task, split=split, max_turns=max_turns, image_size=image_size, render_mode=render_mode)


@fault("tools")
class NamelessTool(Lanterns):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        tools = [Tool(spec["name"], spec["description"], spec["parameters"]["properties"]) for spec in self.specs()]
        self.action_space = ToolCallSpace([*tools, Tool("wait a bit", "Do nothing.", {})])

    def specs(self):
        return [tool["function"] for tool in self.action_space.tools]


class Loaded(ToolCallSpace):
    def sample(self, mask=None, probability=None):
        call = super().sample(mask, probability)
        return {**call, "arguments": {key: 6 if key == "column" else v for key, v in call["arguments"].items()}}


@fault("samples")
class SamplesOutside(Lanterns):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.action_space = Loaded(self.action_space._tools.values())


@fault("close")
class ClosesOnce(Lanterns):
    closed = False

    def close(self):
        if self._task is not None and self.closed:
            raise RuntimeError("already closed")
        self.closed = True


@fault("close", "gymnasium")
class ClosesOnceUnstarted(Lanterns):
    closed = False

    def close(self):
        if self.closed:
            raise RuntimeError("already closed")
        self.closed = True


@fault("docstring")
class NoManual(Lanterns):
    """Put out every lit lantern.

    ## Description
    Is all that is told.
    """


@fault("unknown_task")
class AnyTask(Lanterns):
    def find_task(self, wanted, rng):
        return super().find_task(None, rng)


@fault("picklable", key=lambda: 0)
class CannotTravel(Lanterns):
    def __init__(self, *, key, **kwargs):
        super().__init__(**kwargs)


@fault("oracle")
class BreaksInTheMiddle(Lanterns):
    def solution(self):
        self.broken = True
        return super().solution()

    def look(self):
        if getattr(self, "broken", False):
            raise InfraError("lamp_broke", "the glass is cracked")
        return super().look()


class NeverStarts(Lanterns):
    __doc__ = Lanterns.__doc__

    def start(self, task, rng):
        raise InfraError("lamp_broke", "no light")


class StartsWithABug(Lanterns):
    __doc__ = Lanterns.__doc__

    def start(self, task, rng):
        raise ValueError("no such lamp")


class BreaksNowAndThen(Lanterns):
    def act(self, call):
        self.acts = getattr(self, "acts", 0) + 1
        if self.acts % 5 == 0:
            raise InfraError("lamp_broke", "the glass is cracked")
        return super().act(call)


class Picky(Lanterns):
    __doc__ = Lanterns.__doc__

    def __init__(self, *, task, max_turns, **kwargs):
        assert task == "count"
        super().__init__(task=task, max_turns=max_turns, **kwargs)


class NoOracle(Lanterns):
    __doc__ = Lanterns.__doc__

    def solution(self):
        raise NotImplementedError


class SeedInvisible(Lanterns):
    __doc__ = Lanterns.__doc__
    seed_visible = False

    def start(self, task, rng):
        instruction = super().start(task, rng)
        self.lit, self.count = {1}, 1
        self.light = 100 + (task.split == "test")
        return instruction


class CountsTurns(Lanterns):
    __doc__ = Lanterns.__doc__

    def describe(self):
        return f"Turn {self._turn} of {self.task.max_turns}, {self.task.max_turns - self._turn} left."

    def act(self, call):
        outcome = super().act(call)
        return replace(outcome, signals={**outcome.signals, "turns": float(self._turn)})


class Unsteady(Lanterns):
    __doc__ = Lanterns.__doc__

    def act(self, call):
        outcome = super().act(call)
        return replace(outcome, signals={**outcome.signals, "seconds": time.time()})


for cls in (NeverStarts, StartsWithABug, BreaksNowAndThen, Picky, NoOracle, SeedInvisible, CountsTurns):
    gym.register(f"{cls.__name__}-v0", f"faulty_lanterns:{cls.__name__}")
gym.register("Unsteady-v0", "faulty_lanterns:Unsteady", nondeterministic=True)
