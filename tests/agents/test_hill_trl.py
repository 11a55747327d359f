"""HiLL through TRL, end to end on random models. Needs the extra `trl`."""

import json

import pytest
import torch

from lse_gym.agents.hill import trl as path
from lse_gym.agents.hill.rounds import Group, Round
from lse_gym.agents.hill.settings import HillArgs
from lse_gym.agents.hill.task import GameTask, read_exercises
from lse_gym.agents.hill.warm_start import warm_start
from lse_gym.envs.games.hint.questions import make_exercises
from lse_gym.envs.models.base import Request
from lse_gym.envs.models.huggingface import HuggingFaceModel

pytestmark = pytest.mark.filterwarnings("ignore")  # those of the libraries underneath


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    out = tmp_path_factory.mktemp("start")
    warm_start(out, steps=1, start=None, width=32, layers=2, seeds=[50])
    return out


def test_the_config_is_the_paper_s(tmp_path):
    config = path.paper_config(tmp_path, use_cpu=True, bf16=False)
    assert config.generation_batch_size == 128 * 8
    assert (config.steps_per_generation, config.gradient_accumulation_steps, config.max_steps) == (128, 64, 1000)
    assert (config.epsilon, config.epsilon_high, config.beta, config.learning_rate) == (0.2, 0.28, 0.0, 1e-6)


def test_the_script_trains_both_end_to_end(start, tmp_path):
    models = ("--reasoner", str(start / "reasoner"), "--hinter", str(start / "hinter"))
    path.main([*models, "--cpu", "--steps", "2", "--out", str(tmp_path)])
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["generation"] for row in rows] == [0, 1]
    assert all(row["all_wrong"] == 1.0 and row["hint_reward"] <= 0 for row in rows)  # random models
    assert all((tmp_path / name / "model.safetensors").exists() for name in ("reasoner", "hinter"))


def test_replaced_groups_reach_the_trainer_with_the_hint_in_their_prompt(start, tmp_path, monkeypatch):
    exercises = read_exercises(make_exercises(), "bakery-0")[:2]
    task, args = GameTask(8, 8), HillArgs(questions=2, samples=2)
    rollouts = path.HillRollouts(task, exercises, None, args, tmp_path / "metrics.jsonl")
    groups = [
        Group(task.ask(e, hint), [[5, 6], [7]], [1.0, 0.0], hint)
        for e, hint in zip(exercises, ("", "Add."), strict=True)
    ]
    monkeypatch.setattr(path, "play_round", lambda *_: Round(groups, groups, [], [], 4))
    changes = {"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "max_completion_length": 8}
    trainer = path.GRPOTrainer(
        model=str(start / "reasoner"),
        reward_funcs=path.kept_score,
        args=path.paper_config(tmp_path, args, **changes),
        train_dataset=rollouts.dataset(),
        rollout_func=rollouts,
    )
    rows = [trainer.train_dataset[i] for i in (0, 0, 1, 1)]
    output = trainer._generate_and_score_completions(rows)
    assert output["advantages"].sign().tolist() == [1, -1, 1, -1]
    model = HuggingFaceModel(str(start / "reasoner"))
    for i, group in enumerate(groups):
        found = output["prompt_ids"][2 * i][output["prompt_mask"][2 * i].bool()].tolist()
        assert found == model.prompt_ids(group.request)
    player, request = path.TrainerPlayer(trainer), Request("", "How many?")
    prompt = model.prompt_ids(request)
    for row, found in zip([[9, 10, 11], [12]], player.row_logprobs(request, [[9, 10, 11], [12]]), strict=True):
        scores = trainer.model(torch.tensor([prompt + row])).logits[0].log_softmax(-1)
        alone = [float(scores[len(prompt) - 1 + i, token].detach()) for i, token in enumerate(row)]
        assert found == pytest.approx(alone, abs=1e-3)
