"""A position bias, as it was measured on a language model, and what follows from one: the best order, exactly.

A model with a bias weighs what passage p says, of strength ``u_p`` (positive for the right answer, negative for a
rival), by the position j it stands at, ``a_j``, and answers right with probability ``sigma(sum_j a_j u_pi(j))``: a
logit choice. Questions are drawn so that they are hard and possible for a model with the measured bias.

As all weights are positive, the best order of a set of passages puts the strongest at the heaviest position, the second
at the second, and so on (the rearrangement inequality), and the best set of a size are the strongest; what remains is
to compare the sizes.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import exp, log

# Accuracy of GPT-3.5-Turbo with the one relevant passage at place 1, 5, 10, 15, 20 of 20: Liu et al., "Lost in the
# Middle", TACL 2024, arXiv 2307.03172, multi-document question answering.
PLACES, ACCURACIES = (0, 4 / 19, 9 / 19, 14 / 19, 1), (0.758, 0.572, 0.538, 0.554, 0.632)


def logit(probability: float) -> float:
    """Log-odds, in nats."""
    return log(probability / (1 - probability))


def sigma(log_odds: float) -> float:
    """The inverse of :func:`logit`."""
    return 1 / (1 + exp(-log_odds))


UNIT = logit(ACCURACIES[0])  # strength of a passage that gives these accuracies, alone among irrelevant ones


@lru_cache(maxsize=256)
def position_weights(passages: int) -> tuple[float, ...]:
    """How much each of ``passages`` positions counts, the first being 1: log-odds over those of the first place.

    >>> [round(weight, 2) for weight in position_weights(5)]
    [1.0, 0.24, 0.14, 0.2, 0.47]
    """
    weights = [logit(accuracy) / UNIT for accuracy in ACCURACIES]
    return tuple(_between(weights, j / max(1, passages - 1)) for j in range(passages))


def _between(values: Sequence[float], place: float) -> float:
    """Linear interpolation of ``values`` at ``PLACES``."""
    right = next(i for i, known in enumerate(PLACES) if place <= known + 1e-12)
    if right == 0:
        return values[0]
    share = (place - PLACES[right - 1]) / (PLACES[right] - PLACES[right - 1])
    return values[right - 1] + share * (values[right] - values[right - 1])


Weights = Callable[[int], Sequence[float]]


def evidence(order: Sequence[int], utilities: Sequence[float], weights: Weights = position_weights) -> float:
    """``sum_j a_j u_pi(j)``: log-odds of the right answer, in nats."""
    return sum(a * utilities[p] for a, p in zip(weights(len(order)), order, strict=True))


def best_order(utilities: Sequence[float], weights: Weights = position_weights) -> list[int]:
    """The order of passages, some of them left out, with the largest :func:`evidence`; ``weights`` are positive.

    >>> best_order([1.0, -2.0, 3.0, 2.0])
    [2, 0, 3]
    """
    strongest = sorted(range(len(utilities)), key=lambda p: -utilities[p])
    orders = [place(strongest[:size], weights(size)) for size in range(len(utilities) + 1)]
    return max(orders, key=lambda order: evidence(order, utilities, weights))


def place(strongest: Sequence[int], weights: Sequence[float]) -> list[int]:
    """Put passages, the strongest first, at positions, the heaviest first."""
    order = [*strongest]
    for position, passage in zip(sorted(range(len(weights)), key=lambda j: -weights[j]), strongest, strict=True):
        order[position] = passage
    return order
