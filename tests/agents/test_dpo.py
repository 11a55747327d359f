"""Preference learning through TRL: it learns the pairs, counts what does not fit, and survives a kill. Needs `trl`."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import gymnasium as gym
import pytest
import torch
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from lse_gym.agents.lse.answers import ANSWERS, answer_groups, weights_for_context
from lse_gym.agents.lse.dpo import PreferenceLearner
from lse_gym.agents.lse.preference_settings import preference_args
from lse_gym.agents.lse.preferences import Pair, pairs_of, write_pairs
from lse_gym.agents.lse.states import State
from lse_gym.agents.lse.trl_rounds import tokenized, train_round
from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Settings
from lse_gym.cli.main import app
from lse_gym.envs.errors import ArgumentError, DataError, RunDirectoryError
from lse_gym.envs.models.base import Request, Response, TaskModel
from lse_gym.envs.models.huggingface import HuggingFaceModel

pytestmark = [pytest.mark.extra("trl"), pytest.mark.filterwarnings("ignore")]  # those of the libraries underneath
SMALL = {"lr": 1e-2, "batch": 2, "save_every": 2, "epochs": 4.0, "max_edit_tokens": 8, "samples": 4}
PAIRS = [
    Pair("library-0", f"context {i}", f"<add>- good {i}</add>", f"<add>- bad {i}</add>", 0.2, 0.0, 0.3)
    for i in range(6)
]


@pytest.fixture(scope="module")
def env():
    return gym.make("LSE/TextToSQL-v1", domain=None).unwrapped


def weights(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict()


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(weights(one).values(), weights(other).values(), strict=True))


@pytest.mark.parametrize("method", ["dpo", "sft"])
def test_what_is_chosen_becomes_likelier(editor, tmp_path, method):
    row = train_round(editor, PAIRS, tmp_path, preference_args(method, **SMALL), lambda told: None)
    assert (row["steps"], row["dropped"], row["truncated"]) == (12, 0, 0)
    if method == "dpo":
        assert row["loss"][0] == pytest.approx(0.6931, abs=1e-3)  # -ln sigma(0): policy and reference are the same
    lead = []
    for folder in (editor, str(tmp_path / "model")):
        model = HuggingFaceModel(folder)
        told = [[sum(model.logprobs(Request("", p.prompt), text)) for text in (p.chosen, p.rejected)] for p in PAIRS]
        lead.append(sum(chosen if method == "sft" else chosen - rejected for chosen, rejected in told))
    assert lead[1] > lead[0] + 1.0
    assert not (tmp_path / "trainer").exists()


def test_pairs_are_tokenized_as_the_editor_meets_them_and_what_does_not_fit_is_counted(editor):
    model = HuggingFaceModel(editor)
    long = [PAIRS[0]._replace(prompt="word " * 80), PAIRS[1]._replace(chosen="<add>" + "word " * 60)]
    args = preference_args("dpo", max_length=64)
    kept, told = tokenized([*PAIRS, *long], model.tokenizer, args)
    assert told == {"dropped": 1, "truncated": 1}
    assert len(kept) == len(PAIRS) + 1
    assert kept[0]["prompt_ids"] == model.prompt_ids(Request("", PAIRS[0].prompt))
    assert model.text(kept[0]["chosen_ids"]) == PAIRS[0].chosen
    assert kept[0]["chosen_ids"][-1] == model.tokenizer.eos_token_id
    with pytest.raises(DataError, match="max_length"):
        tokenized(long[:1], model.tokenizer, args)


class Rewarded(PreferenceLearner):
    """With samples that need no task model: of two answers the longer is better."""

    def _pairs(self, number, model, folder, on_work):
        return PAIRS[number:], {"pairs": len(PAIRS) - number}


def states(env):
    domain = env.family.load("library-0")
    return [State("library-0", domain.seed_context, 0.32, f"report {i}", 0.5) for i in range(3)]


def test_rounds_go_on_from_each_other_and_the_best_on_dev_is_kept(editor, env, tmp_path, monkeypatch):
    gains = iter([0.1, 0.3, 0.2])
    monkeypatch.setattr(PreferenceLearner, "_dev", lambda self, model: {"dev_improvement": next(gains)})
    args = preference_args("dpo", rounds=2, **SMALL | {"epochs": 1.0})
    rows = []
    best = Rewarded(editor, env, tmp_path, args, pairs=PAIRS, states=states(env)).learn(rows.append)
    assert [(row["round"], row["source"], row["pairs"]) for row in rows] == [
        (0, "off-policy", 6),
        (1, "on-policy", 5),
        (2, "on-policy", 4),
    ]
    assert same(best, tmp_path / "round-1" / "model")
    assert not same(tmp_path / "round-0" / "model", best)
    assert [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == rows


def test_an_on_policy_round_samples_the_editor_itself(editor, env, tmp_path):
    args = preference_args("dpo", **SMALL)
    with pytest.raises(DataError, match=r"round 1 has no pairs \(answers: 12, cut: \d+"):
        PreferenceLearner(editor, env, tmp_path, args, states=states(env)).learn()
    (line,) = (tmp_path / "round-1" / "samples.jsonl").read_text().splitlines()
    assert [row["state"] for row in json.loads(line)] == [0, 1, 2]


def test_trees_are_trained_on_from_the_command_line(editor, tmp_path):
    for seed in (0, 1):
        settings = Settings(domain="library-0", editor="writer", rounds=2, seed=seed, feedback_size=4)
        evolve(settings.config(), tmp_path / "runs" / str(seed))

    def call(*words):
        done = CliRunner().invoke(app, [*words, "--most-rejected", "1"])
        assert done.exit_code == 0, (done.output, done.exception)
        return " ".join(done.output.split())

    told = call("pairs", str(tmp_path / "runs"), "--out", str(tmp_path / "pairs.jsonl"))
    assert told.startswith("pairs 1, without siblings")
    train = ("train", "--editor", f"hf:{editor}", "--epochs", "1")
    told = call(*train, str(tmp_path / "pairs.jsonl"), "--method", "dpo", "--out", str(tmp_path / "dpo"))
    assert "round 0, source off-policy, pairs 1, dropped 0, truncated 0, steps 1" in told
    told = call(*train, str(tmp_path / "runs"), "--method", "sft", "--out", str(tmp_path / "sft"))
    assert "round 0, source off-policy, pairs 4" in told  # all edits improve
    assert "examples/s" not in told  # no bars of the libraries
    assert (tmp_path / "sft" / "best" / "model.safetensors").exists()


def test_a_directory_is_not_overwritten_and_nothing_to_learn_says_so(editor, env, tmp_path):
    args = preference_args("dpo", **SMALL)
    PreferenceLearner(editor, env, tmp_path, args, pairs=PAIRS)
    with pytest.raises(RunDirectoryError, match="this training already"):
        PreferenceLearner(editor, env, tmp_path, args, pairs=PAIRS)
    with pytest.raises(RunDirectoryError, match="another training"):
        PreferenceLearner(editor, env, tmp_path, args, pairs=PAIRS[:2], resume=True)
    with pytest.raises(ArgumentError, match="neither pairs nor states"):
        PreferenceLearner(editor, env, tmp_path, args)


def test_an_interrupted_round_goes_on_to_the_same_weights(editor, tmp_path):
    def stop(told):
        if told == "step 3 of 6":
            raise KeyboardInterrupt

    args = preference_args("dpo", **SMALL | {"epochs": 2.0})
    with pytest.raises(KeyboardInterrupt):
        train_round(editor, PAIRS, tmp_path / "cut", args, stop)
    told = []
    for name in ("cut", "whole"):
        train_round(editor, PAIRS, tmp_path / name, args, told.append)
    assert told[0] == "step 3 of 6"
    assert same(tmp_path / "cut" / "model", tmp_path / "whole" / "model")
    logs = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("cut", "whole")]
    assert [json.loads(row)["loss"] for row in logs[0]] == [json.loads(row)["loss"] for row in logs[1]]


class Halves(TaskModel):
    """Answers every question right in the first sample and wrong in the second."""

    name, revision = "halves", "1"

    def __init__(self, domain):
        self.gold = {domain.user(q): q.gold for q in domain.splits["feedback"]}

    def count_tokens(self, text):
        return len(text)

    def complete(self, requests):
        texts = ["SELECT 'no'" if r.sample else self.gold[r.user] for r in requests]
        return [Response(f"<answer>{text}</answer>", 1, 1) for text in texts]


def test_a_task_model_s_answers_make_pairs_under_its_own_prompt(editor, env, tmp_path):
    domain = env.family.load("library-0")
    args = replace(ANSWERS, **SMALL | {"samples": 2})
    groups = answer_groups(Halves(domain), domain, domain.seed_context, args)
    assert {group.performance for group in groups} == {0.5}
    pairs, _ = pairs_of(groups, args)
    assert len(pairs) == len(domain.splits["feedback"])
    assert all("no" in pair.rejected and pair.delta_l == 0.0 for pair in pairs)
    model, system = HuggingFaceModel(editor), domain.system(domain.seed_context)
    rows, _ = tokenized([pairs[0]._replace(system=system)], model.tokenizer, args)
    assert rows[0]["prompt_ids"] == model.prompt_ids(Request(system, pairs[0].prompt))
    row = weights_for_context(editor, domain, tmp_path, replace(args, samples=2, max_edit_tokens=2))
    assert (row["calls"], row["pairs"], row["test_after"]) == (2 * len(pairs), 0, 0.0)  # random weights
    assert json.loads((tmp_path / "row.json").read_text()) == row


SCRIPT = """
import sys
from pathlib import Path
from lse_gym.agents.lse.preference_settings import preference_args
from lse_gym.agents.lse.preferences import read_pairs
from lse_gym.agents.lse.trl_rounds import train_round
args = preference_args("dpo", lr=1e-2, batch=2, save_every=2, epochs=4.0)
train_round(sys.argv[1], read_pairs(sys.argv[2]), Path(sys.argv[3]), args, lambda told: print(told, flush=True))
"""


@pytest.mark.long
def test_kill_9_costs_nothing_but_time(editor, tmp_path):
    write_pairs(tmp_path / "pairs.jsonl", PAIRS)
    command = [sys.executable, "-c", SCRIPT, editor, str(tmp_path / "pairs.jsonl")]
    with subprocess.Popen([*command, str(tmp_path / "cut")], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("step 5"):
                os.kill(process.pid, signal.SIGKILL)
    kept = sorted(path.name for path in (tmp_path / "cut" / "trainer").iterdir())
    assert "checkpoint-4" in kept
    broken = tmp_path / "cut" / "trainer" / "checkpoint-6"  # as if the kill had met the writing of a checkpoint
    broken.mkdir(exist_ok=True)
    (broken / "trainer_state.json").unlink(missing_ok=True)
    args, told = preference_args("dpo", lr=1e-2, batch=2, save_every=2, epochs=4.0), []
    for name in ("cut", "whole"):
        train_round(editor, PAIRS, tmp_path / name, args, told.append)
    assert told[0] == "step 5 of 12"
    assert same(tmp_path / "cut" / "model", tmp_path / "whole" / "model")
