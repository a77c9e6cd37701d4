"""The constraints are what is installed together: nothing pinned below a bound, nothing left open."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# vLLM pins a torch of its own and is installed elsewhere.
EXTRAS = {name: needs for name, needs in PROJECT["optional-dependencies"].items() if name != "vllm"}
NEEDS = sorted({*PROJECT["dependencies"], *(need for needs in EXTRAS.values() for need in needs)})


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


@pytest.mark.parametrize("need", NEEDS)
def test_a_pin_is_within_the_bounds_of_the_project(need: str) -> None:
    requirement = Requirement(need)
    assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_no_pin_names_one_build() -> None:
    assert [pin for pin in pins().items() if "+" in pin[1]] == []
