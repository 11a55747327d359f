"""The hinter's side as a ContextEnv: what a sheet is worth by HiLL's formulas, its gates, and what it costs.

That it is an env like any other, tests/envs shows.
"""

import json
from math import exp, log

import gymnasium as gym
import pytest

from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Config
from lse_gym.envs.domain import Likelihood, Outcome
from lse_gym.envs.errors import ArgumentError, UnknownNameError
from lse_gym.envs.games.hill import KINDS, non_deg
from lse_gym.envs.games.hint.domain import HintFamily, Tried, read
from lse_gym.envs.games.hint.questions import make_exercises

SHEET = "Percent means of each hundred."


def domain_of(num_samples=4, kind="transfer_weighted_non_deg", **source):
    family = HintFamily(make_exercises(**source), num_samples, kind)
    return family.load("bakery-0" if not source else family.select(None)[0])


def attempt(domain, question, first, given, logprobs=None, twin=None):
    """Play the task model: the answers to both groups, then log-probabilities by whether the sheet is in the prompt."""
    turns, asked, answer = domain.attempt(SHEET, question), [], None
    while True:
        try:
            wanted = turns.send(answer)
        except StopIteration as end:
            return end.value, asked
        each = wanted if isinstance(wanted, list) else [wanted]
        asked += each
        if isinstance(each[0], Likelihood):
            found = [None if logprobs is None else [logprobs[SHEET in one.prompt.user]] * 3 for one in each]
        elif len(each) > domain.num_samples:
            found = twin
        else:
            found = given if SHEET in each[0].user else first
        answer = found if isinstance(wanted, list) else found[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [2, 4, 5])
def test_golds_score_one_and_whatever_is_no_attempt_zero(kind, n):
    domain = domain_of(n, kind)
    assert domain.verify() == []
    question = domain.splits["feedback"][0]
    texts = ["", question.text, question.gold, "[]", "{}", '{"first": 1}', '{"first": ["x"]}', '{"x": [1]}', "[" * 9999]
    texts += [json.dumps({"first": ["x"] * n, "given": [None] * n}), json.dumps({"first": [], "reliance": "1"})]
    assert [outcome.score for outcome in domain.score([question] * len(texts), texts)] == [0.0] * len(texts)
    assert read(domain.gold_response(question)).reliance == 0.0


@pytest.mark.parametrize(("right", "term"), [(0, 0.0), (1, 0.578125), (2, 0.875), (3, 0.68359375), (4, 0.0)])
def test_a_sheet_is_worth_what_hill_says(right, term):
    domain = domain_of()
    question = domain.splits["feedback"][2]
    gold = domain.inner.gold_response(question)
    given = [gold] * right + ["no"] * (4 - right)
    response, asked = attempt(domain, question, ["no"] * 4, given, logprobs={False: -0.6, True: -0.5})
    assert non_deg(right / 4, 4) == pytest.approx(1 - (right / 4) ** 4 - (1 - right / 4) ** 4)
    (outcome,) = domain.score([question], [response])
    expected = non_deg(right / 4, 4) * exp(-0.1 / 0.3) / 0.875
    assert outcome.score == pytest.approx(expected)
    assert len(asked) == 4 + 4 + 2 * right <= domain.max_turns
    assert [one.sample for one in asked[:8]] == [*range(4), *range(4)]
    assert (f"{right} of 4" in outcome.error, "Reliance of these on it: -0.10" in outcome.error) == (True, right > 0)


def test_what_was_not_hard_or_is_told_is_not_asked_again():
    domain = domain_of()
    question = domain.splits["feedback"][2]
    gold = domain.inner.gold_response(question)
    response, asked = attempt(domain, question, ["no", "no", gold, "no"], None)
    (outcome,) = domain.score([question], [response])
    assert (len(asked), outcome.score, outcome.error) == (4, 1.0, "No hint was needed.")
    for sheet in ("", "  ", f"The answer is {question.gold}."):
        turns = domain.attempt(sheet, question)
        next(turns)
        with pytest.raises(StopIteration) as end:
            turns.send(["no"] * 4)
        (outcome,) = domain.score([question], [end.value.value])
        assert (outcome.score, "tells the answer" in outcome.error) == (0.0, True)


def test_without_log_probabilities_a_twin_tells_reliance_or_the_group_itself():
    domain = domain_of()
    question = domain.splits["feedback"][2]
    twin = domain.exercises.twin(domain.inner, question)
    right, twins = domain.inner.gold_response(question), domain.inner.gold_response(twin)
    answers = [twins, "no", "no", "no", twins, twins, twins, "no"]
    response, asked = attempt(domain, question, ["no"] * 4, [right, "no", "no", right], twin=answers)
    assert read(response).reliance == pytest.approx(log(2 / 6) - log(4 / 6))
    assert len(asked) == 4 + 4 + 1 + 8
    assert twin.text in asked[-1].user
    own = domain_of(questions=[{"question": f"What is {i} + 1?", "answer": str(i + 1)} for i in range(12)])
    question = own.splits["feedback"][0]
    response, _ = attempt(own, question, ["no"] * 4, [f"<answer>{question.gold}</answer>", "no", "no", "no"])
    assert read(response).reliance == pytest.approx(log(1 / 6) - log(2 / 6))


def test_the_reader_is_asked_once_without_hints_and_a_context_seen_before_is_free():
    env = gym.make("LSE/Hint-v0", domain="bakery-0", difficulty="hard", num_samples=2)
    env.reset(seed=0, options={"batch": 0})
    env.reset(options={"context": "", "batch": 0})  # an empty sheet is not shown
    assert env.reset(options={"context": " ", "batch": 0})[1]["calls"] == 0
    observation, reward, *_, info = env.step(SHEET)
    env.reset(options={"context": SHEET, "batch": int(info["batch"])})
    assert env.unwrapped.budget.spent.calls == env.unwrapped.session.spent.calls
    assert env.reset(options={"context": SHEET, "batch": int(info["batch"])})[1]["calls"] == 0
    assert 0 < info["held_out_score"] <= 1
    shown = observation["feedback"]
    assert "percent means of each hundred" in shown, "the worked solutions are shown"
    assert "answers were right" in shown
    domain = env.unwrapped.family.load("bakery-0")
    improvement = reward
    *_, info = env.step(domain.oracle_context)
    assert info["held_out_score"] > improvement + 0.1


@pytest.mark.extra("hf")
def test_reliance_is_that_of_the_models_log_probabilities():
    from lse_gym.envs.models import make_model
    from lse_gym.envs.models.base import Request
    from lse_gym.envs.session import Session

    domain = domain_of(2)
    question, nano = domain.splits["feedback"][2], make_model("nano")
    text = "<answer>7</answer>"

    def one(context, question):
        yield from ()
        return json.dumps((yield [Likelihood(domain.prompt(hints, question), text) for hints in ("", context)]))

    domain.attempt = one
    domain.score = lambda questions, responses: [Outcome(0.0, "")]
    session = Session(nano, temperature=1.0)
    evaluation = session.run([session.evaluate(domain, SHEET, [question])])[0]
    prompts = (domain.prompt(hints, question) for hints in ("", SHEET))
    expected = [nano.logprobs(Request(p.system, p.user), text) for p in prompts]
    found = json.loads(evaluation.responses[0])
    for told, one in zip(found, expected, strict=True):
        assert told == pytest.approx(one, abs=1e-4), "what else is in a batch is in the last digits"
    assert abs(sum(expected[0]) - sum(expected[1])) > 1e-3


def test_the_writer_learns_hints_from_worked_solutions(tmp_path):
    args = {"domain": "farm-0", "difficulty": "hard", "num_samples": 2}
    config = Config(env="LSE/Hint-v0", env_args=args, agent_args={"editor": "writer"}, rounds=3)
    summary = evolve(config, tmp_path / "run")
    assert summary["test_score_best"] > summary["test_score_seed"] + 0.1
    assert "Remember: " in (tmp_path / "run" / "best_context.txt").read_text()


def test_a_wrong_argument_says_what_is_right():
    for arguments, told in [
        ({"num_samples": 1}, ">= 2"),
        ({"num_samples": "4"}, ">= 2"),
        ({"reward": "nondeg"}, "non_deg"),
        ({"difficulty": "harder"}, "'hard'"),
        ({"domain": "bakry-0"}, "bakery-0"),
        ({"scorer": "numeric"}, "questions="),
        ({"adversary": "reader"}, "opponent"),
    ]:
        with pytest.raises((UnknownNameError, ArgumentError), match=told):
            gym.make("LSE/Hint-v0", **arguments)


def test_the_record_of_an_attempt_is_plain():
    assert read(json.dumps(Tried(["a"], ["b"], -0.5)._asdict())) == Tried(["a"], ["b"], -0.5)
    assert read(json.dumps({"first": ["a"], "more": 1})) is None
