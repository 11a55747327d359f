"""Keep what an env went through, as an archive that other envs start from."""

import json
import os
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from lse_gym.envs.core import Info
from lse_gym.envs.evaluation import core_env


class RecordTrajectory(gym.Wrapper, RecordConstructorArgs):
    """Appends a JSON line for every reset and step; the file serves as ``start`` of an env.

    A line holds domain, context, reward, scores and what was spent so far. Lines are written as they happen, whole, so
    that a kill costs none but the last.

    Args:
        env: an env of the namespace ``LSE``, wrapped or not.
        path: the file; what is in it stays.
    """

    def __init__(self, env: gym.Env, path: str | os.PathLike[str]):
        RecordConstructorArgs.__init__(self, path=os.fspath(path))
        gym.Wrapper.__init__(self, env)
        self._path, self._episode = Path(path), -1

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Info]:
        """Reset the env, and begin an episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._episode += 1
        self._write(info, 0.0)
        return observation, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Info]:
        """Step the env."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._write(info, float(reward))
        return observation, float(reward), terminated, truncated, info

    def _write(self, info: Info, reward: float) -> None:
        core = core_env(self.env)
        row = {
            "episode": self._episode,
            "domain": info["domain"],
            "context": core.context,
            "reward": reward,
            **{name: info[name] for name in ("held_out_score", "improvement", "evaluated", "problem")},
            "spent": core.budget.spent._asdict(),
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
