"""Servers as they are: what they leave out, say elsewhere or count wrongly costs no answer that was paid for."""

import json
import threading

import pytest

from lse_gym.envs.budget import Budget
from lse_gym.envs.errors import (
    AuthenticationError,
    ContextLengthError,
    ProviderError,
    QuotaError,
    UnknownModelError,
)
from lse_gym.envs.metered import MeteredModel
from lse_gym.envs.models.base import Request, Response
from lse_gym.envs.models.chat_refusal import Filtered, Transient, classify
from lse_gym.envs.models.chat_reply import estimate
from lse_gym.envs.models.openai import OpenAIModel
from tests.models.chat_server import serve
from tests.models.one_server import ASKED, PROMPT, USAGE, completion, model_of, quick  # noqa: F401 - quick is a fixture

ANSWERS = {
    "plain": (completion(), Response("7", 10, 5, 0, "stop")),
    "no usage": (completion(usage="none"), Response("7", estimate(PROMPT), 1, 0, "stop", 0, True)),
    "null usage": (completion(usage=None), Response("7", estimate(PROMPT), 1, 0, "stop", 0, True)),
    "a null count": (
        completion(usage={"prompt_tokens": 10, "completion_tokens": None}),
        Response("7", 10, 1, 0, "stop", 0, True),
    ),
    "more choices": (completion() | {"choices": completion()["choices"] * 3}, Response("7", 10, 5, 0, "stop")),
    "parts": (completion([{"type": "text", "text": "<a>"}, {"type": "text", "text": "7"}]),
              Response("<a>7", 10, 5, 0, "stop")),
    "thinking parts": (
        completion([{"type": "thinking", "thinking": [{"type": "text", "text": "9?"}]}, {"type": "text", "text": "7"}]),
        Response("7", 10, 5, 0, "stop", 5),
    ),
    "null": (completion(None, finish="length"), Response("", 10, 5, 0, "length")),
    "refusal": (completion(None, refusal="no", finish="content_filter"), Response("", 10, 5, 0, "content_filter")),
    "thinking": (completion("<think>9? No.</think>\n\n7"), Response("7", 10, 5, 0, "stop", 5)),
    "thinking, cut": (completion("<think>It is <answer>9</answer>", finish="length"),
                      Response("", 10, 5, 0, "length", 5)),
    "thinking, opened by the prompt": (completion("9? No.</think>7"), Response("7", 10, 5, 0, "stop", 5)),
    "reasoning_content": (completion(None, reasoning_content="It is 7", finish="length"),
                          Response("", 10, 5, 0, "length", 5)),
    "reasoning": (completion("", reasoning="It is <answer>7</answer>"), Response("", 10, 5, 0, "stop", 5)),
    "counted thinking": (
        completion(usage=USAGE | {"completion_tokens_details": {"reasoning_tokens": 3}}),
        Response("7", 10, 5, 0, "stop", 3),
    ),
    "thinking in the total only": (
        completion(usage={"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 95}),
        Response("7", 10, 85, 0, "stop"),
    ),
    "no finish reason": (completion(finish=None), Response("7", 10, 5)),
    "a finish reason of another kind": (completion(finish={"a": 1}), Response("7", 10, 5)),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_asked_for_once_and_read(monkeypatch, name):
    body, expected = ANSWERS[name]
    with model_of(monkeypatch, lambda handler, *_: handler.reply(200, body)) as (model, server):
        assert model.complete([ASKED]) == [expected]
        assert len(server.payloads) == 1


IMPOSSIBLE = ["1" + "0" * 400, "1" + "0" * 9000, "-5", "Infinity", "-Infinity", "NaN", "1e999", '"9"', "true", "[]"]


@pytest.mark.parametrize("count", IMPOSSIBLE)
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
def test_a_count_that_cannot_be_is_estimated(monkeypatch, name, count):
    body = json.dumps(completion(usage=USAGE | {name: "HERE"})).replace('"HERE"', count).encode()
    with model_of(monkeypatch, lambda handler, *_: handler.reply(200, body)) as (model, server):
        (answer,) = model.complete([ASKED])
        assert len(server.payloads) == 1
    assert answer.estimated
    assert answer[1:3] == ((estimate(PROMPT), 5) if name == "prompt_tokens" else (10, 1))


@pytest.mark.parametrize("bad", ["malformed", "refused", "count"])
def test_a_bad_reply_costs_its_own_question_only(monkeypatch, bad):
    broken = threading.Event()
    bodies = {
        "malformed": (200, b'{"choices": "?"}'),
        "refused": (400, {"error": {"message": "stopped"}}),
        "count": (200, completion(usage={"prompt_tokens": 10**400, "completion_tokens": 5})),
    }

    def fault(handler, number, payload):
        hit = broken.is_set() and "Question 3 " in payload["messages"][-1]["content"]
        return handler.reply(*bodies[bad]) if hit else handler.reply(200, completion())

    with model_of(monkeypatch, fault) as (model, server):
        budget = Budget({"calls": 1000, "tokens": 10**6, "usd": 10**6})
        metered = MeteredModel(model, budget)
        questions = [Request("s", f"Question {i} of many") for i in range(56)]
        broken.set()
        if bad == "count":
            assert len(metered.complete(questions)) == 56
            assert budget.spent.calls == 56
            assert 0 < budget.spent.tokens - 55 * 15 < 100
        else:
            with pytest.raises(ProviderError, match="1 of 56 requests"):
                metered.complete(questions)
            assert budget.spent[1:3] == (55, 55 * 15), "what was answered is kept and charged"
            sent = len(server.payloads)
            broken.clear()
            assert len(metered.complete(questions)) == 56
            assert len(server.payloads) == sent + 1
        assert budget.affords(budget.remaining), "nothing stays reserved"


WORDS = {
    "vLLM": {"object": "error", "message": "a word of its own", "type": "BadRequestError", "param": None, "code": 400},
    "FastAPI": {"detail": [{"type": "x", "loc": ["body", "messages"], "msg": "a word of its own"}]},
    "a detail": {"detail": "a word of its own"},
    "Gemini": [{"error": {"code": 400, "message": "a word of its own", "status": "INVALID_ARGUMENT"}}],
    "Ollama": {"error": "a word of its own"},
    "nested": {"error": {"message": {"error": {"message": "a word of its own"}}, "errors": ["a word of its own"]}},
    "a page": b"<html><style>p {color: red}</style><h1>a word</h1>\n of its own</html>",
    "text": b"a word of its own",
}


HABITS = {  # of servers that are in use, as their own documents and bug reports have them
    "overloaded": (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, Transient),
    "not yet loaded": (503, {"error": {"code": 503, "message": "Loading model"}}, Transient),
    "per minute": (429, {"error": {"message": "Request too large. Try again in 1m12s", "code": "rate_limit_exceeded"}},
                   Transient),
    "a key of another form": (400, [{"error": {"code": 400, "message": "API key not valid. Please pass one."}}],
                              AuthenticationError),
    "a wrong path": (404, b"404 page not found", UnknownModelError),
    "a model that is not pulled": (404, {"error": "model 'm' not found, try pulling it first"}, UnknownModelError),
    "flagged": (403, {"error": {"message": "Your input was flagged", "code": 403}}, Filtered),
    "no credit": (402, {"error": {"message": "Insufficient credits"}}, QuotaError),
    "validation": (422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 64",
                         "error_type": "validation"}, ProviderError),
    "moved": (308, b"", ProviderError),
    "nothing": (400, b"", ProviderError),
    "null": (400, b"null", ProviderError),
}  # fmt: skip


@pytest.mark.parametrize("name", HABITS)
def test_each_habit_is_the_error_that_it_is(name):
    status, body, kind = HABITS[name]
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    failure = classify(status, data, {}, "m", "http://host/v1")
    assert type(failure) is kind
    if name == "per minute":
        assert failure.wait_s == 72


def test_a_query_of_the_address_goes_with_every_request_and_a_body_may_begin_late(monkeypatch):
    paths = []

    def fault(handler, number, payload):
        paths.append(handler.path)
        return handler.reply(200, b"\n\n\n" + json.dumps(completion("[THINK]9?[/THINK]7")).encode())

    with serve(lambda handler, number: fault(handler, number, None)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/?api-version=2024-10-21")
        model = OpenAIModel("m")
        assert model.complete([ASKED])[0].text == "7"
        assert model.revision == server.url + "/?api-version=2024-10-21"
    assert paths == ["/v1/chat/completions?api-version=2024-10-21"]


@pytest.mark.parametrize("form", WORDS)
def test_a_refusal_is_told_in_the_words_of_the_server(monkeypatch, form):
    with model_of(monkeypatch, lambda handler, *_: handler.reply(400, WORDS[form])) as (model, server):
        with pytest.raises(ProviderError, match=r"refused a request with HTTP 400.*a word of its own") as caught:
            model.complete([ASKED])
        assert len(server.payloads) == 1
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "body", [b"\x1b[2J" + b"x" * 100_000, b"[" * 50_000, {"error": {"message": "\u202e\x07y" * 9999}}]
)
def test_the_words_of_a_server_are_one_short_printable_line(monkeypatch, body):
    server = model_of(monkeypatch, lambda handler, *_: handler.reply(400, body))
    with server as (model, _), pytest.raises(ProviderError) as caught:
        model.complete([ASKED])
    assert len(str(caught.value)) < 500
    assert not {"\x1b", "\x07", "\n"} & {*str(caught.value)}


@pytest.mark.parametrize(
    "error",
    [
        {"message": "This model's maximum context length is 64 tokens. However, you requested 900 tokens."},
        {"error": {"type": "exceed_context_size_error", "message": "the request exceeds the available context size"}},
        {"error": {"message": "prompt is too long: 9000 tokens > 64 maximum", "type": "invalid_request_error"}},
        [{"error": {"code": 400, "message": "The input token count (900) exceeds the maximum of 64."}}],
    ],
)
def test_a_full_window_has_its_own_error(monkeypatch, error):
    server = model_of(monkeypatch, lambda handler, *_: handler.reply(400, error))
    with server as (model, _), pytest.raises(ContextLengthError):
        model.complete([ASKED])


@pytest.mark.parametrize(
    ("refused", "error"),
    [
        (
            "max_tokens",
            {"error": {"message": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."}},
        ),
        ("seed", {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs"}]}),
        ("seed", [{"error": {"code": 400, "message": 'Unknown name "seed": Cannot find field.'}}]),
        ("temperature", {"error": {"code": "unsupported_value", "param": "temperature", "message": "only 1"}}),
    ],
)
def test_what_a_model_does_not_take_is_left_out(monkeypatch, refused, error):
    def fault(handler, number, payload):
        return handler.reply(422, error) if refused in payload else handler.reply(200, completion())

    with model_of(monkeypatch, fault) as (model, server):
        for _ in range(2):
            assert model.complete([ASKED])[0].text == "7"
        assert len(server.payloads) == 3, "it is remembered"
        assert ("max_completion_tokens" in server.payloads[-1]) == (refused == "max_tokens")


@pytest.mark.parametrize("words", ["System role not supported", "Developer instruction is not enabled for models/m",
                                   "Conversation roles must alternate user/assistant"])  # fmt: skip
def test_without_a_system_role_it_opens_the_user_message(monkeypatch, words):
    def fault(handler, number, payload):
        if payload["messages"][0]["role"] == "system":
            return handler.reply(400, {"object": "error", "message": words, "code": 400})
        return handler.reply(200, completion())

    with model_of(monkeypatch, fault) as (model, server):
        assert model.complete([ASKED])[0].text == "7"
        assert server.payloads[-1]["messages"] == [{"role": "user", "content": "You add.\n\nWhat is 3 + 4?"}]


def test_what_it_refuses_without_having_got_it_ends(monkeypatch):
    error = {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}
    with model_of(monkeypatch, lambda handler, *_: handler.reply(422, error)) as (model, server):
        with pytest.raises(ProviderError, match="Extra inputs are not permitted"):
            model.complete([ASKED])
        assert len(server.payloads) == 2
