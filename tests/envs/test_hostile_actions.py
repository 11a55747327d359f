import math
import sqlite3
from contextlib import closing

import gymnasium as gym
import pytest

from tests.envs.hostile import TEXTS, hostile_actions
from tests.envs.stub import make

ACTIONS = 100_000
SHARE, SHARE_ON_SQL = 8_000, 1_500  # what of them fits into the default run


def survive(env, actions):
    """Step through all actions; whatever they are, what comes back has its usual form."""
    _, first = env.reset(seed=0)
    steps, score = 0, first["held_out_score"]
    for action in actions:
        observation, reward, terminated, truncated, info = env.step(action)
        steps += 1
        assert list(info) == list(first)
        assert all(type(value) in (float, str) for value in info.values())
        assert (reward, score) == (info["held_out_score"] - score, score), repr(action)[:500]
        score = info["held_out_score"]
        assert math.isfinite(reward)
        assert (truncated, info["evaluated"]) == (False, 1.0)
        assert isinstance(action, str) or "not str: the context was kept" in info["problem"]
        observation["context"].encode()
        assert len(observation["context"]) <= 8000
        if steps % 997 == 0:
            assert observation in env.observation_space
        if terminated:
            observation, info = env.reset(options={"batch": 0})
            score = info["held_out_score"]
    return steps


def sql_env(data_dir):
    # One feedback question and one held-out: the cheapest evaluation that takes the whole path.
    return gym.make(
        "LSE/BIRD-v0", data_dir=str(data_dir), domain="alps", held_out_size=1, feedback_size=1, max_edits=10**6
    )


def database_is_whole(data_dir):
    files = list((data_dir / "dev_databases" / "alps").iterdir())
    assert [path.name for path in files] == ["alps.sqlite"]
    with closing(sqlite3.connect(files[0])) as connection:
        assert connection.execute("SELECT count(*) FROM city").fetchone() == (2,)


def test_hostile_actions_on_the_core():
    assert survive(make(max_edits=10_000, feedback_size=1), hostile_actions(0, SHARE)) == SHARE


@pytest.mark.long
def test_all_hostile_actions_on_the_core():
    assert survive(make(max_edits=10_000, feedback_size=1), hostile_actions(0, ACTIONS)) == ACTIONS


def test_hostile_actions_on_the_sql_path(tiny_bird):
    assert survive(sql_env(tiny_bird), hostile_actions(1, SHARE_ON_SQL)) == SHARE_ON_SQL
    database_is_whole(tiny_bird)


@pytest.mark.long
def test_all_hostile_actions_on_the_sql_path(tiny_bird):
    assert survive(sql_env(tiny_bird), hostile_actions(2, ACTIONS)) == ACTIONS
    database_is_whole(tiny_bird)


def test_hostile_contexts_on_full_evaluations():
    env = gym.make("LSE/TextToSQL-v1", domain="library-0", max_edits=10**6)
    assert survive(env, hostile_actions(3, 80)) == 80


def test_the_stream_is_seeded_and_has_every_kind():
    one, two = ([a for a in hostile_actions(5, 600) if isinstance(a, str)] for _ in range(2))
    assert one == two
    assert len(one) < 600
    assert set(TEXTS) < set(one)
    assert one != [a for a in hostile_actions(6, 600) if isinstance(a, str)]
