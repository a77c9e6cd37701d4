"""Driver of BrowserGym's MiniWoB environment; the argument is ``default`` or ``zero``, its delays."""

import sys

import browsergym.miniwob  # noqa: F401 - registers
import gymnasium
from browsergym.core.action.highlevel import HighLevelActionSet
from driver import serve

DELAYS = {"default": {}, "zero": {"pre_observation_delay": 0.0, "slow_mo": 0}}[sys.argv[1]]
SCALE = 1.5
"""BrowserGym shows the page enlarged; clicks land at the same place of it."""

to_python = HighLevelActionSet(subsets=["coord"], multiaction=False).to_python_code

serve(
    lambda task: gymnasium.make(
        f"browsergym/miniwob.{task}", headless=True, action_mapping=to_python, disable_env_checker=True, **DELAYS
    ),
    lambda env, x, y: f"mouse_click({SCALE * x}, {SCALE * y})",
)
