"""GEPA's package behind our evaluator: exact caps, the same result twice, scores that are ours. Needs `gepa`."""

import sys

import gymnasium as gym
import pytest

from lse_gym.agents.gepa import COMPONENT, GEPAAgent, _Run
from lse_gym.envs.errors import MissingExtraError
from lse_gym.envs.evaluation import core_env, evaluate_context

pytestmark = pytest.mark.extra("gepa")


def make(**options):
    return gym.make("LSE/TextToSQL-v1", domain="lab-0", **options)


def test_it_improves_and_gives_the_same_twice():
    first, second = (GEPAAgent(make(), seed=1).learn(12) for _ in range(2))
    assert first.tree.to_json() == second.tree.to_json()
    assert first.tree.best["performance"] >= first.tree.nodes[0]["performance"] + 0.3
    assert GEPAAgent(make(), seed=2).learn(12).tree.to_json() != first.tree.to_json()


def test_held_out_scores_are_ours():
    env = make()
    agent = GEPAAgent(env, seed=0).learn(8)
    assert len(agent.tree.nodes) > 2
    for node in agent.tree.nodes:
        assert node["performance"] == evaluate_context(env, node["context"], "held_out").mean


@pytest.mark.parametrize("calls", [60, 61, 75, 140, 300])
def test_no_cap_is_passed_and_no_half_paid_score_is_kept(calls):
    env = make(budget={"calls": calls})
    agent = GEPAAgent(env, seed=0).learn(50)
    assert env.unwrapped.budget.spent.calls <= calls
    free = make()
    for node in agent.tree.nodes:
        assert node["performance"] == evaluate_context(free, node["context"], "held_out").mean


def test_an_answer_without_tags_is_a_proposal_as_in_the_package(monkeypatch):
    agent, told = GEPAAgent(make(), seed=0), "Think of the ages in years."
    monkeypatch.setattr(agent, "ask", lambda prompt, step: told)
    run = _Run(agent, core_env(agent.env), core_env(agent.env).family.load("lab-0"), 1, None)
    assert run.propose_new_texts({COMPONENT: "Answer."}, {COMPONENT: [{"Feedback": ""}]}, [COMPONENT]) == {
        COMPONENT: told
    }


def test_a_budget_for_nothing_is_no_error():
    assert GEPAAgent(make(budget={"calls": 59})).learn(3).tree.nodes == []


def test_proposals_are_counted_and_a_second_call_goes_on_after_loading_too(tmp_path):
    env = make(budget={"edits": 100})
    agent = GEPAAgent(env, seed=1).learn(3)
    assert env.unwrapped.budget.spent.edits == 3
    agent.save(tmp_path / "agent.json")
    once = GEPAAgent(make(), seed=1).learn(6)
    assert agent.learn(3).tree.to_json() == once.tree.to_json()
    assert GEPAAgent.load(tmp_path / "agent.json", make()).learn(3).tree.to_json() == once.tree.to_json()
    assert env.unwrapped.budget.spent.edits == 6


def test_a_callback_stops_it():
    seen = []
    GEPAAgent(make()).learn(30, lambda agent, node, info: seen.append(node["id"]) or len(seen) < 2)
    assert seen == [0, 1]


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gepa", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'lse-gym\[gepa\]'"):
        GEPAAgent(make())  # before anything is paid for
