"""The table of which pages repeat exactly is whole, and says what the documentation says."""

from importlib import resources

from turngym.envs.browser.miniwob import task_names


def test_every_page_is_in_the_table_and_repeats():
    table = resources.files("turngym.envs.browser").joinpath("determinism.md").read_text()
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ") and "task" not in line[:7]]
    told = {cells[0].removeprefix("| "): cells[1] for cells in rows}
    assert sorted(told) == sorted(task_names())
    assert set(told.values()) == {"yes"}
