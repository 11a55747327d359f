"""Advantages of context edits (LSE, arXiv 2603.18620 and its released code)."""

from typing import Literal

import numpy as np

Advantage = Literal["delta", "logit_delta", "grpo"]
ADVANTAGES: tuple[Advantage, ...] = ("delta", "logit_delta", "grpo")
INVALID = -1.0  # reward, score and advantage of an answer without an edit, in the released code
EPSILON = 1e-6  # of the released code's logit_delta and of GRPO's division


def advantages(kind: Advantage, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The advantage of every edit, float64 of shape (states, samples).

    * ``delta``: the improvement ``after - before``; the parent's score is the baseline, so one sample is enough.
    * ``logit_delta``: ``ln((s (1 - p) + e) / (p (1 - s) + e))`` for a score ``p`` before and ``s`` after; the released
      code has ``e`` in the denominator only, where a score of zero would be minus infinity.
    * ``grpo``: the score after the edit, less the mean of its group and divided by its standard deviation.

    Args:
        kind: which one.
        before: scores of the states in [0, 1], of shape (states,).
        after: scores after the edits in [0, 1], of shape (states, samples); NaN where an answer holds no edit.
    """
    invalid = np.isnan(after)
    if kind == "grpo":
        scores = np.where(invalid, INVALID, after)
        spread = scores.std(axis=1, keepdims=True)
        return (scores - scores.mean(axis=1, keepdims=True)) / (spread + EPSILON)
    p, s = before[:, None], np.where(invalid, 0.0, after)
    values = s - p if kind == "delta" else np.log((s * (1 - p) + EPSILON) / (p * (1 - s) + EPSILON))
    return np.where(invalid, INVALID, values)
