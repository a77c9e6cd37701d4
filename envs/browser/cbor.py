"""DevTools' messages in CBOR (RFC 8949): what the browser speaks inside, so that nothing is turned into JSON and back.

Pictures come as the bytes they are, not as base64 within a string within JSON. The browser's dialect: a map or list has
an indefinite length and stands in an envelope that says how long it is (tag 24, a byte string with a 32-bit length);
text is UTF-8, or UTF-16 in a byte string; bytes are a byte string with tag 22; whole numbers have 32 bits, all others
are doubles. Encoding and decoding cost time linear in the items, about half a microsecond each.
"""

from __future__ import annotations

import struct
from typing import Any

ENVELOPE = b"\xd8\x18\x5a"
HEAD = len(ENVELOPE) + 4
"""Bytes of an envelope before what is in it."""

_END, _LIST, _MAP, _DOUBLE = 0xFF, 0x9F, 0xBF, 0xFB
_SIMPLE: dict[int, bool | None] = {0xF4: False, 0xF5: True, 0xF6: None}
_POSITIVE, _NEGATIVE, _UTF16, _UTF8, _TAG = 0, 1, 2, 3, 6
_length = struct.Struct(">I")
_short = struct.Struct(">H")
_double = struct.Struct(">d")


def encode(value: Any) -> bytes:
    """Write what JSON can hold. Errors: ``TypeError`` for anything else."""
    out = bytearray()
    _write(value, out)
    return bytes(out)


def take(buffer: bytearray) -> list[Any]:
    """Take the messages that are complete off the front of ``buffer``, decoded."""
    found, start = [], 0
    while len(buffer) >= start + HEAD:
        end = start + HEAD + _length.unpack_from(buffer, start + len(ENVELOPE))[0]
        if len(buffer) < end:
            break
        found.append(decode(bytes(buffer[start:end])))
        start = end
    del buffer[:start]
    return found


def decode(data: bytes) -> Any:
    """Read one value. Errors: ``ValueError`` where it is none that a browser writes, ``IndexError`` where it is cut."""
    return _read(data, 0)[0]


def _read(data: bytes, at: int) -> tuple[Any, int]:
    """Return the value that begins at ``at``, and where it ends."""
    first = data[at]
    kind = first >> 5
    if kind == _UTF8:
        size, at = _size(data, at)
        return str(data[at : at + size], "utf-8", "replace"), at + size
    if first == ENVELOPE[0]:
        return _read(data, at + HEAD)
    if first == _MAP:
        at += 1
        mapping = {}
        while data[at] != _END:
            key, at = _read(data, at)
            mapping[key], at = _read(data, at)
        return mapping, at + 1
    if first == _LIST:
        at += 1
        items = []
        while data[at] != _END:
            item, at = _read(data, at)
            items.append(item)
        return items, at + 1
    if first in _SIMPLE:
        return _SIMPLE[first], at + 1
    if first == _DOUBLE:
        return _double.unpack_from(data, at + 1)[0], at + 9
    if kind == _TAG:
        size, at = _size(data, at + 1)
        return data[at : at + size], at + size
    size, at = _size(data, at)
    if kind == _POSITIVE:
        return size, at
    if kind == _NEGATIVE:
        return -1 - size, at
    if kind == _UTF16:
        return str(data[at : at + size], "utf-16-le", "surrogatepass"), at + size
    raise ValueError(f"byte {first:#x} begins nothing that a browser writes")


def _size(data: bytes, at: int) -> tuple[int, int]:
    """Return the number in the head at ``at``, and where the head ends."""
    size = data[at] & 31
    if size < 24:
        return size, at + 1
    if size == 24:
        return data[at + 1], at + 2
    if size == 25:
        return _short.unpack_from(data, at + 1)[0], at + 3
    if size == 26:
        return _length.unpack_from(data, at + 1)[0], at + 5
    raise ValueError(f"byte {data[at]:#x} begins nothing that a browser writes")


def _write(value: Any, out: bytearray) -> None:
    if isinstance(value, str):
        text = value.encode("utf-8", "replace")
        _write_head(_UTF8, len(text), out)
        out += text
    elif isinstance(value, dict):
        begin = _open_envelope(_MAP, out)
        for key, part in value.items():
            _write(key, out)
            _write(part, out)
        _close_envelope(begin, out)
    elif isinstance(value, list | tuple):
        begin = _open_envelope(_LIST, out)
        for part in value:
            _write(part, out)
        _close_envelope(begin, out)
    elif value is None or isinstance(value, bool):
        out.append(0xF6 if value is None else 0xF4 + value)
    elif isinstance(value, int) and -(2**31) <= value < 2**31:
        _write_head(_NEGATIVE if value < 0 else _POSITIVE, ~value if value < 0 else value, out)
    elif isinstance(value, int | float):
        out.append(_DOUBLE)
        out += _double.pack(value)
    else:
        raise TypeError(f"a {type(value).__name__} cannot be sent to a browser")


def _write_head(kind: int, size: int, out: bytearray) -> None:
    if size < 24:
        out.append(kind << 5 | size)
    elif size < 1 << 8:
        out += bytes((kind << 5 | 24, size))
    elif size < 1 << 16:
        out.append(kind << 5 | 25)
        out += _short.pack(size)
    else:
        out.append(kind << 5 | 26)
        out += _length.pack(size)


def _open_envelope(kind: int, out: bytearray) -> int:
    """Begin a map or list of a length that is not known yet; return where its length goes."""
    out += ENVELOPE + b"\0\0\0\0"
    out.append(kind)
    return len(out) - 5


def _close_envelope(begin: int, out: bytearray) -> None:
    out.append(_END)
    _length.pack_into(out, begin, len(out) - begin - 4)
