"""The registered specs of the namespace, and what each needs to be made."""

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import lse_gym  # noqa: F401 - registers the ids
from lse_gym.envs.registration import env_class
from tests.custom.questions import write_questions
from tests.datascience.directories import write_directory
from tests.qa.layouts import REDUX, write_redux
from tests.sql.layouts import GEOQUERY, write_bird
from tests.tools.awm_fixture import GARDEN, WORLDS, write_awm

SPECS = sorted((spec for spec in gym.registry.values() if spec.namespace == "LSE"), key=lambda spec: spec.id)
# What another machine decides is tested with one: tests/leaderboard/test_remote.py
LOCAL = [spec for spec in SPECS if not env_class(spec.id).remote]
needs_geoquery = pytest.mark.skipif(not GEOQUERY.is_dir(), reason="the GeoQuery data is not at ../shared/data")
needs_redux = pytest.mark.skipif(not REDUX.is_dir(), reason="the MMLU-Redux data is not at ../shared/data")
TINY = {
    "LSE/AWM-v0": "tiny awm",
    "LSE/BIRD-v0": "tiny bird",
    "LSE/DARE-v0": "tiny dare",
    "LSE/MMLURedux-v0": "tiny redux",
}
NEEDS = {
    "LSE/AWM-v0": [pytest.mark.extra("tools"), pytest.mark.long],  # a box an attempt, and one a verdict
    "LSE/DARE-v0": pytest.mark.extra("ds"),  # to be scored
    "LSE/DataScience-v0": pytest.mark.extra("ds"),
}
CASES = [
    *(pytest.param((spec.id, TINY.get(spec.id, "")), id=spec.id, marks=NEEDS.get(spec.id, ())) for spec in LOCAL),
    pytest.param(("LSE/BIRD-v0", "geoquery"), id="GeoQuery", marks=needs_geoquery),
    pytest.param(("LSE/MMLURedux-v0", "redux"), id="MMLU-Redux", marks=needs_redux),
]


def arguments(case: tuple[str, str], folder: Path) -> tuple[str, dict]:
    """Id and arguments of a case; a tiny data directory is written to ``folder`` where there is none yet."""
    name, data = case
    if data == "geoquery":
        return name, {"data_dir": str(GEOQUERY)}
    if data == "redux":
        return name, {"data_dir": str(REDUX)}
    if data == "tiny redux":
        return name, {"data_dir": str(write_redux(folder)), "feedback_size": 2}
    if data == "tiny awm":
        return name, {"data_dir": str(write_awm(folder, {"garden": WORLDS["garden"]})), "domain": GARDEN}
    if data == "tiny bird":
        if not (folder / "dev.json").exists():
            write_bird(folder, each=8)
        return name, {"data_dir": str(folder), "feedback_size": 2}
    if data == "tiny dare":
        if not (folder / "question_list.json").exists():
            write_directory(folder, [f"pipes{i}_reg" for i in range(4)], question_v1="")
        return name, {"data_dir": str(folder), "feedback_size": 1}
    if name == "LSE/ToolUse-v0":  # an attempt takes several turns: few domains, small batches
        return name, {"domain": ["bikes-0", "marina-1"], "feedback_size": 1}
    if name == "LSE/Editor-v0":  # a chain of edits a question, and two evaluations
        small = {"feedback_domains": 2, "held_out_domains": 2, "inner_size": 4, "inner_feedback_size": 2}
        return name, {"domain": ["question-answering", "text-to-sql"], "feedback_size": 1, **small}
    if name == "LSE/Feedback-v0":  # a box a function
        return name, {"domain": ["parking-0", "hotel-0"], "feedback_size": 1}
    if name == "LSE/DataScience-v0":
        return name, {"domain": ["bakery-0", "vet-0"], "held_out_size": 2, "feedback_size": 1}
    if name == "LSE/Hint-v0":  # several answers a question
        return name, {"domain": ["bakery-0", "farm-1"], "num_samples": 2}
    if name == "LSE/Family-v0":
        return name, {"family": "tests.envs.several_turns:RingFamily", "feedback_size": 2}
    if name == "LSE/Custom-v1":
        return name, {"questions": str(write_questions(folder / "sums.jsonl")), "scorer": "numeric", "feedback_size": 2}
    return name, {}


def rollout(env: gym.Env, seed: int, steps: int = 12) -> list:
    """Everything that two resets and some steps with sampled actions return."""
    env.action_space.seed(seed)
    seen: list = [env.reset(seed=seed)]
    for step in range(steps):
        seen.append(env.step(env.action_space.sample()))
        if seen[-1][2] or seen[-1][3] or step == steps // 2:
            seen.append(env.reset())
    return seen


def plain(data):
    """``data`` without arrays, so that ``repr`` shows every bit of it."""
    if isinstance(data, np.ndarray):
        return [str(data.dtype), data.shape, data.tolist()]
    if isinstance(data, dict):
        return {key: plain(value) for key, value in data.items()}
    return [plain(value) for value in data] if isinstance(data, (list, tuple)) else data
