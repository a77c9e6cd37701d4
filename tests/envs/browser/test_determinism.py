"""The table of which pages repeat exactly is whole, and was made as the script would make it now."""

import re
from importlib import resources
from pathlib import Path

from turngym.envs.browser.miniwob import task_names

SCRIPT = Path(__file__).parent.parent.parent / "bench" / "determinism.py"


def test_every_page_is_in_the_table_and_repeats():
    table = resources.files("turngym.envs.browser").joinpath("determinism.md").read_text()
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ") and "task" not in line[:7]]
    told = {cells[0].removeprefix("| "): cells[1] for cells in rows}
    assert sorted(told) == sorted(task_names())
    assert set(told.values()) == {"yes"}
    defaults = dict(re.findall(r'"--(\w+)", type=int, default=(\d+)', SCRIPT.read_text()))
    assert "{browsers} fresh browsers, {seeds} seeds each, {steps} calls".format(**defaults) in table
