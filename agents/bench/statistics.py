"""Means and intervals over domains: the domain is what a result must carry over to, so it is the unit.

Where there is one domain only, its seeds are the unit, and the result says nothing about other domains.
"""

from collections.abc import Callable, Sequence
from math import isfinite, sqrt
from typing import NamedTuple

import numpy as np

from lse_gym.agents.bench.result import Result
from lse_gym.envs.errors import DataError
from lse_gym.envs.evaluation import student95

Domain = tuple[str, str]  # env id and name


class Estimate(NamedTuple):
    """A mean over domains, or over the seeds of one, with its 95 % interval; and of how many domains and runs."""

    mean: float
    low: float
    high: float
    domains: int
    runs: int

    def __str__(self) -> str:
        """The mean with its interval, which one run alone does not have."""
        return f"{self.mean:.3f} ({self.low:.3f} to {self.high:.3f})" if isfinite(self.high) else f"{self.mean:.3f}"

    def within(self, low: float, high: float) -> "Estimate":
        """With the interval cut to what is possible, say a score's [0, 1]: its coverage loses nothing by that.

        One run alone has none to cut.
        """
        return self if not isfinite(self.high) else self._replace(low=max(low, self.low), high=min(high, self.high))

    @property
    def is_zero(self) -> bool:
        """Whether the interval contains zero: not distinguishable from no difference."""
        return self.low <= 0.0 <= self.high


def estimate(results: Sequence[Result], value: Callable[[Result], float]) -> Estimate:
    """The mean of ``value``: over the seeds of a domain first, then over domains, with Student's 95 % interval."""
    groups: dict[Domain, list[float]] = {}
    for result in results:
        groups.setdefault((result.env, result.domain), []).append(value(result))
    return over_domains([*groups.values()])


def estimate_score(results: Sequence[Result], value: Callable[[Result], float]) -> Estimate:
    """As :func:`estimate` for a score, which is nowhere but in [0, 1]."""
    return estimate(results, value).within(0.0, 1.0)


def paired(results: Sequence[Result], reference: Sequence[Result]) -> Estimate:
    """The mean difference in gain to ``reference`` on the domains and seeds that both have.

    Raises:
        DataError: they have no run in common, or the test questions of a common one are not the same.
    """
    others = {(r.env, r.domain, r.seed): r for r in reference}
    pairs = [(r, others[r.env, r.domain, r.seed]) for r in results if (r.env, r.domain, r.seed) in others]
    if not pairs:
        raise DataError("the results have no domain and seed in common. Run both with the same grid.")
    groups: dict[Domain, list[float]] = {}
    for one, other in pairs:
        if len(one.test_scores_best) != len(other.test_scores_best):
            raise DataError(f"{one.domain!r} was scored on other test questions by {one.label!r} and {other.label!r}.")
        groups.setdefault((one.env, one.domain), []).append(one.gain - other.gain)
    return over_domains([*groups.values()])


def over_domains(groups: Sequence[Sequence[float]]) -> Estimate:
    """The mean of the means of several groups, or of the values of one, with Student's 95 % interval."""
    units = [float(np.mean(group)) for group in groups] if len(groups) > 1 else groups[0]
    n, mean = len(units), float(np.mean(units))
    half = student95(n - 1) * float(np.std(units, ddof=1)) / sqrt(n) if n > 1 else float("inf")
    return Estimate(mean, mean - half, mean + half, len(groups), sum(map(len, groups)))
