"""Tool-call and text spaces: what they take, what they refuse and why, what they draw."""

import copy
import json
import pickle
from typing import Annotated, Literal

import gymnasium as gym
import numpy as np
import pytest
from pydantic import Field

from turngym.envs import Tool, ToolCallSpace, Unicode, observation_space

CLICK = Tool(
    "click",
    "Click at a point.",
    {
        "x": {"type": "integer", "minimum": 0, "maximum": 9},
        "y": {"type": "integer", "minimum": 0, "maximum": 9},
        "button": {"enum": ["left", "right"], "default": "left"},
    },
)
TYPE = Tool("type", "Type text.", {"text": {"type": "string"}})
WAIT = Tool("wait", "Do nothing.", {})
RICH = Tool(
    "rich",
    "Every type.",
    {
        "ratio": {"type": "number", "minimum": -1.0, "maximum": 1.0},
        "free": {"type": "number"},
        "whole": {"type": "integer"},
        "flag": {"type": "boolean"},
        "word": {"type": "string", "minLength": 2, "maxLength": 3},
        "long": {"type": "string", "minLength": 20},
        "path": {
            "type": "array",
            "items": {"type": "integer", "minimum": 1, "maximum": 3},
            "minItems": 1,
            "maxItems": 2,
        },
        "any": {"type": "array", "items": {"type": "boolean"}},
    },
)


@pytest.fixture
def space():
    return ToolCallSpace([CLICK, TYPE, WAIT])


def call(tool, /, **arguments):
    return {"name": tool, "arguments": arguments}


@pytest.mark.parametrize(
    "good",
    [
        call("click", x=0, y=9),
        call("click", x=3, y=4, button="right"),
        call("type", text=""),
        call("type", text="é 漢字 🎈 \u202e \x00 \n"),
        call("wait"),
    ],
)
def test_valid_calls_are_in_the_space(space, good):
    assert good in space
    assert space.explain(good) is None


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (None, "expected a tool call"),
        ("click(1, 2)", "expected a tool call"),
        (["click"], "expected a tool call"),
        ({}, "expected a tool call"),
        ({"name": "wait"}, "expected a tool call"),
        ({"name": "wait", "arguments": {}, "thought": "hm"}, "expected a tool call"),
        ({"name": "wait", "arguments": None}, "arguments of a tool call"),
        ({"name": "wait", "arguments": []}, "arguments of a tool call"),
        ({"name": "wait", "arguments": {1: 2}}, "arguments of a tool call"),
        ({"name": "wait", "arguments": "{}"}, "arguments of a tool call"),
        (call("fly"), "unknown tool 'fly'; the tools are click, type, wait"),
        (call("Wait"), "unknown tool 'Wait'"),
        ({"name": None, "arguments": {}}, "unknown tool 'None'"),
        ({"name": ["wait"], "arguments": {}}, "unknown tool"),
        ({"name": "", "arguments": {}}, "unknown tool ''"),
        (call("click", x=1), "'y' is a required property"),
        (call("click", x=1, y=2, z=3), "'z' was unexpected"),
        (call("click", x=10, y=2), "click.x: 10 is greater than the maximum of 9"),
        (call("click", x=-1, y=2), "click.x: -1 is less than the minimum of 0"),
        (call("click", x="1", y=2), "click.x: '1' is not of type 'integer'"),
        (call("click", x=1.5, y=2), "click.x: 1.5 is not of type 'integer'"),
        (call("click", x=True, y=2), "click.x: True is not of type 'integer'"),
        (call("click", x=None, y=2), "click.x: None is not of type 'integer'"),
        (call("click", x=float("nan"), y=2), "click.x: nan is not"),
        (call("click", x=1, y=2, button="middle"), "click.button: 'middle' is not one of ['left', 'right']"),
        (call("type", text=7), "type.text: 7 is not of type 'string'"),
        (call("wait", seconds=3), "'seconds' was unexpected"),
    ],
)
def test_a_refusal_says_in_one_line_what_is_wrong(space, bad, says):
    assert bad not in space
    why = space.explain(bad)
    assert says in why
    assert "\n" not in why


def test_a_completion_without_a_call_is_refused_with_its_own_reason(space):
    assert space.explain(call("", error="no <tool_call> found")) == "no <tool_call> found"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_are_finite(value):
    space = ToolCallSpace([Tool("set", "Set it.", {"to": {"type": "number"}})])
    assert call("set", to=value) not in space
    assert "set.to" in space.explain(call("set", to=value))


def test_text_is_encodable(space):
    # json.loads makes a lone surrogate out of "\\ud800"; no page, device or database takes one.
    lone = json.loads('{"name": "type", "arguments": {"text": "\\ud800"}}')
    assert "type.text" in space.explain(lone)


def test_a_long_refusal_is_cut():
    space = ToolCallSpace([WAIT])
    assert len(space.explain("x" * 10_000)) < 300
    assert len(space.explain(call("x" * 10_000))) < 300
    assert len(ToolCallSpace([CLICK]).explain(call("click", x="x" * 10_000, y=1))) <= 300


def test_calls_nested_beyond_measure_are_refused(space):
    deep = []
    for _ in range(100_000):
        deep = [deep]
    for bad in (call("click", x=deep, y=1), call("type", text=deep), {"name": deep, "arguments": {}}, deep):
        assert space.explain(bad)


LONG = 10**5000
"""A whole number that Python does not write out."""


@pytest.mark.parametrize(
    "bad",
    [
        call("click", x=LONG, y=1),
        call("click", x=[LONG], y=1),
        call("type", text=LONG),
        {"name": LONG, "arguments": {}},
        {"name": "wait", "arguments": [LONG]},
        {"name": "wait", "arguments": {LONG: 1}},
        call("", error=LONG),
        [LONG],
        LONG,
    ],
    ids=lambda bad: type(bad).__name__,  # pytest would write them out
)
def test_numbers_long_beyond_measure_are_refused(space, bad):
    assert space.explain(bad) == "the call holds a number that is too long"


def test_a_long_number_is_refused_where_any_number_goes():
    assert ToolCallSpace([RICH]).explain(call("rich", whole=LONG))
    assert "number that is too long" in ToolCallSpace([Tool("set", "Set it.", {"to": {}})]).explain(
        call("set", to=LONG)
    )


def test_the_reason_of_a_completion_without_a_call_is_one_line_of_bounded_length(space):
    assert space.explain(call("", error="no call:\n<think>\r\nhm\u2028")) == "no call: <think> hm"
    assert len(space.explain(call("", error="x" * 10_000))) == 300
    assert space.explain(call("", error="")) == ""
    assert "\n" not in space.explain(call("click", x=np.zeros((3, 3)), y=1))


def test_tools_are_in_function_calling_form(space):
    click = space.tools[0]
    assert click == {
        "type": "function",
        "function": {
            "name": "click",
            "description": "Click at a point.",
            "parameters": {
                "type": "object",
                "properties": dict(CLICK.parameters),
                "required": ["x", "y"],
                "additionalProperties": False,
            },
        },
    }
    assert json.loads(json.dumps(space.tools)) == space.tools
    assert space.names == ("click", "type", "wait")


def test_samples_are_valid_and_reach_every_tool_and_bound(space):
    space.seed(0)
    drawn = [space.sample() for _ in range(600)]
    assert all(sample in space for sample in drawn)
    assert {sample["name"] for sample in drawn} == {"click", "type", "wait"}
    clicks = [sample["arguments"] for sample in drawn if sample["name"] == "click"]
    assert {click["x"] for click in clicks} == set(range(10))
    assert {click["button"] for click in clicks} == {"left", "right"}
    texts = [sample["arguments"]["text"] for sample in drawn if sample["name"] == "type"]
    assert max(map(len, texts)) == 16
    assert all(text.isprintable() and text.isascii() for text in texts)


def test_samples_of_every_type_are_valid():
    space = ToolCallSpace([RICH], seed=0)
    for _ in range(50):
        assert space.explain(space.sample()) is None


def test_seeds_repeat_samples(space):
    space.seed(7)
    once = [space.sample() for _ in range(20)]
    space.seed(7)
    assert [space.sample() for _ in range(20)] == once
    assert [ToolCallSpace([CLICK, TYPE, WAIT], seed=7).sample()] == once[:1]


def test_samples_are_drawn_without_masks(space):
    with pytest.raises(NotImplementedError):
        space.sample(mask=1)
    with pytest.raises(NotImplementedError):
        space.sample(probability=1)


def test_a_schema_that_cannot_be_sampled_says_so():
    with pytest.raises(NotImplementedError, match="cannot sample"):
        ToolCallSpace([Tool("odd", "Odd.", {"x": {"type": "object"}})]).sample()


def test_json_round_trip(space):
    space.seed(1)
    drawn = [space.sample() for _ in range(5)]
    assert space.from_jsonable(json.loads(json.dumps(space.to_jsonable(drawn)))) == drawn


def test_it_is_a_gymnasium_space(space):
    assert isinstance(space, gym.Space)
    assert space.is_np_flattenable is False
    assert repr(space) == "ToolCallSpace(click, type, wait)"
    other = ToolCallSpace([CLICK, TYPE, WAIT])
    assert space == other
    assert hash(space) == hash(other)
    assert space != ToolCallSpace([CLICK])
    assert space != "click"
    assert space.sample() in space  # after which the validators are there
    assert pickle.loads(pickle.dumps(space)) == space
    assert copy.deepcopy(space) == space


@pytest.mark.parametrize("tools", [[], [Tool("", "Nameless.", {})]])
def test_a_space_needs_tools_with_names(tools):
    with pytest.raises(ValueError, match="at least one tool"):
        ToolCallSpace(tools)


def test_a_tool_from_a_typed_function():
    def scroll(
        amount: Annotated[int, Field(ge=-5, le=5)], way: Literal["up", "down"] = "down", words: list[str] | None = None
    ) -> None:
        """Scroll the page.

        More than one line is for the reader of the code.
        """

    tool = Tool.from_function(scroll)
    assert (tool.name, tool.description, tool.required) == ("scroll", "Scroll the page.", ("amount",))
    assert tool.explain({"amount": 3, "way": "up"}) is None
    assert tool.explain({"amount": 3, "words": ["a"]}) is None
    assert "maximum of 5" in tool.explain({"amount": 6})
    assert "title" not in json.dumps(tool.spec)


def test_unicode_takes_any_text_and_nothing_else():
    space = Unicode(seed=0)
    for text in ("", "plain", "漢字 🎈", "\x00", "x" * 100_000):
        assert text in space
    for other in (None, 3, b"bytes", ["a"]):
        assert other not in space
    drawn = [space.sample() for _ in range(50)]
    assert all(text in space and text.encode() for text in drawn)
    assert len(set(drawn)) > 40
    assert space == Unicode()
    assert hash(space) == hash(Unicode())
    assert space.is_np_flattenable is False
    assert repr(space) == "Unicode()"


def test_observation_space_takes_text_and_any_number_of_images_of_one_size():
    space = observation_space(4, 2)
    image = np.zeros((2, 4, 3), np.uint8)
    for images in ((), (image,), (image, image)):
        assert {"text": "hello", "images": images} in space
    for wrong in (np.zeros((4, 2, 3), np.uint8), np.zeros((2, 4, 3), np.float32), np.zeros((2, 4), np.uint8)):
        assert {"text": "hello", "images": (wrong,)} not in space
    assert {"text": "hello"} not in space
    assert space.sample() in space
