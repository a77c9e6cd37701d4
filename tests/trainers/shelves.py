"""A shop of text: choose a thing from a numbered list, then pay. No pictures, and no list of elements either."""

from turngym.envs import Entry, Outcome, StopReason, Task, Tool, ToolCallSpace, TurnEnv, observation_space, register

THINGS = ("bread", "cheese", "coffee", "lamps", "pens", "salt", "soap", "tea")


def task_names():
    return ["buy", "order"]


class Shelves(TurnEnv):
    """Buy what is asked for."""

    def __init__(self, *, task=None, split="train", max_turns=None, render_mode=None):
        super().__init__(max_turns=max_turns, render_mode=render_mode)
        self.split = split
        number = {"element": {"type": "integer", "minimum": 0, "maximum": 4}}
        self.action_space = ToolCallSpace([Tool("click_element", "Click an element, given by its number.", number)])
        self.observation_space = observation_space(1, 1)

    def find_task(self, wanted, rng):
        return Task(id=wanted or "buy", split=self.split, max_turns=4)

    def start(self, task, rng):
        self.shelf = [THINGS[i] for i in rng.permutation(len(THINGS))[:4]]
        self.wanted, self.basket = self.shelf[int(rng.integers(4))], None
        return f"{task.id.capitalize()} {self.wanted}."

    def look(self):
        return ()

    def describe(self):
        rows = ["button 'Pay'"] if self.basket else [f"link '{thing}'" for thing in self.shelf]
        return "\n".join(f"[{number}] {row}" for number, row in enumerate(rows))

    def act(self, call):
        number = call["arguments"]["element"]
        if self.basket is None and number < 4:
            self.basket = self.shelf[number]
        elif self.basket is not None and number == 0:
            right = self.basket == self.wanted
            stop = StopReason.SUCCESS if right else StopReason.FAILURE
            return Outcome(reward=float(right), signals={"success": float(right)}, stop=stop)
        return Outcome(signals={"success": 0.0})

    def solution(self):
        numbers = [0] if self.basket else [self.shelf.index(self.wanted), 0]
        return [{"name": "click_element", "arguments": {"element": number}} for number in numbers]


register(
    Entry(
        id="Shelves-v0",
        family="shelves",
        about="Things to buy.",
        entry_point="shelves:Shelves",
        tasks="shelves:task_names",
    )
)
