"""How long a reset and a step take on the sites that ship, in milliseconds: databases, context, login, page and all.

    python tests/bench/websites.py [--episodes 12] [--observation html]

Per site, episodes of its first kinds of tasks are played by the oracle; the very first reset, which starts the site, is
not counted.
"""

from __future__ import annotations

import argparse
import statistics
import time

from turngym.envs.browser.sites import SITES
from turngym.envs.browser.website import WebSiteEnv, task_names


def measure(site: str, observation: str, episodes: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds of each reset and of each step but the answer."""
    names = [name for name in task_names() if name.startswith(f"{site}.")]
    resets, steps = [], []
    env = WebSiteEnv(observation=observation)
    for episode in range(-1, episodes):
        began = time.perf_counter()
        env.reset(seed=episode + 1, options={"task": names[episode % len(names)]})
        if episode >= 0:
            resets.append(1000 * (time.perf_counter() - began))
        while (call := env.solution()[0])["name"] != "answer":
            began = time.perf_counter()
            env.step(call)
            steps.append(1000 * (time.perf_counter() - began))
    env.close()
    return resets, steps


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--episodes", type=int, default=12)
    parser.add_argument("--observation", default="html")
    wanted = parser.parse_args()
    print("| site | reset, median (longest) | step, median (longest) | resets, steps |\n|---|---|---|---|")
    for site in SITES:
        resets, steps = measure(site, wanted.observation, wanted.episodes)
        cells = [f"{statistics.median(times):.0f} ms ({max(times):.0f})" for times in (resets, steps)]
        print(f"| {site} | {' | '.join(cells)} | {len(resets)}, {len(steps)} |", flush=True)


if __name__ == "__main__":
    main()
