"""Train a policy of Stable-Baselines3 to choose edits from a menu."""

import json
import os
import time
from collections import deque
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from lse_gym.agents.sb3.settings import ALGORITHMS
from lse_gym.envs.arguments import Count, Seed, checked
from lse_gym.envs.errors import unknown
from lse_gym.envs.extras import require


def algorithm_class(name: str) -> Any:
    """The class of an algorithm.

    Raises:
        UnknownNameError: there is no such algorithm.
        MissingExtraError: its package is not installed.
    """
    if name not in ALGORITHMS:
        raise unknown("algorithm", name, ALGORITHMS)
    algorithm = ALGORITHMS[name]
    require(algorithm.module, "rl", f"The algorithm {name!r}")
    return getattr(import_module(algorithm.module), algorithm.name)


@checked
def train_policy(
    algorithm: str,
    out: str | os.PathLike[str],
    *,
    env: str = "LSE/TextToSQL-v1",
    total_timesteps: Count = 10_000,
    num_envs: Count = 8,
    seed: Seed = 0,
    editor: str = "writer",
    on_progress: Callable[[int, float], None] | None = None,
    verbose: int = 0,
    **options: Any,
) -> Any:
    """Train on the batched vector env and write ``out/policy.zip`` and ``out/metrics.jsonl``; returns the model.

    Args:
        algorithm: "ppo", "maskable-ppo" or "dqn", with the settings of :data:`ALGORITHMS`.
        out: the directory to write.
        env: id of the env; its default domains are the training domains.
        total_timesteps: edits to make, over all sub-envs.
        num_envs: sub-envs; their evaluations are one model batch a step.
        seed: of the policy and of the envs.
        editor: the model that proposes the edits.
        on_progress: called with the edits so far and the mean improvement of the last 20 episodes.
        verbose: as in Stable-Baselines3: with 1 each update prints a table.
        options: further arguments of the env.
    """
    kind = algorithm_class(algorithm)
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.vec_env import VecMonitor

    from lse_gym.agents.sb3.vec_env import MenuVecEnv
    from lse_gym.wrappers import Menu

    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    envs = VecMonitor(MenuVecEnv(env, num_envs, Menu(editor), **options))
    model = kind("MlpPolicy", envs, seed=seed, device="cpu", verbose=verbose, **ALGORITHMS[algorithm].settings)
    recent: deque[float] = deque(maxlen=20)
    began = time.monotonic()

    class Curve(BaseCallback):
        def _on_step(self) -> bool:
            for info in self.locals["infos"]:
                if "episode" in info:
                    recent.append(float(info["episode"]["r"]))
                    seconds = round(time.monotonic() - began, 1)
                    row = {"step": self.num_timesteps, "improvement": recent[-1], "seconds": seconds}
                    metrics.write(json.dumps(row) + "\n")
                    metrics.flush()
                    if on_progress:
                        on_progress(self.num_timesteps, float(np.mean(recent)))
            return True

    with (out / "metrics.jsonl").open("w", encoding="utf-8") as metrics:
        model.learn(total_timesteps, callback=Curve())
    model.save(out / "policy.zip")
    return model
