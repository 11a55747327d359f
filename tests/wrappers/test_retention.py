"""What is still known of earlier batches: by hand, beside the reward, on a budget of its own."""

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import data_equivalence

import lse_gym  # noqa: F401 - registers the ids
from lse_gym.agents.lse import LSEAgent
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.evaluation import evaluate_context
from lse_gym.envs.retention import Retained, retained
from lse_gym.envs.state import feedback_batch
from lse_gym.wrappers import Retention

KEYS = ("retention", "backward_transfer", "forgetting", "without_context")


def make(**options):
    return gym.make("LSE/TextToSQL-v1", domain="library-0", feedback_size=4, **options)


def told(info):
    return {key: info[key] for key in KEYS}


def by_hand(env, context, batches):
    """The mean score of a context on each batch."""
    core = env.unwrapped
    domain, session = core.family.load(core.domain_name), core.session.isolated()
    each = [feedback_batch(domain, batch, 4) for batch in batches]
    return [found.scores.mean() for found in session.run([session.evaluate(domain, context, one) for one in each])]


def test_earlier_batches_are_asked_again_and_the_reward_is_untouched():
    plain, env = make(), Retention(make())
    oracle = plain.unwrapped.family.load("library-0").oracle_context
    contexts = [oracle, "Answer in SQL.", oracle]
    steps = [(plain.reset(seed=0), env.reset(seed=0)), *((plain.step(c), env.step(c)) for c in contexts)]
    for one, two in steps:
        assert data_equivalence(one[:-1], two[:-1], exact=True)
    infos = [two[-1] for _, two in steps]
    batches = [int(info["batch"]) for info in infos]
    assert told(infos[0]) == dict.fromkeys(KEYS, 0.0)
    assert [info["retained"] for info in infos] == [0.0, 1.0, 1.0, 1.0]
    first = [float(two[0]["feedback_score"]) for _, two in steps]
    now = by_hand(env, "Answer in SQL.", batches[:2])
    assert infos[2]["retention"] == pytest.approx(sum(now) / 2)
    assert infos[2]["backward_transfer"] == pytest.approx((sum(now) - sum(first[:2])) / 2)
    best = [max(by_hand(env, c, batches[:1])[0] for c in (oracle, "Answer in SQL.")), max(first[1], now[1])]
    assert infos[2]["forgetting"] == pytest.approx((sum(best) - sum(now)) / 2)
    assert infos[2]["forgetting"] > 0
    assert infos[1]["backward_transfer"] > 0
    bare = evaluate_context(env, "", "held_out").mean
    assert infos[3]["without_context"] == pytest.approx(bare / infos[3]["held_out_score"])
    assert env.unwrapped.budget.spent == plain.unwrapped.budget.spent


def test_a_tree_search_goes_on_with_what_was_shown_and_a_new_start_does_not():
    infos = []
    env = Retention(make(), batches=2)
    LSEAgent(env, editor="writer").learn(3, callback=lambda agent, node, info: infos.append(info))
    assert infos[0]["retained"] == 0.0
    assert all(info["retained"] == 1.0 for info in infos[1:])
    assert env.reset(seed=1)[1]["retention"] == 0.0


def test_what_was_retained_is_told_after_a_search_too():
    infos, env = [], Retention(make())
    agent = LSEAgent(env, editor="writer").learn(3, callback=lambda agent, node, info: infos.append(info))
    found = retained(make(), agent.tree.nodes)
    assert [getattr(found, key) for key in KEYS if key != "forgetting"] == [
        infos[-1][key] for key in KEYS if key != "forgetting"
    ]
    assert retained(make(), agent.tree.nodes[:1]) is None
    assert retained(make(), [agent.tree.nodes[0]] * 2) is None  # of the same batch
    assert make().unwrapped.budget.spent.calls == 0


def test_what_is_retained_by_hand():
    found = Retained({0: 1.0, 3: 0.5}, {0: 0.25, 3: 0.75}, held_out=0.8, bare=0.2)
    assert (found.retention, found.backward_transfer, found.without_context) == (0.75, 0.25, 0.25)
    assert found._replace(held_out=0.0, bare=0.0).without_context == 1.0


def test_its_budget_is_its_own_and_its_spec_rebuilds_it():
    env = Retention(make(), batches=1, budget={"calls": 3})
    env.reset(seed=0)
    info = env.step("Answer in SQL.")[-1]
    assert info["evaluated"] == 1.0
    assert (info["retained"], info["retention"]) == (0.0, 0.0)
    assert told(gym.make(env.spec).reset(seed=0)[1]) == dict.fromkeys(KEYS, 0.0)
    for batches in (0, True, 1.5):
        with pytest.raises(ArgumentError, match="batches="):
            Retention(make(), batches=batches)
