"""Make ``gymnasium.make("turngym/...")`` work without an import of turngym.

Gymnasium 1.0 stopped loading its own ``gymnasium.envs`` entry-point group. A ``.pth`` file beside this package imports
this module at interpreter start (a tenth of a millisecond); when gymnasium is imported, and only then, the entries of
that group which are named ``turngym`` are loaded: ours, and those of packages made with ``turngym new-env``.
"""

import sys
from types import ModuleType
from typing import Any


def load_entry_points() -> None:
    """Call every ``gymnasium.envs`` entry point named ``turngym``."""
    from importlib.metadata import entry_points

    for entry in entry_points(group="gymnasium.envs", name="turngym"):
        entry.load()()


class AfterGymnasium:
    """A meta path finder that runs :func:`load_entry_points` once gymnasium has been imported."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Wrap gymnasium's own loader; leave every other module alone."""
        if name != "gymnasium":
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec

        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                load_entry_points()

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Wait for gymnasium; a no-op if it is here already or someone waits already."""
    if "gymnasium" not in sys.modules and not any(isinstance(f, AfterGymnasium) for f in sys.meta_path):
        sys.meta_path.insert(0, AfterGymnasium())
