"""Prompts: text files, each used by name."""

from __future__ import annotations

from importlib import resources

from turngym.envs import BadInput


def read(name: str) -> str:
    """Return the text of the prompt called ``name``, without its last line break."""
    files = {f.name.removesuffix(".md"): f for f in resources.files(__name__).iterdir() if f.name.endswith(".md")}
    if name not in files:
        raise BadInput(f"unknown prompt {name!r}; there is {', '.join(sorted(files))} and none")
    return files[name].read_text(encoding="utf-8").removesuffix("\n")
