"""The splits of a family of one's own are checked when a domain is loaded."""

import re

import gymnasium as gym
import numpy as np
import pytest

from lse_gym.envs.domain import Family, Outcome, Question, check_splits
from lse_gym.envs.errors import ArgumentError, DataError
from lse_gym.envs.evaluation import core_env, evaluate_context
from lse_gym.envs.faults import shown
from lse_gym.envs.metered import drive
from lse_gym.envs.session import Session
from tests.envs.stub import Spy, StubDomain


class Given(Family):
    """One domain, with the splits that it is given."""

    groups = {"all": ["one"]}  # noqa: RUF012

    def __init__(self, **sizes):
        self.ids = {split: sizes.get(split, [f"{split}-1", f"{split}-2"]) for split in ("feedback", "held_out", "test")}

    def load(self, name):
        domain = StubDomain(name)
        domain.splits = {split: [Question(one, one, "x") for one in ids] for split, ids in self.ids.items()}
        return domain


def make(**sizes):
    return gym.make("LSE/Family-v0", family="tests.envs.test_family_checks:Given", family_args=sizes)


def test_a_sound_family_is_left_as_it_is():
    core = core_env(make())
    assert isinstance(core.family, Given)
    make().reset(seed=0)


@pytest.mark.parametrize("split", ["feedback", "held_out", "test"])
def test_a_split_without_questions_is_told_at_once(split):
    env = make(**{split: []})
    for use in (lambda: env.reset(seed=0), lambda: evaluate_context(env, "a context", "test")):
        with pytest.raises(DataError, match=rf"domain 'one' cannot be used.*\n.*without questions.*\n  - {split}"):
            use()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("name", None, "name of StubDomain is a NoneType. Make it a str."),
        ("seed_context", 5, "seed_context of StubDomain is a int. Make it a str."),
        ("system", lambda context: None, r"system(context) of StubDomain is a NoneType"),
        ("user", lambda question: 7, r"user(question) of StubDomain is a int"),
    ],
)
def test_what_is_no_text_is_told_with_where_it_comes_from(monkeypatch, name, value, told):
    load = Given.load

    def odd(self, which):
        domain = load(self, which)
        setattr(domain, name, value)
        return domain

    monkeypatch.setattr(Given, "load", odd)
    with pytest.raises(ArgumentError, match=re.escape(told)):
        make().reset(seed=0)


def test_what_a_family_does_not_take_is_told():
    with pytest.raises(ArgumentError, match=r"family_args=\{'m': 1\}: got an unexpected keyword argument 'm'"):
        gym.make("LSE/Family-v0", family="tests.envs.several_turns:RingFamily", family_args={"m": 1})
    with pytest.raises(ArgumentError, match=r"family_args=\[1\] is not a Mapping or None"):
        gym.make("LSE/Family-v0", family="tests.envs.several_turns:RingFamily", family_args=[1])


def test_ids_that_stand_twice_are_told_with_their_places():
    with pytest.raises(DataError) as caught:
        make(held_out=["a", "a"], test=["b", "feedback-1"]).reset(seed=0)
    told = str(caught.value)
    assert "'a': in held_out and in held_out" in told
    assert "'feedback-1': in feedback and in test" in told


@pytest.mark.parametrize(
    ("score", "told"),
    [
        (lambda questions, responses: [1.0 for _ in responses], "1.0 among them"),
        (lambda questions, responses: [Outcome(1.0, "x")], "1 outcomes for "),
        (lambda questions, responses: None, "a NoneType"),
    ],
)
def test_a_score_that_is_no_list_of_outcomes_is_told(score, told):
    _told_by_score(score, told)


@pytest.mark.parametrize("score", [7, -0.1, float("nan"), 1.0000001, "1", None, np.float64("inf")])
def test_a_score_outside_of_0_to_1_is_told(score):
    """A reward of it would train what nobody meant."""
    told = f"the score {re.escape(shown(score))}, which is no number from 0 to 1"
    _told_by_score(
        lambda questions, responses: [Outcome(1.0, "x")] * (len(questions) - 1) + [Outcome(score, "x")], told
    )


@pytest.mark.parametrize("score", [0, 1, True, 0.5, np.float32(0.25), np.bool_(True), np.int64(1)])
def test_a_score_may_be_any_number_from_0_to_1(score):
    domain = Given().load("one")
    domain.score = lambda questions, responses: [Outcome(score, "x") for _ in questions]
    found = drive([Session(Spy()).evaluate(domain, "x", domain.splits["test"])], Spy())[0]
    assert found.scores.tolist() == [float(score)] * len(found.scores)


def _told_by_score(score, told):
    domain = Given().load("one")
    domain.score = score
    for use in (lambda: drive([Session(Spy()).evaluate(domain, "x", domain.splits["test"])], Spy()), domain.verify):
        with pytest.raises(ArgumentError, match=f"score.. of domain 'one' returned {told}"):
            use()


@pytest.mark.parametrize("groups", [None, ["one"], {}, {"all": "one"}])
def test_groups_that_are_no_dict_of_names_are_told(groups, monkeypatch):
    monkeypatch.setattr(Given, "groups", groups)
    with pytest.raises(ArgumentError, match=r"groups of Given is .* Write e\.g\. groups = "):
        make()


def test_what_is_no_domain_is_told(monkeypatch):
    monkeypatch.setattr(Given, "load", lambda self, name: None)
    with pytest.raises(ArgumentError, match="returned a NoneType"):
        make().reset(seed=0)


def test_every_embedded_domain_is_sound():
    for name in ("LSE/TextToSQL-v1", "LSE/QA-v1", "LSE/PassageOrder-v1"):
        core = core_env(gym.make(name))
        check_splits(core.family.load(core.domains[0]))
