"""The clerk of the toy behind a server that has tools of its own form, as vLLM with a parser of calls has."""

import json
import re

from lse_gym.envs.report import Turn
from lse_gym.envs.tools.protocol import results_turn
from tests.tools.shelf import TOOLS, clerk

CALL = re.compile(r"<tool_call>\n(.*?)\n</tool_call>", re.DOTALL)


def text_of(message):
    """A message of the assistant as the chat template of a model would write it."""
    calls = (call["function"] for call in message.get("tool_calls", ()))
    texts = (json.dumps({"name": f["name"], "arguments": json.loads(f["arguments"])}) for f in calls)
    return "\n".join([message["content"], *(f"<tool_call>\n{text}\n</tool_call>" for text in texts)])


def turns_of(messages):
    """The turns that messages after the question are; each result has to name its call."""
    turns, results, open_calls = [], [], []
    for message in [*messages, {"role": "end"}]:
        if message["role"] == "tool":
            assert message["tool_call_id"] == open_calls.pop(0)
            results.append(message["content"])
            continue
        assert not open_calls, "a call has no result"
        if results:
            turns.append(results_turn(results))
            results = []
        if message["role"] == "assistant":
            turns.append(Turn("assistant", text_of(message)))
            open_calls = [call["id"] for call in message.get("tool_calls", ())]
            assert all(re.fullmatch("[a-zA-Z0-9]{9}", id_) for id_ in open_calls)
        elif message["role"] == "user":
            turns.append(Turn("tool", message["content"]))
    return tuple(turns)


def answer(handler, number):
    """Answer a request, with calls in the form that it asks for."""
    payload = handler.server.payloads[number]
    system, user, *others = payload["messages"]
    if native := "tools" in payload:
        assert [tool["function"] for tool in payload["tools"]] == [tool._asdict() for tool in TOOLS]
        assert "<tool" not in system["content"]
    text = clerk(system["content"], user["content"].removeprefix("Question: "), turns_of(others))
    message = {"role": "assistant", "content": text}
    if native:
        read = [json.loads(call) for call in CALL.findall(text)]
        calls = [
            {"id": f"x{i}", "type": "function", "function": call | {"arguments": json.dumps(call["arguments"])}}
            for i, call in enumerate(read)
        ]
        message = {"role": "assistant", "content": CALL.sub("", text).strip() or None, "tool_calls": calls}
    usage = {"prompt_tokens": 10, "completion_tokens": len(text) // 4 + 1}
    return handler.reply(200, {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})
