"""Placeholders for sites' addresses (``__SHOPPING__``), replaced when a task runs: its site may be anywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping

from turngym.envs.types import BadInput

PLACEHOLDER = re.compile(r"__[A-Z]+(?:_[A-Z]+)*__")


def fill(text: str, addresses: Mapping[str, str], where: str | None = None) -> str:
    """Put addresses (``{"__SHOPPING__": "http://127.0.0.1:7770"}``) in the place of their placeholders.

    One that has no address stays as it is; :class:`BadInput` if ``where`` is given, which names the text's place.
    """

    def address(match: re.Match[str]) -> str:
        if match[0] in addresses:
            return addresses[match[0]].rstrip("/")
        if where is not None:
            known = ", ".join(sorted(addresses)) or "none"
            raise BadInput(f"{where}: no address is given for {match[0]}; given are {known}")
        return match[0]

    return PLACEHOLDER.sub(address, text)
