"""What travels between a host and ``LSE/Remote-v0``: the outcome of a reset or step, as JSON and back.

Of a report its data travels, which is what its text is made of; nothing of a held-out or test question is in it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from lse_gym.envs.budget import Usage
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.report import Report
from lse_gym.envs.state import MAX_FEEDBACK_CHARS, Info, Observation

VERSION = "v1"  # first part of every path; another one is another protocol
TOKEN_VARIABLE = "LSE_GYM_TOKEN"


class Outcome(NamedTuple):
    """What a reset (whose reward is 0) or a step returned, and all that the run has cost so far."""

    observation: Observation
    reward: float
    terminated: bool
    truncated: bool
    info: Info
    spent: Usage
    held_out_scores: tuple[float, ...]


def packed(env: ContextEnv, outcome: tuple[Observation, float, bool, bool, Info]) -> dict[str, Any]:
    """The outcome of a step as plain data, with what ``env`` has spent."""
    observation, reward, terminated, truncated, info = outcome
    return {
        "context": observation["context"],
        "report": env.report,
        "feedback_score": float(observation["feedback_score"]),
        "remaining_budget": observation["remaining_budget"].tolist(),
        "reward": reward,
        "terminated": terminated,
        "truncated": truncated,
        "info": info,
        "held_out_scores": env.held_out_scores,
        "spent": env.budget.spent,
    }


def unpacked(data: Mapping[str, Any]) -> Outcome:
    """The inverse of :func:`packed` through JSON.

    Raises:
        KeyError, TypeError, ValueError: it is something else.
    """
    report = Report.from_json(data["report"])
    observation = {
        "context": str(data["context"]),
        "feedback": report.text(MAX_FEEDBACK_CHARS),
        "feedback_score": np.array(data["feedback_score"], dtype=np.float64),
        "remaining_budget": np.array(data["remaining_budget"], dtype=np.float64).reshape(4),
    }
    ends = bool(data["terminated"]), bool(data["truncated"])
    spent, scores = Usage(*map(float, data["spent"])), tuple(map(float, data["held_out_scores"]))
    return Outcome(observation, float(data["reward"]), *ends, dict(data["info"]), spent, scores)
