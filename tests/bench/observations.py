"""What each kind of observation costs: milliseconds a look, and times the screenshot's.

    python tests/bench/observations.py [--looks 30]

MiniWoB pages at the start of an episode and a shop page of its own making (892 elements, 1280 x 720), each read
``--looks`` times in turn with every kind, so that what else runs on the machine touches all alike; medians. For the
screenshot it is one exchange with the page that does nothing but draw; for the marks, reading and drawing.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from urllib.parse import quote

from turngym.envs.browser import pool
from turngym.envs.browser.marks import draw_marks
from turngym.envs.browser.miniwob import MiniWoBEnv
from turngym.envs.browser.observations import KINDS, read
from turngym.envs.browser.protocol import Page

TASKS = ("click-button", "login-user", "email-inbox", "social-media", "book-flight")
CARD = """<div class=card><a href=/p/{n}><img alt="" width=120 height=80></a>
<h3><a href=/p/{n}>Product {n} with a longer name</a></h3><p>${n}.99 <span>in stock</span></p>
<form><input type=number value=1 aria-label="Amount {n}"><select><option>S<option selected>M<option>L</select>
<button>Add to basket</button></form></div>"""
HEADER = "<header><input placeholder=Search><button>Go</button> <a href=/cart>Basket (3)</a></header>"
STYLE = """body{font:14px sans-serif}.card{display:inline-block;width:280px;border:1px solid #ccc;margin:6px}
nav{float:left;width:160px}main{margin-left:200px}input{width:40px}"""


def shop() -> str:
    """Return the address of a page of a shop."""
    links = "".join(f"<li><a href=/c/{n}>Category {n}</a></li>" for n in range(20))
    cards = "".join(CARD.format(n=n) for n in range(60))
    head = f"<!doctype html><title>Shop</title><style>{STYLE}</style>{HEADER}"
    body = f"{head}<nav><ul>{links}</ul></nav><main>{cards}</main>"
    return "data:text/html;charset=utf-8," + quote(body)


def measure(page: Page, looks: int) -> dict[str, float]:
    """Return the median milliseconds of a look of each kind."""
    frame = page.interact((), "0")[1]
    ways: dict[str, Callable[[], object]] = {kind: lambda kind=kind: read(page, kind) for kind in KINDS}
    ways["screenshot"] = lambda: page.interact((), "0")
    ways["marks"] = lambda: draw_marks(frame, read(page, "marks").marks)
    taken: dict[str, list[float]] = {kind: [] for kind in ways}
    for _ in range(looks + 1):
        for kind, way in ways.items():
            began = time.perf_counter()
            way()
            taken[kind].append(1000 * (time.perf_counter() - began))
    return {kind: statistics.median(times[1:]) for kind, times in taken.items()}  # the first ones set things up


def row(name: str, costs: dict[str, float]) -> None:
    """Print a line of the table."""
    base = costs["screenshot"]
    print(f"{name:14}" + "".join(f"{cost:9.1f} ({cost / base:4.1f}x)" for cost in costs.values()), flush=True)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--looks", type=int, default=30)
    looks = parser.parse_args().looks
    print(f"{'ms (ratio)':14}" + "".join(f"{kind:>17}" for kind in KINDS))
    for task in TASKS:
        env = MiniWoBEnv(task=task)
        env.reset(seed=1)
        row(task, measure(env._page, looks))
        env.close()
    browser = pool.launch(pool.default_backend())
    page = browser.new_page((1280, 720))
    page.goto(shop())
    row("shop page", measure(page, looks))
    browser.close()


if __name__ == "__main__":
    main()
