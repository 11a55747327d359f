"""DSPy's optimizers behind our session: exact caps, the same result twice, scores that are ours. Needs `dspy`."""

import sys
from pathlib import Path

import gymnasium as gym
import pytest

from lse_gym.agents.dspy import BootstrapAgent, MIPROAgent
from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Config
from lse_gym.envs.errors import ArgumentError, MissingExtraError
from lse_gym.envs.evaluation import core_env, evaluate_context
from tests.agents.copier import ROWS

pytestmark = pytest.mark.extra("dspy")
COPIER = "tests.agents.copier:Copier"
SIZES = {"held_out_size": 12, "feedback_size": 4, "test_size": 12}
per_agent = pytest.mark.parametrize("kind", [BootstrapAgent, MIPROAgent])


def make(**options):
    return gym.make("LSE/Custom-v1", questions=ROWS, task_model=COPIER, **{**SIZES, **options})


def test_bootstrapping_finds_the_examples_that_a_model_needs():
    agent = BootstrapAgent(make(), seed=0).learn(3)
    assert agent.tree.nodes[0]["performance"] == 0.0
    assert agent.tree.best["performance"] == 1.0
    assert "Question: " in agent.best_context
    assert "\nAnswer: kind " in agent.best_context


def test_mipro_takes_instructions_from_the_editor_and_examples_from_questions():
    env = make()
    agent = MIPROAgent(env, editor="writer", seed=0).learn(6)
    assert agent.tree.best["performance"] > 0.2
    spent, own = core_env(env).budget.spent, core_env(env).session.spent
    assert spent.calls > own.calls, "the editor is paid from the same budget"


@per_agent
def test_the_same_twice_and_scores_are_ours(kind):
    first, second = (kind(make(), editor="writer", seed=1).learn(4) for _ in range(2))
    assert first.tree.to_json() == second.tree.to_json()
    env = make()
    for node in first.tree.nodes:
        assert node["performance"] == evaluate_context(env, node["context"], "held_out").mean


@per_agent
@pytest.mark.parametrize("calls", [11, 16, 17, 29, 60])
def test_no_cap_is_passed_and_no_half_paid_score_is_kept(kind, calls):
    env, free = make(budget={"calls": calls}), make()
    agent = kind(env, editor="writer", seed=0).learn(20)
    assert core_env(env).budget.spent.calls <= calls
    assert bool(agent.tree.nodes) == (calls >= 16)
    for node in agent.tree.nodes:
        assert node["performance"] == evaluate_context(free, node["context"], "held_out").mean


@per_agent
def test_a_second_call_goes_on_after_loading_too(kind, tmp_path):
    agent = kind(make(), editor="writer", seed=1).learn(2)
    agent.save(tmp_path / "agent.json")
    loaded = kind.load(tmp_path / "agent.json", make())
    assert (
        loaded.learn(2).tree.to_json()
        == agent.learn(2).tree.to_json()
        == kind(make(), editor="writer", seed=1).learn(4).tree.to_json()
    )


def test_validations_are_counted_and_a_callback_stops_it():
    env = make(budget={"edits": 100})
    agent = BootstrapAgent(env, seed=0).learn(3)
    assert len(agent.tree.nodes) - 1 == core_env(env).budget.spent.edits == 3
    seen = []
    BootstrapAgent(make(), seed=0).learn(9, lambda agent, node, info: seen.append(node["id"]) or len(seen) < 2)
    assert seen == [0, 1]


def test_what_goes_wrong_is_raised_and_a_run_goes_on(tmp_path, capsys):
    config = Config("LSE/Custom-v1", {"questions": [*ROWS], "task_model": COPIER, **SIZES}, "dspy-bootstrap", rounds=3)

    def stop(agent, node, info):
        if node["id"] == 2:
            raise OSError(28, "No space left on device")

    evolve(config, tmp_path / "whole")
    with pytest.raises(OSError, match="No space"):
        evolve(config, tmp_path / "broken", on_node=stop)
    evolve(config, tmp_path / "broken", resume=True)
    for file in ("trajectory.jsonl", "responses.jsonl", "summary.json"):
        assert Path(tmp_path, "broken", file).read_bytes() == Path(tmp_path, "whole", file).read_bytes()
    assert capsys.readouterr().out == "", "what the package prints is not shown"


def test_hidden_golds_and_a_missing_package_are_told(monkeypatch):
    with pytest.raises(ArgumentError, match="feedback='score' hides golds"):
        BootstrapAgent(make(feedback="score")).learn(1)
    monkeypatch.setitem(sys.modules, "dspy", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'lse-gym\[dspy\]'"):
        BootstrapAgent(make())  # before anything is paid for
