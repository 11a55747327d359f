"""How tools, calls and results are written in messages: one text form for every task model.

Tools are shown as JSON schemas. A call is JSON in ``<tool_call>`` tags, as in the chat templates of Hermes and Qwen 3,
or has the XML form of Qwen 3.5; results come back in ``<tool_response>`` tags. A transport that has a form of its own
for all this translates at its boundary.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from lse_gym.envs.report import Turn
from lse_gym.envs.text import UNPRINTABLE, elements
from lse_gym.envs.tools.sound import Unsound, check_sound, read_json

MAX_CALLS = 20  # of one message
CALL, RESULT = "tool_call", "tool_response"
HOW_MANY = f"A message may hold up to {MAX_CALLS} calls, which are made in their order."
HOW_TO_CALL = f"""\
To use a tool, write a call in this form:
<{CALL}>
{{"name": "name of the tool", "arguments": {{"name of an argument": "its value"}}}}
</{CALL}>
{HOW_MANY} Stop after the last one: what each call returns comes back as the next message, in <{RESULT}> tags."""

_BEFORE, _AFTER = "<tools>\n", f"\n</tools>\n\n{HOW_TO_CALL}"
_FUNCTION = re.compile(r"<function=([^<>\n]+)>(.*)</function>", re.DOTALL)
_PARAMETER = re.compile(r"\s*<parameter=([^<>\n]+)>")
_END = "</parameter>"


class Tool(NamedTuple):
    """What a task model may call: ``parameters`` is a JSON schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


class Call(NamedTuple):
    """A call as it stands in a message.

    Attributes:
        name: of the tool; "" where it cannot be read.
        arguments: by name.
        problem: why the call cannot be made, in words for the task model; "" where nothing is wrong with its form.
        textual: whether the arguments are plain text, as in the XML form, that the tool's schema gives a type.
    """

    name: str
    arguments: dict[str, Any]
    problem: str = ""
    textual: bool = False


def tools_block(tools: Iterable[Tool]) -> str:
    """The tools, one JSON a line, and how they are called."""
    lines = "\n".join(_embedded({"type": "function", "function": tool._asdict()}) for tool in tools)
    return f"{_BEFORE}{lines}{_AFTER}"


def split_tools(text: str) -> tuple[tuple[str, str], list[dict[str, Any]]]:
    """What stands before and after the first :func:`tools_block` of a text, and the tools in it; all and [] without."""
    before, opening, rest = text.partition(_BEFORE)
    lines, closing, after = rest.partition(_AFTER)
    if not opening or not closing:
        return (text, ""), []
    return (before, after), [json.loads(line) for line in lines.split("\n") if line]


def call_text(name: Any, arguments: Any) -> str:
    """A call as a task model writes it."""
    return _in_tags(_embedded({"name": name, "arguments": arguments}))


def raw_call_text(name: Any, arguments: str) -> str:
    """A call whose arguments are not known to be JSON."""
    return _in_tags(f'{{"name": {_embedded(name)}, "arguments": {_escaped(arguments)}}}')


def read_calls(text: str) -> list[Call]:
    """The calls in a message, in their order; what is malformed is a call with a ``problem``. Takes linear time.

    A call ends at the first closing tag, so no argument can hold that tag: in JSON it is written ``<\\/tool_call>``.

    >>> read_calls('Let me see. <tool_call>{"name": "find", "arguments": {"id": 3}}</tool_call>')
    [Call(name='find', arguments={'id': 3}, problem='', textual=False)]
    """
    calls = [_read_call(inside.strip()) for inside in elements(text, CALL)]
    if text.rfind(f"<{CALL}>") > text.rfind(f"</{CALL}>"):
        calls.append(Call("", {}, f"the last call has no </{CALL}>"))
    return calls


def outside_calls(text: str) -> str:
    """What a message says beside its calls."""
    opening, closing = f"<{CALL}>", f"</{CALL}>"
    said = [text.partition(opening)[0]]
    for call in text.split(opening)[1:]:
        said.append(call.partition(closing)[2])
    return "".join(said).strip()


def results_turn(results: Sequence[str], max_bytes: int | None = None) -> Turn:
    """What calls returned, in their order, as the turn that comes after them.

    Args:
        results: one a call.
        max_bytes: of UTF-8 that the turn may have; then short results are whole, and the others share what is left.
    """
    shown = [_clean(result) for result in results]
    if max_bytes is not None:
        shown = _shortened(shown, max_bytes - len(shown) * _FRAME_BYTES)
    return Turn("tool", "\n".join(f"<{RESULT}>\n{result}\n</{RESULT}>" for result in shown))


def read_results(turn: Turn) -> list[str]:
    """The inverse of :func:`results_turn`."""
    return [result[1:-1] for result in elements(turn.content, RESULT)]


_FRAME_BYTES = 2 * len(RESULT) + len("<>\n\n</>\n")  # around each result
_NOTE_BYTES = 80


def _clean(result: str) -> str:
    """A result that every transport can carry, without the tag that would end it."""
    return UNPRINTABLE.sub("\ufffd", result.replace("\r\n", "\n")).replace(f"</{RESULT}>", f"<\\/{RESULT}>")


def _shortened(results: list[str], left: int) -> list[str]:
    """Results of ``left`` bytes in all."""
    sizes = [len(result.encode()) for result in results]
    shown = list(results)
    for rank, index in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        share = max(0, left) // (len(sizes) - rank)
        shown[index] = _cut(results[index], share)
        left -= min(sizes[index], share)
    return shown


def _cut(text: str, max_bytes: int) -> str:
    data = text.encode()
    if len(data) <= max_bytes:
        return text
    if max_bytes < _NOTE_BYTES:
        return data[:max_bytes].decode("utf-8", "ignore")
    kept = data[: max_bytes - _NOTE_BYTES].decode("utf-8", "ignore")
    return f"{kept}\n[cut: {len(kept)} of {len(text)} characters are shown]"


def _in_tags(call: str) -> str:
    return f"<{CALL}>\n{call}\n</{CALL}>"


def _embedded(value: Any) -> str:
    """JSON on one line that holds no closing tag."""
    return _escaped(json.dumps(value, ensure_ascii=False))


def _escaped(text: str) -> str:
    return text.replace("</", "<\\/")


def _read_call(inside: str) -> Call:
    if inside.startswith("<function="):
        return _read_xml(inside)
    try:
        call = read_json(inside)
    except Unsound as error:
        return Call("", {}, f"the call is not JSON: {error}")
    if not isinstance(call, dict) or not isinstance(call.get("name"), str) or not call["name"]:
        return Call("", {}, 'the call is no JSON object with a "name"')
    name, arguments = call["name"], call.get("arguments", {})
    try:
        if isinstance(arguments, str):  # as servers write them
            arguments = read_json(arguments)
    except Unsound as error:
        return Call(name, {}, f"the arguments are not JSON: {error}")
    if not isinstance(arguments, dict):
        return Call(name, {}, "the arguments are no JSON object")
    if other := call.keys() - {"name", "arguments"}:
        return Call(name, {}, f'a call has a "name" and "arguments", not {min(other)!r}')
    return Call(name, arguments)


def _read_xml(inside: str) -> Call:
    """A call in the form ``<function=name><parameter=x>…</parameter></function>``."""
    found = _FUNCTION.fullmatch(inside)
    if found is None:
        return Call("", {}, "the call has no </function> at its end")
    (name, rest), at, arguments = found.groups(), 0, {}
    while opening := _PARAMETER.match(rest, at):
        end = rest.find(_END, opening.end())
        if end < 0:
            return Call(name, {}, f"the parameter {opening[1]!r} has no {_END}", textual=True)
        if opening[1] in arguments:
            return Call(name, {}, f"the parameter {opening[1]!r} is there twice", textual=True)
        arguments[opening[1]] = rest[opening.end() : end].removeprefix("\n").removesuffix("\n")
        at = end + len(_END)
    if rest[at:].strip():
        return Call(name, {}, f"{rest[at:].strip()[:40]!r} is no <parameter=…>", textual=True)
    try:
        check_sound(arguments)
    except Unsound as error:
        return Call(name, {}, str(error), textual=True)
    return Call(name, arguments, textual=True)
