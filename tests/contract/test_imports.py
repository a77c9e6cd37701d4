"""What the source may import and call: one way from trainers to agents to envs, nothing heavy, no global randomness."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import turngym

SOURCE = Path(turngym.__file__).parent
PACKAGES = ("envs", "agents", "trainers")
"""In import order: each may import those before it."""

ELSEWHERE = "envs/browser/sites"
"""Where programs are that run in the virtual environments of web sites, apart from what lists and runs them."""
OURS = (
    "__init__.py",
    "drafting.py",
    "forkserver.py",
    "install.py",
    "instance.py",
    "registry.py",
    "rows.py",
    "task_parts.py",
    "tasks.py",
)


def runs_here(path):
    return ELSEWHERE not in path.as_posix() or path.name in OURS


FILES = sorted(path for package in PACKAGES for path in (SOURCE / package).rglob("*.py") if runs_here(path))
HEAVY = ("torch", "transformers", "playwright", "docker", "PIL", "miniwob", "ray", "vllm")
OWN_STREAMS = {"Random", "getstate", "setstate"}
"""What of ``random`` is not the global generator, or (conformance) tells whether others use it."""
NUMPY_STREAMS = {"Generator", "PCG64", "RandomState", "SeedSequence", "default_rng", "get_state", "set_state"}


def name(path):
    return str(path.relative_to(SOURCE))


def parsed(path):
    return ast.parse(path.read_text(), filename=str(path))


def imports(path):
    """Absolute names of the modules that a file imports, inside functions too."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}:{node.lineno}: import by full name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dotted(node):
    """``np.random.seed`` for a chain of attributes, else an empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (head := dotted(node.value)):
        return f"{head}.{node.attr}"
    return ""


def calls(path):
    """Line and dotted name of each call in a file."""
    return [(node.lineno, dotted(node.func)) for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)]


def loaded(statement):
    """Modules that a fresh interpreter has after a statement."""
    script = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_there_is_something_to_look_at():
    assert {path.relative_to(SOURCE).parts[0] for path in FILES} == set(PACKAGES)


def test_imports_run_one_way():
    wrong = []
    for path in FILES:
        package = path.relative_to(SOURCE).parts[0]
        beyond = [f"turngym.{later}." for later in PACKAGES[PACKAGES.index(package) + 1 :]] + ["turngym.cli."]
        wrong += [(name(path), module) for module in imports(path) if f"{module}.".startswith(tuple(beyond))]
    assert wrong == []


def test_folders_are_imported_by_their_installed_names():
    bare = {*PACKAGES, "scenarios", "containers"}
    assert [(name(path), m) for path in FILES for m in imports(path) if m.split(".")[0] in bare] == []


def is_global_draw(call):
    head, _, last = call.rpartition(".")
    if head == "random":
        return last not in OWN_STREAMS
    return head in ("np.random", "numpy.random") and last not in NUMPY_STREAMS


def test_no_global_randomness():
    assert [(name(path), line, call) for path in FILES for line, call in calls(path) if is_global_draw(call)] == []


def test_generators_are_seeded():
    unseeded = [
        (name(path), node.lineno)
        for path in FILES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and dotted(node.func).endswith(("default_rng", "random.Random")) and not node.args
    ]
    assert unseeded == []


def test_nothing_is_evaluated():
    banned = ("eval", "exec", "compile", "pickle.load", "pickle.loads")
    allowed = {("envs/conformance/form.py", "pickle.loads")}  # of what it has just pickled itself
    found = {(name(path), call) for path in FILES for _, call in calls(path) if call in banned}
    assert found == allowed


def test_importing_the_environments_loads_nothing_heavy():
    modules = loaded("import turngym.envs")
    assert [module for module in HEAVY if module in modules] == []
    families = [module for module in modules if module.startswith("turngym.envs.")]
    assert sorted(families) == [f"turngym.envs.{part}" for part in ("core", "registry", "spaces", "types")]
    assert not modules & {"turngym.agents", "turngym.trainers", "turngym.cli"}


def test_importing_turngym_loads_nothing_at_all():
    assert "numpy" not in loaded("import turngym")


def test_conformance_and_benchmark_load_nothing_heavy():
    modules = loaded("import turngym.envs.conformance, turngym.envs.benchmark, turngym.envs.scenario")
    assert [module for module in HEAVY if module in modules] == []


@pytest.mark.parametrize("package", ["turngym", "turngym.envs", "turngym.envs.conformance"])
def test_all_names_what_is_there(package):
    module = importlib.import_module(package)
    assert len(set(module.__all__)) == len(module.__all__)
    for public in module.__all__:
        assert getattr(module, public) is not None


def test_the_environments_all_is_complete():
    import turngym.envs

    public = {n for n, value in vars(turngym.envs).items() if not n.startswith("_") and not inspect.ismodule(value)}
    assert public == set(turngym.envs.__all__)


def test_the_facade_is_the_environments_own():
    import turngym.envs

    for public in set(turngym.__all__) - {"__version__"}:
        assert getattr(turngym, public) is getattr(turngym.envs, public)
    with pytest.raises(AttributeError, match="nothing"):
        _ = turngym.nothing


def test_the_rules_tell_right_from_wrong():
    assert all(map(is_global_draw, ["random.shuffle", "np.random.rand", "numpy.random.seed"]))
    sound = ["random.Random", "np.random.default_rng", "self.np_random.random", "rng.random"]
    assert not any(map(is_global_draw, sound))
    assert dotted(ast.parse("np.random.rand(3)").body[0].value.func) == "np.random.rand"
