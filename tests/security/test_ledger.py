"""The cap holds: for copies and pickles of an env, for threads on one ledger, for budgets that are no budgets."""

import copy
import pickle
import sys
import threading

import gymnasium as gym
import pytest

from lse_gym.envs.budget import Budget, Usage
from lse_gym.envs.errors import ArgumentError, BudgetExhausted
from tests.envs.stub import Spy, make

COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda env: pickle.loads(pickle.dumps(env)),  # noqa: S301 - our own
}


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_a_copy_of_an_env_never_spends_beyond_the_cap(duplicate):
    env = gym.make("LSE/TextToSQL-v1", domain="clinic-0", budget={"calls": 130}).unwrapped
    env.reset(seed=0)
    twins = [env, *(duplicate(env) for _ in range(3))]
    for i in range(4):
        for number, twin in enumerate(twins):
            twin.step(f"Context {i} of {number}.")
    spent = {id(twin.budget): twin.budget.spent.calls for twin in twins}
    assert sum(spent.values()) <= 130
    assert len(spent) == 1, "it is one ledger"
    assert all(twin.step("More.")[3] for twin in twins)


def test_a_pickle_loaded_elsewhere_starts_with_what_was_left():
    budget = Budget({"calls": 10})
    budget.charge(Usage(calls=4))
    data = pickle.dumps(budget)
    assert pickle.loads(data) is budget  # noqa: S301 - our own
    del budget
    found = pickle.loads(data)  # noqa: S301 - our own
    assert found.remaining.calls == 6
    assert found.caps.calls == 10


def test_threads_on_one_ledger_never_exceed_it():
    budget, paid = Budget({"calls": 1000}), []

    def pay():
        count = 0
        try:
            while True:
                budget.reserve(Usage(calls=3))
                budget.settle(Usage(calls=3), Usage(calls=1))
                count += 1
        except BudgetExhausted:
            paid.append(count)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=pay) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    finally:
        sys.setswitchinterval(interval)
    assert sum(paid) == budget.spent.calls <= 1000
    assert budget.affords(budget.remaining), "no reservation is left behind"


@pytest.mark.parametrize("budget", [5, "calls", [("calls", 5)], {"calls": -1}, {"calls": "5"}, {"calls": float("nan")}])
def test_what_is_no_budget_is_refused(budget):
    with pytest.raises(ArgumentError, match=r"budget.*(Pass|Leave)"):
        make(Spy(), budget=budget)


def test_a_budget_that_is_too_small_says_what_is_needed():
    env = gym.make("LSE/TextToSQL-v1", domain="clinic-0", budget={"calls": 10})
    _, info = env.reset(seed=0)
    assert info["evaluated"] == 0.0
    assert "60 calls" in info["problem"]
    assert "10 left" in info["problem"]
