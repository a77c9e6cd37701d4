import pytest

from turngym.envs.browser.keyboard import KEYS, split, typing
from turngym.envs.browser.protocol import Key, Text


def test_every_printable_ascii_character_is_a_key_that_types_itself():
    assert all(KEYS[chr(point)].text == chr(point) for point in range(32, 127))


def test_typing_presses_keys_and_inserts_the_rest_in_order():
    assert typing("a\tB\n") == (Key("a"), Key("Tab"), Key("B"), Key("Enter"))
    assert typing("né😀ü!") == (Key("n"), Text("é😀ü"), Key("!"))
    assert typing("\r\n\r") == (Key("Enter"), Key("Enter"))
    assert typing("") == ()


def test_combinations_are_split_into_modifiers_and_key():
    assert split("Control+Shift+a") == (("Control", "Shift"), KEYS["a"])
    assert split("+") == ((), KEYS["+"])
    assert split("Control++") == (("Control",), KEYS["+"])
    assert split(" ") == ((), KEYS[" "])


@pytest.mark.parametrize("name", ["Control+", "Hyper+a", "é", ""])
def test_what_is_on_no_keyboard_is_a_key_error(name):
    with pytest.raises(KeyError):
        split(name)
