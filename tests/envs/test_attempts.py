"""Attempts of several turns: batches, the cap, failures, resumption, vector and single envs; on a toy of three."""

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from lse_gym.envs.budget import Budget
from lse_gym.envs.domain import Likelihood, Prompt
from lse_gym.envs.errors import BudgetExhausted, ProviderError
from lse_gym.envs.models import make_model
from lse_gym.envs.models.base import Request
from lse_gym.envs.models.recorded import RecordedModel
from lse_gym.envs.session import Session
from tests.envs.several_turns import RingDomain, Speaker, make
from tests.envs.stub import digest

DOMAIN = RingDomain("a")
QUESTIONS = DOMAIN.splits["held_out"]


def evaluate(session, questions=QUESTIONS, domain=DOMAIN):
    return session.run([session.evaluate(domain, "Context.", questions)])[0]


def test_all_attempts_advance_together_one_batch_a_turn():
    model = Speaker()
    evaluation = evaluate(Session(model))
    assert len(model.batches) == 3
    ended_early = [attempt.response.startswith("early") for attempt in evaluation.attempts]
    lengths = [1 if not attempt.transcript else (len(attempt.transcript) + 1) // 2 for attempt in evaluation.attempts]
    assert [len(batch) for batch in model.batches] == [sum(length > turn for length in lengths) for turn in range(3)]
    assert all(length == 3 for length, early in zip(lengths, ended_early, strict=True) if not early)
    assert evaluation.usage.calls == model.calls == sum(lengths)


def test_the_transcript_holds_every_turn_after_the_question():
    for attempt in evaluate(Session(Speaker(done=10**9))).attempts:
        roles = [turn.role for turn in attempt.transcript]
        assert roles == ["assistant", "user", "assistant", "user", "assistant"]
        assert attempt.response == f"late {attempt.transcript[-1].content} 6"
        assert attempt.transcript[1].content.startswith("tool ")


def test_the_report_tells_the_transcript_unless_the_mode_hides_it():
    session = Session(Speaker(done=10**9))
    attempts = evaluate(session).attempts
    shown = session.report(DOMAIN, attempts, "gold").text()
    assert shown.count("user: tool ") == 2 * len(QUESTIONS)
    assert shown.data.problems[0].transcript == attempts[0].transcript
    hidden = session.report(DOMAIN, attempts, "score")
    assert "tool" not in hidden.text()
    assert all(not problem.transcript and not problem.gold for problem in hidden.problems)


@pytest.mark.parametrize("cap", range(0, 40, 1))
def test_evaluated_whole_or_not_at_all_and_never_over_the_cap(cap):
    model = Speaker()
    session = Session(model, Budget({"calls": cap}))
    try:
        evaluation = evaluate(session)
    except BudgetExhausted:
        assert model.calls == 0
        assert cap < 3 * len(QUESTIONS)
    else:
        assert cap >= 3 * len(QUESTIONS), "three calls a question are reserved before the first"
        assert session.budget.spent.calls == evaluation.usage.calls == model.calls <= cap
    assert session.budget.affords(session.budget.remaining), "nothing stays reserved"


@pytest.mark.parametrize("resource", ["calls", "tokens"])
def test_caps_hold_over_a_whole_episode(resource):
    for cap in (100, 3000, 12_000):
        model = Speaker(done=3)
        env = make(model, budget={resource: cap})
        env.reset(seed=0)
        for i in range(8):
            env.step(f"Line {i}.")
        assert getattr(model, resource) == getattr(env.budget.spent, resource) <= cap
        assert env.budget.affords(env.budget.remaining)


def test_a_failure_in_the_second_of_three_turns_pays_the_first_once():
    model, reference = Speaker(done=10**9, failing=[2]), Speaker(done=10**9)
    session, expected = Session(model, Budget({"calls": 12})), evaluate(Session(reference))
    with pytest.raises(ProviderError):
        evaluate(session)
    assert session.budget.spent.calls == len(QUESTIONS)
    assert session.budget.affords(session.budget.remaining), "what later turns would have cost is given back"
    found = evaluate(session)
    assert found.attempts == expected.attempts
    assert model.calls == session.budget.spent.calls == 12, "the first turn was not asked again"
    assert evaluate(session).usage.calls == 0


def test_what_is_remembered_needs_no_reservation():
    session = Session(Speaker(done=10**9), Budget({"calls": 12}))
    first = evaluate(session)
    assert session.budget.remaining.calls == 0
    again = evaluate(session)
    assert again.attempts == first.attempts
    assert again.usage.calls == 0


def test_a_domain_that_asks_on_beyond_its_turns_is_cut_off():
    class Endless(RingDomain):
        def attempt(self, context, question):
            turns = ()
            while True:
                text = yield Prompt(self.system(context), self.user(question), turns)
                turns = (*turns, ("assistant", text), ("user", "more"))

    model = Speaker()
    attempts = evaluate(Session(model), domain=Endless("a")).attempts
    assert model.calls == 3 * len(QUESTIONS)
    assert all(attempt.response == attempt.transcript[-1].content for attempt in attempts)


def test_an_error_in_a_domain_gives_the_reservation_back():
    class Broken(RingDomain):
        def attempt(self, context, question):
            yield Prompt(self.system(context), self.user(question))
            raise ZeroDivisionError

    session = Session(Speaker(), Budget({"calls": 12}))
    with pytest.raises(ZeroDivisionError):
        evaluate(session, domain=Broken("a"))
    assert session.budget.affords(session.budget.remaining)


def test_samples_go_through_their_own_turns():
    session = Session(Speaker(done=10**9), samples=2, temperature=1.0)
    evaluation = evaluate(session)
    assert evaluation.usage.calls == 2 * 3 * len(QUESTIONS)
    assert len(evaluation.attempts) == len(evaluation.scores) == len(QUESTIONS)


def test_a_vector_env_is_its_envs_one_by_one():
    together, alone = Speaker(), Speaker()
    envs = make(together, 4, budget={"calls": 200})
    observation, infos = envs.reset(seed=5)
    singles = [make(alone, budget={"calls": 200}) for _ in range(4)]
    assert infos["held_out_score"].tolist() == [
        env.reset(seed=5 + i)[1]["held_out_score"] for i, env in enumerate(singles)
    ]
    batches = len(together.batches)
    for step in range(6):
        actions = [f"Line {i} of {step}." for i in range(4)]
        observation, rewards, _, truncated, _ = envs.step(actions)
        each = [env.step(action) for env, action in zip(singles, actions, strict=True)]
        each = [(env.reset()[0], *one[1:]) if one[3] else one for env, one in zip(singles, each, strict=True)]
        assert rewards.tolist() == [one[1] for one in each]
        assert truncated.tolist() == [one[3] for one in each]
        assert observation["feedback"] == tuple(one[0]["feedback"] for one in each)
        np.testing.assert_array_equal(observation["remaining_budget"], [one[0]["remaining_budget"] for one in each])
    assert len(together.batches) - batches <= 6 * 3, "one batch a turn for all of them"


def test_killed_and_resumed_it_comes_to_the_same_and_pays_the_rest(tmp_path):
    command = [sys.executable, "-m", "tests.envs.several_turns"]
    whole = subprocess.run([*command, str(tmp_path / "whole")], capture_output=True, text=True, check=True).stdout
    killed = subprocess.Popen([*command, str(tmp_path / "cut")], stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    for _ in range(3):
        killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    resumed = subprocess.run([*command, str(tmp_path / "cut")], capture_output=True, text=True, check=True).stdout
    scores = [line.split()[:2] for line in whole.splitlines()]
    assert [line.split()[:2] for line in resumed.splitlines()] == scores, "rewards and charges are the same"
    paid = [int(out.split()[-1]) for out in (whole, resumed)]
    assert 0 < paid[1] < paid[0]
    assert (tmp_path / "cut").read_bytes() == (tmp_path / "whole").read_bytes()


def test_work_of_all_attempts_goes_side_by_side():
    pool, together = ThreadPoolExecutor(len(QUESTIONS)), Barrier(len(QUESTIONS))

    class Working(RingDomain):
        def attempt(self, context, question):
            text = yield Prompt(self.system(context), self.user(question))
            waited = yield pool.submit(lambda: sorted({together.wait(20) >= 0}))
            again = yield pool.submit(str, waited)
            return f"{text} {again} {question.id}"

    attempts = evaluate(Session(Speaker()), domain=Working("a")).attempts
    pool.shutdown()
    assert [attempt.response.split(" ", 2)[2] for attempt in attempts] == [f"[True] {q.id}" for q in QUESTIONS]


@pytest.mark.parametrize("failing", [[1], [2], []])
def test_what_an_attempt_holds_is_let_go_whatever_happens(failing):
    held = set()

    class Holding(RingDomain):
        def attempt(self, context, question):
            held.add(question.id)
            try:
                return (yield from super().attempt(context, question))
            finally:
                held.discard(question.id)

    try:
        evaluate(Session(Speaker(done=10**9, failing=failing)), domain=Holding("a"))
    except ProviderError:
        assert failing
    assert not held


class GroupDomain(RingDomain):
    """Asks three times at once, then how likely each answer was, and again for those that are even."""

    max_turns = 9

    def attempt(self, context, question):
        ask = [Prompt(self.system(context), self.user(question), (), sample) for sample in range(3)]
        texts = yield ask
        likely = yield [Likelihood(ask[0], text) for text in texts]
        again = yield [
            one._replace(user=f"Again: {question.text}")
            for one, text in zip(ask, texts, strict=True)
            if digest(text) % 2
        ]
        nothing = yield []
        return json.dumps([texts, likely, again, nothing])


class Weigher(Speaker):
    """A speaker that knows how likely texts are."""

    def logprobs(self, request, completion):
        assert not request.turns
        return [-float(digest(request.user, completion) % 7), -0.1]


@pytest.mark.parametrize("kind", [Weigher, Speaker])
def test_what_is_asked_as_a_list_is_one_batch_and_answered_by_a_list(kind):
    model = kind()
    session, domain = Session(model, Budget({"calls": 100})), GroupDomain("a")
    evaluation = evaluate(session, domain=domain)
    told = [json.loads(response) for response in evaluation.responses]
    assert [len(batch) for batch in model.batches] == [3 * len(QUESTIONS), sum(len(again) for _, _, again, _ in told)]
    assert {request.sample for request in model.batches[0]} == {0, 1, 2}
    for question, (texts, likely, again, nothing) in zip(QUESTIONS, told, strict=True):
        assert texts == [model._say(Request(domain.system("Context."), question.text, sample=i)).text for i in range(3)]
        weighed = kind is Weigher
        assert likely == [[-float(digest(question.text, text) % 7), -0.1] if weighed else None for text in texts]
        assert len(again) == sum(digest(text) % 2 for text in texts)
        assert nothing == []
    calls = model.calls + (3 * len(QUESTIONS) if weighed else 0)
    assert evaluation.usage.calls == session.budget.spent.calls == calls, "what nobody can tell costs nothing"
    assert evaluate(session, domain=domain).usage.calls == 0, "log-probabilities are remembered as well"
    assert session.budget.affords(session.budget.remaining)
    with pytest.raises(BudgetExhausted):
        evaluate(Session(kind(), Budget({"calls": 9 * len(QUESTIONS) - 1})), domain=domain)


def test_samples_of_an_attempt_are_not_those_of_another():
    model = Speaker()
    evaluate(Session(model, samples=2), domain=GroupDomain("a"))
    assert sorted(r.sample for r in model.batches[0] if r.user == QUESTIONS[0].text) == [0, 1, 2, 3, 4, 5]


def test_log_probabilities_are_recorded_and_replayed(tmp_path):
    record = tmp_path / "responses.jsonl"
    first = evaluate(Session(RecordedModel(Weigher(), record)), domain=GroupDomain("a"))
    model = Weigher()
    again = evaluate(Session(RecordedModel(model, record)), domain=GroupDomain("a"))
    assert (again.responses, model.calls) == (first.responses, 0)
    replayed = evaluate(Session(make_model(f"replay:{record}")), domain=GroupDomain("a"))
    assert replayed.responses == first.responses


def test_a_list_beyond_the_turns_of_a_domain_is_not_asked():
    class Greedy(GroupDomain):
        max_turns = 4

    model = Speaker()
    evaluate(Session(model), domain=Greedy("a"))
    assert [len(batch) for batch in model.batches] == [3 * len(QUESTIONS)]
