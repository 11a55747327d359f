"""Tools of others walk the registry, wrap, vectorise and train; what stops them says what to do."""

import sys
from contextlib import suppress
from importlib.util import find_spec

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled, MissingArgument
from gymnasium.wrappers import (
    DelayObservation,
    FlattenObservation,
    FrameStackObservation,
    RecordEpisodeStatistics,
    TimeLimit,
)

import lse_gym
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.spaces import FreeText
from tests.envs.specs import SPECS

SQL = {"id": "LSE/TextToSQL-v1", "domain": "library-0"}
OFFLINE = """
    DataScience-v0 Editor-v0 Feedback-v0 Hint-v0 Injection-v0 PassageOrder-v1 QA-v1 ServiceDesk-v0 TextToSQL-v1
    ToolUse-v0
"""
NEED_NOTHING = {f"LSE/{name}" for name in OFFLINE.split()}


def test_who_walks_the_registry_skips_what_needs_data():
    """As ``tests/envs/utils.py`` of Gymnasium, which fails for any other error but those of missing extras."""
    made = set()
    for spec in SPECS:
        with suppress(MissingArgument):
            spec.make(disable_env_checker=True).close()
            made.add(spec.id)
    assert made == NEED_NOTHING


@pytest.mark.parametrize("spec", [spec.id for spec in SPECS if spec.id not in NEED_NOTHING])
def test_an_id_that_needs_data_says_which_argument(spec):
    with pytest.raises(MissingArgument, match=r"(questions|data_dir|family|url)="):
        gym.make(spec)
    with pytest.raises(MissingArgument):
        gym.make_vec(spec, num_envs=2)


def test_a_missing_extra_is_told_as_gymnasium_does(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(DependencyNotInstalled, match=r"pip install 'lse-gym\[\w+\]'") as caught:
        gym.make(**SQL, task_model="openai:any")
    assert isinstance(caught.value, ImportError)


def test_wrappers_of_gymnasium_end_and_count_episodes():
    env = RecordEpisodeStatistics(TimeLimit(gym.make(**SQL), max_episode_steps=2))
    observation, _ = env.reset(seed=0)
    rewards = []
    for last in (False, True):
        observation, reward, terminated, truncated, info = env.step(f"{observation['context']}\nA line.")
        rewards.append(reward)
        assert (terminated, truncated) == (False, last)
    assert info["episode"]["l"] == 2
    assert info["episode"]["r"] == pytest.approx(sum(rewards))


@pytest.mark.parametrize("more", [{"vectorization_mode": "sync"}, {}], ids=["sync", "default"])
def test_vector_envs_take_and_give_text(more):
    envs = gym.make_vec(SQL["id"], num_envs=2, domain=SQL["domain"], **more)
    observations, _ = envs.reset(seed=[3, 3])
    assert observations["context"][0] == observations["context"][1]
    observations, rewards, *_ = envs.step(("é — one", "two"))
    assert observations["context"] == ("é — one", "two")
    assert rewards.shape == (2,)
    envs.close()


def test_processes_with_shared_memory_point_to_the_default():
    with pytest.raises(ArgumentError, match=r"vectorization_mode out.*make_vec.*shared_memory\": False"):
        gym.make_vec(SQL["id"], num_envs=2, vectorization_mode="async")


def test_flattening_names_the_wrappers_that_make_numbers():
    env = gym.make(**SQL)
    for flat in (
        lambda: FlattenObservation(env),
        lambda: gym.spaces.flatdim(env.action_space),
        lambda: gym.spaces.flatten(FreeText(5), "x"),
        lambda: gym.spaces.unflatten(FreeText(5), np.zeros(5)),
    ):
        with pytest.raises(ArgumentError, match=r"EditMenu.*TextFeatures"):
            flat()
    assert FlattenObservation(lse_gym.TextFeatures(env)).observation_space.shape
    assert not FreeText(5).shape


@pytest.mark.skipif(find_spec("stable_baselines3") is None, reason="the extra rl is not installed")
@pytest.mark.parametrize("policy", ["MlpPolicy", "MultiInputPolicy"])
def test_stable_baselines_on_text_names_the_wrappers_that_make_numbers(policy):
    from stable_baselines3 import DQN, PPO

    for kind in (PPO, DQN):
        with pytest.raises(ArgumentError, match=r"EditMenu.*TextFeatures"):
            kind(policy, gym.make(**SQL))
    PPO("MlpPolicy", lse_gym.EditMenu(gym.make(**SQL)), n_steps=2, batch_size=2)


def test_names_of_the_package_are_imported_when_they_are_used():
    assert {"LSEAgent", "SearchAgent", "EditMenu", "TextFeatures", "ContextEnv", "Session", "evaluate_context"} <= {
        *dir(lse_gym)
    }
    from lse_gym import EditMenu, LSEAgent, evaluate_context

    assert (EditMenu.__module__, LSEAgent.__module__.rpartition(".")[0]) == ("lse_gym.wrappers.menu", "lse_gym.agents")
    assert callable(evaluate_context)
    with pytest.raises(AttributeError, match="no attribute 'LSEAgnet'"):
        lse_gym.LSEAgnet  # noqa: B018


def test_observations_are_stacked_and_delayed():
    """What was before an episode is a text without a character."""
    stacked = FrameStackObservation(gym.make(**SQL), 2, padding_type="zero")
    first, _ = stacked.reset(seed=0)
    then = stacked.step("Another.")[0]
    assert (first["context"][0], then["context"]) == ("", (first["context"][1], "Another."))
    assert first in stacked.observation_space
    assert then in stacked.observation_space
    delayed = DelayObservation(gym.make(**SQL), 1)
    assert delayed.reset(seed=0)[0]["context"] == ""
    assert delayed.step("Another.")[0]["context"] == first["context"][1]
