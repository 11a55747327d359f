"""Curricula over domains: train more where edits make a difference."""

from collections import deque
from typing import Any, Literal

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.utils.seeding import np_random

from lse_gym.envs.core import Info, Observation
from lse_gym.envs.errors import ArgumentError, unknown
from lse_gym.envs.evaluation import core_env

Method = Literal["sec", "dump"]
METHODS: tuple[Method, ...] = ("sec", "dump")
WINDOW = 300  # rewards kept of each domain (DUMP, released code)
DUMP_TEMPERATURE = 0.1  # of its softmax (DUMP, released code)


class Curriculum(gym.Wrapper, RecordConstructorArgs):
    """Draws the domain of each episode by how large the rewards in it are, in absolute value (SEC, DUMP).

    * ``sec``: value ``Q <- alpha |r| + (1 - alpha) Q``, softmax of ``Q / temperature`` (SEC, arXiv 2505.14970).
    * ``dump``: upper confidence ``mean |r| + sqrt(2 ln(N + 1) / (n + 1))`` over the last 300 rewards of each domain,
      softmax with temperature 0.1 (DUMP, its released code).

    ``info["curriculum"]`` holds the probabilities, float64 of shape (domains,), in the order of the env's domains. A
    reset that names a domain or a context is passed on as it is.

    Args:
        env: an env of the namespace ``LSE`` with several domains.
        method: "sec" or "dump".
        alpha: step size of SEC, in (0, 1].
        temperature: of SEC's softmax, > 0.
    """

    def __init__(self, env: gym.Env, method: Method = "sec", alpha: float = 0.5, temperature: float = 0.1):
        RecordConstructorArgs.__init__(self, method=method, alpha=alpha, temperature=temperature)
        gym.Wrapper.__init__(self, env)
        if method not in METHODS:
            raise unknown("curriculum", method, METHODS)
        if not (0 < alpha <= 1 and temperature > 0):
            raise ArgumentError(f"alpha={alpha} is not in (0, 1], or temperature={temperature} is not > 0.")
        self.method, self.alpha, self.temperature = method, alpha, temperature
        self.domains = list(core_env(env).domains)
        self._value = np.zeros(len(self.domains))
        self._recent: list[deque[float]] = [deque(maxlen=WINDOW) for _ in self.domains]
        self._count = np.zeros(len(self.domains))
        self._at: int | None = None
        self._rng: np.random.Generator | None = None

    def probabilities(self) -> np.ndarray:
        """The probability of every domain."""
        if self.method == "sec":
            scores = self._value / self.temperature
        else:
            mean = np.array([np.mean(recent) if recent else 0.0 for recent in self._recent])
            bonus = np.sqrt(2 * np.log(self._count.sum() + 1) / (self._count + 1))
            scores = (mean + bonus) / DUMP_TEMPERATURE
        weights = np.exp(scores - scores.max())
        return weights / weights.sum()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Reset the env in a domain drawn from the curriculum."""
        if seed is not None or self._rng is None:
            self._rng, _ = np_random(seed)
        options = dict(options or {})
        chosen = self.probabilities()
        if not {"domain", "context"} & options.keys():
            options["domain"] = self.domains[int(self._rng.choice(len(self.domains), p=chosen))]
        observation, info = self.env.reset(seed=seed, options=options)
        self._at = self.domains.index(info["domain"]) if info["domain"] in self.domains else None
        return observation, {**info, "curriculum": chosen}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Info]:
        """Step the env, and learn from the size of the reward."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if self._at is not None and info["evaluated"]:
            size = abs(float(reward))
            self._value[self._at] += self.alpha * (size - self._value[self._at])
            self._recent[self._at].append(size)
            self._count[self._at] += 1
        return observation, float(reward), terminated, truncated, {**info, "curriculum": self.probabilities()}
