"""Calls and results as text: whatever a task model writes is read, in linear time; what is written is read back."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.tools.protocol import (
    Call,
    Tool,
    call_text,
    outside_calls,
    read_calls,
    read_results,
    results_turn,
    split_tools,
    tools_block,
)
from lse_gym.envs.tools.sound import INTEGERS, MAX_DEPTH, Unsound, read_json
from tests.patience import processor_seconds

LARGE = 100_000
TEXT = st.text(max_size=12) | st.sampled_from(
    ("</tool_call>", "<tool_call>", "</parameter>", "</", "\n", "é\u2028", '"')
)
SOUND = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(INTEGERS.start, INTEGERS.stop - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
NAMES = st.text("abcdefgh_-.1 é", min_size=1, max_size=8)
PIECES = st.sampled_from(
    (
        "<tool_call>",
        "</tool_call>",
        "<function=f>",
        "</function>",
        "<parameter=x>",
        "</parameter>",
        '{"name": "f", "arguments": {"x": 1}}',
        '{"name": "f"',
        "<answer>",
        "NaN",
        "[" * 50,
        "\n",
        '"',
        "\ud800",
        "9" * 30,
    )
)


def encodable(text):
    try:
        return bool(text.encode()) or True
    except UnicodeEncodeError:
        return False


@settings(max_examples=150)
@given(st.lists(PIECES | st.text(max_size=5), max_size=12).map("".join))
def test_whatever_is_written_is_read(text):
    calls = read_calls(text)
    assert bool(calls) == ("<tool_call>" in text)
    for call in calls:
        assert isinstance(call.name, str)
        assert bool(call.name) or bool(call.problem)
        json.dumps(call.arguments, allow_nan=False, ensure_ascii=False).encode()
        assert not (call.problem and call.arguments)
    outside_calls(text)


@settings(max_examples=100)
@given(st.lists(st.tuples(NAMES, st.dictionaries(TEXT.filter(encodable), SOUND, max_size=3)), max_size=4), TEXT)
def test_calls_are_read_as_they_were_written(calls, between):
    between = between.replace("<", "")
    text = between.join(["", *(call_text(*call) for call in calls), ""])
    if all(encodable(json.dumps(call, ensure_ascii=False)) for call in calls):
        assert read_calls(text) == [Call(*call) for call in calls]
    assert outside_calls(text) == (between * (len(calls) + 1)).strip()


@settings(max_examples=100)
@given(NAMES, st.dictionaries(NAMES, TEXT.filter(encodable), max_size=3), st.sampled_from(("", "\n")))
def test_the_xml_form_is_read_as_it_was_written(name, arguments, gap):
    if any(tag in text for text in arguments.values() for tag in ("</tool_call>", "</parameter>")):
        return  # which the form has no way to write
    parts = "".join(f"<parameter={key}>\n{value}\n</parameter>{gap}" for key, value in arguments.items())
    text = f"Well. <tool_call>{gap}<function={name}>{gap}{parts}</function>{gap}</tool_call>"
    assert read_calls(text) == [Call(name, arguments, textual=True)]


@pytest.mark.parametrize(
    ("inside", "problem"),
    [
        ("", "not JSON"),
        ("{}", '"name"'),
        ("[]", '"name"'),
        ('{"name": ""}', '"name"'),
        ('{"name": 3}', '"name"'),
        ('{"name": "f", "arguments": 3}', "no JSON object"),
        ('{"name": "f", "arguments": "3"}', "no JSON object"),
        ('{"name": "f", "arguments": "{"}', "the arguments are not JSON"),
        ('{"name": "f", "parameters": {}}', "not 'parameters'"),
        ('{"name": "f", "arguments": {"x": NaN}}', "NaN is not JSON"),
        ('{"name": "f", "arguments": {"x": -Infinity}}', "-Infinity is not JSON"),
        ('{"name": "f", "arguments": {"x": 1e999}}', "too large"),
        ('{"name": "f", "arguments": {"x": 9223372036854775808}}', "too large"),
        (f'{{"name": "f", "arguments": {{"x": {"9" * 5000}}}}}', "too large"),
        ('{"name": "f", "arguments": {"x": 1, "x": 2}}', "the key 'x' is there twice"),
        ('{"name": "f", "arguments": {"x": "\\ud800"}}', "half of a character"),
        (f'{{"name": "f", "arguments": {{"x": {"[" * 40}{"]" * 40}}}}}', "deep"),
        (f'{{"name": "f", "arguments": {{"x": {"[" * 50_000}{"]" * 50_000}}}}}', "deep"),
        ("{'name': 'f'}", "not JSON: Expecting property name"),
        ('{"name": "f"} and {"name": "g"}', "not JSON: Extra data"),
        ("<function=f>", "no </function>"),
        ("<function=f></function> more", "no </function>"),
        ("<function=f>x</function>", "'x' is no <parameter=…>"),
        ("<function=f><parameter=x>1</function>", "has no </parameter>"),
        ("<function=f><parameter=x>1</parameter><parameter=x>2</parameter></function>", "twice"),
        ("<function=f><parameter=x>\ud800</parameter></function>", "half of a character"),
        ("<function=></function>", "no </function>"),
    ],
)
def test_a_malformed_call_says_what_is_wrong_with_it(inside, problem):
    (call,) = read_calls(f"<tool_call>{inside}</tool_call>")
    assert problem in call.problem
    assert not call.arguments
    assert len(call.problem) < 200


def test_a_call_without_its_end_is_told_after_the_others():
    first, second = read_calls(f"{call_text('f', {})} <tool_call>{{")
    assert first == Call("f", {})
    assert second.problem == "the last call has no </tool_call>"


def test_arguments_may_be_left_out_or_stand_in_a_string():
    assert read_calls('<tool_call>{"name": "f"}</tool_call>') == [Call("f", {})]
    assert read_calls('<tool_call>{"name": "f", "arguments": "{\\"x\\": 1}"}</tool_call>') == [Call("f", {"x": 1})]


HOSTILE = (
    "<tool_call>",
    "</tool_call>",
    "<tool_call></tool_call>",
    '<tool_call>"',
    '<tool_call>{"name": "',
    "<tool_call><function=f><parameter=x>",
    "<tool_call><function=f><parameter=x></tool_call>",
    "<tool_call><function=f></function>",
    "<function=",
    "<parameter=x>",
    "</parameter>",
    "[",
    '{"a":',
    "\\",
    " ",
    "<tool_call>{",
)


@pytest.mark.parametrize(
    "wrapped", ["{}", "<tool_call>{}</tool_call>", "<tool_call><function=f>{}</function></tool_call>"]
)
@pytest.mark.parametrize("piece", HOSTILE)
def test_reading_takes_linear_time(piece, wrapped):
    text = wrapped.replace("{}", piece * (LARGE // len(piece)))
    taken = processor_seconds(lambda: (read_calls(text), outside_calls(text)))
    assert taken < 0.5  # it takes some milliseconds; what is quadratic takes many seconds


RESULTS = st.text(max_size=30) | st.sampled_from(("</tool_response>", "<tool_response>", "\r\n", "x" * 300))


@settings(max_examples=100)
@given(st.lists(RESULTS, max_size=30), st.integers(100, 3000))
def test_results_are_read_as_they_were_written_and_fit(results, max_bytes):
    turn = results_turn(results)
    turn.content.encode()
    read = read_results(turn)
    assert len(read) == len(results)
    for result, shown in zip(results, read, strict=True):
        assert shown == result or "\ufffd" in shown or "\r" in result or "</tool_response>" in result
    if max_bytes >= 40 * len(results):
        short = results_turn(results, max_bytes)
        assert len(short.content.encode()) <= max_bytes
        assert len(read_results(short)) == len(results)
        if len(turn.content.encode()) <= max_bytes - len(results):
            assert short == turn


def test_long_results_share_what_short_ones_leave():
    turn = results_turn(["a" * 50, "b" * 5000, "c" * 5000], 4000)
    short, *long = read_results(turn)
    assert short == "a" * 50
    assert all(one.endswith(" of 5000 characters are shown]") for one in long)
    assert 3800 < len(turn.content) <= 4000
    assert abs(len(long[0]) - len(long[1])) < 5


@settings(max_examples=100)
@given(st.lists(st.builds(Tool, NAMES, TEXT, st.dictionaries(TEXT, SOUND, max_size=2)), max_size=3), TEXT, TEXT)
def test_tools_can_be_taken_out_of_a_prompt_again(tools, before, after):
    before = before.replace("<", "")
    outside, found = split_tools(before + tools_block(tools) + after)
    assert outside == (before, after)
    assert [tool["function"] for tool in found] == [tool._asdict() for tool in tools]
    assert split_tools(before) == ((before, ""), [])


def test_json_is_sound_or_refused():
    assert read_json(json.dumps([[]] * 3)) == [[], [], []]
    deep = "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)
    read_json(deep[1:-1])
    with pytest.raises(Unsound, match="nested more than 32 deep"):
        read_json(deep)
