"""DevTools' messages in CBOR."""

import json
import random

import pytest

from turngym.envs.browser import cbor

MESSAGE = {
    "id": 7,
    "method": "Runtime.evaluate",
    "params": {"expression": "x" * 70_000, "é€😀": ["\n", "y" * 300, "z" * 24, ""], "deep": [[], {}, [{"a": [None]}]]},
    "numbers": [0, 1, 23, 24, 255, 256, 65535, 65536, 2**31 - 1, -1, -24, -25, -256, -(2**31), 2**31, -(2**40), 0.5],
    "others": [True, False, None],
}


def test_what_is_written_is_read():
    assert cbor.decode(cbor.encode(MESSAGE)) == MESSAGE == json.loads(json.dumps(MESSAGE))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        # RFC 8949, appendix A.
        (10, "0a"), (100, "1864"), (1000, "1903e8"), (1000000, "1a000f4240"), (-1, "20"), (-1000, "3903e7"),
        (1.1, "fb3ff199999999999a"), (False, "f4"), (True, "f5"), (None, "f6"), ("IETF", "6449455446"),
        ("\u6c34", "63e6b0b4"),
        # Chromium's envelopes around what appendix A writes as 9f 18 ff and bf 61 61 01 ff.
        ([24], "d8185a00000004" "9f1818ff"), ({"a": 1}, "d8185a00000005" "bf616101ff"),
    ],
)  # fmt: skip
def test_known_bytes(value, written):
    assert cbor.encode(value).hex() == written
    assert cbor.decode(bytes.fromhex(written)) == value


def test_what_only_a_browser_writes():
    assert cbor.decode(b"\xd6\x43\x89PN") == b"\x89PN"  # a picture
    assert cbor.decode(b"\x48" + "h€😀".encode("utf-16-le")) == "h€😀"
    assert cbor.decode(b"\x42\x00\xd8") == "\ud800"  # half a pair, which a page may well hold


def test_messages_come_in_any_pieces():
    sent = [{"id": number, "result": {"text": "t" * number}} for number in range(40)]
    data = b"".join(map(cbor.encode, sent))
    draw, buffer, found = random.Random(0), bytearray(), []
    while data:
        count = draw.randint(1, 60)
        buffer += data[:count]
        data = data[count:]
        found += cbor.take(buffer)
    assert found == sent
    assert not buffer


def test_what_no_browser_writes_is_an_error():
    for wrong in (b"\xe0", b"\x1f"):
        with pytest.raises(ValueError, match="begins nothing that a browser writes"):
            cbor.decode(wrong)
    with pytest.raises(IndexError):
        cbor.decode(cbor.encode({"a": [1]})[:-2])
    with pytest.raises(TypeError, match="a bytes cannot be sent to a browser"):
        cbor.encode({"a": b"bytes"})
