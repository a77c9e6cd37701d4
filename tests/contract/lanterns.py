"""A small, correct environment.

It stands for a third party's module: the tests put its folder on the path and name it ``lanterns:Lanterns-v0``.
"""

import numpy as np

from turngym.envs import (
    BadInput,
    Entry,
    Outcome,
    Refused,
    StopReason,
    Task,
    Tool,
    ToolCallSpace,
    TurnEnv,
    observation_space,
    register,
)

COLUMNS, ROWS = 6, 4


def task_names():
    return ["count"]


def missing():
    return None


class Lanterns(TurnEnv):
    """Put out every lit lantern, then say how many there were.

    ## Description
    A grid of 6 x 4 lanterns, 1 to 4 of them lit; the brightness of the light means nothing.

    ## Action Space
    `put_out(column, row)`, `answer(text)` and `wait()`.

    ## Observation Space
    The instruction and a picture of 24 x 16 pixels or `image_size`.

    ## Starting State
    Drawn from the seed. The training split shines with even brightness, the test split with odd.

    ## Rewards
    1 for the right answer once all lanterns are out, otherwise 0.

    ## Episode End
    Any answer ends the episode.

    ## Arguments
    `task` (there is `count`), `level` (0: there is one level), `split`, `max_turns`, `image_size=(width, height)`.

    ## References
    None.
    """

    def __init__(self, *, task=None, level=0, split="train", max_turns=None, image_size=(24, 16), render_mode=None):
        super().__init__(max_turns=max_turns, render_mode=render_mode)
        if level != 0:
            raise BadInput(f"level must be 0, got {level}: there is one level")
        self.name, self.split = task, split
        self.width, self.height = image_size
        place = {"column": (0, COLUMNS - 1), "row": (0, ROWS - 1)}
        bounds = {name: {"type": "integer", "minimum": low, "maximum": high} for name, (low, high) in place.items()}
        self.action_space = ToolCallSpace(
            [
                Tool("put_out", "Put out the lantern at a column and a row.", bounds),
                Tool("answer", "Say how many lanterns were lit.", {"text": {"type": "string"}}),
                Tool("wait", "Do nothing.", {}),
            ]
        )
        self.observation_space = observation_space(self.width, self.height)

    def find_task(self, wanted, rng):
        wanted = wanted or self.name or "count"
        if wanted != "count":
            raise BadInput(f"unknown task {wanted!r}; there is count")
        return Task(id="count", split=self.split, max_turns=6, floor=0.2)

    def start(self, task, rng):
        self.count = int(rng.integers(1, 5))
        self.lit = {int(n) for n in rng.choice(COLUMNS * ROWS, size=self.count, replace=False)}
        self.light = int(rng.integers(50, 128)) * 2 + (task.split == "test")
        return "Put out every lantern, then answer with how many were lit."

    def look(self):
        grid = np.zeros((ROWS, COLUMNS, 3), np.uint8)
        for place in self.lit:
            grid[divmod(place, COLUMNS)] = self.light
        rows, columns = (np.arange(side) * n // side for side, n in ((self.height, ROWS), (self.width, COLUMNS)))
        return (grid[np.ix_(rows, columns)],)

    def act(self, call):
        arguments = call["arguments"]
        if call["name"] == "put_out":
            place = arguments["row"] * COLUMNS + arguments["column"]
            if place not in self.lit:
                raise Refused("that lantern is not lit")
            self.lit.remove(place)
        if call["name"] != "answer":
            return Outcome(signals={"success": 0.0})
        right = not self.lit and arguments["text"] == str(self.count)
        stop = StopReason.SUCCESS if right else StopReason.FAILURE
        return Outcome(reward=float(right), signals={"success": float(right)}, stop=stop)

    def solution(self):
        places = [divmod(place, COLUMNS) for place in sorted(self.lit)]
        calls = [{"name": "put_out", "arguments": {"column": column, "row": row}} for row, column in places]
        return [*calls, {"name": "answer", "arguments": {"text": str(self.count)}}]


register(
    Entry(
        id="Lanterns-v0",
        family="lanterns",
        about="Lanterns to put out and to count.",
        entry_point="lanterns:Lanterns",
        tasks="lanterns:task_names",
        missing="lanterns:missing",
    )
)
