"""Stable-Baselines3 on the menu env: it checks clean, it learns, and its policies are agents. Needs `rl`."""

import json
import sys

import gymnasium as gym
import numpy as np
import pytest
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.evaluation import evaluate_policy as evaluate_masked_policy
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.evaluation import evaluate_policy

from lse_gym.agents import agent_class
from lse_gym.agents.bench.contestant import parse_contestant
from lse_gym.agents.plan import plan_run
from lse_gym.agents.run import evolve
from lse_gym.agents.sb3.settings import ALGORITHMS
from lse_gym.agents.sb3.training import train_policy
from lse_gym.agents.sb3.vec_env import MenuVecEnv
from lse_gym.agents.settings import Settings
from lse_gym.envs.errors import ArgumentError, MissingArgumentError, MissingExtraError, UnknownNameError
from lse_gym.wrappers import EditMenu, EditOperations, Menu, Penalty, RollbackToBest, TextFeatures

ENV = "LSE/TextToSQL-v1"


@pytest.mark.parametrize("wrap", [EditMenu, lambda env: EditMenu(RollbackToBest(Penalty(env, per_1000_chars=0.1)))])
def test_check_env_of_stable_baselines_is_clean(wrap):
    check_env(wrap(gym.make(ENV, domain=["library-0", "shop-0"])), warn=True)


def test_operations_as_numbers_with_text_features_check_clean_and_train_with_masks():
    texts = ["- Always require loans.record_state <> 'test'.", "- one more line"]
    env = TextFeatures(EditOperations(gym.make(ENV, domain="library-0"), max_items=6, texts=texts), size=8)
    check_env(env, warn=True)
    assert is_masking_supported(env)
    model = MaskablePPO("MlpPolicy", env, n_steps=16, batch_size=16, device="cpu").learn(16)
    masks = get_action_masks(env)
    observation, _ = env.reset(seed=0)
    assert env.action_space.contains(model.predict(observation, action_masks=masks)[0])


def test_the_batched_env_is_that_of_single_ones():
    batched = MenuVecEnv(ENV, 3, domain="train", max_edits=2)
    batched.seed(5)
    for early in (batched.action_masks, lambda: batched.step(np.zeros(3))):
        with pytest.raises(gym.error.ResetNeeded):
            early()
    singles = [EditMenu(gym.make(ENV, domain="train", max_edits=2)) for _ in range(3)]
    seen = batched.reset()
    assert is_masking_supported(batched)
    first = [env.reset(seed=5 + i) for i, env in enumerate(singles)]
    assert np.array_equal(seen, np.stack([observation for observation, _ in first]))
    for step in range(2):
        masks = get_action_masks(batched)
        assert np.array_equal(masks, np.stack([env.action_masks() for env in singles]))
        actions = np.array([int(np.flatnonzero(mask)[-1]) for mask in masks])
        seen, rewards, dones, infos = batched.step(actions)
        alone = [env.step(action) for env, action in zip(singles, actions, strict=True)]
        assert rewards == pytest.approx([result[1] for result in alone])
        assert dones.tolist() == [step == 1] * 3
        ends = [info["terminal_observation"] for info in infos] if step else seen
        for found, (observation, *_) in zip(ends, alone, strict=True):
            assert found == pytest.approx(observation, abs=0.3 if step else 0)  # the editor has spent no less here
    batched.close()


@pytest.fixture(scope="module", params=sorted(ALGORITHMS))
def trained(request, tmp_path_factory):
    out = tmp_path_factory.mktemp(request.param)
    told = []
    model = train_policy(
        request.param,
        out,
        total_timesteps=80,  # what PPO learns from at a time
        num_envs=2,
        domain=["library-0", "shop-0"],
        max_edits=4,
        on_progress=lambda step, improvement: told.append(step),
    )
    assert told
    assert told == sorted(told)
    return request.param, out, model


def test_a_policy_trains_and_is_an_agent(trained, tmp_path):
    name, out, model = trained
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == 20
    settings = f"sb3,algorithm={name},policy={out / 'policy.zip'}"
    config = parse_contestant(settings).apply(Settings(domain="clinic-0", rounds=3, budget_calls=400)).config()
    summary = evolve(config, tmp_path / "run")
    assert summary["calls"] <= 400
    assert plan_run(config).editor.calls == 3 * 10
    env = EditMenu(gym.make(ENV, domain="shop-0", max_edits=2))
    evaluate = evaluate_masked_policy if name == "maskable-ppo" else evaluate_policy
    mean, _ = evaluate(model, env, n_eval_episodes=1, warn=False)
    assert -1 <= mean <= 1


def test_a_training_prints_how_far_it_is(tmp_path, capsys):
    options = {"total_timesteps": 8, "num_envs": 2, "domain": "library-0", "max_edits": 1}
    train_policy("dqn", tmp_path, **options)
    assert not capsys.readouterr().out
    train_policy("dqn", tmp_path, verbose=1, **options)
    assert "total_timesteps" in capsys.readouterr().out


def test_wrong_policies_are_told(trained, tmp_path):
    name, out, _ = trained
    agent = agent_class("sb3")
    with pytest.raises(MissingArgumentError, match="agent 'sb3' needs policy="):
        agent()
    with pytest.raises(ArgumentError, match="cannot be loaded"):
        agent(gym.make(ENV, domain="shop-0"), policy=str(tmp_path / "none.zip"), algorithm=name)
    other = {"dqn": "ppo", "ppo": "dqn", "maskable-ppo": "dqn"}[name]
    with pytest.raises(ArgumentError, match=f"cannot be loaded as '{other}'"):
        agent(gym.make(ENV, domain="shop-0"), policy=str(out / "policy.zip"), algorithm=other)
    with pytest.raises(UnknownNameError, match="maskable-ppo"):
        agent(gym.make(ENV, domain="shop-0"), policy=str(out / "policy.zip"), algorithm="masked-ppo")


def test_without_it_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sb3_contrib", None)
    with pytest.raises(MissingExtraError, match=r"lse-gym\[rl\]"):
        agent_class("sb3")(policy="x")


@pytest.mark.long
def test_a_policy_learns_the_menu(tmp_path):
    model = train_policy("maskable-ppo", tmp_path, total_timesteps=8000, domain="train")
    rows = [json.loads(line)["improvement"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert np.mean(rows[-50:]) > np.mean(rows[:50]) + 0.1
    assert model.num_timesteps >= 8000
    assert Menu().actions == model.action_space.n
