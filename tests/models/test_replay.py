"""`replay:`: a recorded run again, without a model."""

import json

import gymnasium as gym
import pytest

from lse_gym.envs.errors import DataError, ProviderError
from lse_gym.envs.models import make_model
from lse_gym.envs.models.base import Request

TOLD = ("calls", "prompt_tokens", "completion_tokens", "held_out_score", "problem")


def episode(**options):
    env = gym.make("LSE/TextToSQL-v1", domain="library-3", **options)
    infos = [env.reset(seed=1)[1]]
    infos += [env.step(context)[-1] for context in ("Answer with SQL.", "Count.", "Answer with SQL.")]
    return env, [{name: info[name] for name in TOLD} for info in infos]


@pytest.fixture
def recorded(tmp_path):
    path = tmp_path / "responses.jsonl"
    return path, episode(record=str(path))[1]


def test_a_replayed_episode_is_the_recorded_one(recorded):
    path, expected = recorded
    assert episode(task_model=f"replay:{path}")[1] == expected


def test_what_was_not_recorded_is_missing_and_no_score(recorded):
    path, expected = recorded
    env, _ = episode(task_model=f"replay:{path}")
    before = env.unwrapped.budget.spent
    with pytest.raises(ProviderError, match=r"holds no answer to \d+ of 60 requests"):
        env.step("Something else.")
    assert env.unwrapped.budget.spent == before
    assert env.reset(seed=1)[1]["held_out_score"] == expected[0]["held_out_score"]


def test_the_answers_that_are_there_come_with_the_error(recorded):
    path, _ = recorded
    model = make_model(f"replay:{path}")
    assert json.loads(path.read_text().splitlines()[0])["model"] == "reader"
    with pytest.raises(ProviderError) as failure:
        model.complete([Request("system", "user")])
    assert failure.value.answered == {}


@pytest.mark.parametrize("content", [None, "", "notes\n", '["key", "text", 1, 2]\n'])
def test_a_file_that_is_no_record_says_so(tmp_path, content):
    path = tmp_path / "record.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match="record"):
        make_model(f"replay:{path}")
