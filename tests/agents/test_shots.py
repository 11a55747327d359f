"""Agents that show worked examples: that they learn, keep to budget and length, and come to the same after an end."""

from collections import Counter
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from lse_gym.agents import agent_class
from lse_gym.agents.instruct_and_shots import _heats
from lse_gym.agents.moi import arranged
from lse_gym.agents.plan import plan_run
from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Config
from lse_gym.agents.shots import Shot, drawn, merged, shots_of, with_shots
from lse_gym.envs.evaluation import core_env, evaluate_context
from lse_gym.envs.report import Problem, Report, Turn
from tests.agents.copier import ROWS

COPIER = "tests.agents.copier:Copier"
AGENTS = ("few-shot", "instruct-and-shots")
FAMILIES = [("LSE/TextToSQL-v1", "lab-0"), ("LSE/QA-v1", "apiary-0"), ("LSE/ToolUse-v0", "bikes-0")]
SIZES = {"held_out_size": 20, "feedback_size": 8, "test_size": 20}
per_agent = pytest.mark.parametrize("name", AGENTS)


def make(**arguments):
    return gym.make("LSE/Custom-v1", questions=ROWS, task_model=COPIER, **{**SIZES, **arguments})


@per_agent
@pytest.mark.parametrize("more", [{}, {"balanced": False}])
def test_it_finds_the_examples_that_a_model_needs(name, more):
    env = make(budget={"calls": 400})
    agent = agent_class(name)(env, seed=1, **more).learn(5)
    assert agent.tree.nodes[0]["performance"] == 0.0
    assert agent.tree.best["performance"] >= 0.95
    assert evaluate_context(env, agent.best_context, "test").mean >= 0.95
    domain = core_env(env).family.load(core_env(env).domain_name)
    shown = [one for one in domain.splits["feedback"] if domain.example(one) in agent.best_context]
    assert len(shown) >= 4, "examples stand in the form of the questions"
    assert not any(one.text in agent.best_context for split in ("held_out", "test") for one in domain.splits[split])


@per_agent
@pytest.mark.parametrize("calls", [28, 29, 57, 90, 133, 200])
def test_no_call_is_made_beyond_the_budget(name, calls):
    env = make(budget={"calls": calls, "tokens": 2_000_000})
    agent = agent_class(name)(env, seed=0).learn(9)
    assert core_env(env).budget.spent.calls <= calls
    assert len(agent.tree.nodes) >= 1 + (calls >= 57), "what a race would take from a step is kept for the step"


@per_agent
def test_a_plan_is_a_bound(name):
    arguments = {"questions": ROWS, "task_model": COPIER, **SIZES}
    config = Config("LSE/Custom-v1", arguments, name, {}, {}, 0, 4).on_one_domain()
    env = config.make_env()
    config.make_agent(env).learn(4)
    assert core_env(env).budget.spent.calls <= plan_run(config).search.calls


@per_agent
@pytest.mark.parametrize(("env_id", "domain"), FAMILIES)
def test_every_family_has_examples(name, env_id, domain):
    env = gym.make(env_id, domain=domain, max_chars=3000, feedback_size=4)
    agent = agent_class(name)(env, seed=0).learn(2)
    contexts = [node["context"] for node in agent.tree.nodes]
    assert len({*contexts}) > 1
    assert all(len(context) <= 3000 for context in contexts)
    assert agent.memory["pool"]


@per_agent
def test_examples_are_whole_or_left_out(name):
    agent = agent_class(name)(make(max_chars=100), seed=0).learn(3)
    for node in agent.tree.nodes:
        assert len(node["context"]) <= 100
        assert node["context"].count("Question: ") == node["context"].count("Answer: kind ")


@per_agent
def test_what_the_env_hides_is_not_shown(name):
    for mode in ("error", "score"):
        agent = agent_class(name)(make(feedback=mode), seed=0).learn(2)
        assert not agent.memory["pool"], "nothing was right, and no gold is told"
        assert "Answer:" not in agent.best_context


@per_agent
@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_run_that_is_broken_off_ends_as_if_it_had_not_been(name, after, tmp_path):
    arguments = {"questions": [*ROWS], "task_model": COPIER, **SIZES}
    config = Config("LSE/Custom-v1", arguments, name, {}, {"calls": 300}, 3, 4)

    def stop(agent, node, info):
        if node["id"] == after:
            raise KeyboardInterrupt

    evolve(config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        evolve(config, tmp_path / "broken", on_node=stop)
    evolve(config, tmp_path / "broken", resume=True)
    files = ("trajectory.jsonl", "responses.jsonl", "best_context.txt", "summary.json", "tree.json")
    read = [{file: Path(tmp_path, run, file).read_bytes() for file in files} for run in ("whole", "broken")]
    assert read[0] == read[1]


def test_bootstrapped_examples_come_first_from_what_was_right():
    transcript = (Turn("assistant", "look"), Turn("tool", "seen"), Turn("assistant", "done"))
    right = Problem("Do it?", "done", "", 1.0, transcript=transcript, gold_changes='{"a": 1}')
    wrong = right._replace(score=0.0, answer="no")
    shown, told = shots_of(Report("", (right, wrong)))
    assert shown == Shot('Q: Do it?\nassistant: look\ntool: seen\nassistant: done\nAnswer: {"a": 1}', '{"a": 1}', True)
    assert "assistant:" not in told.text
    hidden = Report("", (right, wrong)).in_mode("error")
    assert [shot.label for shot in shots_of(hidden)] == ["done"], "what was right needs no gold"
    assert shots_of(Report("", (right._replace(gold="x" * 5000),))) == []
    pool = merged([shown._replace(right=False)], [shown, shown._replace(right=False)])
    assert pool == [shown]


def test_a_balanced_set_shows_each_label_alike():
    pool = [Shot(str(n), "rare" if n < 3 else "often", False) for n in range(60)]
    labels = Counter(pool[i].label for i in drawn(pool, range(60), 6, np.random.default_rng(0), True))
    assert labels == {"rare": 3, "often": 3}
    plain = Counter(pool[i].label for i in drawn(pool, range(60), 20, np.random.default_rng(0), False))
    assert plain["rare"] <= 3
    assert len({*drawn(pool, range(60), 60, np.random.default_rng(0), True)}) == 60


def test_moi_puts_first_what_is_worth_most():
    """Ten sets of four items; item 0 makes a context good, item 1 a bad one."""
    rng = np.random.default_rng(0)
    tried = [[int(i) for i in rng.permutation(8)[:4]] for _ in range(12)]
    scores = [0.5 + 0.4 * (0 in one) - 0.4 * (1 in one) for one in tried]
    order = arranged([1, 2, 0, 3], tried, scores, 8)
    assert order[0] == 0
    assert sorted(order) == [0, 1, 2, 3]
    agent = agent_class("few-shot")(make(), seed=0, arrangement="moi").learn(6)
    assert agent.tree.best["performance"] >= 0.95


def test_texts_are_joined_by_blank_lines_up_to_the_length():
    assert with_shots("Do.", ["a", "b"], 100) == "Do.\n\na\n\nb"
    assert with_shots("Do.", ["a", "b"], 6) == "Do.\n\na"
    assert with_shots("", ["a"], 3) == "a"


def test_a_race_halves_pairs_and_doubles_questions():
    assert _heats(8, 5, 18) == [(8, 5), (4, 10), (2, 18)]
    assert _heats(1, 5, 18) == []
    assert _heats(3, 5, 100) == [(3, 5), (2, 10)]
