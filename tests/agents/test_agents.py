"""Every agent: the shape of Stable-Baselines3, the selection rules, and that it learns where it can."""

import math
import subprocess
import sys

import gymnasium as gym
import pytest

from lse_gym.agents import AGENTS, agent_class
from lse_gym.agents.diversity import common_words, diversity
from lse_gym.agents.lse import LSEAgent
from lse_gym.agents.tree import Tree
from lse_gym.envs.errors import ArgumentError, UnknownNameError

ID = "LSE/TextToSQL-v1"
APART = (
    "gepa",
    "textgrad-package",
    "dspy-bootstrap",
    "dspy-mipro",
    "sb3",
)  # they need a package, and have tests of their own
OWN = [name for name in AGENTS if name not in APART]


def make(**kwargs):
    return gym.make(ID, domain="lab-0", **kwargs)


def grown(tree, performances):
    parent = None
    for performance in performances:
        parent = tree.add(parent, f"c{performance}", performance, round_idx=0, feedback="", feedback_score=0.0, batch=0)
    return tree


@pytest.mark.parametrize("name", OWN)
def test_learn_predict_save_load(name, tmp_path):
    env = make()
    agent = agent_class(name)(env, seed=3).learn(2)
    assert len(agent.tree.nodes) == 3
    observation, _ = env.reset(seed=0)
    action, state = agent.predict(observation, deterministic=True)
    assert env.action_space.contains(action)
    assert state == 1
    agent.save(tmp_path / "agent.json")
    loaded = agent_class(name).load(tmp_path / "agent.json", env)
    assert loaded.tree.to_json() == agent.tree.to_json()
    assert loaded.predict(observation, deterministic=True)[0] == action
    with pytest.raises(ArgumentError):
        agent_class("lse" if name != "lse" else "random").load(tmp_path / "agent.json")


@pytest.mark.parametrize("name", OWN)
def test_same_seed_same_tree(name):
    first, second = (agent_class(name)(make(), seed=5).learn(3).tree.to_json() for _ in range(2))
    assert first == second


def test_predict_takes_vector_observations():
    envs = gym.make_vec(ID, num_envs=3, domain="lab-0")
    observations, _ = envs.reset(seed=0)
    actions, _ = LSEAgent().predict(observations)
    assert envs.action_space.contains(actions)
    rewards = envs.step(actions)[1]
    assert rewards.shape == (3,)
    assert rewards.min() > 0


def test_lse_learns_and_oracle_is_the_ceiling():
    names = ("no-op", "oracle", "lse")
    scores = {name: agent_class(name)(make(), seed=0).learn(6).tree.best["performance"] for name in names}
    assert scores["no-op"] < 0.45
    assert scores["oracle"] >= 0.95
    assert scores["lse"] >= scores["no-op"] + 0.4


def test_learning_in_two_calls_is_learning_in_one():
    once, twice = LSEAgent(make(), seed=1).learn(4), LSEAgent(make(), seed=1).learn(2)
    assert twice.learn(2).tree.to_json() == once.tree.to_json()


def test_callback_stops_the_search():
    seen = []
    LSEAgent(make()).learn(9, lambda agent, node, info: seen.append(node["id"]) or len(seen) < 3)
    assert seen == [0, 1, 2]


def test_the_editor_pays_from_the_same_budget():
    env = make(budget={"calls": 180})
    agent = LSEAgent(env).learn(9)
    spent = env.unwrapped.budget.spent
    assert spent.calls <= 180
    assert agent.tree.nodes
    free = LSEAgent(make())
    free.learn(1)
    assert free.require_env().unwrapped.budget.spent.calls == 60 + 1 + 60  # reset, edit, step


@pytest.mark.parametrize("order", ["paper", "code"])
def test_orders_edit_from_new_or_stored_batches(order):
    agent = LSEAgent(make(), order=order, selection="best", seed=0).learn(4)
    batches = [node["batch"] for node in agent.tree.nodes]
    assert batches == sorted(set(batches))


def test_selection_rules():
    chain = grown(Tree("deepest"), [0.5, 0.9, 0.1])
    assert chain.select()["id"] == 2
    greedy = grown(Tree("best"), [0.5, 0.9, 0.9, 0.1])
    assert greedy.select()["id"] == 2  # of equals the deepest
    ucb = grown(Tree("ucb", 2.0), [0.5, 0.4])
    assert [ucb.select()["id"] for _ in range(4)] == [0, 0, 1, 1]
    n, visits, total = ucb.nodes[0], 2, 4
    assert ucb.ucb_score(n) == pytest.approx(0.5 + 2.0 * math.sqrt(math.log(total) / visits))


def test_tree_survives_json():
    tree = grown(Tree("ucb"), [0.1, 0.2])
    tree.select()
    assert Tree.from_json(tree.to_json()).to_json() == tree.to_json()


def test_diversity_is_the_mean_distance_of_pairs_by_their_words():
    assert common_words("one two", "two three") == pytest.approx(1 / 3)
    contexts = ["one two", "two three", "ONE, two."]
    assert diversity(contexts) == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert [diversity(each) for each in ([], ["a"], ["a", "a"], ["a", "b"], ["", ""])] == [0, 0, 0, 1, 0]
    tree = Tree()
    for context in contexts:
        tree.add(None, context, 0.0, round_idx=0)
    assert tree.diversity == diversity(contexts)


def test_an_edit_that_is_no_text_is_told():
    agent = agent_class("no-op")(make())
    agent.edit = lambda *_: None
    with pytest.raises(ArgumentError, match=r"edit\(\) of NoOpAgent returned a NoneType"):
        agent.learn(2)
    assert agent.edits == 0


def test_mistakes_name_the_mend():
    with pytest.raises(UnknownNameError, match="Did you mean 'hill-climb'"):
        agent_class("hillclimb")
    with pytest.raises(UnknownNameError, match="Did you mean 'selection'"):
        LSEAgent(make(), selections="ucb")
    with pytest.raises(UnknownNameError, match="Did you mean 'ucb'"):
        LSEAgent(make(), selection="ucbb")
    with pytest.raises(ArgumentError, match="no env"):
        LSEAgent().learn(1)
    with pytest.raises(TypeError, match="namespace LSE"):
        LSEAgent(gym.make("CartPole-v1"))


def test_layers_import_downwards_only():
    code = (
        "import sys, lse_gym, lse_gym.envs.sql.envs, lse_gym.envs.vector, lse_gym.envs.evaluation\n"
        "print([m for m in sys.modules if m.startswith(('lse_gym.agents', 'lse_gym.wrappers', 'lse_gym.leaderboard'))])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
