"""How much a model's answers depend on the order of the passages."""

from itertools import combinations

import gymnasium as gym
import numpy as np

from lse_gym.envs.domain import SPLITS, Split
from lse_gym.envs.errors import ArgumentError, unknown
from lse_gym.envs.evaluation import RESAMPLES, core_env
from lse_gym.envs.passages.domain import PassageDomain
from lse_gym.envs.passages.prompt import render_order


def order_consistency(
    env: gym.Env, context: str | None = None, *, orders: int = 8, split: Split = "test", seed: int = 0
) -> tuple[float, tuple[float, float]]:
    """Answer consistency: the share of pairs of orders that get the same answer, mean over the questions of a split.

    The env's budget and state are not touched. 1.0 means that order does not matter; two answers drawn at random would
    agree in half of the pairs.

    Args:
        env: an env of ``LSE/PassageOrder-v1``, wrapped or not.
        context: the passages to put into other orders; by default all of them.
        orders: random orders, >= 2.
        split: "feedback", "held_out" or "test".
        seed: of the orders.

    Returns:
        The consistency in [0, 1], and its 95 % bootstrap interval over questions.
    """
    core = core_env(env)
    domain = core.family.load(core.domain_name)
    if not isinstance(domain, PassageDomain):
        raise ArgumentError(f"{env} has no passages. Make the env with gym.make('LSE/PassageOrder-v1').")
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    if orders < 2:
        raise ArgumentError(f"orders={orders} is not an int >= 2. Pass e.g. orders=8.")
    rng = np.random.default_rng(np.random.SeedSequence([seed, orders]))
    shown = domain.order(domain.seed_context if context is None else context)
    contexts = [render_order([int(p) for p in rng.permutation(shown)], domain.passages) for _ in range(orders)]
    session = core.session.isolated(samples=1)
    tasks = [session.evaluate(domain, text, domain.splits[split]) for text in contexts]
    answers = np.array([[o.answer for o in evaluation.outcomes] for evaluation in session.run(tasks)])
    agreed = np.mean([answers[i] == answers[j] for i, j in combinations(range(orders), 2)], axis=0)
    means = agreed[rng.integers(len(agreed), size=(RESAMPLES, len(agreed)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(agreed.mean()), (float(low), float(high))
