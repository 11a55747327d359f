"""Tools in the form that chat servers have for them, translated where a request leaves and a reply comes in.

Text stays what everything else sees, see :mod:`lse_gym.envs.tools.protocol`: the tools in a system message become the
field ``tools``, calls of earlier turns ``tool_calls`` and their results messages of role ``tool``; calls in a reply
become text. ``tool_choice`` is left out: "auto" is what servers take where there are tools, and some refuse the field.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from lse_gym.envs.models.base import Request
from lse_gym.envs.prompt import CONTEXT_HEADER
from lse_gym.envs.report import Turn
from lse_gym.envs.tools.protocol import (
    HOW_MANY,
    call_text,
    outside_calls,
    raw_call_text,
    read_calls,
    read_results,
    split_tools,
)
from lse_gym.envs.tools.sound import Unsound, read_json


def native_request(request: Request) -> dict[str, Any]:
    """``messages`` and ``tools`` of a request; its messages alone where its system message shows no tools."""
    system, tools = _split(request.system)
    if not tools:
        return {"messages": request.messages}
    messages: list[Any] = request._replace(system=system, turns=()).messages
    for number, turn in enumerate(request.turns):
        after = request.turns[number + 1 : number + 2]
        if turn.role != "tool":
            messages += _with_calls(turn, after, number // 2) or _plain(turn, *after)
    return {"messages": messages, "tools": [*tools]}


def with_calls(written: str, message: Mapping[str, Any]) -> str:
    """What was written in a reply, and the calls that its message has beside it, as text; a call is there once.

    Arguments are a JSON object in a string, or, of some servers, the object itself. What cannot be read stays in the
    text as it is, for :func:`lse_gym.envs.tools.protocol.read_calls` to tell.

    Raises:
        TypeError: ``tool_calls`` is no list of objects.
    """
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list) or not all(isinstance(call, Mapping) for call in calls):
        raise TypeError("tool_calls")
    return "\n".join(filter(None, (outside_calls(written), *map(_call_text, calls)))) if calls else written


@lru_cache(maxsize=16)
def _split(system: str) -> tuple[str, tuple[Any, ...]]:
    """The system message without the tools that stand before the context, and these."""
    head, header, context = system.partition(f"\n{CONTEXT_HEADER}\n")
    rest, tools = split_tools(head)
    return f"{rest[0]}{HOW_MANY}{rest[1]}{header}{context}" if tools else system, tuple(tools)


def _with_calls(turn: Turn, after: Sequence[Turn], number: int) -> list[dict[str, Any]]:
    """A turn that makes calls, and their results; [] where it makes none, or one of them cannot be told natively."""
    if not after or after[0].role != "tool":
        return []
    results = read_results(after[0])
    calls = read_calls(turn.content)[: len(results)]
    if len(calls) < len(results) or any(call.problem for call in calls):
        return []
    ids = [f"call{number:02d}{place:03d}" for place in range(len(calls))]  # nine letters and digits, as Mistral's
    made = [
        {"id": id_, "type": "function", "function": {"name": call.name, "arguments": json.dumps(call.arguments)}}
        for id_, call in zip(ids, calls, strict=True)
    ]
    said = {"role": "assistant", "content": outside_calls(turn.content), "tool_calls": made}
    told = zip(ids, results, strict=True)
    return [said, *({"role": "tool", "tool_call_id": id_, "content": result} for id_, result in told)]


def _plain(turn: Turn, *after: Turn) -> list[Any]:
    """A turn as text, and the results after it, which no other call would claim."""
    return Request("", "", turns=(turn, *(one for one in after if one.role == "tool"))).messages[1:]


def _call_text(call: Mapping[str, Any]) -> str:
    function = call.get("function")
    function = function if isinstance(function, Mapping) else {}
    name, arguments = function.get("name"), function.get("arguments")
    if isinstance(arguments, str) and arguments.strip():
        try:
            read = read_json(arguments)
        except Unsound:
            return raw_call_text(name, arguments)
        return call_text(name, read) if isinstance(read, dict) else raw_call_text(name, arguments)
    return call_text(name, arguments or {})
