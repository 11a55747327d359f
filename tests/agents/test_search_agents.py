"""Agents that search otherwise than LSE's tree: what each is about, exactly."""

import json
from itertools import pairwise

import gymnasium as gym
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lse_gym.agents import agent_class
from lse_gym.agents.agent_optimizer import AgentOptimizer, apply, operations
from lse_gym.agents.lse import LSEAgent
from lse_gym.agents.map_elites import MapElitesAgent
from lse_gym.agents.mcts import MCTSAgent
from lse_gym.agents.reevo import ReEvoAgent
from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Config
from lse_gym.agents.shinka import ShinkaAgent
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.models.base import Response
from lse_gym.wrappers import EditMenu

lines = st.lists(st.sampled_from("abcdef"), max_size=7).map("\n".join)


def make(**options):
    return gym.make("LSE/TextToSQL-v1", domain="lab-0", **options)


def scripted(agent, answer, monkeypatch):
    """The prompts that the agent's editor gets; it answers with ``answer(number, prompt)``."""
    prompts = []

    def complete(requests):
        prompts.extend(request.user for request in requests)
        return [Response(answer(len(prompts), request.user), 10, 5) for request in requests]

    for editor in agent.editors.values():
        monkeypatch.setattr(editor.model, "complete", complete)
    return prompts


def scored(agent, *nodes):
    """Give the agent a tree of (parent, score) and distinct contexts."""
    for number, (parent, score) in enumerate(nodes):
        above = None if parent is None else agent.tree.nodes[parent]
        agent.tree.add(above, f"Context {number}: {'x ' * number}", score, round_idx=number)
    agent.edits = len(nodes) - 1
    return agent.tree.nodes


def test_reevo_reflects_on_unequal_pairs_and_then_on_all_of_it(monkeypatch):
    agent = ReEvoAgent(make(), seed=1, initial=2, population=2)
    prompts = scripted(
        agent, lambda n, prompt: "w " * 99 if "Say what to do" in prompt else f"<add>- R{n}.</add>", monkeypatch
    )
    nodes = scored(agent, (None, 0.2), (0, 0.4), (0, 0.3))
    parent = agent.select()
    assert parent is nodes[1]  # the better of the two survivors
    observation = {"context": parent["context"], "feedback": ""}
    assert agent.edit(observation, 2).endswith("- R2.")
    assert "Worse:\n> Context 2" in prompts[0]
    assert "Better:\n> Context 1" in prompts[0]
    assert "Cross the current instructions" in prompts[1]
    assert agent.memory["short"] == [" ".join(["w"] * 20)]
    agent.edit(observation, 4)  # the first mutation of the generation
    assert agent.memory == {"long": " ".join(["w"] * 50)}
    assert "earlier attempts taught" in prompts[3]


def test_reevo_has_no_pair_where_all_are_alike():
    agent = ReEvoAgent(make(), initial=1)
    nodes = scored(agent, (None, 0.5), (0, 0.5))
    assert agent.select() is nodes[1]


def test_shinka_asks_again_for_what_is_no_news_and_pays_for_no_evaluation_of_it(monkeypatch):
    agent = ShinkaAgent(make(), seed=0)
    prompts = scripted(
        agent, lambda n, prompt: "<add>- Completely new rule.</add>" if n > 2 else "nothing", monkeypatch
    )
    agent.learn(1)
    assert len(prompts) == 3
    assert [("nothing new" in prompt) for prompt in prompts] == [False, True, True]
    assert agent.tree.nodes[1]["context"].endswith("- Completely new rule.")
    assert agent.editor.spent.calls == 3


def test_shinkas_bandit_goes_to_the_editor_that_improves():
    agent = ShinkaAgent(make(), editor="writer", editors="reader")
    scored(agent, (None, 0.2), (0, 0.2), (0, 0.5), (2, 0.5), (2, 0.9))
    assert agent._choose([]) == agent.args.editor
    assert agent._choose(["writer"]) == "reader"
    assert agent._choose(["writer", "reader", "writer", "reader"]) == "reader"


def test_shinka_prefers_good_parents_with_few_children():
    drawn = []
    for seed in range(60):
        agent = ShinkaAgent(make(), seed=seed)
        scored(agent, (None, 0.1), (0, 0.5), (0, 0.5), (1, 0.2), (1, 0.2), (1, 0.2))
        drawn.append(agent.select()["id"])
    assert drawn.count(2) > 2 * drawn.count(1) > 0
    assert drawn.count(0) == 0


def test_map_elites_keeps_the_best_of_every_cell_and_tells_the_qd_score(tmp_path):
    agent = MapElitesAgent(make())
    for parent, score, context in ((None, 0.1, "a"), (0, 0.4, "b"), (0, 0.3, "c"), (1, 0.2, "\n".join("rule" * 9))):
        above = None if parent is None else agent.tree.nodes[parent]
        agent.tree.add(above, context, score, round_idx=0)
    assert {cell: node["performance"] for cell, node in agent.elites().items()} == {(0, 0): 0.4, (0, 9): 0.2}
    assert agent.facts() == {"qd_score": pytest.approx(0.6), "cells": 2}
    summary = evolve(Config.of(agent="map-elites", editor="writer", domain="lab-0", rounds=2), tmp_path / "run")
    assert summary["cells"] >= 1
    assert json.loads((tmp_path / "run/summary.json").read_text())["qd_score"] == summary["qd_score"] > 0


def test_mcts_values_what_follows_from_a_context():
    agent = MCTSAgent(make(), branch=2, rollout=0, exploration=0.0)
    nodes = scored(agent, (None, 0.1), (0, 0.9), (0, 0.2), (1, 0.1), (1, 0.3), (2, 0.8))
    visits, values = agent._backed_up(agent._children())
    assert visits == [6, 3, 2, 1, 1, 1]
    assert values[1] == pytest.approx(0.2)  # not its own 0.9
    assert values[2] == pytest.approx(0.8)
    assert values[0] == pytest.approx((3 * 0.2 + 2 * 0.8) / 5)
    assert agent.select() is nodes[2]


def test_a_rollout_is_a_chain():
    agent = MCTSAgent(make(), rollout=2, branch=2, seed=0).learn(7)
    parents = [node["parent_id"] for node in agent.tree.nodes[1:]]
    assert parents[:3] == [0, 1, 2]
    assert parents[3] == 0
    assert parents[4:6] == [4, 5]


def test_lses_tree_is_mcts_without_back_up():
    mcts = MCTSAgent(make(), backup="none", selection="ucb", seed=4).learn(5)
    assert mcts.tree.to_json() == LSEAgent(make(), seed=4).learn(5).tree.to_json()


@given(lines, lines)
def test_operations_lead_from_any_context_to_any_other_one_line_each(old, new):
    changes = operations(old, new)
    assert apply(old, changes) == new
    assert all(0 <= end - start <= 1 and len(instead) <= 1 for start, end, instead in changes)
    assert all(first[1] <= second[0] for first, second in pairwise(changes))


def test_a_step_of_agent_optimizer_changes_few_lines(monkeypatch):
    agent = AgentOptimizer(make(), max_actions=2, seed=0, patience=2)
    prompts = scripted(agent, lambda n, prompt: "".join(f"<add>- Rule {n} {i}.</add>" for i in range(5)), monkeypatch)
    agent.learn(9)
    assert agent.tree.nodes[1]["context"] == agent.tree.nodes[0]["context"] + "\n- Rule 1 0.\n- Rule 1 1."
    assert "at most 2 lines" in prompts[0]
    assert "did not help" not in prompts[0]
    assert [node["improvement"] <= 0 for node in agent.tree.nodes[-2:]] == [True, True]  # patience
    assert len(agent.tree.nodes) < 10


def test_agent_optimizer_rolls_back_and_tells_what_failed_worst_first():
    agent = AgentOptimizer(make())
    for parent, score, context in ((None, 0.5, "Old."), (0, 0.3, "Old.\nBad."), (0, 0.1, "Worse."), (0, 0.2, "Old.")):
        above = None if parent is None else agent.tree.nodes[parent]
        agent.tree.add(above, context, score, round_idx=0)
    assert agent.select() is agent.tree.nodes[0]
    told = agent.notes({"context": "Old."}, 4, deterministic=False)
    assert told.endswith("help:\n\n> - Old.\n> + Worse.\nScore: 10\n\n> + Bad.\nScore: 30")
    assert "did not help" not in agent.notes({"context": "Better."}, 4, deterministic=False)


def test_a_search_that_was_saved_goes_on_the_same_way_whoever_loads_it(tmp_path):
    LSEAgent(gym.make("LSE/TextToSQL-v1", domain="lab-0"), seed=3).learn(2).save(tmp_path / "agent.json")
    trees = []
    for _ in range(3):
        agent = LSEAgent.load(tmp_path / "agent.json", gym.make("LSE/TextToSQL-v1", domain="lab-0"))
        trees.append(agent.learn(2).tree.to_json())
    assert trees[0] == trees[1] == trees[2]
    assert len(trees[0]["nodes"]) == 5


def test_what_cannot_be_learnt_or_told_is_refused():
    agent = LSEAgent(gym.make("LSE/TextToSQL-v1", domain="lab-0"))
    with pytest.raises(ArgumentError, match="Call learn first"):
        _ = agent.best_context
    with pytest.raises(ArgumentError, match="total_timesteps=-1"):
        agent.learn(-1)


def test_an_agent_that_writes_texts_says_so_where_actions_are_none():
    env = EditMenu(gym.make("LSE/TextToSQL-v1", domain="shop-0"))
    with pytest.raises(ArgumentError, match="writes texts, and actions of this env are Discrete"):
        agent_class("lse")(env)
