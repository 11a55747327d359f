"""MOI: passage order as an intervention. What each line is worth, apart from where it stands, is estimated from a few
orders, and the lines are put in order by it.

Source: the idea is that of arXiv 2412.10684 (utility and position bias, estimated from several permutations); the
estimator, alternating least squares on log-odds, is ours, as the exact one is not published.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from lse_gym.agents.search import SearchAgent, SearchArgs
from lse_gym.envs.arguments import Range
from lse_gym.envs.core import Observation
from lse_gym.envs.passages.bias import best_order, logit, place

SWEEPS = 20  # of the alternating least squares; it converges in a few
SHARPEST = 0.02  # scores are moved this far from 0 and 1 before they become log-odds


@dataclass(frozen=True)
class Args(SearchArgs):
    """Arguments of MOI."""

    permutations: Annotated[int, Range(2, 10_000)] = 8
    """orders that are tried before the estimate, the first being the seed context's"""
    ridge: Annotated[float, Range(1e-9, 1e6)] = 0.02
    """pull of the utilities towards 0, relative to the squared length of the position weights"""
    prior_weight: Annotated[float, Range(1e-9, 1e6)] = 1.0
    """pull of the position weights towards a U shape"""
    noise: Annotated[float, Range(0, 1e6)] = 0.3
    """spread of what is added to the utilities, in nats, once the best order has been tried"""


class MOIAgent(SearchAgent):
    """MOI: tries rotations of the context's lines, estimates their worth apart from their place, and sorts.

    Any context is taken as a list of lines; only where they are alike, as in ``LSE/PassageOrder-v1``, is it of use.

    Args:
        env: an env of the namespace ``LSE``.
        args: see :class:`Args`.
    """

    name = "moi"
    selection = "best"
    Args = Args
    args: Any

    def edit(self, observation: Observation, step: int, deterministic: bool = False) -> str:
        """A rotation at first, then the order by estimated utilities, then ones near it."""
        del deterministic
        nodes = self.tree.nodes
        lines = (nodes[0]["context"] if nodes else observation["context"]).split("\n")
        if len(lines) < 2:
            return observation["context"]
        rng = np.random.default_rng(np.random.SeedSequence([self.args.seed, step]))
        if step < self.args.permutations - 1:
            return "\n".join(_rotation(lines, step + 1, self.args.permutations, rng))
        utilities, weights = self._estimate(lines)
        tried = {node["context"] for node in nodes}
        order = _sorted(utilities, weights)
        for _ in range(100):
            if "\n".join(lines[p] for p in order) not in tried:
                break
            order = _sorted(utilities + rng.normal(0, self.args.noise, len(lines)), weights)
        return "\n".join(lines[p] for p in order)

    def _estimate(self, lines: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Utilities and position weights, both of shape (lines,), from every context scored so far."""
        number = {line: p for p, line in enumerate(lines)}
        orders = [[number[line] for line in node["context"].split("\n") if line in number] for node in self.tree.nodes]
        scores = log_odds([node["performance"] for node in self.tree.nodes])
        return decompose(orders, scores, len(lines), self.args.ridge, self.args.prior_weight)


def log_odds(scores: Sequence[float]) -> np.ndarray:
    """Scores in [0, 1] as log-odds, shape (scores,)."""
    return np.array([logit(min(max(score, SHARPEST), 1 - SHARPEST)) for score in scores])


def arranged(chosen: Sequence[int], tried: Sequence[Sequence[int]], scores: Sequence[float], count: int) -> list[int]:
    """Some of ``count`` items in an order by what was tried: the worthiest, apart from its place, where most is seen.

    Args:
        chosen: numbers of the items to put in order.
        tried: items by position, one list for each score; each may have other items.
        scores: in [0, 1].
        count: number of items.
    """
    values = log_odds(scores)
    utilities, weights = decompose(tried, values - values.mean(), count, Args.ridge, Args.prior_weight)
    strongest = sorted(chosen, key=lambda item: -utilities[item])
    return place(strongest, _stretched(weights, len(chosen)).tolist())


def _rotation(lines: Sequence[str], index: int, count: int, rng: np.random.Generator) -> list[str]:
    """The ``index``-th of ``count`` rotations, as far apart as they can be; a random order where they run out."""
    if index >= len(lines):
        return [lines[int(p)] for p in rng.permutation(len(lines))]
    shift = index * max(1, len(lines) // count)
    return [*lines[shift:], *lines[:shift]]


def _sorted(utilities: np.ndarray, weights: np.ndarray) -> list[int]:
    return best_order(utilities.tolist(), lambda size: _stretched(weights, size).tolist())


def u_shape(size: int) -> np.ndarray:
    """A guess at the position weights, summing to 1: falling from the first, rising a little to the last."""
    places = np.arange(size)
    weights = np.maximum(1 / (places + 1), 0.5 / (size - places))
    return weights / weights.sum()


def _stretched(weights: np.ndarray, size: int) -> np.ndarray:
    """Position weights for another number of lines, by relative place."""
    return np.interp(np.linspace(0, 1, size), np.linspace(0, 1, len(weights)), weights) if size > 1 else weights[:size]


def decompose(
    orders: Sequence[Sequence[int]], values: np.ndarray, count: int, ridge: float = 0.02, prior_weight: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Alternating least squares for ``values[n] = sum_j a_j u_orders[n][j]``; ``a`` sums to 1.

    Complete orders alone tell neither the sign nor the size of the spread of ``a`` apart from those of ``u``: what
    settles them is the prior, that the first and the last position count most.

    Args:
        orders: the items of each observation by position, of ``count`` items; some may be left out.
        values: shape (observations,).
        count: number of items.
        ridge: pull of ``u`` towards 0.
        prior_weight: pull of ``a`` towards :func:`u_shape`.

    Returns:
        ``u`` and ``a``, both of shape (count,).
    """
    prior = u_shape(count)
    weights = prior.copy()
    utilities = np.zeros(count)
    # where[n, j, p]: how much position j of the full length counts for item p in observation n
    where = np.zeros((len(orders), count, count))
    for n, order in enumerate(orders):
        where[n][:, list(order)] = np.array([_stretched(row, len(order)) for row in np.eye(count)])
    scale = float(values @ values) / max(1, len(values)) + 1e-9
    for _ in range(SWEEPS):
        design = np.einsum("j,njp->np", weights, where)
        utilities = _ridge(design, values, np.zeros(count), ridge * float(weights @ weights))
        design = np.einsum("p,njp->nj", utilities, where)
        weights = np.maximum(_ridge(design, values, prior, prior_weight * scale * count**2), 1e-3)
        weights /= weights.sum()
    return utilities, weights


def _ridge(design: np.ndarray, values: np.ndarray, centre: np.ndarray, pull: float) -> np.ndarray:
    """``x`` that minimises ``|design x - values|^2 + pull |x - centre|^2``."""
    system = design.T @ design + pull * np.eye(design.shape[1])
    return np.linalg.solve(system, design.T @ values + pull * centre)
