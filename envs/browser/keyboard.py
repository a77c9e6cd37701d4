"""Keys of a US keyboard, by the names that the DOM and Playwright use; and text as the keys that type it."""

from __future__ import annotations

from dataclasses import dataclass

from turngym.envs.browser.protocol import Event, Key, Text

MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}
"""Bits of the DevTools protocol's ``modifiers``."""


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What a page's event handlers see of a key."""

    key: str
    code: str
    key_code: int
    text: str = ""
    """What it types; empty for keys that type nothing."""


def _keys() -> dict[str, KeyInfo]:
    keys = {
        name: KeyInfo(name, name, code)
        for name, code in {
            "Backspace": 8, "Tab": 9, "Escape": 27, "PageUp": 33, "PageDown": 34, "End": 35, "Home": 36,
            "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Insert": 45, "Delete": 46,
        }.items()
    }  # fmt: skip
    keys["Enter"] = KeyInfo("Enter", "Enter", 13, "\r")
    for letter in "abcdefghijklmnopqrstuvwxyz":
        for text in (letter, letter.upper()):
            keys[text] = KeyInfo(text, f"Key{letter.upper()}", ord(letter.upper()), text)
    for digit, shifted in zip("0123456789", ")!@#$%^&*(", strict=True):
        for text in (digit, shifted):
            keys[text] = KeyInfo(text, f"Digit{digit}", ord(digit), text)
    rest = {
        "Space": (32, "  "), "Semicolon": (186, ";:"), "Equal": (187, "=+"), "Comma": (188, ",<"), "Minus": (189, "-_"),
        "Period": (190, ".>"), "Slash": (191, "/?"), "Backquote": (192, "`~"), "BracketLeft": (219, "[{"),
        "Backslash": (220, "\\|"), "BracketRight": (221, "]}"), "Quote": (222, "'\""),
    }  # fmt: skip
    for code, (number, texts) in rest.items():
        for text in texts:
            keys[text] = KeyInfo(text, code, number, text)
    return keys


KEYS = _keys()
"""Every key by its name: ``a``, ``A``, ``7``, ``?``, ``Enter``, ``ArrowLeft``, ..."""


def split(combination: str) -> tuple[tuple[str, ...], KeyInfo]:
    """Split ``Control+Shift+a`` into its modifiers and its key. Raises ``KeyError`` for what is on no keyboard."""
    *modifiers, name = combination.split("+") if not combination.endswith("+") else (*combination[:-2].split("+"), "+")
    held = tuple(name for name in modifiers if name)
    if unknown := set(held) - set(MODIFIERS):
        raise KeyError(unknown.pop())
    return held, KEYS[name]


def typing(text: str) -> tuple[Event, ...]:
    """Turn text into keystrokes. A newline is Enter, a tab is Tab; what is on no key is inserted as it is."""
    events: list[Event] = []
    for char in text.replace("\r\n", "\n").replace("\r", "\n"):
        if char in "\n\t":
            events.append(Key("Enter" if char == "\n" else "Tab"))
        elif char in KEYS:
            events.append(Key(char))
        elif events and isinstance(events[-1], Text):
            events[-1] = Text(events[-1].text + char)
        else:
            events.append(Text(char))
    return tuple(events)
