"""The acceptance experiment: how much of the way from seed to oracle the default evolution finds by itself."""

import gymnasium as gym
import numpy as np
import pytest

import lse_gym  # noqa: F401 - registers the ids
from lse_gym.agents.lse import LSEAgent
from lse_gym.envs.evaluation import core_env, evaluate_context

RESAMPLES = 10_000


def recover(domain: str, seed: int, rounds: int) -> tuple[float, float, float]:
    """Test-split scores of the seed context, the context of the best held-out score, and the oracle."""
    env = gym.make("LSE/TextToSQL-v1", domain=domain)
    agent = LSEAgent(env, seed=seed).learn(rounds)
    oracle = core_env(env).family.load(domain).oracle_context
    contexts = (agent.tree.nodes[0]["context"], agent.best_context, oracle or "")
    start, best, top = (evaluate_context(env, context, "test").mean for context in contexts)
    return start, best, top


def share(scores: tuple[float, float, float]) -> float:
    start, best, top = scores
    return (best - start) / (top - start)


def test_short_searches_recover_most_of_the_distance():
    shares = [share(recover(domain, 0, 10)) for domain in ("clinic-0", "hotel-0", "lab-0")]
    assert np.mean(shares) >= 2 / 3, shares


@pytest.mark.long
def test_twenty_rounds_recover_two_thirds_with_confidence(capsys):
    domains = ("clinic-0", "hotel-0", "lab-0", "clinic-1", "hotel-1")
    table = {(domain, seed): recover(domain, seed, 20) for domain in domains for seed in range(3)}
    shares = np.array([[share(table[domain, seed]) for seed in range(3)] for domain in domains])
    rng = np.random.default_rng(0)
    means = shares.mean(axis=1)[rng.integers(len(domains), size=(RESAMPLES, len(domains)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])  # domains resampled: seeds of one domain are not independent
    with capsys.disabled():
        print("\ndomain    seed  start   best  oracle  recovered")  # noqa: T201
        for (domain, seed), scores in table.items():
            print(f"{domain:9} {seed:4}  {scores[0]:.3f}  {scores[1]:.3f}  {scores[2]:.3f}   {share(scores):.3f}")  # noqa: T201
        print(f"mean recovered {shares.mean():.3f}, 95 % interval [{low:.3f}, {high:.3f}]")  # noqa: T201
    assert low >= 2 / 3
