"""Preference pairs from sibling edits: ExCoT for editors (arXiv 2503.19988, and its released code, ``dpo_sample.py``).

There a model's answers to one question are right or wrong, and a pair is one of each. Here edits of one context are
siblings, and what tells them apart is the improvement that each causes.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from lse_gym.agents.files import read_rows, write_rows
from lse_gym.envs.errors import ArgumentError, unknown
from lse_gym.envs.extras import require
from lse_gym.envs.models.base import Request

if TYPE_CHECKING:
    from datasets import Dataset

PairRule = Literal["random", "nearest", "farthest"]
PAIR_RULES: tuple[PairRule, ...] = ("random", "nearest", "farthest")
ROUNDING = 1e-9  # two scores differ by a margin when they differ by what floats make of it


class Edit(NamedTuple):
    """An editor's answer to a prompt, and the improvement ``delta`` that it causes; -1 where it holds no edit."""

    prompt: str
    answer: str
    delta: float


class Siblings(NamedTuple):
    """Edits of one context, whose held-out score ``performance`` is in [0, 1]."""

    domain: str
    context: str
    performance: float
    edits: tuple[Edit, ...]


class Pair(NamedTuple):
    """Two answers to one prompt of an editor, with the improvements that they cause; ``system`` stands before it."""

    domain: str
    prompt: str
    chosen: str
    rejected: str
    delta_w: float
    delta_l: float
    parent_score: float
    system: str = ""


@dataclass(frozen=True)
class PairArgs:
    """Which siblings make a pair."""

    margin: float = 0.02
    """least improvement of a chosen edit, and least lead over the rejected one (ours: one of 50 held-out questions)"""
    most_rejected: float = 0.0
    """most improvement of a rejected edit; ExCoT's answers are right or wrong, so that 0.0 is the nearest to it"""
    pair_rule: PairRule = "random"
    """which of the worse edits is rejected: any, or the nearest or farthest in words (ExCoT has all three)"""
    seed: int = 0
    """of "random\""""

    def __post_init__(self) -> None:
        if self.pair_rule not in PAIR_RULES:
            raise unknown("rule of pairs", self.pair_rule, PAIR_RULES)
        if not self.margin > 0:
            raise ArgumentError(f"margin={self.margin!r} is not > 0: equal edits would make a pair.")


def pairs_of(groups: Sequence[Siblings], args: PairArgs | None = None) -> tuple[list[Pair], Counter[str]]:
    """At most one pair for each prompt, as ExCoT has one for each question.

    The best edit that was written from a prompt is chosen; rejected is an edit of the same context that is worse,
    whether it was written from the same prompt or from another report.

    Returns:
        The pairs, and how many prompts came to what: "pairs", "without siblings" (all answers alike), "without a
        winner" (none improves by the margin), "without a loser" (no sibling is so much worse).
    """
    args = args or PairArgs()
    pairs: list[Pair] = []
    told = Counter(dict.fromkeys(("pairs", "without siblings", "without a winner", "without a loser"), 0))
    for group in groups:
        for prompt, best in _best_of_each_prompt(group).items():
            least = min(args.most_rejected, best.delta - args.margin) + ROUNDING
            worse = [edit for edit in group.edits if edit.delta <= least and edit.answer != best.answer]
            if len({edit.answer for edit in group.edits}) < 2:
                told["without siblings"] += 1
            elif best.delta < args.margin - ROUNDING:
                told["without a winner"] += 1
            elif not worse:
                told["without a loser"] += 1
            else:
                told["pairs"] += 1
                lost = _rejected(best, worse, args, len(pairs))
                deltas = (best.delta, lost.delta, group.performance)
                pairs.append(Pair(group.domain, prompt, best.answer, lost.answer, *deltas))
    return pairs, told


def best_edits(groups: Sequence[Siblings], margin: float) -> list[Pair]:
    """What supervised training learns: the best edit of each prompt that improves by the margin, over none at all."""
    return [
        Pair(group.domain, prompt, best.answer, "", best.delta, 0.0, group.performance)
        for group in groups
        for prompt, best in _best_of_each_prompt(group).items()
        if best.delta >= margin - ROUNDING
    ]


def _best_of_each_prompt(group: Siblings) -> dict[str, Edit]:
    best: dict[str, Edit] = {}
    for edit in group.edits:
        if edit.prompt not in best or edit.delta > best[edit.prompt].delta:
            best[edit.prompt] = edit
    return best


def _rejected(best: Edit, worse: Sequence[Edit], args: PairArgs, index: int) -> Edit:
    if args.pair_rule == "random":
        return worse[int(np.random.default_rng((args.seed, index)).integers(len(worse)))]
    pick = min if args.pair_rule == "nearest" else max
    return pick(worse, key=lambda edit: distance(best.answer, edit.answer))


def distance(one: str, other: str) -> int:
    """Levenshtein's distance in words: the least number of words to insert, delete or replace.

    >>> distance('"late" means after noon', '"late" means on or after noon')
    2
    """
    words = other.split()
    row = [*range(len(words) + 1)]
    for i, word in enumerate(one.split(), 1):
        above, row = row, [i]
        for j, against in enumerate(words):
            row.append(min(above[j + 1] + 1, row[j] + 1, above[j] + (word != against)))
    return row[-1]


def merged(groups: Sequence[Siblings]) -> list[Siblings]:
    """Groups with the same parent put together: runs of one domain begin with the same context."""
    found: dict[tuple[str, str], Siblings] = {}
    for group in groups:
        key = group.domain, group.context
        there = found.get(key)
        found[key] = group if there is None else there._replace(edits=there.edits + group.edits)
    return [*found.values()]


def write_pairs(path: str | os.PathLike[str], pairs: Sequence[Pair]) -> None:
    """Write pairs as JSON lines."""
    write_rows(path, pairs)


def read_pairs(path: str | os.PathLike[str]) -> list[Pair]:
    """Read what :func:`write_pairs` wrote.

    Raises:
        DataError: the file cannot be read, or a line is no pair.
    """
    told = "a prompt or an answer that is no text, or a number that is none"
    return read_rows(path, Pair, lambda pair: "" if _sound(pair) else told, "pairs", "lse-gym pairs")


def _sound(pair: Pair) -> bool:
    texts, numbers = (*pair[:4], pair.system), pair[4:7]
    return all(isinstance(text, str) for text in texts) and all(isfinite(number) for number in numbers)


def pair_rows(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Pairs in TRL's conversational form of preferences, with what they were made from beside it."""
    return [
        pair._asdict()
        | {
            "prompt": [*Request(pair.system, pair.prompt).messages],
            "chosen": [{"role": "assistant", "content": pair.chosen}],
            "rejected": [{"role": "assistant", "content": pair.rejected}],
        }
        for pair in pairs
    ]


def pair_dataset(pairs: Sequence[Pair]) -> "Dataset":
    """Pairs as a data set of ``datasets``, in the form of :func:`pair_rows`. Needs the extra ``data``."""
    return require("datasets", "data", "A data set of pairs").Dataset.from_list(pair_rows(pairs))
