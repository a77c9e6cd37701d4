"""TurnGym: multi-turn Gymnasium environments for vision-language agents, and the trainer that makes them better."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from turngym.envs import BadInput, Episode, InfraError, Task, ToolCall, make

__version__ = "0.1.0"
__all__ = ["BadInput", "Episode", "InfraError", "Task", "ToolCall", "__version__", "make"]


def __getattr__(name: str) -> Any:
    # Lazy: this package is imported at every interpreter start (see _gymnasium.py) and must cost nothing then.
    if name not in __all__:
        raise AttributeError(f"module 'turngym' has no attribute {name!r}")
    import turngym.envs

    return getattr(turngym.envs, name)
