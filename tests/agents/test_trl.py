"""The path through TRL and verl's formats, end to end on a small model. Needs the extra `trl`."""

import json

import gymnasium as gym
import pytest
from datasets import Dataset
from transformers import AutoTokenizer
from transformers.utils import get_json_schema
from trl import GRPOTrainer

from lse_gym.agents.lse import trl as path
from lse_gym.agents.lse.states import State, write_states
from lse_gym.agents.lse.trl_environment import environment_factory
from lse_gym.agents.lse.verl import compute_score, verl_rows, write_verl

pytestmark = pytest.mark.filterwarnings("ignore")  # those of the libraries underneath


@pytest.fixture(scope="module")
def env():
    return gym.make("LSE/TextToSQL-v1", domain=None).unwrapped


@pytest.fixture(scope="module")
def states(env):
    domain = env.family.load("library-0")
    return [State("library-0", domain.seed_context, 0.34, f"report {i}", 0.5) for i in range(4)]


@pytest.mark.parametrize("advantage", ["delta", "grpo"])
def test_the_script_trains_end_to_end(editor, states, tmp_path, advantage):
    write_states(tmp_path / "states.jsonl", states)
    options = ("--editor", editor, "--advantage", advantage, "--cpu", "--steps", "2", "--out", str(tmp_path / "t"))
    path.main([str(tmp_path / "states.jsonl"), *options])
    assert (tmp_path / "t" / "best" / "model.safetensors").exists()


def test_the_advantage_is_the_improvement_and_not_a_group_s(env, states, editor, tmp_path):
    reward = path.EditReward(env)
    changes = {"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "max_completion_length": 8}
    config = path.paper_config(tmp_path, num_generations=2, per_device_train_batch_size=2, **changes)
    trainer = path.LSETrainer(
        model=editor, reward_funcs=reward, args=config, train_dataset=path.state_dataset(env, states)
    )
    row = trainer.train_dataset[0]
    output = trainer._generate_and_score_completions([row, row])
    assert output["advantages"].tolist() == pytest.approx([-1.0, -1.0])  # no edit; a group's mean would make it zero


def test_the_reward_is_that_of_the_env(env, states):
    rule = env.family.load("library-0").oracle_context.splitlines()[1]
    columns = {name: [getattr(state, name) for state in states[:2]] for name in State._fields}
    answers = [[{"role": "assistant", "content": f"<add>{rule}</add>"}], "none"]
    single = gym.make("LSE/TextToSQL-v1", domain="library-0")
    observation, info = single.reset(seed=0)
    _, reward, *_ = single.step(f"{observation['context']}\n{rule}")
    found = path.EditReward(env)(completions=answers, **columns)
    assert found == pytest.approx([info["held_out_score"] + reward - 0.34, -1.0])
    assert path.EditReward(env, "grpo")(completions=answers, **columns)[1] == -1.0
    (row, *_) = rows = verl_rows(env, states, env_id="LSE/TextToSQL-v1", task_model="reader")
    told = {"ground_truth": row["reward_model"]["ground_truth"], "extra_info": row["extra_info"]}
    assert compute_score(row["data_source"], f"<add>{rule}</add>", **told) == pytest.approx(found[0])
    assert compute_score(row["data_source"], "none", **told) == -1.0
    assert json.loads(json.dumps(rows)) == rows


def test_verl_s_file_is_parquet(env, states, tmp_path):
    from datasets import load_dataset

    rows = verl_rows(env, states, env_id="LSE/TextToSQL-v1", task_model="reader")
    write_verl(tmp_path / "train.parquet", rows)
    read = load_dataset("parquet", data_files=str(tmp_path / "train.parquet"), cache_dir=str(tmp_path))["train"]
    assert read.to_list() == rows


TOOL_TEMPLATE = (
    "{% if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>{% endif %}"
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content or '' }}"
    "{% for call in message.tool_calls or [] %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def test_an_environment_is_an_episode_of_the_env():
    environment = environment_factory("LSE/TextToSQL-v1", domain="train", max_edits=2)()
    schema = get_json_schema(environment.edit_context)["function"]
    assert schema["name"] == "edit_context"
    assert schema["parameters"]["required"] == ["instructions"]
    told = environment.reset(seed=3, domain="library-0", prompt="a column of the data set")
    assert "Current instructions:\nReturn one SQLite statement" in told
    env = gym.make("LSE/TextToSQL-v1", domain="library-0")
    env.reset(seed=3)
    oracle = env.unwrapped.family.load("library-0").oracle_context
    reward = env.step(oracle)[1]
    assert oracle in environment.edit_context(oracle)
    assert environment.get_reward() == pytest.approx(reward)
    environment.edit_context("Only count rows.")
    spoilt = environment.get_reward()
    assert spoilt < reward
    assert "over" in environment.edit_context(oracle)
    assert environment.get_reward() == spoilt
    environment.reset()
    assert environment.get_reward() == 0.0


def test_the_trainer_takes_the_environment(editor, env, tmp_path, monkeypatch):
    tokenizer = AutoTokenizer.from_pretrained(editor)
    tokenizer.chat_template, tokenizer.response_schema = TOOL_TEMPLATE, {"type": "object"}
    arguments = {"instructions": env.family.load("library-0").oracle_context}
    call = {"type": "function", "function": {"name": "edit_context", "arguments": arguments}}
    answers = iter([{"role": "assistant", "content": "", "tool_calls": [call]}] * 2)  # what a large model would write
    final = {"role": "assistant", "content": "Done."}
    monkeypatch.setattr(type(tokenizer), "parse_response", lambda *_, **__: next(answers, final))
    changes = {"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "max_completion_length": 12}
    changes |= {"num_generations": 2, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 1}
    trainer = GRPOTrainer(
        model=editor,
        args=path.paper_config(tmp_path, max_steps=1, **changes),
        train_dataset=Dataset.from_list([{"prompt": [{"role": "user", "content": "Improve the instructions."}]}] * 2),
        environment_factory=environment_factory("LSE/TextToSQL-v1", domain="library-0", max_edits=1),
        processing_class=tokenizer,
    )
    trainer.train()
    (logged,) = [row for row in trainer.state.log_history if "rewards/EditEnvironment/mean" in row]
    assert logged["rewards/EditEnvironment/mean"] > 0.5
