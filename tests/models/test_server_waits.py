"""Waits, time-outs and connections: how long a server is waited for, and what it is reached through."""

import logging
import socket
import threading
import time
from email.utils import formatdate

import pytest

from lse_gym.envs.errors import (
    ArgumentError,
    ProviderError,
    UnavailableError,
)
from lse_gym.envs.models import chat_api, chat_reply
from lse_gym.envs.models.base import Request, sampling_seed
from lse_gym.envs.models.openai import OpenAIModel
from tests.models.chat_server import serve
from tests.models.one_server import ASKED, PROMPT, USAGE, completion, model_of, quick  # noqa: F401 - quick is a fixture
from tests.patience import STALL_S

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
