"""The gate: what is kept, when it is measured, that no cap is passed, and that the vector env does the same."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.errors import ArgumentError, ProviderError
from lse_gym.envs.gate import SPARE_BATCHES
from tests.envs.stub import Spy, make
from tests.envs.test_budget import CAPS, TEXT, within
from tests.envs.test_vector import same, singles_step, sub_info

TEXTS = [f"Text {i}." for i in range(40)]


def score(env, context, split, ids=None):
    """The mean score of a context, asked for apart from the env."""
    core = env.unwrapped
    domain, session = core.family.load(core.domain_name), core.session.isolated()
    questions = [q for q in domain.splits[split] if ids is None or q.text in ids]
    return session.run([session.evaluate(domain, context, questions)])[0].scores.mean()


def shown(observation):
    """The feedback questions that an observation of the stub reports on."""
    return {line.rpartition(": ")[0] for line in observation["feedback"].split("\n")}


def asked_held_out(spy, first):
    return sum("held_out" in request.user for batch in spy.batches[first:] for request in batch)


def test_kept_is_what_does_better_on_the_batch_that_was_shown():
    env = make(gate=1, max_edits=99)
    observation, _ = env.reset(seed=0)
    kept = 0
    for text in TEXTS:
        before, batch = observation["context"], shown(observation)
        better = score(env, text, "feedback", batch) > score(env, before, "feedback", batch)
        observation, reward, _, _, info = env.step(text)
        assert (observation["context"] == text) == bool(info["kept"]) == bool(info["evaluated"]) == better
        assert better or (reward, observation["context"]) == (0, before)
        kept += better
    assert 3 < kept < 37, "both come up"


def test_held_out_questions_are_asked_after_so_many_kept_edits():
    spy = Spy()
    env = make(spy, gate=3, max_edits=99)
    env.reset(seed=0)
    waiting, rewards = 0, []
    for text in TEXTS:
        before = len(spy.batches)
        observation, reward, _, _, info = env.step(text)
        waiting += int(info["kept"])
        assert info["evaluated"] == (waiting == 3)
        assert (asked_held_out(spy, before) > 0) <= (waiting == 3)
        waiting %= 3
        rewards.append(reward)
        assert info["evaluated"] or reward == 0
        assert not info["evaluated"] or info["held_out_score"] == score(env, observation["context"], "held_out")
    assert any(rewards)


def test_rewards_of_a_gated_episode_add_up_to_its_improvement():
    env = make(gate=4, max_edits=10)
    for seed in range(5):
        _, start = env.reset(seed=seed)
        rewards, terminated = [], False
        for text in TEXTS[seed : seed + 10]:
            observation, reward, terminated, _, info = env.step(text)
            rewards.append(reward)
        assert terminated
        assert info["held_out_score"] == score(env, observation["context"], "held_out"), "measured at the end"
        assert math.isclose(sum(rewards), info["held_out_score"] - start["held_out_score"], abs_tol=1e-12)


def test_batches_without_a_mistake_are_passed_over():
    env = make(gate=1, feedback_size=1, max_edits=99)
    observation, _ = env.reset(seed=3)
    for text in TEXTS:
        perfect = score(env, observation["context"], "feedback") == 1
        assert (observation["feedback_score"] == 1) == perfect
        observation, *_ = env.step(text)
    ungated = make(feedback_size=1)
    assert {ungated.reset()[0]["feedback_score"].item() for _ in range(7)} == {0, 1}


@pytest.mark.parametrize("calls", range(16, 60, 2))
def test_the_last_edit_of_an_episode_is_measured_whatever_is_left_of_the_budget(calls):
    for seed in range(4):
        env = make(gate=5, max_edits=3, budget={"calls": calls})
        _, start = env.reset(seed=seed)
        rewards, ended, truncated = [], False, False
        while not (ended or truncated):
            observation, reward, ended, truncated, info = env.step(TEXTS[3 * seed + len(rewards)])
            rewards.append(reward)
        assert info["held_out_score"] == score(env, observation["context"], "held_out")
        assert math.isclose(sum(rewards), info["held_out_score"] - start["held_out_score"], abs_tol=1e-12)


@pytest.mark.parametrize("gate", [1, 2, 99])
@pytest.mark.parametrize("calls", range(20, 60, 3))
def test_what_was_kept_is_measured_before_the_budget_ends_and_no_sooner_than_it_must_be(calls, gate):
    spy = Spy()
    env = make(spy, gate=gate, max_edits=999, feedback_size=1, budget={"calls": calls})
    env.reset(seed=0)
    for text in [f"{text} {i}" for i in range(10) for text in TEXTS]:
        observation, _, _, truncated, info = env.step(text)
        if truncated:
            break
    assert truncated
    assert info["held_out_score"] == score(env, observation["context"], "held_out")
    left, measured = calls, 0
    for batch in spy.batches[:-1]:  # the last is the score asked for above
        left, held_out = left - len(batch), len(batch) - 1
        measured += bool(held_out)
        if held_out and measured > 1:
            assert 0 <= left < SPARE_BATCHES or left >= SPARE_BATCHES + held_out - 1, "room for none, or for another"
    assert left >= 0
    assert measured > 1


@settings(max_examples=60)
@given(
    caps=st.fixed_dictionaries({}, optional=CAPS),
    gate=st.integers(1, 3),
    steps=st.lists(st.tuples(TEXT, st.booleans()), max_size=14),
)
def test_no_cap_is_ever_passed_with_a_gate(caps, gate, steps):
    spy = Spy()
    env = make(spy, budget=caps, gate=gate, max_edits=99)
    env.reset(seed=0)
    edits = 0
    for text, failing in steps:
        before, state, spy.failures = env.budget.spent, env._state, int(failing)
        try:
            _, reward, _, truncated, info = env.step(text)
        except ProviderError:
            assert env._state is state
            continue
        within(env.budget, spy)
        edits += not truncated
        assert env.budget.spent.edits == edits
        assert info["calls"] == env.budget.spent.calls - before.calls
        assert not truncated or (info["kept"], info["evaluated"], reward) == (0, 0, 0)


def test_a_failure_behind_the_gate_changes_nothing_but_what_is_paid():
    failing, whole = (make(gate=1, max_edits=99) for _ in range(2))
    for env in (failing, whole):
        env.reset(seed=0)
    for text in TEXTS[:8]:
        complete, batches = failing.model.complete, []

        def second_fails(requests, complete=complete, batches=batches):
            batches.append(requests)
            if len(batches) == 2:
                raise ProviderError("behind the gate")
            return complete(requests)

        failing.model.complete = second_fails
        try:
            failing.step(text)
        except ProviderError:
            failing.model.complete = complete
            again, expected = failing.step(text), whole.step(text)
            assert same(again[0] | {"remaining_budget": 0}, expected[0] | {"remaining_budget": 0})
            assert again[1:4] == expected[1:4]
            assert failing.budget.spent == whole.budget.spent
            break
        failing.model.complete = complete
        whole.step(text)
    else:
        pytest.fail("no second batch was asked for")


@pytest.mark.parametrize("budget", [None, {"calls": 40}])
def test_vector_equals_single_envs_with_a_gate(budget):
    options = {"domain": ["some", "d"], "max_edits": 4, "gate": 2, "budget": budget}
    envs, singles = make(num_envs=3, **options), [make(**options) for _ in range(3)]
    envs.reset(seed=5)
    for i, env in enumerate(singles):
        env.reset(seed=5 + i)
    for step in range(20):
        actions = [TEXTS[(7 * step + i) % len(TEXTS)] for i in range(3)]
        observations, rewards, terminated, truncated, infos = envs.step(actions)
        for i, env in enumerate(singles):
            observation, *numbers, info = singles_step(env, actions[i])
            assert same({key: observations[key][i] for key in observation}, observation)
            assert numbers == [rewards[i], terminated[i], truncated[i]]
            assert same(sub_info(infos, i), info)


@pytest.mark.parametrize("gate", [-1, True, 1.5, "shown", None, np.nan])
def test_a_bad_gate_is_told(gate):
    with pytest.raises(ArgumentError, match="gate="):
        make(gate=gate)
