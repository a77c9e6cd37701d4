"""HTML that is escaped unless it was built here: recordings are untrusted, and pages are made of them."""

from __future__ import annotations

from html import escape

VOID = frozenset({"br", "img", "input", "meta"})


class Html(str):
    """Text that is markup already. Only this package's own templates and :func:`tag` make it."""

    __slots__ = ()


def tag(name: str, /, *children: str | None, **attributes: str | float | bool | None) -> Html:
    """Build an element. Children and attribute values are escaped, but for :class:`Html`; None and False are left out.

    ``_`` in an attribute's name becomes ``-``, one at its end is dropped: ``tag("p", text, class_="note")``.
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{_attribute(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{name}{written}>" + ("" if name in VOID else f"{join(*children)}</{name}>"))


def join(*children: str | None) -> Html:
    """Put pieces one after the other, each escaped unless it is :class:`Html`."""
    return Html("".join(piece if isinstance(piece, Html) else escape(piece) for piece in children if piece is not None))


def _attribute(value: str | float | bool) -> str:
    return escape(f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value))
