import json
from itertools import product

import pytest

from lse_gym.envs.budget import Budget, Usage
from lse_gym.envs.errors import BudgetExhausted, ProviderError
from lse_gym.envs.metered import MeteredModel, drive
from lse_gym.envs.models.base import Request, Response
from lse_gym.envs.models.recorded import RecordedModel
from lse_gym.envs.models.response_cache import CachedModel
from lse_gym.envs.models.stored import request_key
from lse_gym.envs.report import Turn
from lse_gym.envs.session import Session
from tests.envs.stub import Spy, StubDomain

REQUESTS = [Request("system", f"user {i} é — 漢🙂") for i in range(6)]


def asking(log, *rounds):
    """A task that asks round after round, and tells when it is closed."""
    try:
        got = []
        for requests in rounds:
            answers = yield requests
            got.append([answer.text for answer in answers])
        return got
    except GeneratorExit:
        log.append("closed")
        raise


def test_drive_merges_rounds_and_sends_nothing_twice():
    spy = Spy()
    a, b, c, d, *_ = REQUESTS
    rounds = [([a, b], [c]), ([b, b, a],), ([], [d]), ()]
    results = drive([asking([], *tasks) for tasks in rounds], spy)
    assert spy.batches == [[a, b], [c, d]]
    assert [[len(answers) for answers in result] for result in results] == [[2, 1], [3], [0, 1], []]
    assert results[1][0][0] == results[1][0][1] == results[0][0][1]
    assert drive([], spy) == []


def test_drive_closes_every_task_when_the_model_fails():
    log = []
    with pytest.raises(ProviderError, match="told to fail"):
        drive([asking(log, [request]) for request in REQUESTS], Spy(failures=1))
    assert log == ["closed"] * 6


def test_drive_refuses_a_short_batch():
    spy = Spy()
    spy.complete = lambda requests: []
    metered = MeteredModel(spy, Budget({"calls": 6}))
    with pytest.raises(ProviderError, match="0 responses to 6 requests"):
        metered.complete(REQUESTS)
    assert metered.budget.spent == Usage()
    assert metered.memory == {}


@pytest.mark.parametrize("wrong", ["just a text", None, ("text", 1, 1)])
def test_drive_refuses_what_is_no_response_and_keeps_the_others(wrong, tmp_path):
    spy = Spy()
    complete = spy.complete
    spy.complete = lambda requests: [
        wrong if r == REQUESTS[1] else one for r, one in zip(requests, complete(requests), strict=True)
    ]
    for model in (spy, CachedModel(spy, tmp_path / "cache.sqlite")):
        metered = MeteredModel(model, Budget())
        with pytest.raises(ProviderError, match=rf"a {type(wrong).__name__}: expected a Response"):
            metered.complete(REQUESTS)
        assert {*metered.memory} == {*REQUESTS} - {REQUESTS[1]}
    spy.complete = lambda requests: None
    with pytest.raises(ProviderError, match="a NoneType to 6 requests"):
        MeteredModel(spy, Budget()).complete(REQUESTS)


def test_drive_answers_everybody_before_an_error_is_raised():
    def raising():
        yield REQUESTS[:1]
        raise ZeroDivisionError

    log = []
    metered = MeteredModel(Spy(), Budget({"calls": 9}))
    with pytest.raises(ZeroDivisionError):
        drive([raising(), metered.ask(REQUESTS[1:3]), asking(log, REQUESTS[3:4], REQUESTS[4:5])], metered.model)
    assert metered.budget.spent.calls == 2
    assert log == ["closed"]
    assert len(metered.model.batches) == 1


def test_what_is_remembered_is_free_and_in_order():
    metered = MeteredModel(Spy(), Budget({"calls": 6}))
    first = metered.complete(REQUESTS[:3])
    both = metered.complete([*reversed(REQUESTS), *REQUESTS])
    assert both[6:9] == first
    assert both[:6] == both[:5:-1]
    assert metered.model.calls == metered.budget.spent.calls == 6
    with pytest.raises(BudgetExhausted):
        metered.complete([REQUESTS[0], Request("new", "")])
    assert metered.complete(REQUESTS) == both[6:]


def test_memory_is_bounded_and_answers_are_complete_all_the_same(monkeypatch):
    monkeypatch.setattr("lse_gym.envs.metered.MAX_REMEMBERED", 4)
    metered = MeteredModel(Spy(), Budget())
    assert len(metered.complete(REQUESTS)) == 6
    assert list(metered.memory) == REQUESTS[2:]
    metered.complete(REQUESTS[:1])
    assert list(metered.memory) == [*REQUESTS[3:], REQUESTS[0]]


def test_a_session_scores_samples_and_shows_the_first():
    domain, spy = StubDomain("a"), Spy()
    session = Session(spy, samples=3, temperature=0.5, max_tokens=9, seed=4)
    questions = domain.splits["feedback"]
    result = session.run([session.evaluate(domain, "Context.", questions)])[0]
    assert {request[2:5] for request in spy.batches[0]} == {(9, 0.5, 4)}
    texts = {request: spy._respond(request).text for request in spy.batches[0]}
    by_question = [[texts[r] for r in texts if r.user == question.text] for question in questions]
    assert result.scores.tolist() == [sum(text == "right" for text in row) / 3 for row in by_question]
    assert result.responses == [row[0] for row in by_question]
    assert [outcome.answer for outcome in result.outcomes] == result.responses
    assert result.usage.calls == 21


class CuedDomain(StubDomain):
    cue, stop = "Answer:", ("\n",)


class TurnsDomain(CuedDomain):
    def prompt(self, context, question):
        return super().prompt(context, question)._replace(turns=(Turn("assistant", "What?"), Turn("user", "This.")))


@pytest.mark.parametrize("kind", [StubDomain, CuedDomain, TurnsDomain])
def test_an_evaluation_is_bounded_by_the_requests_that_it_sends(kind):
    domain, spy = kind("a"), Spy()
    session = Session(spy, Budget({"tokens": 1e9, "usd": 1e9}))
    questions = domain.splits["feedback"]
    bound = session.upper_bound(domain, "Context.", questions)
    session.run([session.evaluate(domain, "Context.", questions)])
    assert bound == session.metered.upper_bound(spy.batches[0])


def test_the_key_depends_on_everything():
    base = Request("system", "user", 100, 0.5, 3, 1)
    others = ("s", "u", 101, 0.6, 4, 2, (Turn("assistant", "a"),), "A:", ("A:",))
    variants = [
        base,
        *(base._replace(**{name: value}) for name, value in zip(base._fields, others, strict=True)),
        base._replace(turns=(Turn("assistant", "b"),)),
        base._replace(turns=(Turn("user", "a"),)),
        base._replace(system="systemu", user="ser"),
        base._replace(system="", user="systemuser"),
        base._replace(user="\ud83d\ude00"),
        base._replace(user="\U0001f600"),
        base._replace(user="\ud83d"),
        base._replace(user="\\ud83d"),
        base._replace(user="\x00"),
    ]
    models = [Spy(), Spy(), Spy()]
    models[1].revision, models[2].name = "2", "other"
    keys = [request_key(model.name, model.revision, request) for model, request in product(models, variants)]
    assert len(set(keys)) == len(keys)
    assert request_key(Spy().name, Spy().revision, Request(*base)) == keys[0]


def test_a_request_keeps_the_key_it_had_before_there_were_more_fields():
    base = Request("system", "user", 100, 0.5, 3, 1)
    assert request_key("m", "r", base) == "d90a69ebd38f166e74efcfe5b4efe17e"
    assert request_key("m", "r", base._replace(turns=(Turn("assistant", "a"),))) == "a8f68b9417ae3dbe9d80a4e6bf017153"


def record(path, requests, model=None):
    spy = model or Spy()
    recorded = RecordedModel(spy, path)
    return recorded.complete(requests), spy


def test_a_record_answers_without_the_model(tmp_path):
    path = tmp_path / "deep" / "record.jsonl"
    odd = [Request("", "\ud800 \ud83d\ude00 \x00\u2028\n"), *REQUESTS]
    expected, spy = record(path, [*odd, odd[0]])
    assert spy.calls == 7
    again, spy = record(path, [*reversed(odd)], Spy(failures=1))
    assert again == expected[6::-1]
    assert spy.calls == 0
    other = Spy()
    other.revision = "2"
    assert record(path, odd, other)[1].calls == 7, "another revision is another model"
    assert record(path, odd)[1].calls == 0
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_a_response_comes_back_exactly(tmp_path):
    texts = ["", "\ud83d\ude00", "\U0001f600", "a\r\n\u2028\x85b", "\x00", '"]\n["']
    spy = Spy()
    spy.complete = lambda requests: [Response(text, i, 10**i) for i, text in enumerate(texts)]
    path = tmp_path / "record.jsonl"
    expected, _ = record(path, REQUESTS, spy)
    assert record(path, REQUESTS, Spy(failures=1))[0] == expected
    assert [response.text for response in expected] == texts


def test_a_record_cut_anywhere_is_continued_to_the_same_result(tmp_path):
    path = tmp_path / "record.jsonl"
    expected, _ = record(path, REQUESTS)
    whole = path.read_bytes()
    header_and_two = len(b"".join(whole.splitlines(keepends=True)[:3]))
    for cut in range(header_and_two, len(whole)):
        path.write_bytes(whole[:cut])
        kept = whole[:cut].count(b"\n") - 1
        assert record(path, REQUESTS[:1])[0] == expected[:1]
        for calls in (6 - kept, 0):
            found, spy = record(path, REQUESTS)
            assert (found, spy.calls) == (expected, calls), cut
        assert path.read_bytes() == whole


def test_two_writers_and_a_line_cut_short_lose_nothing(tmp_path):
    path = tmp_path / "record.jsonl"
    path.write_bytes(b'{"model": "another", "revision": "1"}\n["cut')
    one, two = RecordedModel(Spy(), path), RecordedModel(Spy(), path)
    for i, request in enumerate(REQUESTS):
        (one, two)[i % 2].complete([request])
    assert record(path, REQUESTS)[1].calls == 0
    assert path.read_bytes().startswith(b'{"model": "another"')


def test_a_failing_model_leaves_the_record_as_it_was(tmp_path):
    path = tmp_path / "record.jsonl"
    with pytest.raises(ProviderError):
        record(path, REQUESTS, Spy(failures=1))
    assert not path.exists()
    record(path, REQUESTS[:2])
    before = path.read_bytes()
    with pytest.raises(ProviderError):
        record(path, REQUESTS, Spy(failures=1))
    assert path.read_bytes() == before
