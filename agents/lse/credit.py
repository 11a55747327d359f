"""Which lines of an edit the improvement comes from.

An edit of several lines has one reward, and all its tokens would share it, the false lines that of the true ones. But
every part of an edit is an edit, whose held-out score can be asked for. The credit of a line is what it adds to the
lines before it and what it adds to those after it, halved: the estimate of its Shapley value from one order of the
lines and the reverse (antithetic permutations: Mitchell et al., arXiv 2104.12199). The credits of an edit add up to its
improvement, so the objective remains that of LSE.
"""

import re
from collections.abc import Callable, Sequence

import numpy as np

from lse_gym.agents.lse.states import State
from lse_gym.envs.text import tagged

Score = Callable[[Sequence[State], Sequence[str]], np.ndarray]
_LINE = re.compile(r"<(add|remove)>.*?</\1>", re.DOTALL)


def spans(answer: str) -> list[tuple[int, int]]:
    """Where the lines of an edit begin and end in an answer; nothing where it is no edit by lines."""
    return [] if tagged(answer, "prompt") is not None else [line.span() for line in _LINE.finditer(answer)]


def line_credits(score: Score, states: Sequence[State], answers: Sequence[str]) -> tuple[np.ndarray, list[np.ndarray]]:
    """What whole edits score, and what each of their lines adds.

    Args:
        score: :func:`lse_gym.agents.lse.reward.scores_after` of an env; asked for about two edits a line.
        states: what was edited.
        answers: the editor's answer to each.

    Returns:
        Held-out scores after the edits, float64 of shape (states,), NaN where there is no edit; and for each the
        credits of its lines, float64 of shape (lines,).
    """
    asked: list[tuple[State, str]] = []
    for state, answer in zip(states, answers, strict=True):
        lines = [answer[start:end] for start, end in spans(answer)]
        parts = [answer, *(lines[:n] for n in range(1, len(lines))), *(lines[n:] for n in range(1, len(lines)))]
        asked += [(state, part if isinstance(part, str) else "\n".join(part)) for part in parts]
    scores = iter(score([state for state, _ in asked], [part for _, part in asked]))
    after, credits = [], []
    for state, answer in zip(states, answers, strict=True):
        inner = max(0, len(spans(answer)) - 1)
        whole = next(scores)
        heads, tails = ([next(scores) for _ in range(inner)] for _ in range(2))
        after.append(whole)
        credits.append(_credits(state.performance, whole, heads, tails) if spans(answer) else np.zeros(0))
    return np.array(after), credits


def _credits(before: float, whole: float, heads: list[float], tails: list[float]) -> np.ndarray:
    forward, backward = np.diff([before, *heads, whole]), -np.diff([whole, *tails, before])
    return np.nan_to_num((forward + backward) / 2)


def token_values(pieces: Sequence[str], worth: np.ndarray, baseline: float) -> np.ndarray:
    """The advantage of every token of an answer, float64 of shape (tokens,).

    A token has what the line that it is of is worth; the end of an answer, and what is no line, is worth nothing: where
    no more is written, no more is gained. The token that closes a line decides whether another follows (a tokenizer may
    have one for ``</add>`` and one for ``</add>\\n<add>``), so it has what comes next. From all of them goes one
    baseline, so that a line must be better than the others to become likelier, and an end better than another line.

    Args:
        pieces: the text of every token.
        worth: of the lines of the answer: their credits less the price of a line.
        baseline: what a line of an answer to the same prompt is worth in the mean.
    """
    ends = [end for _, end in spans("".join(pieces))]
    line = np.searchsorted(ends, np.cumsum([len(piece) for piece in pieces]), side="right")
    return np.append(worth, 0.0)[np.minimum(line, len(worth))] - baseline


def what_adds(answer: str, credits: np.ndarray) -> str:
    """An edit by lines without those that add nothing and those that are there twice.

    Args:
        answer: the edit.
        credits: of its lines.
    """
    lines = [answer[start:end] for start, end in spans(answer)]
    return "\n".join(dict.fromkeys(line for line, credit in zip(lines, credits, strict=True) if credit > 0))
