"""More habits of servers: what comes with a 200 and is no plain answer, bodies in other forms, filters, redirects."""

import gzip
import json
import logging
import time

import pytest

from lse_gym.envs.errors import ProviderError, UnavailableError
from lse_gym.envs.models import chat_api
from lse_gym.envs.models.base import Response
from lse_gym.envs.models.chat_refusal import asked_wait
from lse_gym.envs.models.chat_reply import estimate
from lse_gym.envs.models.openai import OpenAIModel
from tests.models.chat_server import serve
from tests.models.one_server import ASKED, PROMPT, USAGE, completion, model_of, quick  # noqa: F401 - quick is a fixture

BODY = json.dumps(completion()).encode()
SEVEN = Response("7", 10, 5, 0, "stop")


def raw(handler, data):
    """Send bytes as they are, and hang up."""
    handler.wfile.write(data)
    return handler.hang_up()


def chunked(data):
    parts = (data[i : i + 7] for i in range(0, len(data), 7))
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def events(*chunks, end=b"data: [DONE]\n\n"):
    return b": hello\n\n" + b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks) + end


def delta(finish=None, **values):
    return {"choices": [{"index": 0, "delta": values, "finish_reason": finish}]}


LAST = {"choices": [], "usage": USAGE}
CALLS = [{"id": "1", "type": "function", "function": {"name": "find", "arguments": '{"id":3}'}}]
CALLED = '<tool_call>\n{"name": "find", "arguments": {"id": 3}}\n</tool_call>'
PIECES = ({"name": "find", "arguments": ""}, {"arguments": '{"id"'}, {"arguments": ":3}"})
UNUSUAL = {
    "content as an object": (completion({"type": "text", "text": "7"}), SEVEN),
    "parts without a type": (completion([{"text": "7"}]), SEVEN),
    "no content after thinking": (
        {"choices": [{"message": {"role": "assistant"}, "finish_reason": "length"}], "usage": USAGE},
        Response("", 10, 5, 0, "length"),
    ),
    "a tool call": (
        {"choices": [{"message": {"role": "assistant", "tool_calls": CALLS}, "finish_reason": "tool_calls"}],
         "usage": USAGE},
        Response(CALLED, 10, 5, 0, "tool_calls"),
    ),
    "a tool call without anything": (
        {"choices": [{"message": {"role": "assistant", "tool_calls": [{}]}, "finish_reason": "tool_calls"}],
         "usage": USAGE},
        Response('<tool_call>\n{"name": null, "arguments": {}}\n</tool_call>', 10, 5, 0, "tool_calls"),
    ),
    "a stream of a tool call": (
        events(*(delta(tool_calls=[{"index": 0, "function": piece}]) for piece in PIECES), delta("tool_calls"), LAST),
        Response(CALLED, 10, 5, 0, "tool_calls"),
    ),
    "no choice": ({"choices": [], "usage": USAGE}, Response("", 10, 5)),
    "null for the choices": ({"choices": None, "usage": USAGE}, Response("", 10, 5)),
    "a plain completion": ({"choices": [{"text": "7", "finish_reason": "stop"}], "usage": USAGE}, SEVEN),
    "a byte order mark": (b"\xef\xbb\xbf" + BODY, SEVEN),
    "a stream, usage last": (events(delta(role="assistant"), delta(content="7"), delta("stop"), LAST), SEVEN),
    "a stream with thoughts": (
        events(delta(reasoning_content="9? "), delta(reasoning_content="No."), delta("stop", content="7"), LAST),
        Response("7", 10, 5, 0, "stop", 5),
    ),
    "a stream without an end": (events(delta(content="7"), delta("length"), LAST, end=b""),
                                Response("7", 10, 5, 0, "length")),
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_answer_is_read_and_asked_for_once(monkeypatch, name):
    body, expected = UNUSUAL[name]
    with model_of(monkeypatch, lambda handler, *_: handler.reply(200, body)) as (model, server):
        assert model.complete([ASKED]) == [expected]
        assert len(server.payloads) == 1


WIRE = {
    "gzip": lambda h: h.reply(200, gzip.compress(BODY), Content_Encoding="gzip"),
    "chunks": lambda h: raw(h, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(BODY)),
    "HTTP/1.0": lambda h: raw(h, b"HTTP/1.0 200 OK\r\n\r\n" + BODY),
    "status 201": lambda h: h.reply(201, BODY),
    "closed after each": lambda h: h.reply(200, BODY) and h.hang_up(),
}


@pytest.mark.parametrize("name", WIRE)
def test_a_body_comes_as_it_likes(monkeypatch, name):
    with model_of(monkeypatch, lambda handler, *_: WIRE[name](handler)) as (model, server):
        for batch in range(3):
            asked = [ASKED._replace(sample=8 * batch + i) for i in range(8)]
            assert model.complete(asked) == [SEVEN] * 8
        assert len(server.payloads) == 24


def test_a_small_body_that_grows_without_end_is_not_read_on(monkeypatch):
    monkeypatch.setattr(chat_api, "MAX_BODY_BYTES", 2**20)
    bomb = gzip.compress(b" " * (20 << 20))
    with model_of(monkeypatch, lambda h, *_: h.reply(200, bomb, Content_Encoding="gzip")) as (model, server):
        with pytest.raises(ProviderError, match="more than 1 MiB"):
            model.complete([ASKED])
        assert len(server.payloads) == 1


PASSING = {
    "an error with status 200": (200, {"error": {"message": "Provider returned error", "code": 502}}),
    "its code in digits": (200, {"error": {"message": "slow down", "code": "429"}}),
    "its code as a word": (200, {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}),
    "an error in a choice": (200, {"choices": [{"error": {"code": 502, "message": "it died"}, "finish_reason": "error",
                                                "message": {"role": "assistant", "content": "half an"}}]}),
    "an error in a stream": (200, events(delta(content="half an"), {"error": {"message": "it died"}, **delta("error")})
                             .replace(b'"finish_reason": "error"', b'"error": {"code": 503}')),
    "a stream that is cut": (200, events(delta(content="half an"), end=b"")),
    "a page of a proxy": (502, b"<html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1>nginx</html>"),
    "no content": (204, b""),
    "a time-out of its own": (408, b""),
}  # fmt: skip


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_asked_again_and_never_scored(monkeypatch, name):
    status, body = PASSING[name]

    def fault(handler, number, payload):
        return handler.reply(status, body) if number == 0 else handler.reply(200, completion())

    with model_of(monkeypatch, fault) as (model, server):
        assert model.complete([ASKED]) == [SEVEN]
        assert len(server.payloads) == 2


@pytest.mark.parametrize("name", ["an error in a choice", "a page of a proxy"])
def test_what_does_not_pass_is_told_in_the_words_of_the_server(monkeypatch, name):
    server = model_of(monkeypatch, lambda handler, *_: handler.reply(*PASSING[name]))
    with server as (model, _), pytest.raises(UnavailableError, match=r"HTTP 502: (it died|502 Bad Gateway)"):
        model.complete([ASKED])


@pytest.mark.parametrize("body", [{"error": {"code": 503, "message": "Loading model"}},
                                  {"error": {"type": "overloaded_error", "message": "Overloaded"}}])  # fmt: skip
def test_a_server_that_is_busy_is_waited_for_longer_than_the_tries_last(monkeypatch, body):
    def fault(handler, number, payload):
        return handler.reply(503, body) if number < 9 else handler.reply(200, completion())

    with model_of(monkeypatch, fault) as (model, server):
        assert model.complete([ASKED]) == [SEVEN]
        assert len(server.payloads) == 10 > chat_api.MAX_TRIES


def test_waits_in_the_headers_of_what_is_used_up(monkeypatch):
    left = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-remaining-tokens": "100"}
    resets = {"x-ratelimit-reset-requests": "300ms", "x-ratelimit-reset-tokens": "6m0s"}
    assert asked_wait(left | resets) == 0.3
    assert asked_wait(left | resets | {"x-ratelimit-remaining-tokens": "0"}) == 360
    assert asked_wait(left | resets | {"retry-after": "2"}) == 2
    assert asked_wait(resets) == asked_wait(left) == 0
    times = []

    def fault(handler, number, payload):
        times.append(time.monotonic())
        return handler.reply(429, {}, **left, **resets) if number == 0 else handler.reply(200, completion())

    with model_of(monkeypatch, fault) as (model, _):
        model.complete([ASKED])
    assert 0.3 <= times[1] - times[0] < 2


FILTERS = {
    "Azure": (400, {"error": {"message": "content management policy", "code": "content_filter",
                              "innererror": {"code": "ResponsibleAIPolicyViolation"}}}),
    "OpenAI": (400, {"error": {"message": "rejected by our safety system", "code": "content_policy_violation"}}),
    "OpenRouter": (403, {"error": {"message": "Your input was flagged", "code": 403}}),
}  # fmt: skip


@pytest.mark.parametrize("name", FILTERS)
def test_a_prompt_that_a_filter_refuses_is_an_empty_answer_and_told(monkeypatch, caplog, name):
    caplog.set_level(logging.INFO, "lse_gym.models")

    def fault(handler, number, payload):
        blocked = payload["messages"][-1]["content"] == "blocked"
        return handler.reply(*FILTERS[name]) if blocked else handler.reply(200, completion())

    with model_of(monkeypatch, fault) as (model, server):
        blocked = ASKED._replace(user="blocked")
        empty = Response("", estimate("You add.blocked"), 0, 0, "content_filter", 0, True)
        assert model.complete([ASKED, blocked]) == [SEVEN, empty]
        assert len(server.payloads) == 2
    assert "does not answer a prompt, which counts as an empty answer: HTTP 40" in caplog.text
    assert estimate(PROMPT) > 0


@pytest.mark.parametrize("status", [301, 307, 308])
def test_a_redirect_is_not_followed_and_tells_the_address(monkeypatch, status):
    place = "http://me:hunter2@127.0.0.1:9/v2/chat/completions?sig=hunter2"
    with model_of(monkeypatch, lambda handler, *_: handler.reply(status, b"", Location=place)) as (model, server):
        with pytest.raises(ProviderError, match=r"Set OPENAI_BASE_URL to http://127\.0\.0\.1:9/v2") as caught:
            model.complete([ASKED])
        assert len(server.payloads) == 1
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("end", ["", "/", "/chat/completions", "/chat/completions/"])
def test_an_address_may_have_a_slash_or_the_whole_path(monkeypatch, end):
    paths = []
    with serve(lambda handler, number: paths.append(handler.path) or handler.reply(200, completion())) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url + end)
        assert OpenAIModel("m").complete([ASKED]) == [SEVEN]
    assert paths == ["/v1/chat/completions"]


def test_an_address_without_v1_is_told_what_it_usually_ends_in(monkeypatch):
    def fault(handler, number, payload):
        return handler.reply(404, {"detail": "Not Found"})

    with serve(lambda handler, number: fault(handler, number, None)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url.removesuffix("/v1"))
        with pytest.raises(ProviderError, match="an address usually ends in /v1"):
            OpenAIModel("m").complete([ASKED])
