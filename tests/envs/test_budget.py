import math

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.budget import Budget, Usage
from lse_gym.envs.errors import ArgumentError, BudgetExhausted, ProviderError, UnknownNameError
from lse_gym.envs.models.base import Request
from tests.envs.stub import Spy, make

CAPS = {
    "edits": st.integers(0, 4),
    "calls": st.integers(0, 45),
    "tokens": st.integers(0, 25_000),
    "usd": st.floats(0, 5_000, allow_nan=False),
}
TEXT = st.sampled_from(["", "a", "b" * 40, "c" * 300, "d" * 4000])
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("reset"), st.sampled_from([None, None, 0, 1]), st.none() | TEXT),
        st.tuples(st.just("step"), st.none(), TEXT),
        st.tuples(st.just("step, failing"), st.none(), TEXT),
    ),
    max_size=14,
)


def within(budget, spy):
    """The spy's own count agrees with the ledger, and neither passes a cap."""
    spent, caps = budget.spent, budget.caps
    assert (spent.calls, spent.tokens) == (spy.calls, spy.tokens)
    assert math.isclose(spent.usd, spy.usd, rel_tol=1e-12)
    assert all(amount <= cap for amount, cap in zip(spent, caps, strict=True))
    assert spy.calls <= caps.calls
    assert spy.tokens <= caps.tokens


@settings(max_examples=150)
@given(caps=st.fixed_dictionaries({}, optional=CAPS), operations=OPERATIONS)
def test_no_cap_is_ever_passed(caps, operations):
    spy = Spy()
    env = make(spy, budget=caps, max_edits=99)
    env.reset(seed=0)
    edits = 0
    for name, seed, text in operations:
        before, batches = env.budget.spent, len(spy.batches)
        spy.failures = int(name == "step, failing")
        try:
            if name == "reset":
                result = env.reset(seed=seed, options={} if text is None else {"context": text})
            else:
                result = env.step(text)
                edits += result[-1]["evaluated"]
        except ProviderError:
            assert env.budget.spent == before
            continue
        observation, info = result[0], result[-1]
        within(env.budget, spy)
        assert env.budget.spent.edits == edits
        assert observation in env.observation_space
        assert info["calls"] == env.budget.spent.calls - before.calls
        if not info["evaluated"]:
            assert env.budget.spent == before
            assert len(spy.batches) == batches, "all or nothing"


@settings(max_examples=60)
@given(
    caps=st.fixed_dictionaries({}, optional=CAPS),
    texts=st.lists(st.lists(TEXT, min_size=3, max_size=3), max_size=8),
    failing=st.sets(st.integers(0, 7)),
)
def test_no_cap_of_a_vector_is_ever_passed(caps, texts, failing):
    spy = Spy()
    envs = make(spy, num_envs=3, budget=caps, max_edits=2, domain=["a", "b", "d"])
    envs.reset(seed=0)
    for index, actions in enumerate(texts):
        spy.failures = int(index in failing)
        try:
            observation = envs.step(actions)[0]
        except ProviderError:
            observation = envs.step(actions)[0]
        assert ((observation["remaining_budget"] >= 0) & (observation["remaining_budget"] <= 1)).all()
        for env in envs.envs:
            assert all(amount <= cap for amount, cap in zip(env.budget.spent, env.budget.caps, strict=True))
        # What two sub-envs ask alike is sent once and charged to both.
        for resource in ("calls", "tokens", "usd"):
            assert getattr(spy, resource) <= sum(getattr(env.budget.spent, resource) for env in envs.envs) + 1e-6


@pytest.mark.parametrize(("resource", "price"), [("calls", 0), ("tokens", 0), ("usd", 0.1)])
def test_the_last_unit_counts(resource, price):
    probe = make(Spy(price), budget={resource: 1e9})
    usage = probe.session.metered.upper_bound
    reserved = []
    probe.session.metered.upper_bound = lambda *given: reserved.append(usage(*given)) or reserved[-1]
    probe.reset(seed=0)
    needed = getattr(reserved[0], resource)
    assert make(Spy(price), budget={resource: needed}).reset(seed=0)[1]["evaluated"] == 1.0
    short = np.nextafter(needed, 0) if resource == "usd" else needed - 1
    env = make(spy := Spy(price), budget={resource: short})
    assert env.reset(seed=0)[1]["evaluated"] == 0.0
    assert spy.calls == 0


def test_a_refund_leaves_no_trace():
    budget = Budget({"usd": 1.0})
    budget.charge(Usage(usd=0.1))
    for amount in (0.2, 0.7, 0.3):
        budget.reserve(Usage(usd=amount))
        budget.settle(Usage(usd=amount), Usage())
        assert budget.spent == Usage(usd=0.1)
    with pytest.raises(BudgetExhausted, match=r"0\.95 usd do not fit into the budget: 0\.9 left of 1 usd"):
        budget.charge(Usage(usd=0.95))
    budget.reserve(Usage(usd=0.5))
    assert not budget.affords(Usage(usd=0.5)), "what is reserved is not free"


def test_an_overdrawing_backend_leaves_zero():
    budget = Budget({"tokens": 10})
    budget.reserve(Usage(tokens=10))
    budget.settle(Usage(tokens=10), Usage(tokens=12))
    assert budget.fractions().tolist() == [1.0, 1.0, 0.0, 1.0]


def test_the_reader_keeps_to_what_is_reserved():
    # A worked example makes it answer with any text, however long.
    env = gym.make("LSE/TextToSQL-v1", domain="library-0").unwrapped
    question = env.family.load("library-0").splits["feedback"][0]
    context = f"Q: {question.text}\nSQL: SELECT '{'x' * 6000}'"
    request = Request(env.family.load("library-0").system(context), f"Question: {question.text}", max_tokens=100)
    response = env.model.complete([request])[0]
    assert "xxx" in response.text
    assert response.completion_tokens <= 100
    assert response.prompt_tokens <= env.model.count_tokens(request.system) + env.model.count_tokens(request.user)


def test_an_exhausted_env_goes_on_without_calls():
    env = make(spy := Spy(), budget={"calls": 14}, domain="some", max_edits=2)
    env.reset(seed=0)
    assert env.step("paid")[3] is False
    for i in range(20):
        observation, reward, terminated, truncated, info = env.step(f"{i}")
        assert (reward, terminated, truncated, info["evaluated"]) == (0.0, False, True, 0.0)
        assert (info["edits"], observation["context"]) == (1.0, "paid")
    assert spy.calls == 14
    observation, info = env.reset(options={"context": "unseen"})
    assert (observation["feedback"], info["evaluated"], info["held_out_score"]) == ("", 0.0, 0.0)


def test_nothing_is_earned_over_an_unpaid_start():
    # The start is too dear, the edit is free: its improvement over an unknown score is not its whole score.
    env = make(budget={"tokens": 20_000})
    env.reset(seed=0)
    known = [(env.reset(options={"context": "Good.", "batch": batch}))[1] for batch in range(7)]
    assert known[-1]["held_out_score"] > 0
    assert env.reset(options={"context": "x" * 8000})[1]["evaluated"] == 0.0
    _, reward, _, truncated, info = env.step("Good.")
    assert (reward, truncated, info["improvement"]) == (0.0, True, 0.0)
    assert env.reset(options={"context": "Good.", "batch": 0})[1]["evaluated"] == 1.0


@pytest.mark.parametrize(
    ("caps", "error", "named"),
    [
        ({"call": 3}, UnknownNameError, "Did you mean 'calls'"),
        ({"edits": -1}, ArgumentError, r"budget\['edits'\]=-1"),
        ({"usd": float("nan")}, ArgumentError, r"budget\['usd'\]=nan"),
        ({"tokens": "7"}, ArgumentError, r"budget\['tokens'\]='7'"),
        ({"calls": True}, ArgumentError, r"budget\['calls'\]=True"),
        ({"calls": None}, ArgumentError, r"budget\['calls'\]=None"),
    ],
)
def test_a_bad_cap_names_the_resource(caps, error, named):
    with pytest.raises(error, match=named):
        make(budget=caps)
