import pytest

from turngym.envs import Refused, ToolCallSpace
from turngym.envs.browser.keyboard import split
from turngym.envs.browser.protocol import Key, Move, Press, Release, Text, Wheel
from turngym.envs.browser.tools import MOST_ELEMENTS, PRESSABLE, element_tools, events, site_tools, tools, tools_for
from turngym.envs.browser.view import View

VIEW = View((160, 210), (84, 112))


class OneField:
    """A page whose only element, number 0, is a field at (30, 60)."""

    def __init__(self, picked=False):
        self.picked = picked

    def evaluate(self, js):
        function, _, number = js.removeprefix("window.turngymElements?.").rstrip(")").partition("(")
        if not number.startswith("0"):
            return {"refusal": f"there is no element {number}"}
        return {"locate": {"x": 30.0, "y": 60.0}, "put": {"put": self.picked}, "choose": {}}[function]


def happen(name, page=None, **arguments):
    return events({"name": name, "arguments": arguments}, VIEW.to_page, page or OneField())


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


def test_elements_are_used_by_number():
    at = (30.0, 60.0)
    assert happen("click_element", element=0) == (Move(*at), Press(*at), Release(*at))
    assert happen("double_click_element", element=0)[-2:] == (Press(*at, 2), Release(*at, 2))
    right = {"button": "right"}
    assert happen("right_click_element", element=0) == (Move(*at), Press(*at, **right), Release(*at, **right))
    assert happen("hover_element", element=0) == (Move(*at),)
    assert happen("select_option", element=0, option="x") == ()
    for call in ("click_element", "double_click_element", "right_click_element", "hover_element"):
        with pytest.raises(Refused, match="no element 1"):
            happen(call, element=1)
    with pytest.raises(Refused, match="no element 1"):
        happen("select_option", element=1, option="x")
    space = ToolCallSpace(element_tools())
    assert not space.contains({"name": "click_element", "arguments": {"element": MOST_ELEMENTS}})


def test_filling_replaces_what_is_there_and_may_end_with_enter():
    assert happen("fill_element", element=0, text="n")[3:] == (Key("Control+a"), Key("n"))
    assert happen("fill_element", element=0, text="")[3:] == (Key("Control+a"), Key("Delete"))
    assert happen("fill_element", element=0, text="n", enter=True)[-2:] == (Key("n"), Key("Enter"))
    assert happen("fill_element", OneField(picked=True), element=0, text="2024-01-31", enter=True) == (Key("Enter"),)
    for call in [{"name": "fill_element", "text": "\ud800"}, {"name": "select_option", "option": "\ud800"}]:
        with pytest.raises(Refused, match="not valid Unicode"):
            happen(**call, element=0)


def test_tools_follow_what_is_seen():
    pointing, numbering = {"click", "double_click", "drag", "scroll"}, {"click_element", "fill_element"}
    for kinds, points, counts in [
        (("screenshot",), True, False),
        (("elements",), True, True),
        (("marks",), True, True),
        (("html",), False, True),
        (("axtree", "dom"), False, True),
        (("screenshot", "html"), True, True),
    ]:
        names = set(ToolCallSpace(tools_for(kinds, 84, 112)).names)
        assert (pointing <= names, bool(pointing & names)) == (points, points)
        assert (numbering <= names, bool(numbering & names)) == (counts, counts)
        assert {"type", "press", "wait"} <= names


def test_sites_have_addresses_tabs_and_an_answer():
    space = ToolCallSpace(site_tools())
    assert space.names == ("scroll_page", "goto", "back", "forward", "new_tab", "switch_tab", "close_tab", "answer")
    assert space.contains({"name": "answer", "arguments": {"text": ""}})
    assert not space.contains({"name": "goto", "arguments": {"url": ""}})
    assert not space.contains({"name": "scroll_page", "arguments": {"direction": "left"}})
    described = [schema for tool in space.tools for schema in tool["function"]["parameters"]["properties"].values()]
    assert all(schema["description"] for schema in described)
