"""The batched vector env: many episodes side by side, one model batch a step for all of them."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space

from lse_gym.envs.arguments import Count, checked
from lse_gym.envs.core import ContextEnv, Info, Observation
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.metered import Task
from lse_gym.envs.undo import run

Step = tuple[Observation, float, bool, bool, Info]


class ContextVectorEnv(VectorEnv[Observation, Sequence[str], np.ndarray]):
    """Sub-envs that share one model batch; every result is bit-identical to that of the same envs one by one.

    Text arrives as a tuple of strings, one a sub-env; numbers as arrays with a leading axis of length ``num_envs``.
    A finished episode is reset in the same step (``AutoresetMode.SAME_STEP``): its last observation and info are in
    ``infos["final_obs"]`` and ``infos["final_info"]``. Every sub-env has a budget of its own.

    Args:
        num_envs: number of sub-envs.
        kwargs: arguments of the env class.
    """

    env_class: ClassVar[type[ContextEnv]]
    metadata: dict[str, Any] = {**ContextEnv.metadata, "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    @checked
    def __init__(self, num_envs: Count = 1, **kwargs: Any):
        self.num_envs = num_envs
        self.envs = [self.env_class(**kwargs) for _ in range(num_envs)]
        first = self.envs[0]
        self.model, self.render_mode = first.model, first.render_mode
        self.single_observation_space, self.single_action_space = first.observation_space, first.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Reset every sub-env; an int seed gives ``seed + i`` to sub-env ``i``, options go to all of them.

        Raises:
            ArgumentError: the seeds are not one a sub-env.
        """
        if seed is None or isinstance(seed, int | np.integer):
            seed = [None if seed is None else int(seed) + i for i in range(self.num_envs)]
        self._check_number("seed", seed, "an int, or one")
        tasks = [env.reset_task(s, options) for env, s in zip(self.envs, seed, strict=True)]
        results = run(self.envs, tasks)
        infos: dict[str, Any] = {}
        for i, (_, info) in enumerate(results):
            infos = self._add_info(infos, info, i)
        return self._batch([observation for observation, _ in results]), infos

    def step(self, actions: Sequence[str]) -> tuple[Observation, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Step every sub-env with its own text: all evaluations are one model batch, all resets that follow another.

        Raises:
            ArgumentError: the actions are not one a sub-env.
        """
        self._check_number("actions", actions, "a tuple or list of one")
        tasks = [self._step_task(env, action) for env, action in zip(self.envs, actions, strict=True)]
        results = run(self.envs, tasks)
        observations: list[Observation] = []
        infos: dict[str, Any] = {}
        for i, ((observation, _, _, _, info), fresh) in enumerate(results):
            if fresh:
                infos = self._add_info(infos, {"final_obs": observation, "final_info": info}, i)
                observation, info = fresh
            observations.append(observation)
            infos = self._add_info(infos, info, i)
        rewards = np.array([step[1] for step, _ in results], dtype=np.float64)
        terminated = np.array([step[2] for step, _ in results], dtype=np.bool_)
        truncated = np.array([step[3] for step, _ in results], dtype=np.bool_)
        return self._batch(observations), rewards, terminated, truncated, infos

    call, get_attr, set_attr = SyncVectorEnv.call, SyncVectorEnv.get_attr, SyncVectorEnv.set_attr

    def render(self) -> tuple[str, ...]:
        """What each sub-env renders."""
        return tuple(env.render() or "" for env in self.envs)

    def _check_number(self, name: str, values: Any, expected: str) -> None:
        try:
            number = None if isinstance(values, str) else len(values)  # whose letters would pass for contexts
        except TypeError:
            number = None
        if number != self.num_envs:
            given = f"a {type(values).__name__}" if number is None else f"{number}"
            raise ArgumentError(f"{name}: {given} for {self.num_envs} sub-envs. Pass {expected} a sub-env.")

    @staticmethod
    def _step_task(env: ContextEnv, action: str) -> Task[tuple[Step, tuple[Observation, Info] | None]]:
        step = yield from env.step_task(action)
        return step, (yield from env.reset_task(None)) if step[2] or step[3] else None

    @staticmethod
    def _batch(observations: Sequence[Observation]) -> Observation:
        if not isinstance(observations[0], dict):  # an env may offer numbers alone
            return np.stack(observations)
        return {
            key: tuple(values) if isinstance(values[0], str) else np.stack(values)
            for key in observations[0]
            for values in [[observation[key] for observation in observations]]
        }
