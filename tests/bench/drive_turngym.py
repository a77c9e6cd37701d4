"""Driver of TurnGym's own environment; the argument is the backend."""

import sys

import gymnasium
from driver import serve

serve(
    lambda task: gymnasium.make("turngym/MiniWoB-v0", task=task, backend=sys.argv[1], disable_env_checker=True),
    lambda env, x, y: {"name": "click", "arguments": {"x": x, "y": y}},
)
