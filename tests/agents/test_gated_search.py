"""Search behind a gate, and Pareto selection: the same budget, the same run after a kill, what is best survives."""

import shutil
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lse_gym.agents import agent_class
from lse_gym.agents.lse import LSEAgent
from lse_gym.agents.pareto import wins
from lse_gym.agents.plan import plan_run
from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Config
from lse_gym.agents.tree import Tree

ID = "LSE/TextToSQL-v1"
GATED = {"gate": 2, "feedback_size": 1}
SCORES = arrays(np.int8, st.tuples(st.integers(1, 8), st.integers(1, 8)), elements=st.integers(0, 2))


def make(**kwargs):
    return gym.make(ID, domain="lab-0", max_edits=99, **GATED, **kwargs)


@settings(max_examples=60)
@given(SCORES)
def test_what_is_best_on_a_question_survives_and_nothing_else_does(scores):
    chances = wins(scores)
    best = scores == scores.max(axis=0)
    kept = chances > 0
    assert best[kept].any(axis=0).all(), "every question keeps a context that is best on it"
    assert (chances[kept] == best[kept].sum(axis=1)).all()
    for one in np.flatnonzero(kept):
        others = kept & (np.arange(len(scores)) != one)
        assert not best[others][:, best[one]].any(axis=0).all(), "none of those kept is dominated by the others"


@pytest.mark.extra("gepa")
@settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(SCORES)
def test_the_package_keeps_the_same(scores):
    from gepa.gepa_utils import remove_dominated_programs

    means = scores.mean(axis=1)
    assume(len({*means}) == len(means))  # which of two equals goes depends on the order of a set there
    best = scores == scores.max(axis=0)
    fronts = {q: {*np.flatnonzero(best[:, q]).tolist()} for q in range(scores.shape[1])}
    left = set().union(*remove_dominated_programs(fronts, scores=means.tolist()).values())
    assert left == {*np.flatnonzero(wins(scores)).tolist()}


def test_pareto_draws_from_the_front_in_proportion():
    tree = Tree("pareto")
    for scores in ([1, 0, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1]):
        tree.add(None, str(scores), sum(scores) / 4, round_idx=0, scores=scores)
    again = Tree.from_json(tree.to_json())
    drawn = [tree.select(seed=7)["id"] for _ in range(200)]
    assert drawn == [again.select(seed=7)["id"] for _ in range(200)]
    assert drawn.count(0) == 0
    assert 120 < drawn.count(1) < 180


@pytest.mark.parametrize("name", ["lse", "evoprompt", "shinka", "reevo"])
@pytest.mark.parametrize("calls", [100, 171])
def test_every_agent_keeps_to_the_budget_behind_a_gate(name, calls):
    env = make(budget={"calls": calls})
    agent = agent_class(name)(env, seed=1).learn(40)
    assert env.unwrapped.budget.spent.calls <= calls
    assert len(agent.tree.nodes) - 1 <= agent.edits
    assert agent.tree.best["performance"] >= agent.tree.nodes[0]["performance"]


@pytest.mark.parametrize("selection", ["best", "pareto", "ucb"])
def test_a_gated_search_in_two_calls_is_the_search_in_one(selection, tmp_path):
    once, twice = (LSEAgent(make(), seed=1, selection=selection) for _ in range(2))
    once.learn(9)
    twice.learn(4).learn(5)
    assert twice.tree.to_json() == once.tree.to_json()
    assert once.edits == 9
    assert 2 < len(once.tree.nodes) < 9
    once.save(tmp_path / "agent.json")
    assert LSEAgent.load(tmp_path / "agent.json").edits == 9


def test_a_gated_run_that_was_killed_goes_on_to_the_identical_result(tmp_path):
    settings = {"domain": "lab-0", "editor": "writer", "selection": "pareto", "budget_calls": 250.0, "rounds": 12}
    config = Config.of(**settings, **GATED)
    whole = tmp_path / "whole"
    summary = evolve(config, whole)
    assert 0 < summary["rounds"] < summary["edits"] <= 12
    assert summary["calls"] <= plan_run(config).search.calls
    expected = {path.name: path.read_bytes() for path in whole.iterdir()}
    for share in (0.3, 0.7, 0.95):
        cut = Path(shutil.copytree(whole, tmp_path / str(share)))
        for path in cut.iterdir():
            if path.suffix == ".jsonl":
                path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
            elif path.name not in ("config.json", ".lock"):
                path.unlink()
        evolve(config, cut, resume=True)
        assert {path.name: path.read_bytes() for path in cut.iterdir()} == expected


def test_what_was_kept_is_measured_when_the_edits_are_used_up_and_a_longer_run_goes_on_from_there(tmp_path):
    def config(rounds):
        return Config.of(domain="lab-0", editor="writer", selection="best", gate=3, feedback_size=1, rounds=rounds)

    for rounds in range(1, 9):
        found = evolve(config(rounds), tmp_path / str(rounds))
        assert found["edits"] == found["best_round"] == rounds, (
            "each edit of this editor is kept, and measured in the end"
        )
        expected = {
            path.name: path.read_bytes() for path in (tmp_path / str(rounds)).iterdir() if path.suffix != ".jsonl"
        }
        evolve(config(rounds), tmp_path / "longer", resume=rounds > 1)
        there = {path.name: path.read_bytes() for path in (tmp_path / "longer").iterdir() if path.suffix != ".jsonl"}
        assert there == expected
