"""``openai:`` against a real server on loopback: the same scores as in process, and every way to fail."""

import json
import pickle
import random
import threading
import time

import gymnasium as gym
import pytest

import lse_gym  # noqa: F401 - registers the ids
from lse_gym.agents.lse import LSEAgent
from lse_gym.envs.errors import (
    ArgumentError,
    AuthenticationError,
    ContextLengthError,
    DataError,
    ProviderError,
    QuotaError,
    UnavailableError,
    UnknownModelError,
)
from lse_gym.envs.models import chat_api, make_model
from lse_gym.envs.models.base import Request, Response
from lse_gym.envs.models.openai import OpenAIModel
from lse_gym.envs.offline.reader import Reader
from tests.models.chat_server import serve

KEY = "sk-not-a-real-key"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(chat_api, "FIRST_WAIT_S", 0.002)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("LSE_GYM_PRICES", raising=False)
    monkeypatch.setenv("LSE_GYM_RESPONSE_CACHE", "off")


def client(server, monkeypatch, **environment):
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    return OpenAIModel("reader")


def questions(n):
    return [Request("You answer.", f"Question: number {i}") for i in range(n)]


def error(code, message="no"):
    return {"error": {"code": code, "message": message}}


def test_an_episode_over_the_wire_equals_one_in_process(monkeypatch):
    def episode(task_model):
        env = gym.make("LSE/TextToSQL-v1", domain="lab-0", task_model=task_model, max_edits=2)
        seen = [env.reset(seed=0)]
        oracle = env.unwrapped.family.load("lab-0").oracle_context
        return [*seen, env.step(oracle), env.step("Be brief.")]

    with serve() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        over_the_wire = episode(f"openai:reader-{server.server_address[1]}")
        assert len(server.payloads) == 180
        assert server.keys == {f"Bearer {KEY}"}
    assert repr(over_the_wire) == repr(episode("reader"))


def test_the_editor_can_be_a_server_too(monkeypatch):
    from lse_gym.agents.lse import LSEAgent

    with serve() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        env = gym.make("LSE/TextToSQL-v1", domain="lab-0")
        agent = LSEAgent(env, editor=f"openai:editor-{server.server_address[1]}").learn(1)
    assert agent.tree.nodes[1]["context"] == agent.tree.nodes[0]["context"]  # `reader` writes no edits
    assert env.unwrapped.budget.spent.calls == 60 + 1 + 10


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, error("invalid_api_key"), AuthenticationError),
        (403, b"<html>", AuthenticationError),
        (404, error("model_not_found"), UnknownModelError),
        (400, error("model_not_found"), UnknownModelError),
        (429, error("insufficient_quota"), QuotaError),
        (402, {}, QuotaError),
        (400, error("context_length_exceeded"), ContextLengthError),
        (400, error(None, "This model's maximum context length is 4096 tokens"), ContextLengthError),
        (400, error("bad_request", "what?"), ProviderError),
        (500, {}, UnavailableError),
    ],
)
def test_each_refusal_has_its_own_error(status, body, kind, monkeypatch):
    with serve(lambda handler, number: handler.reply(status, body)) as server:
        with pytest.raises(kind) as caught:
            client(server, monkeypatch).complete(questions(3))
        assert type(caught.value) is kind
        assert KEY not in str(caught.value)
        tries = chat_api.MAX_TRIES if status == 500 else 1
        assert len(server.payloads) <= 3 * tries


def test_a_thousand_calls_through_every_fault(monkeypatch):
    kinds = random.Random(0)
    plan = [kinds.random() for _ in range(20_000)]
    faults = [
        lambda handler: handler.reply(429, error("rate_limit"), Retry_After="0"),
        lambda handler: handler.reply(500, b"oops"),
        lambda handler: handler.reply(503, {}, Retry_After="nonsense"),
        lambda handler: handler.reply(200, b'{"choices": [{"message": {"cont'),
        lambda handler: handler.reply(200, {"choices": [], "usage": {}}),
        lambda handler: handler.reply(200, {"choices": 7, "usage": None}),
        lambda handler: handler.hang_up(),
        lambda handler: handler.stall(0.8),
    ]

    def fault(handler, number):
        return plan[number] < 0.3 and faults[int(plan[number] / 0.3 * len(faults))](handler)

    requests = questions(1000)
    with serve(fault) as server:
        model = client(server, monkeypatch, LSE_GYM_TIMEOUT_S=0.6)
        answered, tries = {}, 0
        while len(answered) < len(requests) and tries < 20:
            tries += 1
            rest = [request for request in requests if request not in answered]
            try:
                answered |= dict(zip(rest, model.complete(rest), strict=True))
            except ProviderError as failure:
                answered |= failure.answered
        assert len(server.payloads) > 1200
    assert answered == dict(zip(requests, Reader().complete(requests), strict=True))


def test_a_step_with_missing_answers_says_so_and_is_repeatable(monkeypatch):
    broken = threading.Event()

    def fault(handler, number):
        return broken.is_set() and number % 3 == 0 and handler.reply(400, error("bad_request"))

    with serve(fault) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        env = gym.make("LSE/TextToSQL-v1", domain="lab-0", task_model=f"openai:m-{server.server_address[1]}")
        env.reset(seed=0)
        twin = gym.make("LSE/TextToSQL-v1", domain="lab-0")
        twin.reset(seed=0)
        broken.set()
        with pytest.raises(ProviderError, match="of 60 requests"):
            env.step("Be brief.")
        sent, spent = len(server.payloads), env.unwrapped.budget.spent.calls
        assert 60 < spent < 120
        broken.clear()
        observation, reward, *_ = env.step("Be brief.")
        assert len(server.payloads) - sent == 120 - spent  # only what was missing is asked for again
        assert repr((observation, reward)) == repr(twin.step("Be brief.")[:2])
        assert env.unwrapped.budget.spent.calls == 120


def test_the_death_of_a_server_is_one_error(monkeypatch):
    with serve() as server:
        model = client(server, monkeypatch)
        model.complete(questions(4))
    with pytest.raises(ProviderError, match="did not answer in"):
        model.complete(questions(4))


def test_a_rate_limit_pauses_every_thread(monkeypatch):
    times = []

    def fault(handler, number):
        times.append(time.monotonic())
        return number == 0 and handler.reply(429, error("rate_limit"), Retry_After="0.3")

    with serve(fault) as server:
        model = client(server, monkeypatch, LSE_GYM_CONCURRENCY=1)
        model.complete(questions(2))
    assert times[1] - times[0] >= 0.3


def test_parameters_that_a_model_refuses_are_left_out(monkeypatch):
    def fault(handler, number):
        payload = handler.server.payloads[number]
        for name in ("max_tokens", "temperature"):
            if name in payload:
                refusal = {"error": {"code": "unsupported_parameter", "param": name}}
                return handler.reply(400, refusal)
        return False

    with serve(fault) as server:
        model = client(server, monkeypatch, LSE_GYM_CONCURRENCY=1)
        model.complete(questions(3))
        assert len(server.payloads) == 5
        assert server.payloads[-1]["max_completion_tokens"] == 512


def test_money_is_charged_by_the_price_table(monkeypatch, tmp_path):
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({"reader": [2.0, 10.0]}))
    with serve() as server:
        model = client(server, monkeypatch, LSE_GYM_PRICES=prices)
        assert model.price(1_000_000, 100_000) == pytest.approx(3.0)
        assert model.price(1_000_000, 100_000, 500_000) == pytest.approx(3.0)
        prices.write_text(json.dumps({"reader": [2.0, 10.0, 0.2]}))
        assert OpenAIModel("reader").price(1_000_000, 100_000, 500_000) == pytest.approx(1.0 + 1.0 + 0.1)
        prices.write_text(json.dumps({"other": [1, 1]}))
        with pytest.raises(DataError, match="reader"):
            OpenAIModel("reader")


def test_cached_tokens_and_money_are_told_and_the_editor_apart(monkeypatch, tmp_path):
    def cached(handler, number):
        usage = {"prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 64}}
        choice = {"message": {"content": "<add>- Be brief and exact.</add>"}}
        return handler.reply(200, {"choices": [choice], "usage": usage})

    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({"reader": [1.0, 2.0, 0.5]}))
    with serve(cached) as server:
        client(server, monkeypatch, LSE_GYM_PRICES=prices)
        env = gym.make("LSE/TextToSQL-v1", domain="library-0", task_model="openai:reader")
        infos = []
        LSEAgent(env, editor="openai:reader").learn(1, lambda agent, node, info: infos.append(info))
    one = (36 * 1.0 + 7 * 2.0 + 64 * 0.5) / 1e6
    for info, edits in zip(infos, (0, 1), strict=True):
        expected = {"calls": 60, "prompt_tokens": 6000, "completion_tokens": 420, "cached_tokens": 3840, "tokens": 6420}
        assert {name: info[name] for name in expected} == expected
        assert info["usd"] == pytest.approx(60 * one)
        assert {name: info[f"editor_{name}"] for name in expected} == {k: v / 60 * edits for k, v in expected.items()}
        assert info["editor_usd"] == pytest.approx(one * edits)


@pytest.mark.parametrize("details", [{"cached_tokens": -1}, {"cached_tokens": 101}, {"cached_tokens": "x"}, [1]])
def test_impossible_cached_counts_count_nothing(monkeypatch, details):
    usage = {"prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": details}

    def odd(handler, number):
        return handler.reply(200, {"choices": [{"message": {"content": "x"}}], "usage": usage})

    with serve(odd) as server:
        (answer,) = client(server, monkeypatch).complete(questions(1))
        assert len(server.payloads) == 1, "an answer is paid for: it is not asked for again"
        assert answer == Response("x", 100, 7)


def test_settings_are_checked_and_the_key_stays_out_of_sight(monkeypatch):
    monkeypatch.setenv("LSE_GYM_CONCURRENCY", "many")
    with pytest.raises(ArgumentError, match="LSE_GYM_CONCURRENCY='many'"):
        OpenAIModel("m")
    monkeypatch.setenv("LSE_GYM_CONCURRENCY", "2")
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:8000")
    with pytest.raises(ArgumentError, match="not an http"):
        OpenAIModel("m").complete(questions(1))
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    model = make_model("openai:hidden")
    assert KEY not in repr(vars(model))
    assert KEY.encode() not in pickle.dumps(model)


def test_a_style_says_what_is_sent_and_what_ends_an_answer(monkeypatch):
    asked = Request("Rules.", "Text: one", 9, cue="Label:", stop=("\n", *"abcd"))
    with serve() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        models = [OpenAIModel(f"m{style}") for style in ("", "?style=user", "?style=completion")]
        answers = [model.complete([asked])[0] for model in models]
    chat, user, completion = server.payloads
    assert chat["messages"] == [{"role": "system", "content": "Rules."}, {"role": "user", "content": "Text: one"}]
    assert user["messages"] == [{"role": "user", "content": "Rules.\n\nText: one\nLabel:"}]
    assert completion["prompt"] == "Rules.\n\nText: one\nLabel:"
    assert "messages" not in completion
    assert ["stop" in chat, user["stop"], completion["stop"]] == [False, [*"\nabc"], [*"\nabc"]]
    assert answers[2].text == "L"  # "Label:" before its "a", and not "\nmore"
    assert answers[2].estimated
    assert len({model.revision for model in models}) == 3


def test_a_server_that_takes_no_stop_has_its_answers_cut_here(monkeypatch):
    def refuse(handler, number):
        return number == 0 and handler.reply(400, error(400, "Unsupported parameter: 'stop' is not supported"))

    with serve(refuse) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        model = OpenAIModel("m?style=completion")
        (answer,) = model.complete([Request("", "x", cue="Label:", stop=("\n",))])
    assert answer.text == "Label:"
    assert ["stop" in payload for payload in server.payloads] == [True, False]
