"""One question to one server, for tests: what is asked, how a plain answer looks, a model on a server of one's own."""

from contextlib import contextmanager

import pytest

from lse_gym.envs.models import chat_api
from lse_gym.envs.models.base import Request
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
    """A model on a server that answers by ``fault(handler, number, payload)``, however busy the machine is."""
    monkeypatch.setattr(chat_api, "CONNECT_S", STALL_S)
    with serve(lambda handler, number: fault(handler, number, handler.server.payloads[number])) as server:
        for name, value in ({"OPENAI_BASE_URL": server.url} | environment).items():
            monkeypatch.setenv(name, str(value))
        yield OpenAIModel("m"), server


def completion(text="7", usage=USAGE, finish="stop", **message):
    choice = {"index": 0, "message": {"role": "assistant", "content": text} | message, "finish_reason": finish}
    return {"choices": [choice]} | ({"usage": usage} if usage != "none" else {})
