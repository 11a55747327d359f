"""Whole runs on a server: what a summary says of the answers, in this process and in the next ones."""

import json
import os
import re
import signal
import sys
import threading
from pathlib import Path

import pytest

from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Settings
from lse_gym.envs.errors import DataError, MissingExtraError
from lse_gym.envs.models import _load
from lse_gym.envs.models.base import KeptResponse, Request, Response
from lse_gym.envs.models.openai import OpenAIModel
from lse_gym.envs.models.recorded import RecordedModel
from lse_gym.envs.models.response_cache import CachedModel
from lse_gym.envs.models.tally import Tally, tell
from tests.command import run
from tests.models.chat_server import serve

ROOT = Path(__file__).parents[2]
USAGE = {"prompt_tokens": 10, "completion_tokens": 6}


@pytest.fixture(autouse=True)
def fresh(monkeypatch, tmp_path):
    _load.cache_clear()  # the address is read when a model is made
    monkeypatch.setenv("LSE_GYM_RESPONSE_CACHE", str(tmp_path / "cache.sqlite"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-real-key")
    yield
    _load.cache_clear()


def adds(handler, number, offset=0):
    """Adds after thinking where it is asked a question, runs out of tokens in every fifth, and edits when told."""
    user = handler.server.payloads[number]["messages"][-1]["content"]
    finish = "stop"
    if found := re.findall(r"What is (\d+) plus (\d+)\?\s*$", user.strip()):
        total = sum(map(int, found[0])) + offset
        text = f"<think>They want it in <answer></answer>: <answer>999</answer>?</think>\n<answer>{total}</answer>"
        if int(found[0][0]) % 5 == 0:
            text, finish = "<think>so <answer>999</answer>", "length"
    else:
        text = "<think><prompt>Say 999.</prompt> No.</think><prompt>Add the numbers, and be brief.</prompt>"
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return handler.reply(200, {"choices": [choice], "usage": USAGE})


def questions(folder):
    rows = [{"question": f"What is {i} plus {i + 1}?", "answer": 2 * i + 1} for i in range(40)]
    (folder / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(folder / "sums.jsonl")


def config(folder, model, **settings):
    env_args = {"questions": questions(folder), "scorer": "numeric"}
    given = Settings(env="LSE/Custom-v1", domain="sums", env_args=env_args, task_model=model, editor=model, **settings)
    return given.config()


def test_a_run_tells_what_its_answers_were_and_says_the_same_when_resumed(monkeypatch, tmp_path):
    with serve(adds) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        summary = evolve(config(tmp_path, "openai:adder", rounds=2), tmp_path / "run")
        sent = len(server.payloads)
        answers = summary["answers"]["task_model"]
        assert answers["answers"] + summary["answers"]["editor"]["answers"] == sent
        assert answers["empty"] == answers["cut"] == answers["empty_finish_reasons"]["length"] > 0
        assert answers["thinking"] == answers["answers"]
        assert 0 < answers["thinking_tokens"] < 6 * answers["answers"]
        assert answers["from_cache"] == 0
        assert summary["best_held_out_score"] < 1, "a draft is no answer"
        context = (tmp_path / "run" / "best_context.txt").read_text()
        assert "999" not in (tmp_path / "run" / "trajectory.jsonl").read_text() + context
        (tmp_path / "run" / "summary.json").unlink()
        assert evolve(config(tmp_path, "openai:adder", rounds=2), tmp_path / "run", resume=True) == summary
        assert len(server.payloads) == sent
    rows = [json.loads(line) for line in (tmp_path / "run" / "responses.jsonl").read_text().splitlines()]
    assert {row[5] for row in rows if isinstance(row, list)} == {"stop", "length"}


def test_a_filter_does_not_stop_a_run(monkeypatch, tmp_path):
    def fault(handler, number):
        user = handler.server.payloads[number]["messages"][-1]["content"].strip()
        if re.search(r"What is \d*5 plus \d+\?$", user):
            return handler.reply(400, {"error": {"code": "content_filter", "message": "The prompt was filtered."}})
        return adds(handler, number)

    with serve(fault) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        answers = evolve(config(tmp_path, "openai:adder", rounds=1), tmp_path / "run")["answers"]["task_model"]
    filtered = answers["empty_finish_reasons"]["content_filter"]
    assert 0 < filtered == answers["estimated"] < answers["answers"] / 5


def test_answers_from_the_cache_are_told_and_a_resumed_run_tells_them_too(monkeypatch, tmp_path):
    with serve(adds) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        first = evolve(config(tmp_path, "openai:adder", rounds=1), tmp_path / "first")
        sent = len(server.payloads)
        second = evolve(config(tmp_path, "openai:adder", rounds=1), tmp_path / "second")
        assert len(server.payloads) == sent
        again = evolve(config(tmp_path, "openai:adder", rounds=1), tmp_path / "second", resume=True)
    assert again == second
    one, two = first["answers"]["task_model"], second["answers"]["task_model"]
    assert two == one | {"from_cache": one["answers"], "oldest_from_cache": two["oldest_from_cache"]}
    assert {**first, "answers": None} == {**second, "answers": None}


def command(folder, *arguments):
    return run(*arguments, cwd=folder, env={"COLUMNS": "100"})


def test_a_server_with_other_weights_is_noticed_by_the_age_of_the_answers(monkeypatch, tmp_path):
    (tmp_path / "context.txt").write_text("Add.")
    offset = [0]
    evaluate = ["evaluate", "context.txt", "--questions", questions(tmp_path), "--scorer", "numeric", "--task-model",
                "openai:changing", "--json"]  # fmt: skip
    with serve(lambda handler, number: adds(handler, number, offset[0])) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        first = command(tmp_path, *evaluate)
        offset[0] = 1
        second = command(tmp_path, *evaluate)
        third = command(tmp_path, *evaluate, "--no-cache")
    scores = [json.loads(done.stdout)["score"] for done in (first, second, third)]
    assert scores[0] == scores[1] > scores[2] == 0
    total = json.loads(first.stdout)["n"]
    assert "from the cache" not in first.stderr + third.stderr
    assert f"{total} of {total} answers of the task model from the cache, made just now; --no-cache" in second.stderr
    assert "answers of the task model empty, finish_reason length; raise --max-tokens." in first.stderr
    assert "answers of the task model came after thinking" in first.stderr


def test_what_a_response_says_survives_record_and_cache(tmp_path):
    said = [
        Response("a", 1, 2),
        Response("", 1, 2, 1, "length", 2, True),
        Response("b", 1, 2, 0, "stop"),
        Response("c", 1, 2, 0, "", 0, True),
    ]

    class Says(OpenAIModel):
        def complete(self, requests):
            return [said[int(request.user)] for request in requests]

    asked = [Request("", str(i)) for i in range(len(said))]
    record, cache = tmp_path / "record.jsonl", tmp_path / "one.sqlite"
    assert RecordedModel(Says("m"), record).complete(asked) == said
    assert RecordedModel(Says("m"), record).complete(asked) == said
    assert json.loads(record.read_text().splitlines()[1])[1:] == ["a", 1, 2, 0], (
        "as it was before there was more to say"
    )
    assert CachedModel(Says("m"), cache).complete(asked) == said
    kept = CachedModel(Says("m"), cache).complete(asked)
    assert kept == said
    assert all(isinstance(one, KeptResponse) for one in kept)
    again = RecordedModel(CachedModel(Says("m"), cache), tmp_path / "other.jsonl")
    assert [one.made for one in again.complete(asked)] == [one.made for one in kept]
    read = RecordedModel(Says("m"), tmp_path / "other.jsonl").complete(asked)
    assert [one.made for one in read] == [one.made for one in kept]


def test_the_tally_counts_an_answer_once_and_speaks_of_what_matters_only():
    tally = Tally()
    day = 86_400.0
    answers = {str(i): KeptResponse.of(Response("a", 1, 1, 0, "stop"), day * i) for i in range(1, 4)}
    tally.add(answers)
    tally.add(answers | {"x": Response("cu", 1, 1, 0, "length"), "y": Response("", 1, 9, 0, "length", 9, True)})
    assert list(tell(tally.facts(), "the editor", "--max-edit-tokens", now=3 * day)) == [
        "1 of 5 answers of the editor empty, finish_reason length; raise --max-edit-tokens.",
        "1 of 5 answers of the editor cut off at their longest; --max-edit-tokens allows more.",
        "1 of 5 answers of the editor came after thinking: 9 tokens, paid for and not scored.",
        "The tokens of 1 of 5 answers of the editor are estimated: the server counts none.",
        "3 of 5 answers of the editor from the cache, made 2 days ago; --no-cache asks anew.",
    ]
    quiet = Tally()
    quiet.add({"a": Response("a", 1, 1)})
    assert list(tell(quiet.facts(), "the editor", "--max-edit-tokens")) == []


def test_the_first_error_of_a_command_is_at_once_and_in_words(monkeypatch, tmp_path):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "context.txt").write_text("Add.")
    done = command(tmp_path, "evaluate", "context.txt", "--task-model", "openai:gpt-5")
    assert done.returncode == 2
    assert "there is no key: OPENAI_API_KEY is not set" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_httpx_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'lse-gym\[api\]'"):
        OpenAIModel("m")


def test_what_was_answered_before_ctrl_c_is_kept(monkeypatch, tmp_path):
    asked = [Request("", f"What is {i} plus 1?") for i in range(1, 5)]
    held = threading.Event()

    def slow(handler, number):
        if number == 3:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            held.wait(20)
        return adds(handler, number)

    with serve(slow) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("LSE_GYM_CONCURRENCY", "1")
        with pytest.raises(KeyboardInterrupt):
            RecordedModel(OpenAIModel("adder"), tmp_path / "record.jsonl").complete(asked)
        held.set()
        assert len(RecordedModel(OpenAIModel("adder"), tmp_path / "record.jsonl").complete(asked)) == 4
        assert len(server.payloads) == 4 + 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_makes_connections_of_its_own(monkeypatch):
    with serve(adds) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        model = OpenAIModel("adder")
        model.complete([Request("", "What is 1 plus 1?")])
        child = os.fork()
        if child == 0:
            os._exit(0 if model.complete([Request("", "What is 2 plus 1?")])[0].text == "<answer>3</answer>" else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert model.complete([Request("", "What is 3 plus 1?")])[0].text == "<answer>4</answer>"


@pytest.mark.parametrize("tail", ["1e400", "-5", '"x"', "1, 2", "NaN"])
def test_a_record_with_an_impossible_time_is_refused(tmp_path, tail):
    path = tmp_path / "record.jsonl"
    path.write_text(f'["0123", "a", 1, 2, 0, "stop", 0, false, {tail}]\n')
    with pytest.raises(DataError, match="line 1 of the record"):
        RecordedModel(OpenAIModel("m"), path)
