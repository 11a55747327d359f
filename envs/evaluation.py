"""Scores of a context with confidence intervals: the one place that reads the test split."""

from collections.abc import Sequence
from math import pi, sqrt, tan
from typing import NamedTuple

import gymnasium as gym
import numpy as np

from lse_gym.envs.budget import Budget, Usage
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.domain import SPLITS, Split
from lse_gym.envs.errors import unknown

Z95 = 1.959964  # 97.5 % quantile of the normal distribution
RESAMPLES = 10_000


class Score(NamedTuple):
    """A mean score in [0, 1] over ``n`` questions, its 95 % interval, and the score of each question."""

    mean: float
    ci95: tuple[float, float]
    n: int
    scores: np.ndarray


def evaluate_context(env: gym.Env, context: str, split: Split = "test", domain: str | None = None) -> Score:
    """Score a context on a whole split with the env's task model; the env's budget and state are not touched.

    Args:
        env: an env of the namespace ``LSE``, wrapped or not.
        context: the context.
        split: "feedback", "held_out" or "test".
        domain: name of a domain; by default that of the running episode, else the first one.
    """
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    core = core_env(env)
    session, found = core.session.isolated(), core.family.load(domain or core.domain_name)
    return score_of(session.run([session.evaluate(found, context, found.splits[split])])[0].scores)


def final_scores(env: gym.Env, contexts: Sequence[str]) -> tuple[list[Score], Usage, int]:
    """Score contexts on the test split of the running episode's domain, under a budget of its own.

    The test is no part of the search, so the env's budget does not pay it. Its own hard cap is what it has to cost: one
    attempt, of at most ``max_turns`` calls, for every test question, sample and distinct context.

    Returns:
        The scores, what they have cost, and the cap on calls.
    """
    core, cap = core_env(env), cap_of_test(env, contexts)
    session = core.session.isolated(Budget({"calls": cap}))
    found = session.test(core.family.load(core.domain_name), contexts)
    return [*map(score_of, found)], session.budget.spent, cap


def cap_of_test(env: gym.Env, contexts: Sequence[str]) -> int:
    """The most calls that :func:`final_scores` may take."""
    core = core_env(env)
    domain = core.family.load(core.domain_name)
    return len(set(contexts)) * len(domain.splits["test"]) * core.session.samples * domain.max_turns


def score_of(scores: np.ndarray) -> Score:
    """The mean of the scores of single questions, with its interval."""
    return Score(float(scores.mean()), wilson(float(scores.mean()), len(scores)), len(scores), scores)


def core_env(env: gym.Env) -> ContextEnv:
    """The core env inside ``env``; TypeError where it is not one of this package."""
    core = env.unwrapped
    if not isinstance(core, ContextEnv):
        raise TypeError(f"{env} has no context of the namespace LSE. Make one with gym.make('LSE/TextToSQL-v1').")
    return core


def wilson(mean: float, n: float, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval for a mean of ``n`` scores in [0, 1] (E. B. Wilson, JASA 22, 1927); of 95 % by default.

    Exact in spirit for right-or-wrong scores, conservative for scores in between.
    """
    if n == 0:
        return 0.0, 1.0
    centre = (mean + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * sqrt(mean * (1 - mean) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def student95(degrees: int) -> float:
    """97.5 % quantile of Student's t: exact for 1 and 2 degrees of freedom, else to 0.2 % (Abramowitz & Stegun 26.7.5).

    >>> [round(student95(n), 2) for n in (1, 2, 9, 14)]
    [12.71, 4.3, 2.26, 2.14]
    """
    if degrees == 1:
        return tan(pi * 0.475)
    if degrees == 2:
        return 0.95 * sqrt(2 / (1 - 0.95**2))
    z, n = Z95, degrees
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / n ** (i + 1) for i, term in enumerate(terms))


def paired_interval(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of ``after - before``, pairs resampled together; shapes (n,)."""
    differences = np.asarray(after) - np.asarray(before)
    rng = np.random.default_rng(np.random.SeedSequence([0, len(differences)]))
    means = differences[rng.integers(len(differences), size=(RESAMPLES, len(differences)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
