"""Choices by log-probability, as lm-evaluation-harness scores them."""

import gymnasium as gym
import pytest

from lse_gym.agents.plan import kept_answers
from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Config
from lse_gym.envs.errors import ArgumentError, UnknownNameError
from lse_gym.envs.evaluation import core_env

ROWS = [
    {"question": f"What is {n}?", "choices": ["an extraordinarily complicated red", "blue", "green"], "answer": n % 3}
    for n in range(30)
]


def make(scorer="multiple_choice,by=logprob", model="tests.custom.weigher:Weigher", **more):
    return core_env(gym.make("LSE/Custom-v1", questions=ROWS, scorer=scorer, task_model=model, **more))


def letters(core, context):
    domain = core.family.load(core.domain_name)
    questions = domain.splits["held_out"]
    responses = core.session.run([core.session.evaluate(domain, context, questions)])[0].responses
    return [domain.items[q.id].choices["ABC".index(a)] for q, a in zip(questions, responses, strict=True)]


def test_the_likeliest_choice_is_the_answer():
    core = make()
    assert {*letters(core, "")} == {"blue"}, "the first of equals; long ones are less likely"
    assert {*letters(core, "green")} == {"green"}
    assert {*letters(make("multiple_choice,by=logprob,normalize=true"), "")} == {"an extraordinarily complicated red"}
    domain = core.family.load(core.domain_name)
    question = domain.splits["feedback"][0]
    assert domain.example(question).startswith(f"{domain.user(question)}\nAnswer: ")
    assert not domain.verify()
    assert "letter" not in domain.system(domain.seed_context)


def test_a_choice_costs_a_call_and_no_cap_is_passed():
    core = make(budget={"calls": 100}, held_out_size=5, feedback_size=3)
    core.reset(seed=0)
    assert core.budget.spent.calls == 8 * 3
    for _ in range(9):
        core.step("green")
        core.step("x")
    assert core.budget.spent.calls <= 100


def test_a_plan_goes_through_what_is_kept_of_them(tmp_path):
    args = {"questions": ROWS, "scorer": "multiple_choice,by=logprob"}
    settings = {"env": "LSE/Custom-v1", "domain": "all", "task_model": "tests.custom.weigher:Weigher", "agent": "no-op"}
    config = Config.of(**settings, rounds=1, env_args=args)
    assert kept_answers(config) == 0
    summary = evolve(config, tmp_path / "run")
    assert kept_answers(config, tmp_path / "run") == summary["calls"] + summary["test_calls"] > 0


def test_a_model_without_log_probabilities_and_a_wrong_option_are_told():
    with pytest.raises(ArgumentError, match=r"has no log-probabilities.*task_model='hf:ID'"):
        make(model="tests.agents.copier:Copier").reset(seed=0)
    with pytest.raises(UnknownNameError, match="Did you mean 'logprob'"):
        make("multiple_choice,by=logprobs")
