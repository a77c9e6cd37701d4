"""Driver of the environment that the ``miniwob`` package brings, on Selenium."""

import gymnasium
import miniwob
import numpy as np
from driver import serve
from miniwob.action import ActionTypes

gymnasium.register_envs(miniwob)


def click(env, x, y):
    return env.unwrapped.create_action(ActionTypes.CLICK_COORDS, coords=np.array([x, y], np.float32))


serve(lambda task: gymnasium.make(f"miniwob/{task}-v1", disable_env_checker=True), click)
