"""Other rewards over the same improvement: post-edit score, potential with discount, penalties for length and cost."""

from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from lse_gym.envs.core import Info, Observation
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.evaluation import core_env


class PostEditScore(gym.Wrapper, RecordConstructorArgs):
    """The reward is the held-out score after the edit, in [0, 1], instead of the improvement (the ablation of LSE).

    Args:
        env: an env of the namespace ``LSE``.
    """

    def __init__(self, env: gym.Env):
        RecordConstructorArgs.__init__(self)
        gym.Wrapper.__init__(self, env)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Info]:
        """Step the env; 0 where the edit was not evaluated."""
        observation, _, terminated, truncated, info = self.env.step(action)
        score = info["held_out_score"] if info["evaluated"] else 0.0
        return observation, float(score), terminated, truncated, info


class PotentialReward(gym.Wrapper, RecordConstructorArgs):
    """The reward is ``gamma * score_after - score_before``: potential-based, so the best policy stays the best.

    Source: Ng, Harada and Russell, ICML 1999. With ``gamma=1`` it is the improvement.

    Args:
        env: an env of the namespace ``LSE``.
        gamma: discount, in (0, 1].
    """

    def __init__(self, env: gym.Env, gamma: float = 0.99):
        RecordConstructorArgs.__init__(self, gamma=gamma)
        gym.Wrapper.__init__(self, env)
        if not 0 < gamma <= 1:
            raise ArgumentError(f"gamma={gamma} is not in (0, 1]. Pass e.g. gamma=0.99.")
        self.gamma = gamma

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Info]:
        """Step the env; 0 where the edit was not evaluated."""
        observation, _, terminated, truncated, info = self.env.step(action)
        if not info["evaluated"]:
            return observation, 0.0, terminated, truncated, info
        after = info["held_out_score"]
        before = after - info["improvement"]
        return observation, float(self.gamma * after - before), terminated, truncated, info


class Penalty(gym.Wrapper, RecordConstructorArgs):
    """Takes from the reward what an edit makes the context longer, and what its evaluation costs.

    Args:
        env: an env of the namespace ``LSE``.
        per_1000_chars: for every 1,000 characters that the context grows; shrinking is rewarded alike.
        per_usd: for every US dollar that task model and editor cost since the last step.
    """

    def __init__(self, env: gym.Env, per_1000_chars: float = 0.0, per_usd: float = 0.0):
        RecordConstructorArgs.__init__(self, per_1000_chars=per_1000_chars, per_usd=per_usd)
        gym.Wrapper.__init__(self, env)
        for name, value in {"per_1000_chars": per_1000_chars, "per_usd": per_usd}.items():
            if not value >= 0:
                raise ArgumentError(f"{name}={value} is negative. Pass how much of the reward to take.")
        self.per_1000_chars, self.per_usd = per_1000_chars, per_usd
        self._chars = 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Reset the env."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._chars = info["context_chars"]
        return observation, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Info]:
        """Step the env; ``info["penalty"]`` tells what was taken."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        penalty = 0.0
        if info["evaluated"]:
            grown = info["context_chars"] - self._chars
            self._chars = info["context_chars"]
            penalty = self.per_1000_chars * grown / 1000 + self.per_usd * (info["usd"] + info["editor_usd"])
        info["penalty"] = penalty
        return observation, float(reward) - penalty, terminated, truncated, info


class RollbackToBest(gym.Wrapper, RecordConstructorArgs):
    """After an edit that makes things worse, the episode goes on from the best context so far.

    The reward stays that of the edit; ``info["rolled_back"]`` is 1.0 where the context was put back. Going back is
    free: the best context has been paid for.

    Args:
        env: an env of the namespace ``LSE``.
    """

    def __init__(self, env: gym.Env):
        RecordConstructorArgs.__init__(self)
        gym.Wrapper.__init__(self, env)
        self._best: tuple[float, str, int] = (float("-inf"), "", 0)
        self._edits = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Reset the env."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._best = (info["held_out_score"], observation["context"], int(info["batch"]))
        self._edits = 0
        return observation, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Info]:
        """Step the env, and go back if the score fell below the best."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        info["rolled_back"] = 0.0
        if truncated:
            return observation, float(reward), terminated, truncated, info
        self._edits += 1  # the env counts anew after every way back
        info["edits"], terminated = float(self._edits), self._edits >= core_env(self).max_edits
        if not info["evaluated"]:
            return observation, float(reward), terminated, truncated, info
        score = info["held_out_score"]
        if score >= self._best[0]:
            self._best = (score, observation["context"], int(info["batch"]))
        elif not (terminated or truncated):
            _, context, batch = self._best
            observation, _ = self.env.reset(options={"context": context, "batch": batch})
            info["rolled_back"] = 1.0
        return observation, float(reward), terminated, truncated, info
