"""TurnGym: multi-turn Gymnasium environments for vision-language agents, and the trainer that makes them better."""

from turngym.envs import BadInput, Episode, InfraError, Task, ToolCall, make

__version__ = "0.1.0"
__all__ = ["BadInput", "Episode", "InfraError", "Task", "ToolCall", "__version__", "make"]
