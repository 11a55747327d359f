"""A policy of Stable-Baselines3 as an agent like any other: it chooses each edit from a menu."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from lse_gym.agents.sb3.settings import ALGORITHMS
from lse_gym.agents.sb3.training import algorithm_class
from lse_gym.agents.search import SearchAgent, SearchArgs
from lse_gym.envs.budget import Budget
from lse_gym.envs.core import Observation
from lse_gym.envs.errors import ArgumentError, MissingArgumentError
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.metered import MeteredModel
from lse_gym.wrappers import Menu


@dataclass(frozen=True)
class Args(SearchArgs):
    """Arguments of a trained policy."""

    policy: str = ""
    """file that :func:`lse_gym.agents.sb3.training.train_policy` wrote; as every file of Stable-Baselines3 it can
    execute code when it is loaded, so load only what you trust"""
    algorithm: str = "maskable-ppo"
    """"ppo", "maskable-ppo" or "dqn", as it was trained"""
    editor: str = "writer"
    """the model that proposes the edits"""


class PolicyAgent(SearchAgent):
    """A trained policy of Stable-Baselines3: proposals by the editor, choice by the policy, in a chain.

    Args:
        env: an env of the namespace ``LSE``.
        args: see :class:`Args`.
    """

    name = "sb3"
    Args = Args
    args: Any

    def __init__(self, env: gym.Env | None = None, **args: Any):
        super().__init__(env, **args)
        if not self.args.policy:
            raise MissingArgumentError(
                "agent 'sb3' needs policy='FILE.zip', which train_policy wrote. Pass --set policy=FILE.zip, or to "
                "bench 'sb3,policy=FILE.zip'."
            )
        kind = algorithm_class(self.args.algorithm)
        try:
            self._model = kind.load(self.args.policy, device="cpu")
        except Exception as error:  # whatever a file of another kind makes of it
            raise ArgumentError(
                f"policy={self.args.policy!r} cannot be loaded as {self.args.algorithm!r}: {error}. "
                "Pass the policy.zip of a training, and the algorithm of that training."
            ) from error
        self._menu = Menu(self.args.editor)
        self.editors = {self.args.editor: MeteredModel(self._menu.editor, Budget())}  # which the menu asks itself
        if self._model.observation_space != self._menu.observation_space:
            raise ArgumentError(f"policy={self.args.policy!r} was trained on another menu of edits.")

    def most_editor_calls(self) -> int:
        """A proposal for each problem of the menu."""
        return self._menu.problems

    def edit(self, observation: Observation, step: int, deterministic: bool = False) -> str:
        """The edit that the policy finds most promising."""
        del step, deterministic
        core = core_env(self.require_env())
        (candidates,) = self._menu.propose([core], [observation])
        features = self._menu.features(observation, candidates, core.max_chars)
        masks = {"action_masks": candidates.offered} if ALGORITHMS[self.args.algorithm].masks else {}
        action, _ = self._model.predict(features, deterministic=True, **masks)
        return candidates.contexts[int(np.asarray(action))]
