import dataclasses

import pytest

from turngym.envs.browser.oracles import ORACLES, call, fill
from turngym.envs.browser.screen import Node, Screen

FIELD = Node("textbox", "", "tt", "", "", False, False, False, False, 60.0, 70.0, 120.0, 20.0)
BUTTON = Node("button", "Submit", "subbtn", "", "", False, False, False, False, 50.0, 100.0, 95.0, 31.0)


def test_a_field_is_filled_from_whatever_state_it_is_in():
    click, mark, type_ = call("click", x=60.0, y=70.0), call("press", key="Control+a"), call("type", text="new")
    focused = dataclasses.replace(FIELD, focused=True)
    assert fill(FIELD, "new") == [click, type_]
    assert fill(focused, "new") == [type_]
    assert fill(dataclasses.replace(FIELD, value="old"), "new") == [click, mark, type_]
    assert fill(dataclasses.replace(focused, value="old"), "new") == [mark, type_]
    assert fill(dataclasses.replace(focused, value="old", marked=True), "new") == [type_]
    assert fill(dataclasses.replace(FIELD, value="new"), "new") == []


def test_a_plan_is_made_anew_from_the_screen():
    instruction = 'Enter "Karrie" into the text field and press Submit.'
    oracle = ORACLES["enter-text"]
    names = [step["name"] for step in oracle.plan(Screen(instruction, (FIELD, BUTTON)))]
    assert names == ["click", "type", "click"]
    filled = dataclasses.replace(FIELD, value="Karrie")
    assert oracle.plan(Screen(instruction, (filled, BUTTON))) == [call("click", x=50.0, y=100.0)]


def test_a_screen_says_what_it_lacks():
    screen = Screen("Do it.", (BUTTON,))
    assert screen.find(name="Submit") is BUTTON
    with pytest.raises(LookupError, match="Login"):
        screen.find(name="Login")
    with pytest.raises(LookupError, match="Do it"):
        screen.words("Click (.*)")
