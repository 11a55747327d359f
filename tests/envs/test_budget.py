import math

import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.budget import Budget, Usage
from lse_gym.envs.errors import ArgumentError, BudgetExhausted, ProviderError, UnknownNameError
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


@settings(max_examples=150, deadline=None)
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


@settings(max_examples=60, deadline=None)
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
    usage = probe.evaluator.metered._upper_bound
    reserved = []
    probe.evaluator.metered._upper_bound = lambda requests: reserved.append(usage(requests)) or reserved[-1]
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
    with pytest.raises(BudgetExhausted, match="does not fit"):
        budget.charge(Usage(usd=0.95))
    budget.reserve(Usage(usd=0.5))
    assert not budget.affords(Usage(usd=0.5)), "what is reserved is not free"


def test_an_overdrawing_backend_leaves_zero():
    budget = Budget({"tokens": 10})
    budget.reserve(Usage(tokens=10))
    budget.settle(Usage(tokens=10), Usage(tokens=12))
    assert budget.fractions().tolist() == [1.0, 1.0, 0.0, 1.0]


def follow(env):
    return [env.step("after"), env.reset(), env.step("the end")]


def test_a_failed_step_is_repeatable():
    env, twin = make(Spy(), domain="some", budget={"usd": 9e9}), make(Spy(), domain="some", budget={"usd": 9e9})
    env.reset(seed=3), twin.reset(seed=3)
    for _ in range(3):
        env.model.failures = 1
        with pytest.raises(ProviderError):
            env.step("text")
        assert env.budget.spent == twin.budget.spent
    assert data_equivalence([env.step("text"), *follow(env)], [twin.step("text"), *follow(twin)], exact=True)


@pytest.mark.parametrize("seed", [None, 8])
def test_a_failed_reset_is_repeatable_or_can_be_let_go(seed):
    for again in (True, False):
        env, twin = make(Spy(), domain="some"), make(Spy(), domain="some")
        env.reset(seed=3), twin.reset(seed=3)
        env.step("x"), twin.step("x")
        env.model.failures = 2
        for _ in range(2):
            with pytest.raises(ProviderError):
                env.reset(seed=seed, options={"context": "New."})
        if again:
            results = [e.reset(seed=seed, options={"context": "New."}) for e in (env, twin)]
            assert data_equivalence(*results, exact=True)
        assert data_equivalence(follow(env), follow(twin), exact=True)
        assert env.np_random_seed == twin.np_random_seed


def test_a_failed_step_touches_no_sub_env():
    def start():
        envs = make(Spy(), num_envs=3, max_edits=3, budget={"calls": 500})
        envs.reset(seed=5)
        envs.step(["p", "q", "r"])
        # With its whole feedback split in memory sub-env 0 is done before the model is asked.
        for batch in range(7):
            envs.envs[0].reset(options={"context": "p", "batch": batch})
        return envs

    envs, twin = start(), start()
    envs.model.failures = 1
    with pytest.raises(ProviderError):
        envs.step(["p", "new", "newer"])
    for env, other in zip(envs.envs, twin.envs, strict=True):
        assert (env._state, env.budget.spent) == (other._state, other.budget.spent)
    for actions in (["p", "new", "newer"], ["s", "t", "u"], ["v", "w", "x"]):
        assert data_equivalence(list(envs.step(actions)), list(twin.step(actions)), exact=True)


def test_a_failed_autoreset_undoes_the_step_but_pays_what_was_answered():
    envs, twin = (make(Spy(), num_envs=2, max_edits=1, budget={"calls": 500}, domain="some") for _ in range(2))
    envs.reset(seed=5), twin.reset(seed=5)
    expected = twin.step(["new", "newer"])
    assert len(twin.model.batches) == 3
    complete, spent = envs.model.complete, [env.budget.spent for env in envs.envs]

    def fail_second(requests):
        envs.model.failures = int(len(envs.model.batches) == 2)
        return complete(requests)

    envs.model.complete = fail_second
    with pytest.raises(ProviderError):
        envs.step(["new", "newer"])
    assert [env._state.edits for env in envs.envs] == [0, 0]
    assert [env.budget.spent for env in envs.envs] == [
        s._replace(calls=14.0, tokens=env.budget.spent.tokens, usd=env.budget.spent.usd)
        for s, env in zip(spent, envs.envs, strict=True)
    ]
    envs.model.complete = complete
    again = envs.step(["new", "newer"])
    assert data_equivalence(list(again[:4]), list(expected[:4]), exact=True)
    assert again[4]["final_info"]["calls"].tolist() == [0.0, 0.0], "paid at the first attempt"
    assert [env.budget.spent for env in envs.envs] == [env.budget.spent for env in twin.envs]


def test_an_answer_is_paid_though_a_neighbour_fails():
    envs = make(spy := Spy(), num_envs=2, domain=["a", "b"])
    envs.reset(seed=0)

    def fail(*_):
        raise ZeroDivisionError

    state = envs.envs[0]._state
    state.domain.score = fail
    spent = sum(env.budget.spent.calls for env in envs.envs)
    with pytest.raises(ZeroDivisionError):
        envs.step(["x", "y"])
    assert sum(env.budget.spent.calls for env in envs.envs) == spent + len(spy.batches[-1])
    assert envs.envs[1]._state.edits == 0


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
