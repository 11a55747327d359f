"""The batched vector env in the form that Stable-Baselines3 trains on: one model batch a step for all sub-envs."""

from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from lse_gym.envs.core import ContextEnv, Observation
from lse_gym.envs.extras import needs
from lse_gym.envs.vector import ContextVectorEnv
from lse_gym.wrappers.menu import Candidates, Menu

with needs("rl", "A policy of Stable-Baselines3"):
    from stable_baselines3.common.vec_env import VecEnv


class MenuVecEnv(VecEnv):
    """``num_envs`` episodes of an env of the namespace ``LSE``, each choosing from a menu of edits.

    Observations, actions, rewards and masks are those of :class:`lse_gym.wrappers.EditMenu`.

    Args:
        env_id: the env.
        num_envs: sub-envs, >= 1.
        menu: what proposes the edits; it may be shared.
        options: arguments of the env.
    """

    def __init__(self, env_id: str, num_envs: int, menu: Menu | None = None, **options: Any):
        self.menu = menu or Menu()
        made = gym.make_vec(env_id, num_envs=num_envs, **options)
        assert isinstance(made.unwrapped, ContextVectorEnv)
        self.envs = made.unwrapped
        self._candidates: list[Candidates] = []
        self.render_mode = None
        super().__init__(num_envs, self.menu.observation_space, self.menu.action_space)

    def reset(self) -> np.ndarray:
        """Start an episode in every sub-env; ``seed(n)`` before it fixes them."""
        seeds = None if all(seed is None for seed in self._seeds) else self._seeds
        observations, _ = self.envs.reset(seed=seeds)
        self._reset_seeds()
        return self._see(self._each(observations))

    def step_async(self, actions: np.ndarray) -> None:
        """Take the actions of :meth:`step_wait`."""
        self._check_reset("step()")
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Make the chosen edits, evaluate them in one batch, and propose the next ones."""
        pairs = zip(self._candidates, self._actions, strict=True)
        chosen = [self.menu.chosen(candidates, action)[0] for candidates, action in pairs]
        observations, rewards, terminated, truncated, infos = self.envs.step(tuple(chosen))
        dones = terminated | truncated
        told: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        last = [i for i in range(self.num_envs) if dones[i]]
        if last:
            ends = [infos["final_obs"][i] for i in last]
            seen = self._features([self.envs.envs[i] for i in last], ends)[1]
            for i, features in zip(last, seen, strict=True):
                told[i] = {"terminal_observation": features, "TimeLimit.truncated": bool(truncated[i])}
        return self._see(self._each(observations)), rewards.astype(np.float32), dones, told

    def _each(self, observations: Observation) -> list[Observation]:
        return [{key: value[i] for key, value in observations.items()} for i in range(self.num_envs)]

    def _see(self, observations: Sequence[Observation]) -> np.ndarray:
        self._candidates, features = self._features(self.envs.envs, observations)
        return np.stack(features)

    def _features(
        self, cores: Sequence[ContextEnv], observations: Sequence[Observation]
    ) -> tuple[list[Candidates], list[np.ndarray]]:
        candidates, chars = self.menu.propose(cores, observations), cores[0].max_chars
        return candidates, [self.menu.features(*pair, chars) for pair in zip(observations, candidates, strict=True)]

    def action_masks(self) -> np.ndarray:
        """What is offered in each sub-env, bool of shape (``num_envs``, actions)."""
        self._check_reset("action_masks()")
        return np.stack([candidates.offered for candidates in self._candidates])

    def _check_reset(self, what: str) -> None:
        if not self._candidates:
            raise gym.error.ResetNeeded(f"{what} before reset(). Call env.reset() first.")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """``action_masks`` of the sub-envs, as sb3-contrib asks for them, or a method of each."""
        if method_name == "action_masks":
            masks = self.action_masks()
            return [masks[i] for i in self._indices(indices)]
        return [getattr(self.envs.envs[i], method_name)(*args, **kwargs) for i in self._indices(indices)]

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute of this env or of its sub-envs."""
        if attr_name in ("action_masks", "render_mode"):
            return [getattr(self, attr_name) for _ in self._indices(indices)]
        return [getattr(self.envs.envs[i], attr_name) for i in self._indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the sub-envs."""
        for i in self._indices(indices):
            setattr(self.envs.envs[i], attr_name, value)

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """False: the sub-envs are bare."""
        del wrapper_class
        return [False for _ in self._indices(indices)]

    def close(self) -> None:
        """Close the sub-envs."""
        self.envs.close()

    def _indices(self, indices: int | Iterable[int] | None) -> list[int]:
        return [*self._get_indices(indices)]
