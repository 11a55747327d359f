"""No key and no password is written anywhere, whatever a server sends back: screen, records, cache, run directory."""

import base64
import json
import logging
import os
import pickle
import subprocess
import sys
import traceback
from pathlib import Path
from typing import ClassVar

import pytest

from lse_gym.agents.run import evolve, read_config
from lse_gym.agents.settings import Config
from lse_gym.cli.shell import tell_bug
from lse_gym.envs.domain import Family
from lse_gym.envs.errors import ArgumentError, AuthenticationError, LSEGymError, ProviderError, RunDirectoryError
from lse_gym.envs.models import chat_api
from lse_gym.envs.models.base import Request
from lse_gym.envs.models.openai import OpenAIModel
from lse_gym.envs.redaction import MASK, public_url, redact, redact_logs
from tests.envs.stub import StubDomain
from tests.models.chat_server import serve

ROOT = Path(__file__).parents[2]
KEY, PASSWORD, SIGNATURE = "sk-live-9f8e7d6c5b4a", "hunter2-and-more", "0123sig456"
USAGE = {"prompt_tokens": 10, "completion_tokens": 5}
SECRETS = (KEY, PASSWORD, SIGNATURE, base64.b64encode(f"me:{PASSWORD}".encode()).decode())


def told(handler):
    """Everything that a client sent and should not see again."""
    return f"you sent {handler.headers.get('Authorization')} to {handler.path} as me:{PASSWORD}"


def answer(handler, finish="stop", **message):
    choice = {"message": {"role": "assistant", "content": "<answer>7</answer>"} | message, "finish_reason": finish}
    return handler.reply(200, {"choices": [choice], "usage": USAGE}, X_Echo=told(handler).replace("\n", " "))


ECHOES = {
    "message": lambda h: h.reply(400, {"error": {"message": told(h), "code": "bad"}}),
    "code": lambda h: h.reply(400, {"error": {"message": "no", "code": told(h), "type": told(h)}}),
    "param": lambda h: h.reply(400, {"error": {"message": "no", "code": "unsupported_parameter", "param": told(h)}}),
    "key-alone": lambda h: h.reply(400, {"error": {"message": KEY, "code": KEY, "param": KEY}}),
    "unauthorized": lambda h: h.reply(401, {"error": {"message": f"Incorrect API key: {told(h)}"}}),
    "detail": lambda h: h.reply(422, {"detail": [{"loc": ["header", told(h)], "msg": told(h)}]}),
    "list": lambda h: h.reply(400, [{"error": {"message": told(h)}}]),
    "page": lambda h: h.reply(404, f"<html><p title='x'>{told(h)}</p></html>".encode()),
    "cut": lambda h: h.reply(400, {"error": "x" * 290 + " " + KEY}),
    "malformed": lambda h: h.reply(200, {"choices": told(h)}),
    "no-json": lambda h: h.reply(200, told(h).encode()),
    "failed": lambda h: h.reply(200, {"error": {"message": told(h), "code": 400}}),
    "elsewhere": lambda h: h.reply(307, b"", Location=f"http://127.0.0.1:9/{KEY}"),
    "answer": lambda h: answer(h, content=f"<answer>7</answer> {told(h)}"),
    "reason": lambda h: answer(h, finish=told(h)),
    "thinking": lambda h: answer(h, content=f"<think>{told(h)}</think>7", reasoning_content=told(h)),
    "empty": lambda h: answer(h, content=None, refusal=told(h), finish=KEY),
}
COMMANDS = """
import json, logging, sys
logging.basicConfig(level=logging.DEBUG)
from lse_gym.__main__ import main
for mode in sys.argv[1:]:
    sys.argv = ["lse-gym", "evolve", "--rounds", "1", "--questions", "sums.jsonl", "--scorer", "numeric", "--out", mode,
                "--task-model", f"openai:{mode}", "--editor", f"openai:{mode}"]
    try:
        main()
    except SystemExit as end:
        print(mode, "ended with", end.code)
"""


def echo(handler, number):
    return ECHOES[handler.server.payloads[number]["model"]](handler)


def writes(folder, *names, **environment):
    rows = [{"question": f"What is {i} plus 1?", "answer": i + 1} for i in range(12)]
    (folder / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, *names],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "LSE_GYM_RESPONSE_CACHE": str(folder / "cache.sqlite"),
            **environment,
        },
        capture_output=True,
        timeout=300,
    )
    (folder / "stdout").write_bytes(done.stdout)
    (folder / "stderr").write_bytes(done.stderr)
    assert done.returncode == 0, done.stderr[-2000:].decode()
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def found(files, *secrets):
    forms = [form for secret in secrets for form in (secret.encode(), base64.b64encode(secret.encode()))]
    return [(name, form) for name, content in files.items() for form in forms if form in content]


def test_a_server_that_echoes_the_key_leaves_no_trace_of_it(tmp_path):
    with serve(echo) as server:
        address = server.url.replace("://", f"://me:{PASSWORD}@") + f"?sig={SIGNATURE}"
        files = writes(tmp_path, *ECHOES, OPENAI_BASE_URL=address, OPENAI_API_KEY=f"{KEY}\r\n")
        assert server.keys == {f"Bearer {KEY}"}, "the key goes out, without the line break"
        assert {payload["model"] for payload in server.payloads} == {*ECHOES}
    assert found(files, *SECRETS) == []
    assert b"Traceback" not in files["stderr"]
    assert files["stderr"].count(MASK.encode()) > len(ECHOES)
    assert MASK.encode() in files["cache.sqlite"]
    assert MASK.encode() in files["answer/responses.jsonl"]
    config = json.loads(files["answer/config.json"])
    assert config["task_model_revision"] == f"{server.url}?sig={MASK}"


def test_user_and_password_of_the_address_are_sent_and_not_written(tmp_path):
    basic = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    with serve(echo) as server:
        address = server.url.replace("://", f"://me:{PASSWORD}@")
        files = writes(tmp_path, "message", "answer", OPENAI_BASE_URL=address, OPENAI_API_KEY="")
        assert server.keys == {f"Basic {basic}"}
    assert found(files, PASSWORD, basic) == []
    assert json.loads(files["answer/config.json"])["task_model_revision"] == server.url


@pytest.mark.parametrize("given", [f"{KEY}\nX-Other: 1", f"sk-{chr(0xE9)}-{KEY}", f"{KEY}\r\n{KEY}", f"two {KEY}"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(monkeypatch, given):
    monkeypatch.setenv("OPENAI_API_KEY", given)
    with serve() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        with pytest.raises(ArgumentError, match="OPENAI_API_KEY cannot be sent: its character") as caught:
            OpenAIModel("m").complete([Request("", "hello")])
        assert not server.payloads
    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "address",
    [
        f"http://me:{PASSWORD}@127.0.0.1:9/v1?sig={SIGNATURE}",
        f"ftp://me:{PASSWORD}@host/v1?sig={SIGNATURE}",
        f"http://me:{PASSWORD}@host:port/v1",
        f"http://me:{PASSWORD}@[host/v1",
        f"me:{PASSWORD}@host/v1",
        f"http://me:a/{PASSWORD}@host/v1",
        f"host:8000/v1?sig={SIGNATURE}",
    ],
)
def test_an_address_is_shown_without_its_secrets(monkeypatch, address):
    monkeypatch.setattr(chat_api, "FIRST_WAIT_S", 0.001)
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    model = OpenAIModel("m")
    with pytest.raises((ArgumentError, ProviderError)) as caught:
        model.complete([Request("", "hello")])
    shown = "".join(traceback.format_exception(caught.value)) + model.revision + repr(vars(model))
    assert not [secret for secret in (KEY, PASSWORD, SIGNATURE) if secret in shown]
    assert KEY.encode() not in pickle.dumps(model)


def test_the_http_library_is_not_chained(monkeypatch):
    monkeypatch.setattr(chat_api, "FIRST_WAIT_S", 0.001)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(ProviderError) as caught:
        OpenAIModel("m").complete([Request("", "hello")])
    seen, error = [], caught.value
    while error is not None:
        seen.append(type(error).__module__.partition(".")[0])
        error = error.__cause__ or error.__context__
    assert not {"httpx", "httpcore", "h11"} & {*seen}


def test_there_is_no_key_and_no_address(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(AuthenticationError, match="OPENAI_API_KEY is not set"):
        OpenAIModel("m").complete([Request("", "hello")])


def test_every_error_log_and_traceback_is_redacted(monkeypatch, capsys, caplog):
    monkeypatch.setenv("SOME_API_KEY", KEY)
    assert str(LSEGymError(f"no: {KEY}")) == f"no: {MASK}"
    tell_bug(RuntimeError, RuntimeError(f"no: {KEY}"), None)
    assert capsys.readouterr().err == f"RuntimeError: no: {MASK}\n"
    redact_logs("a.logger")
    try:
        raise RuntimeError(KEY)
    except RuntimeError:
        logging.getLogger("a.logger").exception("key %s", KEY)
    assert KEY not in caplog.text
    assert MASK in caplog.text


def test_words_that_are_no_secrets_stay(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("GROQ_API_KEY", "ollama")
    assert redact("none of the ollama models") == "none of the ollama models"
    for address in ("http://localhost:8000/v1/", "https://api.openai.com/v1"):
        assert public_url(address) == address, "the key of every stored answer has it"


class Vault(Family):
    """A family that is told a secret and uses it."""

    groups: ClassVar = {"all": ["a"]}

    def __init__(self, api_key="", size=3):
        assert api_key != MASK
        self.api_key = api_key

    def load(self, name):
        return StubDomain(name)


def test_secrets_among_the_arguments_are_used_and_not_written(tmp_path):
    secret = "sk-vault-0123456789"
    given = {"family": "tests.security.test_keys:Vault", "family_args": {"api_key": secret, "size": 4}}
    config = Config(env="LSE/Family-v0", env_args={"domain": "a", **given}, agent="no-op", rounds=0)
    evolve(config, tmp_path / "run")
    assert [
        path for path in (tmp_path / "run").rglob("*") if path.is_file() and secret.encode() in path.read_bytes()
    ] == []
    kept = json.loads((tmp_path / "run" / "config.json").read_text())["env_args"]["family_args"]
    assert kept == {"api_key": MASK, "size": 4}
    with pytest.raises(RunDirectoryError, match="keeps no secrets"):
        read_config(tmp_path / "run")
    assert evolve(config, tmp_path / "run", resume=True)["rounds"] == 0  # told again, it goes on
    assert secret not in redact(f"an error that quotes {secret}")
