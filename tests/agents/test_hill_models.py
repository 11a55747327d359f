"""HiLL with small models: reliance, the comparison of conditions, and checkpoints. Needs the extra `hf`."""

import io
import json
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch

from lse_gym.agents.hill import compare
from lse_gym.agents.hill.player import ModelPlayer
from lse_gym.agents.hill.settings import HillArgs
from lse_gym.agents.hill.warm_start import warm_start
from lse_gym.envs.models.base import Request
from lse_gym.envs.models.huggingface import HuggingFaceModel


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    out = tmp_path_factory.mktemp("start")
    facts = warm_start(out, steps=2, start=None, width=32, layers=2, seeds=range(50, 52))
    assert facts["reasoner_loss"] > 0
    return out


def test_reliance_is_that_of_log_probabilities_of_transformers(start):
    model = HuggingFaceModel(str(start / "reasoner"))
    player = ModelPlayer(model, HillArgs().policy(1e-4))
    request, rows = Request("", "How many?"), [model.tokenizer("45; v - 12").input_ids, [5]]
    for row, found in zip(rows, player.row_logprobs(request, rows), strict=True):
        prompt = model.prompt_ids(request)
        scores = model.model(torch.tensor([prompt + row])).logits[0].log_softmax(-1)
        assert found == pytest.approx(
            [float(scores[len(prompt) - 1 + i, token].detach()) for i, token in enumerate(row)], abs=1e-4
        )


def test_the_comparison_writes_runs_a_line_each_and_a_picture(start, tmp_path, capsys):
    small = "--seeds 1 --calls 30 --questions 2 --samples 3 --hints 2 --sealed 1 --evaluate-every 9".split()
    compare.main([str(start), "--out", str(tmp_path), *small])
    results = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [row["condition"] for row in results] == ["grpo", "fixed", "hill"]
    assert all(row["calls"] >= 30 and row["sealed"] == 4 and row["accuracy_low"] <= row["accuracy"] for row in results)
    rows = [json.loads(line) for line in (tmp_path / "hill-0" / "metrics.jsonl").read_text().splitlines()]
    assert all(0 <= row["all_wrong_after"] <= row["all_wrong"] <= 1 for row in rows[:-1])
    assert HuggingFaceModel(str(tmp_path / "hill-0" / "reasoner")).complete([]) == []
    svg = (tmp_path / "hill.svg").read_text()
    assert ET.fromstring(svg).tag.endswith("svg")
    assert all(name in svg for name in compare.NAMES.values())
    capsys.readouterr()
    compare.main([str(start), "--out", str(tmp_path), *small])
    assert capsys.readouterr().out == compare.table(results)


def test_a_restored_player_learns_on_as_the_one_that_was_kept(start):
    def player():
        return ModelPlayer(HuggingFaceModel(str(start / "reasoner")), HillArgs().policy(1e-2))

    request, rows, values = Request("", "How many?"), [[5, 6], [7]], np.array([1.0, -1.0])
    one, two, kept = player(), player(), io.BytesIO()
    one.descend([request], [rows], [values])
    torch.save(one.state(), kept)
    two.restore(torch.load(io.BytesIO(kept.getvalue()), weights_only=True))
    for each in (one, two):
        each.descend([request], [rows], [values])
    assert all(torch.equal(*pair) for pair in zip(*(each.model.model.parameters() for each in (one, two)), strict=True))


@pytest.mark.long
def test_models_killed_in_a_process_go_on_to_the_same_weights(start, tmp_path):
    small = "--seeds 1 --conditions hill --calls 60 --questions 2 --samples 3 --hints 2 --sealed 1".split()
    code = (
        "import os, signal; from lse_gym.agents import checkpoint; from lse_gym.agents.hill import compare\n"
        "write = checkpoint.write\n"
        "def last(out, state):\n"
        "    write(out, state) if state['step'] == 1 else os.kill(os.getpid(), signal.SIGKILL)\n"
        f"checkpoint.write = last; compare.main([{str(start)!r}, '--out', {str(tmp_path / 'cut')!r}, *{small!r}])"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    for name in ("whole", "cut"):
        compare.main([str(start), "--out", str(tmp_path / name), *small])
    files = ("results.jsonl", *(f"hill-0/{name}" for name in ("metrics.jsonl", "reasoner/model.safetensors")))
    for file in (*files, "hill-0/hinter/model.safetensors"):
        whole, cut = ((tmp_path / name / file).read_bytes() for name in ("whole", "cut"))
        assert whole == cut, file


def test_the_table_compares_in_pairs_of_a_seed():
    scores = {("grpo", 0): 0.1, ("grpo", 1): 0.2, ("hill", 0): 0.3, ("hill", 1): 0.4, ("fixed", 1): 0.2}
    told = compare.table([{"condition": c, "seed": s, "accuracy": a} for (c, s), a in scores.items()])
    assert "| GRPO alone | 2 | 0.150 (-0.485 to 0.785) ≈ |  |" in told  # 12.706 * 0.0707 / sqrt(2)
    assert "| HiLL | 2 | 0.350 (-0.285 to 0.985) ≈ | 0.200 (0.200 to 0.200) |" in told
    assert "| GRPO, fixed hints | 1 | 0.200 | 0.000 |" in told
