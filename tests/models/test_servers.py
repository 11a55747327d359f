"""Servers as they are: what they leave out, say elsewhere or count wrongly costs no answer that was paid for."""

import json
import logging
import socket
import threading
import time
from contextlib import contextmanager
from email.utils import formatdate

import pytest

from lse_gym.envs.budget import Budget
from lse_gym.envs.errors import (
    ArgumentError,
    AuthenticationError,
    ContextLengthError,
    ProviderError,
    QuotaError,
    UnavailableError,
    UnknownModelError,
)
from lse_gym.envs.metered import MeteredModel
from lse_gym.envs.models import chat_api, chat_reply
from lse_gym.envs.models.base import Request, Response, sampling_seed
from lse_gym.envs.models.chat_refusal import Filtered, Transient, classify
from lse_gym.envs.models.chat_reply import estimate
from lse_gym.envs.models.openai import OpenAIModel
from tests.models.chat_server import serve
from tests.patience import STALL_S

ASKED = Request("You add.", "What is 3 + 4?", seed=5, sample=2)
PROMPT = "You add.What is 3 + 4?"
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(chat_api, "FIRST_WAIT_S", 0.002)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-real-key")
    for name in ("HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@contextmanager
def model_of(monkeypatch, fault, **environment):
    """A model on a server that answers by ``fault(handler, number, payload)``."""
    with serve(lambda handler, number: fault(handler, number, handler.server.payloads[number])) as server:
        for name, value in ({"OPENAI_BASE_URL": server.url} | environment).items():
            monkeypatch.setenv(name, str(value))
        yield OpenAIModel("m"), server


def completion(text="7", usage=USAGE, finish="stop", **message):
    choice = {"index": 0, "message": {"role": "assistant", "content": text} | message, "finish_reason": finish}
    return {"choices": [choice]} | ({"usage": usage} if usage != "none" else {})


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


WAITS = {
    "seconds": ({"Retry-After": "0.3"}, {}),
    "milliseconds": ({"retry-after-ms": "300"}, {}),
    "a body": ({}, {"error": {"message": "Rate limit reached. Please try again in 300ms."}}),
    "a field": ({}, {"detail": "slow down", "retry_after": 0.3}),
    "Gemini": ({}, [{"error": {"message": "quota", "details": [{"retryDelay": "0.3s"}]}}]),
}


@pytest.mark.parametrize("form", WAITS)
def test_the_wait_that_a_server_asks_for_is_kept_by_every_request(monkeypatch, form):
    headers, body = WAITS[form]
    times = []

    def fault(handler, number, payload):
        times.append(time.monotonic())
        return handler.reply(429, body, **headers) if number == 0 else handler.reply(200, completion())

    with model_of(monkeypatch, fault, LSE_GYM_CONCURRENCY=1) as (model, _):
        model.complete([ASKED, ASKED._replace(sample=3)])
    assert 0.3 <= times[1] - times[0] < 2


def test_a_wait_may_be_a_date_and_there_may_be_more_of_them_than_tries(monkeypatch):
    times = []

    def fault(handler, number, payload):
        times.append(time.monotonic())
        date = formatdate(time.time() + 2, usegmt=True)
        wait = {"Retry-After": date} if number == 0 else {"retry-after-ms": "20"}
        return handler.reply(429, {}, **wait) if number < 9 else handler.reply(200, completion())

    with model_of(monkeypatch, fault, LSE_GYM_CONCURRENCY=1) as (model, server):
        assert model.complete([ASKED])[0].text == "7"
        assert len(server.payloads) == 10 > chat_api.MAX_TRIES
    assert times[1] - times[0] > 0.9


@pytest.mark.parametrize("asked", ["3600", "1e12", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_the_deadline_ends_what_would_wait_too_long_at_once(monkeypatch, asked):
    begun = time.monotonic()
    with model_of(
        monkeypatch, lambda handler, *_: handler.reply(429, {}, **{"Retry-After": asked}), LSE_GYM_DEADLINE_S=30
    ) as (model, server):
        with pytest.raises(UnavailableError, match=r"asks for a pause of \d+ s, and the deadline of 30 s \(LSE_GYM"):
            model.complete([ASKED._replace(sample=i) for i in range(50)])
        assert len(server.payloads) <= 16
    assert time.monotonic() - begun < 5 + STALL_S


def test_a_limit_without_end_ends_at_the_deadline(monkeypatch):
    begun = time.monotonic()
    server = model_of(monkeypatch, lambda handler, *_: handler.reply(429, {}), LSE_GYM_DEADLINE_S=1)
    with server as (model, _), pytest.raises(UnavailableError, match="the deadline of 1 s"):
        model.complete([ASKED])
    assert time.monotonic() - begun < 5 + STALL_S


def drip(handler, head):
    """Send a byte of the head or of the body every now and then, for ever."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + (b"X-Slow: " if head else b"Content-Length: 999999\r\n\r\n"))
    while not handler.server.closing.wait(0.05):
        handler.wfile.write(b"x")
    return handler.hang_up()


@pytest.mark.parametrize("head", [True, False])
def test_a_server_that_drips_ends_at_the_time_out(monkeypatch, head):
    with model_of(
        monkeypatch, lambda handler, *_: drip(handler, head), LSE_GYM_TIMEOUT_S=0.3, LSE_GYM_DEADLINE_S=1
    ) as (model, server):
        server.closing = threading.Event()
        begun = time.monotonic()
        with pytest.raises(UnavailableError):
            model.complete([ASKED])
        server.closing.set()
        assert time.monotonic() - begun < 5 + STALL_S


@pytest.mark.parametrize("announced", [True, False])
def test_an_endless_body_is_not_read_on(monkeypatch, announced):
    monkeypatch.setattr(chat_api, "MAX_BODY_BYTES", 2**20)
    sent = [0]

    def flood(handler, *_):
        length = b"Content-Length: 1000000000\r\n" if announced else b"Connection: close\r\n"
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n")
        for _ in range(1000):
            handler.wfile.write(b"x" * 2**20)
            sent[0] += 1
        return True

    with model_of(monkeypatch, flood) as (model, server):
        with pytest.raises(ProviderError, match="more than 1 MiB"):
            model.complete([ASKED])
        assert len(server.payloads) == 1
    assert sent[0] < 100


def test_the_text_of_an_answer_has_a_longest(monkeypatch):
    monkeypatch.setattr(chat_reply, "MAX_TEXT_CHARS", 1000)
    with model_of(monkeypatch, lambda handler, *_: handler.reply(200, completion("x" * 5000))) as (model, _):
        (answer,) = model.complete([ASKED])
    assert (len(answer.text), answer.finish_reason) == (1000, "length")


def test_a_dead_port_is_told_within_seconds(monkeypatch):
    monkeypatch.undo()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{unused.getsockname()[1]}/v1")
    begun = time.monotonic()
    with pytest.raises(UnavailableError, match=r"connection refused\). Start the server, or set OPENAI_BASE_URL"):
        OpenAIModel("m").complete([ASKED._replace(sample=i) for i in range(40)])
    assert time.monotonic() - begun < 5 + STALL_S


def test_a_port_that_never_answers_is_told_within_seconds(monkeypatch):
    monkeypatch.setattr(chat_api, "CONNECT_S", 0.5)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        queued = [socket.socket() for _ in range(3)]
        for one in queued:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{full.getsockname()[1]}/v1")
        begun = time.monotonic()
        with pytest.raises(UnavailableError, match=r"did not answer within 0.5 s"):
            OpenAIModel("m").complete([ASKED])
        assert time.monotonic() - begun < 4 + STALL_S
        for one in queued:
            one.close()


def test_a_proxy_of_the_environment_is_used_but_not_for_this_machine(monkeypatch):
    with serve(lambda handler, number: handler.reply(200, completion())) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        monkeypatch.setenv("OPENAI_BASE_URL", "http://models.example/v1")
        assert OpenAIModel("m").complete([ASKED])[0].text == "7"
        assert len(proxy.payloads) == 1
        with model_of(monkeypatch, lambda handler, *_: handler.reply(200, completion("8"))) as (model, _):
            assert model.complete([ASKED])[0].text == "8"
        assert len(proxy.payloads) == 1


def test_a_proxy_that_cannot_be_used_is_named(monkeypatch):
    monkeypatch.setenv("http_proxy", "gopher://host:1")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://models.example/v1")
    with pytest.raises(ArgumentError, match="proxy in HTTPS_PROXY"):
        OpenAIModel("m").complete([ASKED])


def test_connections_are_kept_between_batches(monkeypatch):
    with model_of(monkeypatch, lambda handler, *_: handler.reply(200, completion()), LSE_GYM_CONCURRENCY=4) as (
        model,
        server,
    ):
        for batch in range(5):
            model.complete([ASKED._replace(sample=8 * batch + i) for i in range(8)])
        assert len(server.payloads) == 40
        assert len(server._open) <= 4


def test_threads_share_one_model(monkeypatch):
    with model_of(monkeypatch, lambda handler, *_: handler.reply(200, completion()), LSE_GYM_CONCURRENCY=4) as (
        model,
        server,
    ):
        threads = [threading.Thread(target=model.complete, args=([ASKED._replace(sample=i)],)) for i in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.payloads) == 12
        assert len(server._open) <= 4


def test_the_seed_that_is_sent_has_31_bits_and_no_pattern(monkeypatch):
    with model_of(monkeypatch, lambda handler, *_: handler.reply(200, completion())) as (model, server):
        model.complete([ASKED])
        assert server.payloads[0]["seed"] == sampling_seed(ASKED)
    seeds = [
        sampling_seed(Request("", "", seed=seed, sample=sample)) for seed in (-1, 0, 1, 10**12) for sample in range(500)
    ]
    assert len({*seeds}) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_what_is_waited_for_is_told(monkeypatch, caplog):
    monkeypatch.setattr("lse_gym.envs.models.openai.TELL_EVERY_S", 0.1)
    caplog.set_level(logging.INFO, "lse_gym.models")

    def fault(handler, number, payload):
        if number == 0:
            return handler.reply(429, {"error": {"message": "Rate limit reached. Try again in 1.2s"}})
        time.sleep(0.3)
        return handler.reply(200, completion(""))

    with model_of(monkeypatch, fault) as (model, server):
        model.complete([ASKED])
    assert f"waiting 1 s, as {server.url} asks: HTTP 429: Rate limit reached" in caplog.text
    assert f"waiting for {server.url}, 0 s: 0 of 1 answered" in caplog.text
    assert "1 of 1 answers of openai:m are empty, finish_reason stop" in caplog.text
