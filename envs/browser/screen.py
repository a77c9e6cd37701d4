"""What a page shows, as its DOM tells it: for oracles and screen-reading targets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Node:
    """A visible element of the page; the box is in page pixels, (x, y) its middle."""

    role: str
    name: str
    id: str
    value: str
    kind: str
    """``data-type`` or ``data-color``."""
    checked: bool
    focused: bool
    marked: bool
    """All of its text is selected."""
    clicked: bool
    """It was clicked in this episode."""
    x: float
    y: float
    width: float
    height: float
    number: int | None = None
    """Its number for by-element tools; None beyond the largest."""

    @classmethod
    def read(cls, item: Mapping[str, Any]) -> Node:
        """Read a node from what the page's script says of it."""
        return cls(**{field.name: item[field.name] for field in fields(cls)})

    @property
    def label(self) -> str:
        """What a reader of the screen would call it: the text it holds, or its name."""
        return self.value if self.value and self.role in ("textbox", "spinbutton") else self.name


@dataclass(frozen=True, slots=True)
class Screen:
    """The page as it is: its wording, its visible elements in reading order, and what the oracle's probe returned."""

    instruction: str
    nodes: tuple[Node, ...]
    probe: Any = None

    def find(self, **wanted: Any) -> Node:
        """Return the first node with these attributes; ``LookupError`` if there is none."""
        for node in self.nodes:
            if all(getattr(node, key) == value for key, value in wanted.items()):
                return node
        raise LookupError(f"the page shows nothing with {wanted}")

    def all(self, role: str) -> list[Node]:
        """Return all nodes of a role."""
        return [node for node in self.nodes if node.role == role]

    def words(self, pattern: str) -> tuple[str, ...]:
        """Return the groups of a pattern in the instruction; ``LookupError`` if it does not fit."""
        match = re.search(pattern, self.instruction)
        if match is None:
            raise LookupError(f"unexpected instruction: {self.instruction}")
        return match.groups()
