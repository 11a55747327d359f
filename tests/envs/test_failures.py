"""A model that fails: nothing has changed, and the call can be repeated."""

import pytest
from gymnasium.utils.env_checker import data_equivalence

from lse_gym.envs.errors import ProviderError
from tests.envs.stub import Spy, make


def follow(env):
    return [env.step("after"), env.reset(), env.step("the end")]


def test_a_failed_step_is_repeatable():
    # The cap is what the reset and one step need, so a refund that is late or short shows.
    env, twin = (make(Spy(), domain="some", budget={"calls": 14}) for _ in range(2))
    env.reset(seed=3), twin.reset(seed=3)
    for _ in range(3):
        env.model.failures = 1
        with pytest.raises(ProviderError):
            env.step("text")
        assert env.budget.spent == twin.budget.spent
    results = [e.step("text") for e in (env, twin)]
    assert results[0][-1]["evaluated"] == 1.0
    assert data_equivalence(*results, exact=True)
    assert data_equivalence(follow(env), follow(twin), exact=True)


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
        assert (env._state[1:], env.budget.spent) == (other._state[1:], other.budget.spent)
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
        env.budget.spent._replace(edits=s.edits, calls=14.0) for s, env in zip(spent, envs.envs, strict=True)
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
