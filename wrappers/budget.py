"""A budget of each episode, beside the env's own for its whole life."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs

from lse_gym.envs.budget import Budget, Usage
from lse_gym.envs.core import Info, Observation
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.evaluation import core_env


class EpisodeBudget(gym.Wrapper, RecordConstructorArgs):
    """Caps what one episode may use; every reset refills it, but never beyond what is left of the env's own budget.

    It is as hard as the env's: the evaluation at the start counts, an evaluation that cannot be paid whole is not
    begun, and the episode is truncated. ``observation["remaining_budget"]`` is what is left of the scarcer of the two.

    Args:
        env: an env of the namespace ``LSE``, not wrapped in anything that changes observations.
        caps: resource to cap, as the env's ``budget``: e.g. ``{"calls": 600}``.

    Raises:
        ArgumentError: the env has such a budget already; of two, one would lift the caps of the other.
    """

    def __init__(self, env: gym.Env, caps: dict[str, float]):
        inner = env
        while isinstance(inner, gym.Wrapper):
            if isinstance(inner, EpisodeBudget):
                raise ArgumentError("the env has an EpisodeBudget already. Pass all caps to one, each the tightest.")
            inner = inner.env
        RecordConstructorArgs.__init__(self, caps=caps)
        gym.Wrapper.__init__(self, env)
        self._core = core_env(env)
        self._whole, self._episode = self._core.budget.caps, Budget(caps)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Start an episode with a full budget."""
        self._before = self._core.budget.spent
        ends = self._before.plus(self._episode.caps)
        self._core.budget.caps = Usage(*map(min, self._whole, ends))
        observation, info = self.env.reset(seed=seed, options=options)
        return self._see(observation), info

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, Info]:
        """Step the env; truncated where the episode cannot pay."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return self._see(observation), float(reward), terminated, truncated, info

    def _see(self, observation: Observation) -> Observation:
        budget, whole = self._core.budget, Budget()
        whole.caps, whole.spent = self._whole, budget.spent
        self._episode.spent = budget.spent.minus(self._before)
        return {**observation, "remaining_budget": np.minimum(whole.fractions(), self._episode.fractions())}
