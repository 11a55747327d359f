"""Every agent on unseen domains under one budget: the sealed test score, and the share of what the oracle gains.

    python tests/benchmarks/bench_agents.py [--rounds 20] [--data-dir DIR]

Five test domains with three seeds each, 1,300 calls a run for task model and editor together; with ``--data-dir``, the
one database of a directory in BIRD's layout instead, with three seeds and splits. Intervals are 95 % bootstrap
intervals over domains, or over seeds where there is one domain.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import gymnasium as gym
import numpy as np

from lse_gym.agents import AGENTS, agent_class
from lse_gym.envs.evaluation import core_env, evaluate_context

DOMAINS = ("clinic-0", "hotel-0", "lab-0", "clinic-1", "hotel-1")
SEEDS = (0, 1, 2)
BUDGET = {"calls": 1300}


def scores(name: str, rounds: int, seed: int, **env_arguments: object) -> tuple[float, float, float]:
    """Test score of the seed context, of the best context, and of the oracle (nan where there is none)."""
    env = gym.make(env_arguments.pop("id", "LSE/TextToSQL-v0"), budget=BUDGET, **env_arguments)
    agent = agent_class(name)(env, seed=seed).learn(rounds)
    core = core_env(env)
    assert core.budget.spent.calls <= BUDGET["calls"]
    oracle = core.family.load(core.domain_name).oracle_context
    contexts = (agent.tree.nodes[0]["context"], agent.best_context, oracle)
    first, best, ceiling = (float("nan") if c is None else evaluate_context(env, c).mean for c in contexts)
    return first, best, ceiling


def interval(groups: Sequence[Sequence[float]]) -> str:
    """Mean and 95 % bootstrap interval, whole groups resampled together."""
    means = np.array([np.mean(group) for group in groups])
    rng = np.random.default_rng(0)
    resampled = means[rng.integers(len(means), size=(10_000, len(means)))].mean(axis=1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return f"{means.mean():.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    """Print one Markdown row an agent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--data-dir", type=Path)
    args = parser.parse_args()
    print("| agent | test, seed context | test, best context | share of the oracle's gain |\n|---|---|---|---|")
    for name in AGENTS:
        if args.data_dir:
            if name == "oracle":
                continue
            data = {"id": "LSE/BIRD-v0", "data_dir": str(args.data_dir)}
            results = [[scores(name, args.rounds, seed, split_seed=seed, **data)] for seed in SEEDS]
        else:
            results = [[scores(name, args.rounds, seed, domain=domain) for seed in SEEDS] for domain in DOMAINS]
        first, best = (interval([[run[i] for run in group] for group in results]) for i in (0, 1))
        gained = [[(run[1] - run[0]) / (run[2] - run[0]) for run in group] for group in results]
        print(f"| `{name}` | {first} | {best} | {'' if args.data_dir else interval(gained)} |", flush=True)


if __name__ == "__main__":
    main()
