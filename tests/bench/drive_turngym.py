"""Driver of TurnGym's own environment; the arguments are the backend and the kinds of observation."""

import sys

import gymnasium
from driver import serve

BACKEND, *KINDS = sys.argv[1:]

serve(
    lambda task: gymnasium.make(
        "turngym/MiniWoB-v0", task=task, backend=BACKEND, observation=KINDS or "screenshot", disable_env_checker=True
    ),
    lambda env, x, y: {"name": "click", "arguments": {"x": x, "y": y}},
)
