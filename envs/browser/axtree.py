"""The accessibility tree of a page as text: one node a line, ``[number] role 'name', properties``, indented."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from turngym.envs.browser import elements
from turngym.envs.browser.elements import Mark
from turngym.envs.browser.protocol import Page
from turngym.envs.types import InfraError

Node = dict[str, Any]
"""An ``AXNode`` of the DevTools protocol."""

LAYOUT = frozenset({"InlineTextBox", "ListMarker", "LineBreak"})
"""Roles of what is only typesetting."""
PLAIN = frozenset({"none", "generic", "MenuListPopup", "LabelText"})
"""Roles that say nothing by themselves."""
CLOSED = frozenset({"textbox", "searchbox", "spinbutton"})
"""Roles whose contents repeat their value."""
STATED = ("level", "checked", "pressed", "selected", "expanded", "disabled", "required", "readonly", "focused")
"""Properties that are told, in this order."""
LONGEST_NAME = 500
"""Characters."""
ATTEMPTS = 3
"""Readings until one finds the page unchanged between its parts."""

ELEMENT = 1
"""``nodeType`` of an element."""


class _Moved(Exception):
    """The page changed while it was read."""


def read(page: Page, longest: int) -> tuple[str, int, tuple[Mark, ...]]:
    """Return the text, cut to ``longest`` characters; its whole length; and the elements that it numbers."""
    for _ in range(ATTEMPTS):
        answer = elements.ask(page, "ordinals")
        try:
            numbers, dropped, frames = _places(page, answer["documents"])
        except _Moved:
            continue
        marks = elements.marks(answer["elements"])
        tree = _Tree(page, {node: marks[number] for node, number in numbers.items()}, dropped, frames)
        return *cut("\n".join(tree.lines()), longest), marks
    raise InfraError("page_error", "the page kept changing while its accessibility tree was read")


def cut(text: str, longest: int) -> tuple[str, int]:
    """Return the first lines of a text, of at most so many characters, and its whole length."""
    if len(text) <= longest:
        return text, len(text)
    end = text.rfind("\n", 0, longest + 1)
    return text[: end if end > 0 else longest], len(text)


def _places(page: Page, documents: list[dict[str, Any]]) -> tuple[dict[int, int], set[int], dict[int, str]]:
    """Match the script's count of elements with the browser's own node ids.

    Returns the numbers of elements, the elements that are no part of the page, and the documents in frames, each by
    the backend node id of its element. The snapshot lists nodes in document order, as the script counts them.
    """
    snapshot = page.command("DOMSnapshot.captureSnapshot", {"computedStyles": []})
    strings, trees = snapshot["strings"], snapshot["documents"]
    numbers: dict[int, int] = {}
    dropped: set[int] = set()
    frames: dict[int, str] = {}
    found: list[tuple[dict[str, Any], list[int]]] = []
    for document in documents:
        tree = trees[0] if document["owner"] is None else _content(trees, found, *document["owner"])
        nodes = tree["nodes"]
        hidden = set(nodes["pseudoType"]["index"])
        shadows = nodes["shadowRootType"]
        closed = {at for at, kind in zip(shadows["index"], shadows["value"], strict=True) if strings[kind] != "open"}
        for at, parent in enumerate(nodes["parentIndex"]):  # parents come first
            if parent in closed:
                closed.add(at)
        hidden |= closed
        order = [at for at, kind in enumerate(nodes["nodeType"]) if kind == ELEMENT and at not in hidden]
        if len(order) != document["count"]:
            raise _Moved
        found.append((tree, order))
        ids = nodes["backendNodeId"]
        numbers |= {ids[order[ordinal]]: number for ordinal, number in document["numbers"]}
        dropped |= {ids[order[ordinal]] for ordinal in document["dropped"]}
        if document["owner"] is not None:
            outer, outer_order = found[document["owner"][0]]
            owner = outer["nodes"]["backendNodeId"][outer_order[document["owner"][1]]]
            frames[owner] = strings[tree["frameId"]]
    return numbers, dropped, frames


def _content(
    trees: list[dict[str, Any]], found: list[tuple[dict[str, Any], list[int]]], outer: int, ordinal: int
) -> dict[str, Any]:
    """Return the snapshot of the document inside a frame."""
    tree, order = found[outer]
    contents = tree["nodes"]["contentDocumentIndex"]
    inside = dict(zip(contents["index"], contents["value"], strict=True))
    if order[ordinal] not in inside:
        raise _Moved
    return trees[inside[order[ordinal]]]


@dataclass(frozen=True)
class _Tree:
    """The accessibility tree of a page; elements go by their backend node ids."""

    page: Page
    marks: Mapping[int, Mark]
    dropped: Set[int]
    frames: Mapping[int, str]

    def lines(self, frame: str | None = None, depth: int = 0) -> Iterator[str]:
        """Write one document, and where a frame comes, the document in it."""
        answer = self.page.command("Accessibility.getFullAXTree", {} if frame is None else {"frameId": frame})
        nodes = {node["nodeId"]: node for node in answer["nodes"]}
        # Depth first with a stack of our own: pages nest deeper than Python does.
        stack: list[tuple[Node, int, str]] = [(answer["nodes"][0], depth, "")]
        while stack:
            node, indent, outer = stack.pop()
            backend = node.get("backendDOMNodeId", 0)
            if backend in self.dropped:
                continue
            children = [nodes[child] for child in node.get("childIds", ()) if child in nodes]
            mark = self.marks.get(backend)
            name = _name(node, children, mark)
            line = _line(node, name, mark, outer)
            if line is not None:
                yield "\t" * indent + line
                indent += 1
                outer = name
            if backend in self.frames:
                yield from self.lines(self.frames[backend], indent)
            if _text(node, "role") not in LAYOUT | CLOSED:
                stack += [(child, indent, outer) for child in reversed(children)]


def _name(node: Node, children: Sequence[Node], mark: Mark | None) -> str:
    """Return a node's name; of a numbered one that has none, the text that it is all of, or its mark's."""
    name = _text(node, "name")
    if name or mark is None:
        return name
    texts = [_text(child, "name") for child in children if _text(child, "role") == "StaticText"]
    if len(texts) == len(children):
        name = " ".join(texts) or ("" if _text(node, "role") in CLOSED else mark.name)
    return name[:LONGEST_NAME]


def _line(node: Node, name: str, mark: Mark | None, outer: str) -> str | None:
    """Return the line of a node; None if it says nothing that the nodes around it do not."""
    role = _text(node, "role")
    if role in LAYOUT:
        return None
    if role == "StaticText":
        return f"StaticText {name!r}" if name and name not in outer else None
    if mark is None and (node["ignored"] or (role in PLAIN and not name)):
        return None
    said = "generic" if role in PLAIN else role
    parts = [f"{said} {name!r}", *_properties(node)]
    return ("" if mark is None else f"[{mark.id}] ") + ", ".join(parts)


def _properties(node: Node) -> Iterator[str]:
    value = _text(node, "value")
    if value:
        yield f"value={value!r}"
    given = {item["name"]: item["value"].get("value") for item in node.get("properties", ())}
    for name in STATED:
        told = given.get(name)
        if told is True or told == "true":
            yield name
        elif (name == "expanded" and told is False) or told == "mixed" or (name == "level" and told):
            yield f"{name}={told}"


def _text(node: Node, key: str) -> str:
    return " ".join(str(node.get(key, {}).get("value", "")).split())[:LONGEST_NAME]
