import pytest

from turngym.agents import dialects
from turngym.envs import BadInput

QWEN = dialects.find("qwen-tools")


@pytest.mark.parametrize(
    "call",
    [
        {"name": "click", "arguments": {"x": 49, "y": 103}},
        {"name": "type", "arguments": {"text": 'quotes " and \\ and\nlines, é, 🦊, {braces}'}},
        {"name": "wait", "arguments": {}},
    ],
)
def test_what_is_written_is_read_back(call):
    assert QWEN.read(QWEN.write(call)) == call
    assert QWEN.read(f"I think I should. {QWEN.write(call)}") == call


def test_the_form_is_qwens():
    call = {"name": "click", "arguments": {"x": 1, "y": 2}}
    assert QWEN.write(call) == '<tool_call>\n{"name": "click", "arguments": {"x": 1, "y": 2}}\n</tool_call>'


@pytest.mark.parametrize(
    ("completion", "why"),
    [
        ("", "found 0"),
        ('{"name": "click", "arguments": {}}', "found 0"),
        ("<tool_call>{}</tool_call><tool_call>{}</tool_call>", "found 2"),
        ("<tool_call>click(1, 2)</tool_call>", "not JSON"),
        ("<tool_call>[1]</tool_call>", "a tool call is"),
        ('<tool_call>{"name": 3, "arguments": {}}</tool_call>', "a tool call is"),
        ('<tool_call>{"name": "click", "arguments": [1]}</tool_call>', "an object"),
        ("<tool_call>" + "[" * 100_000 + "</tool_call>", "not JSON"),
        ("<tool_call>__import__('os').system('true')</tool_call>", "not JSON"),
    ],
)
def test_a_completion_without_a_call_comes_back_nameless_with_the_reason(completion, why):
    call = QWEN.read(completion)
    assert call["name"] == ""
    assert why in call["arguments"]["error"]


def test_the_manual_lists_the_tools_in_function_calling_form():
    tool = {"type": "function", "function": {"name": "wait", "description": "Wait.", "parameters": {}}}
    assert '{"name": "wait"' in QWEN.manual([tool])


def test_unknown_dialect():
    with pytest.raises(BadInput, match="unknown dialect 'klingon'; there is qwen-tools, webagent-r1, browsergym"):
        dialects.find("klingon")
