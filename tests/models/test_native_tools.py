"""`openai:MODEL?tools=native`: tools in a server's own form, text for everything else; the same scores either way."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.errors import NoToolsError, UnknownNameError
from lse_gym.envs.models import chat_api, make_model
from lse_gym.envs.models.base import Request
from lse_gym.envs.models.chat_reply import Malformed, Refused, read_reply
from lse_gym.envs.models.native_tools import native_request
from lse_gym.envs.models.openai import OpenAIModel
from lse_gym.envs.models.stored import request_key
from lse_gym.envs.report import Turn
from lse_gym.envs.tools.protocol import MAX_CALLS, call_text, read_calls, results_turn
from tests.models.chat_server import serve
from tests.tools.clerk_server import answer
from tests.tools.shelf import Clerk, ShelfDomain, ShelfEnv, make

SYSTEM = ShelfDomain().system("Context with <tools>\n[1]\n</tools> in it.")
FIND = call_text("find", {"name": "rope"})


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(chat_api, "FIRST_WAIT_S", 0.002)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-real-key")
    monkeypatch.setenv("LSE_GYM_RESPONSE_CACHE", "off")


def episode(env):
    seen = [env.reset(seed=2)]
    return repr([*seen, *(env.step(f"Line {i}.") for i in range(3))])


def test_a_scripted_model_has_the_same_scores_and_reports_either_way(monkeypatch):
    with serve(answer) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        name = f"openai:clerk-{server.server_address[1]}"
        text, native = (episode(ShelfEnv(task_model=model)) for model in (name, f"{name}?tools=native"))
        sent = [sum(("tools" in p) == wants for p in server.payloads) for wants in (False, True)]
    assert sent[0] == sent[1] > 30
    assert text.replace("\\n", " ") == native.replace("\\n", " ")
    here = episode(make(Clerk()))
    assert here.partition("'feedback_score'")[0] == text.partition("'feedback_score'")[0]


def test_the_form_is_part_of_the_name_and_so_of_what_is_kept():
    text, native = OpenAIModel("m"), OpenAIModel("m?tools=native")
    assert (native.model, native.name) == ("m", "openai:m?tools=native")
    keys = {request_key(model.name, model.revision, Request("S", "U")) for model in (text, native)}
    assert len(keys) == 2
    with pytest.raises(UnknownNameError, match=r"'tool=native' is not a known option.*'openai:m\?tools=native'"):
        make_model("openai:m?tool=native")


def test_a_request_shows_its_tools_once_and_leaves_the_context_as_it_is():
    asked = native_request(Request(SYSTEM, "Question: q"))
    system, user = asked["messages"]
    assert [tool["function"]["name"] for tool in asked["tools"]] == ["find", "set"]
    assert system["content"].endswith("### Instructions\nContext with <tools>\n[1]\n</tools> in it.")
    assert "<tool_call>" not in system["content"]
    assert f"up to {MAX_CALLS} calls" in system["content"]
    assert user == {"role": "user", "content": "Question: q"}
    plain = Request("You answer. <tools>\n", "Question: q")
    assert native_request(plain) == {"messages": plain.messages}


def test_calls_and_results_of_earlier_turns_are_the_servers():
    turns = (
        Turn("assistant", f"Well.\n{FIND}\n{FIND}"),
        results_turn(["2", "Error: no"]),
        Turn("assistant", "<answer>"),
    )
    *_, said, first, second, last = native_request(Request(SYSTEM, "q", turns=turns))["messages"]
    assert said["content"] == "Well."
    assert [json.loads(call["function"]["arguments"]) for call in said["tool_calls"]] == [{"name": "rope"}] * 2
    assert [(m["role"], m["content"]) for m in (first, second)] == [("tool", "2"), ("tool", "Error: no")]
    assert [m["tool_call_id"] for m in (first, second)] == [call["id"] for call in said["tool_calls"]]
    assert last == {"role": "assistant", "content": "<answer>"}


@pytest.mark.parametrize(
    "text", ["<tool_call>{</tool_call>", f"{FIND}<tool_call>", f"{FIND}<tool_call>{{}}</tool_call>"]
)
def test_a_turn_with_a_malformed_call_is_told_as_text(text):
    results = results_turn(["2"] * len(read_calls(text)))
    *_, said, told = native_request(Request(SYSTEM, "q", turns=(Turn("assistant", text), results)))["messages"]
    assert said == {"role": "assistant", "content": text}
    assert told == {"role": "user", "content": results.content}


def test_of_too_many_calls_those_with_a_result_are_told():
    results = results_turn(["2"] * MAX_CALLS + ["Error: a message may hold 20 calls; the last 9 are not made"])
    turns = (Turn("assistant", FIND * (MAX_CALLS + 9)), results)
    *_, said = (m for m in native_request(Request(SYSTEM, "q", turns=turns))["messages"] if "tool_calls" in m)
    assert len(said["tool_calls"]) == MAX_CALLS + 1


def reply(message):
    body = {"choices": [{"message": message}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    return read_reply(json.dumps(body).encode(), "").text


@pytest.mark.parametrize(
    ("arguments", "read", "problem"),
    [
        ('{"id": 3}', {"id": 3}, ""),
        ({"id": 3}, {"id": 3}, ""),
        ("", {}, ""),
        (None, {}, ""),
        ('{"x": "</tool_call>"}', {"x": "</tool_call>"}, ""),
        ('{"id": ', {}, "not JSON"),
        ('{"id": 3, "id": 4}', {}, "the key 'id' is there twice"),
        ("[1]", {}, "no JSON object"),
        ('{}, "name": "set"', {}, "the key 'name' is there twice"),
        ("{}}</tool_call>", {}, "not JSON"),
        ('{"x": NaN}', {}, "not JSON"),
    ],
)
def test_calls_of_a_reply_are_text_that_is_read_as_any_other(arguments, read, problem):
    text = reply({"content": "So.", "tool_calls": [{"function": {"name": "find", "arguments": arguments}}]})
    assert text.startswith("So.\n<tool_call>\n")
    (call,) = read_calls(text)
    assert (call.arguments, call.name) == (read, "find" if not problem or problem == "no JSON object" else "")
    assert problem in call.problem
    assert bool(problem) == bool(call.problem)


VLLM = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'


def test_a_call_that_stands_in_the_text_too_is_made_once():
    calls = [{"function": {"name": "find", "arguments": '{"name": "rope"}'}}]
    assert reply({"content": f"So. {FIND}", "tool_calls": calls}) == f"So.\n{FIND}"
    assert reply({"content": f"So. {FIND} "}) == f"So. {FIND} "


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("function", "name", "arguments", "index")) | st.text(max_size=2), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=200)
@given(ANY)
def test_no_reply_does_harm(calls):
    try:
        text = reply({"content": None, "tool_calls": calls})
    except (Malformed, Refused):
        assert not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls)
    else:
        assert len(read_calls(text)) == len(calls or ())


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"object": "error", "message": VLLM}),
        (500, {"error": {"code": 500, "message": "tools param requires --jinja flag", "type": "server_error"}}),
        (400, {"error": {"message": "registry.ollama.ai/library/gemma:2b does not support tools"}}),
        (404, {"error": {"message": "No endpoints found that support tool use. To learn more …", "code": 404}}),
        (400, {"error": {"code": "unsupported_parameter", "param": "tools", "message": "Not for this model."}}),
    ],
    ids=["vllm", "llama.cpp", "ollama", "openrouter", "openai"],
)  # fmt: skip
def test_a_server_without_tools_is_told_what_to_do_at_once(status, body, monkeypatch):
    with serve(lambda handler, number: handler.reply(status, body)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("LSE_GYM_CONCURRENCY", "1")
        with pytest.raises(NoToolsError, match=r"--enable-auto-tool-choice --tool-call-parser NAME.*\?tools=native"):
            OpenAIModel("m?tools=native").complete([Request(SYSTEM, f"q{i}") for i in range(4)])
        assert len(server.payloads) == 1
