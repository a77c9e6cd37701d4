import pytest

from turngym.envs import Refused, ToolCallSpace
from turngym.envs.browser.keyboard import split
from turngym.envs.browser.protocol import Key, Move, Press, Release, Text, Wheel
from turngym.envs.browser.screen import Node
from turngym.envs.browser.tools import MOST_ELEMENTS, PRESSABLE, element_tools, events, tools
from turngym.envs.browser.view import View

VIEW = View((160, 210), (84, 112))
FIELD = Node("textbox", "", "tt", "old", "", False, False, False, False, 30.0, 60.0, 120.0, 20.0)


def happen(name, nodes=(), **arguments):
    return events({"name": name, "arguments": arguments}, VIEW.to_page, nodes)


def test_the_tools_are_these():
    space = ToolCallSpace(tools(84, 112))
    assert space.names == ("click", "double_click", "drag", "type", "press", "scroll", "wait")
    assert space.contains({"name": "click", "arguments": {"x": 83, "y": 111}})
    assert not space.contains({"name": "click", "arguments": {"x": 84, "y": 111}})
    assert not space.contains({"name": "click", "arguments": {"x": -1, "y": 0}})
    assert not space.contains({"name": "press", "arguments": {"key": "F13"}})


def test_every_pressable_key_is_a_key():
    assert [split(name) for name in PRESSABLE]


def test_a_click_moves_presses_and_releases_where_the_image_pixel_is_on_the_page():
    x, y = VIEW.to_page(40, 50)
    assert happen("click", x=40, y=50) == (Move(x, y), Press(x, y), Release(x, y))
    assert happen("double_click", x=40, y=50)[-2:] == (Press(x, y, 2), Release(x, y, 2))


def test_integral_floats_are_integers_as_in_json_schema():
    assert happen("click", x=40.0, y=50.0) == happen("click", x=40, y=50)


def test_a_drag_moves_with_the_button_held_and_ends_at_its_end():
    move, press, *path, release = happen("drag", x=0, y=0, to_x=40, to_y=50)
    end = VIEW.to_page(40, 50)
    assert isinstance(move, Move)
    assert isinstance(press, Press)
    assert not move.held
    assert all(isinstance(step, Move) and step.held for step in path)
    assert (path[-1].x, path[-1].y) == (release.x, release.y) == end


def test_scrolling_turns_the_wheel_where_the_pointer_is():
    x, y = VIEW.to_page(10, 20)
    assert happen("scroll", x=10, y=20, dx=-5, dy=300) == (Move(x, y), Wheel(x, y, -5, 300))


def test_typing_pressing_and_waiting():
    assert happen("type", text="a😀") == (Key("a"), Text("😀"))
    assert happen("press", key="Control+a") == (Key("Control+a"),)
    assert happen("wait") == ()


@pytest.mark.parametrize("point", [{"x": 10, "y": 111}, {"x": 10, "y": 110}])
def test_a_position_beside_the_page_is_refused(point):
    with pytest.raises(Refused, match="outside the page"):
        happen("click", **point)


def test_half_a_surrogate_pair_is_refused():
    with pytest.raises(Refused, match="not valid Unicode"):
        happen("type", text="a\ud83d")


def test_elements_are_clicked_and_filled_by_number():
    assert happen("click_element", (FIELD,), element=0) == (Move(30, 60), Press(30, 60), Release(30, 60))
    assert happen("fill_element", (FIELD,), element=0, text="n")[3:] == (Key("Control+a"), Key("n"))
    with pytest.raises(Refused, match="no element 1"):
        happen("click_element", (FIELD,), element=1)
    space = ToolCallSpace(element_tools())
    assert not space.contains({"name": "click_element", "arguments": {"element": MOST_ELEMENTS}})
