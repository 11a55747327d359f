"""An episode of an env as TRL's ``environment_factory`` takes it: the model edits the context through a tool call.

    from trl import GRPOTrainer
    from lse_gym.agents.lse.trl_environment import environment_factory

    GRPOTrainer(model, environment_factory=environment_factory("LSE/TextToSQL-v1", domain="train", max_edits=3), …)

The trainer appends what :meth:`EditEnvironment.reset` returns to the prompt, offers the public methods as tools, and
takes the reward from :meth:`EditEnvironment.get_reward`. Nothing here imports TRL.
"""

from collections.abc import Callable
from typing import Any

import gymnasium as gym

from lse_gym.envs.core import Observation


class EditEnvironment:
    """One env; an episode is one completion with as many tool calls as the env allows edits.

    Args:
        env: an env of the namespace ``LSE``.
    """

    def __init__(self, env: gym.Env[Observation, str]):
        self._env, self._improvement, self._over = env, 0.0, True

    def reset(self, seed: int | None = None, domain: str | None = None, **columns: Any) -> str:
        """Start an episode, in the dataset row's ``domain`` and with its ``seed`` where it has them."""
        del columns
        observation, info = self._env.reset(seed=seed, options={"domain": domain} if domain else None)
        self._improvement, self._over = 0.0, not info["evaluated"]
        return _told(observation)

    def edit_context(self, instructions: str) -> str:
        """Replace the instructions that another language model follows, and see how it answers with them.

        Args:
            instructions: The complete new instructions.

        Returns:
            A report on the model's answers with the new instructions.
        """
        if self._over:
            return "The episode is over: no further edit is counted."
        observation, reward, terminated, truncated, _ = self._env.step(instructions)
        self._improvement += float(reward)
        self._over = terminated or truncated
        return _told(observation)

    def get_reward(self) -> float:
        """The improvement of the held-out score over the episode, in [-1, 1]."""
        return self._improvement


def environment_factory(env_id: str, **options: Any) -> Callable[[], EditEnvironment]:
    """What TRL calls for each rollout of a batch; ``options`` are arguments of the env."""
    return lambda: EditEnvironment(gym.make(env_id, **options))


def _told(observation: Observation) -> str:
    return f"Current instructions:\n{observation['context']}\n\nReport:\n{observation['feedback']}"
