"""Passage order: how near each way of learning comes to the known optimum, on unseen questions.

    python tests/benchmarks/bench_passages.py

Prints a table: the chance of a right answer to an unseen wording, as a share of that of the best order, and what it
took. Minutes on one core, nearly all of them PPO's.
"""

import time
from collections.abc import Callable
from math import sqrt

import gymnasium as gym
import numpy as np

from lse_gym.agents import agent_class
from lse_gym.envs.evaluation import core_env, student95
from lse_gym.envs.passages.domain import PassageDomain, PassageFamily

ID = "LSE/PassageOrder-v1"
DOMAINS = [f"{topic}-{seed}" for seed in (1, 2) for topic in ("mill", "museum", "harbour")]
PPO_STEPS = 6144
# Learning rates were chosen by a look at mill-0, which is not among the domains; most else is the default of SB3.
PPO_SETTINGS = {
    "priorities": {"learning_rate": 3e-3},
    "positions": {"learning_rate": 1e-3, "ent_coef": 0.005},
}


def share(domain: PassageDomain, context: str) -> float:
    """The chance of a right answer with a context, as a share of that with the best order."""
    assert domain.oracle_context is not None
    return domain.chance(context) / domain.chance(domain.oracle_context)


def trained_by_ppo(domain: str, actions: str, total_timesteps: int = PPO_STEPS, seed: int = 0) -> tuple[str, float]:
    """The context that a policy trained on single edits chooses, and the held-out score as a share of the optimum."""
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env

    torch.set_num_threads(1)
    options = {"domain": domain, "actions": actions, "max_edits": 1}
    envs = make_vec_env(lambda: gym.make(ID, **options), n_envs=8, seed=seed)
    settings = {"n_steps": 32, "batch_size": 64, "policy_kwargs": {"net_arch": [64]}, **PPO_SETTINGS[actions]}
    model = PPO("MlpPolicy", envs, seed=seed, device="cpu", **settings).learn(total_timesteps)
    env = gym.make(ID, **options)
    observation, _ = env.reset(seed=seed)
    action, _ = model.predict(observation, deterministic=True)
    info = env.step(action)[-1]
    return core_env(env).context, info["held_out_score"] / info["optimum"]


def searched(agent: str, edits: int, **arguments: object) -> Callable[[str], str]:
    """The best context that an agent finds in so many edits."""
    return lambda domain: agent_class(agent)(gym.make(ID, domain=domain), seed=0, **arguments).learn(edits).best_context


def main() -> None:
    """Print the table."""
    contestants: dict[str, tuple[int, Callable[[str], str]]] = {
        "seed context (the retriever's order)": (0, searched("no-op", 0)),
        "`random`": (50, searched("random", 50)),
        "`hill-climb`": (50, searched("hill-climb", 50)),
        "best of 8 rotations": (7, searched("moi", 7)),
        "`moi`, 8 permutations and the order estimated from them": (8, searched("moi", 8)),
        "`moi`, 12 more": (20, searched("moi", 20)),
        "PPO, `priorities` (Box)": (PPO_STEPS, lambda domain: trained_by_ppo(domain, "priorities")[0]),
        "PPO, `positions` (MultiDiscrete)": (PPO_STEPS, lambda domain: trained_by_ppo(domain, "positions")[0]),
    }
    print(f"{len(DOMAINS)} domains: {', '.join(DOMAINS)}; means with 95 % intervals over domains\n")
    print("| | edits | share of the optimum | worst domain | seconds a domain |\n|---|---|---|---|---|")
    for name, (edits, find) in contestants.items():
        began = time.perf_counter()
        shares = [share(loaded, find(loaded.name)) for loaded in _loaded()]
        seconds = (time.perf_counter() - began) / len(DOMAINS)
        mean, half = np.mean(shares), student95(len(shares) - 1) * np.std(shares, ddof=1) / sqrt(len(shares))
        cells = f"{mean:.3f} ({mean - half:.3f} to {mean + half:.3f}) | {min(shares):.3f} | {seconds:.1f}"
        print(f"| {name} | {edits} | {cells} |", flush=True)


def _loaded() -> list[PassageDomain]:
    family = PassageFamily()
    return [family.load(name) for name in DOMAINS]


if __name__ == "__main__":
    main()
