"""The score of an entry with its interval, and which entries cannot be told apart.

All entries of a track answer the same sealed questions, so two of them are compared in pairs. Two things were drawn:
the questions, and the seeds of the runs; each adds its variance. The domains are fixed by the track.

The domains of a played entry were drawn for it alone. Nothing pairs it with another, and how far its domains are apart
says all about the variance of its score: two of them are compared by Welch's test (B. L. Welch, Biometrika 34, 1947).
"""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np

from lse_gym.envs.evaluation import Z95, student95, wilson

Scores = Mapping[str, Sequence[Sequence[float]]]  # domain -> runs x items


class Summary(NamedTuple):
    """What comparisons need of an entry's scores."""

    items: dict[str, np.ndarray]  # domain -> mean score of each item over the runs
    seeds: dict[str, float]  # domain -> variance of its mean that comes from the seeds
    drawn: bool = False  # whether the domains were drawn for this entry alone

    @property
    def mean(self) -> float:
        """Mean over domains of the mean over items."""
        return float(np.mean([items.mean() for items in self.items.values()]))


def mean(values: Sequence[float]) -> float:
    """The mean of at least one value."""
    return sum(values) / len(values)


def summarize(scores: Scores, drawn: bool = False) -> Summary:
    """Condense the scores of an entry, whose domains may have been drawn for it alone."""
    arrays = {domain: np.asarray(runs, dtype=np.float64) for domain, runs in scores.items()}
    seeds = {domain: _of_mean(array.mean(axis=1)) for domain, array in arrays.items()}
    return Summary({domain: array.mean(axis=0) for domain, array in arrays.items()}, seeds, drawn)


def interval(entry: Summary) -> tuple[float, float]:
    """95 % interval of the score: Wilson's, with as many questions as independent ones would have this variance."""
    p, n = entry.mean, sum(len(items) for items in entry.items.values())
    variance, degrees = _of_entry(entry)
    variance *= (student95(degrees) / Z95) ** 2 if degrees else 1.0
    return wilson(p, min(n, p * (1 - p) / variance) if variance > 0 and 0 < p < 1 else n)


def difference(one: Summary, other: Summary) -> tuple[float, float, float]:
    """Score of ``one`` minus that of ``other``, and its 95 % interval; in pairs where the questions are the same."""
    if one.drawn or other.drawn:
        found, n = one.mean - other.mean, min(sum(map(len, entry.items.values())) for entry in (one, other))
        half = max(_welch(_of_entry(one), _of_entry(other)), Z95 * 0.5 / n)  # never surer than half an item
        return found, found - half, found + half
    apart = {domain: items - other.items[domain] for domain, items in one.items.items()}
    found = float(np.mean([values.mean() for values in apart.values()]))
    n = sum(len(values) for values in apart.values())
    half = Z95 * sqrt(max(_variance(apart, [one.seeds, other.seeds]), 0.25 / n**2))  # never surer than half an item
    return found, found - half, found + half


def groups(ranked: Sequence[Summary]) -> list[int]:
    """The group of each entry, from 1: all that cannot be told apart from the best; then of the rest."""
    found: list[int] = []
    leader: Summary | None = None
    for entry in ranked:
        if leader is None or difference(leader, entry)[1] > 0:
            leader = entry
            found.append(found[-1] + 1 if found else 1)
        else:
            found.append(found[-1])
    return found


def area(curve: Sequence[tuple[float, float]], cap: float) -> float:
    """The best score so far, averaged over a budget: what was spent when a score was found, and the score, in order.

    Before the first one it is that one. In [0, 1], higher the sooner a run gets somewhere.

    >>> area([(50, 0.25), (100, 0.75), (150, 0.5)], 200)
    0.5
    """
    at, best, total = 0.0, curve[0][1], 0.0
    for spent, score in [*curve, (cap, 0.0)]:
        now = max(at, min(spent, cap))
        total, at, best = total + best * (now - at), now, max(best, score)
    return total / cap


def apart(claimed: Sequence[float], found: Sequence[float], z: float) -> bool:
    """Whether two means of independent scores in [0, 1] differ by more than chance at ``z`` standard deviations.

    Newcombe's interval of a difference (Statistics in Medicine 17, 1998, method 10), from Wilson's of each.
    """
    (p, low_p, high_p), (q, low_q, high_q) = ((mean(v), *wilson(mean(v), len(v), z)) for v in (claimed, found))
    below = p - q - sqrt((p - low_p) ** 2 + (high_q - q) ** 2)
    above = p - q + sqrt((high_p - p) ** 2 + (q - low_q) ** 2)
    return not below <= 0 <= above


def _of_entry(entry: Summary) -> tuple[float, int]:
    """The variance of a score by itself, and the degrees of freedom that it was estimated with; 0: it has many."""
    if entry.drawn and len(entry.items) > 1:
        return _of_mean(np.array([items.mean() for items in entry.items.values()])), len(entry.items) - 1
    return _variance(entry.items, [entry.seeds]), 0


def _welch(*each: tuple[float, int]) -> float:
    """Half the 95 % interval of a difference of two means; degrees of freedom by Satterthwaite (Biometrics 2, 1946)."""
    variance = sum(of for of, _ in each)
    few = sum(of**2 / degrees for of, degrees in each if degrees)
    return (student95(max(1, int(variance**2 / few + 1e-9))) if few else Z95) * sqrt(variance)


def _variance(items: Mapping[str, np.ndarray], seeds: Sequence[Mapping[str, float]]) -> float:
    each = [_of_mean(values) + sum(of[domain] for of in seeds) for domain, values in items.items()]
    return sum(each) / len(each) ** 2


def _of_mean(values: np.ndarray) -> float:
    return float(np.var(values, ddof=1)) / len(values) if len(values) > 1 else 0.0
