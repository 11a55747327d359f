"""Algorithms of Stable-Baselines3 with settings tuned on the menu env, apart from them so that they load at once."""

from typing import Any, NamedTuple


class Algorithm(NamedTuple):
    """Where an algorithm comes from, and its settings; the policy is an MLP."""

    module: str
    name: str
    settings: dict[str, Any]
    masks: bool = False


_ON_POLICY = {
    "learning_rate": 1e-3,
    "n_steps": 40,  # four episodes of ten edits in each env
    "batch_size": 80,
    "n_epochs": 8,
    "gamma": 1.0,  # the improvements of an episode add up to the whole improvement
    "gae_lambda": 0.9,
    "ent_coef": 0.005,
    "policy_kwargs": {"net_arch": [64, 64]},
}

ALGORITHMS = {
    "ppo": Algorithm("stable_baselines3", "PPO", _ON_POLICY),
    "maskable-ppo": Algorithm("sb3_contrib", "MaskablePPO", _ON_POLICY, masks=True),
    "dqn": Algorithm(
        "stable_baselines3",
        "DQN",
        {
            "learning_rate": 1e-3,
            "buffer_size": 50_000,
            "learning_starts": 500,
            "batch_size": 256,
            "gamma": 0.8,
            "train_freq": 1,
            "gradient_steps": 8,
            "target_update_interval": 1000,
            "exploration_fraction": 0.5,
            "exploration_final_eps": 0.1,
            "policy_kwargs": {"net_arch": [128, 128]},
        },
    ),
}
