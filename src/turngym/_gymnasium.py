"""Make ``gymnasium.make("turngym/...")`` work without an import of turngym.

Gymnasium 1.0 stopped loading its own ``gymnasium.envs`` entry-point group. A ``.pth`` file beside this package imports
this module at interpreter start (a tenth of a millisecond); when gymnasium is imported, and only then, so is
``turngym.envs``, which registers our environments and those of third parties' packages.
"""

import sys
from types import ModuleType
from typing import Any


def import_environments() -> None:
    """Import ``turngym.envs``; where that fails, warn, for gymnasium itself is sound."""
    try:
        import turngym.envs  # noqa: F401
    except Exception as error:
        import warnings

        said = f"{type(error).__name__}: {error}"
        warnings.warn(f"the environments of turngym are not registered: {said}", stacklevel=2)


class AfterGymnasium:
    """A meta path finder that runs :func:`import_environments` once gymnasium has been imported."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Wrap gymnasium's own loader; leave every other module alone."""
        if name != "gymnasium":
            return None
        # Found by the others. This one stays until gymnasium is executed: to look for a module is not to import it.
        others = [finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec")]
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                import_environments()

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Wait for gymnasium; a no-op if it is here already or someone waits already."""
    if "gymnasium" not in sys.modules and not any(isinstance(f, AfterGymnasium) for f in sys.meta_path):
        sys.meta_path.insert(0, AfterGymnasium())
