"""The formulas of HiLL (arXiv 2604.00698): when a question is hard, what a hint is worth, which group it replaces.

Everything here is a pure function. The numbers are those of the released code (github Andree-9/HiLL, commit 195d94e).
"""

import re
from collections.abc import Sequence
from math import exp, inf, log
from statistics import fmean
from typing import Literal

from lse_gym.envs.custom.numbers import BOX, unboxed
from lse_gym.envs.errors import unknown
from lse_gym.envs.text import tagged

NUM_SAMPLES = 4
"""answers of a group where no other number is given; HiLL's N is 8, at twice the calls"""
TEMPERATURE = 0.3
"""T of the transfer weight"""
GATE_REWARD = -0.2
"""reward of a hint that failed a gate"""
RIGHT = 0.5
"""a response of at least this score is right"""
SHORT_GOLD = 2
"""a gold of at most so many characters leaks only in a pattern that reveals it"""

Kind = Literal["variance", "non_deg", "transfer_weighted_variance", "transfer_weighted_non_deg"]
KINDS: tuple[Kind, ...] = ("variance", "non_deg", "transfer_weighted_variance", "transfer_weighted_non_deg")
Gate = Literal["", "no hint", "leak", "too long"]
_REVEALING = r"(?:=|\b(?:is|are|equals|equal to|gives|get|got|answer:?))\s*+(?:\$|\\\(|\*\*|<answer>)*+\s*+"


def is_hard(scores: Sequence[float]) -> bool:
    """Whether a group of rollouts is all wrong: only then is a hint asked for."""
    return all(score < RIGHT for score in scores)


def success(scores: Sequence[float]) -> float:
    """The share of right responses, in [0, 1]; 0.0 of none."""
    return sum(score >= RIGHT for score in scores) / len(scores) if scores else 0.0


def non_deg(p: float, n: int) -> float:
    """The probability that a fresh group of ``n`` rollouts is neither all right nor all wrong.

    Args:
        p: chance of a right rollout, in [0, 1].
        n: size of the group, >= 1.

    >>> [round(non_deg(k / 8, 8), 6) for k in (1, 2, 3, 4)]
    [0.656391, 0.899872, 0.976326, 0.992188]
    """
    return 1.0 - p**n - (1.0 - p) ** n


def variance(p: float) -> float:
    """The variance of a right-or-wrong score, in [0, 1/4]."""
    return p * (1.0 - p)


def reliance(without: Sequence[float], given: Sequence[float]) -> float:
    """How much a response relies on its hint: the mean log-ratio a token; negative where it does.

    Args:
        without: log-probability of each token of the response after the question alone, in nats.
        given: the same after question and hint.
    """
    return fmean(without) - fmean(given) if without else 0.0


def mean_reliance(each: Sequence[float], scores: Sequence[float]) -> float | None:
    """The mean reliance of the right responses; None where none is right."""
    of_right = [one for one, score in zip(each, scores, strict=True) if score >= RIGHT]
    return fmean(of_right) if of_right else None


def outcome_reliance(right_without: int, right_given: int, n: int) -> float:
    """Reliance by what came out, for backends without log-probabilities: a log-ratio of smoothed success rates.

    Args:
        right_without: right responses of ``n`` without the hint.
        right_given: right responses of ``n`` with it.
        n: responses each, >= 1.
    """
    return log((right_without + 1) / (n + 2)) - log((right_given + 1) / (n + 2))


def transfer_weight(mean: float, temperature: float = TEMPERATURE) -> float:
    """What a hint's success counts by its reliance, in (0, 1]: ``exp(min(mean, 0) / temperature)``.

    >>> round(transfer_weight(-0.1), 6), round(transfer_weight(-0.5), 6), transfer_weight(0.4)
    (0.716531, 0.188876, 1.0)
    """
    return exp(min(mean, 0.0) / temperature)


def prob_term(p: float, n: int, kind: Kind = "transfer_weighted_non_deg") -> float:
    """What a reward of this kind makes of the success rate alone.

    Raises:
        UnknownNameError: there is no such kind.
    """
    if kind not in KINDS:
        raise unknown("kind of hint reward", kind, KINDS)
    return variance(p) if kind.endswith("variance") else non_deg(p, n)


def hint_reward(
    p: float,
    n: int,
    mean: float | None,
    *,
    kind: Kind = "transfer_weighted_non_deg",
    gate: Gate = "",
    original: float = 0.0,
    temperature: float = TEMPERATURE,
) -> float:
    """The hinter's reward for one hint.

    Args:
        p: share of right responses with the hint.
        n: responses with the hint, >= 1.
        mean: what :func:`mean_reliance` says of them.
        kind: "transfer_weighted_non_deg" is HiLL's default.
        gate: the gate that the hint failed, or "".
        original: the probability term of the group without a hint; 0.0 where it was all wrong.
        temperature: of the transfer weight, > 0.

    Returns:
        -0.2 if a gate failed; 0 if p is 0 or 1; else the probability term, weighted by transfer. What is positive
        although the term is no better than the original one is clamped to 0.
    """
    if gate:
        return GATE_REWARD
    term = prob_term(p, n, kind)
    if p in (0.0, 1.0) or term <= original:
        return 0.0
    if kind.startswith("transfer") and mean is not None:
        return term * transfer_weight(mean, temperature)
    return term


def best_hint(rewards: Sequence[float], terms: Sequence[float]) -> int | None:
    """Which hint's group replaces the all-wrong one: the highest reward of those whose term is positive; or None."""
    able = [i for i, term in enumerate(terms) if term > 0]
    return max(able, key=lambda i: (rewards[i], -i)) if able else None


def hint_in(text: str) -> str:
    """The hint in a hinter's response: what is in its last ``<hint>`` element, or ""."""
    return (tagged(text, "hint") or "").strip()


def gate_of(hint: str, gold: str, prompt_tokens: int = 0, max_tokens: float = inf) -> Gate:
    """The first gate that a hint fails, in their order, or "".

    Args:
        hint: what :func:`hint_in` found.
        gold: the answer that must not be told.
        prompt_tokens: tokens of the prompt with the hint.
        max_tokens: what that prompt may have.
    """
    if not hint:
        return "no hint"
    if leaks(hint, gold):
        return "leak"
    return "too long" if prompt_tokens > max_tokens else ""


def leaks(hint: str, gold: str) -> bool:
    """Whether a hint tells the answer: in a box, in a pattern that reveals a short one, or a longer one anywhere.

    >>> leaks("so it is 18.", "18"), leaks("He works 18 days.", "18"), leaks("Think of 1800 grams.", "1800")
    (True, False, True)
    """
    gold = gold.strip()
    if not gold:
        return False
    if BOX in hint and unboxed(hint).strip() == gold:
        return True
    if len(gold) > SHORT_GOLD:
        return gold.casefold() in hint.casefold()
    end = r"(?!\w|[.,]\d)"
    return re.search(rf"{_REVEALING}{re.escape(gold)}{end}", hint, re.IGNORECASE) is not None
