"""The oracle: writes the context with everything there is to know, the ceiling of every comparison."""

from typing import Any

import gymnasium as gym

from lse_gym.agents.search import SearchAgent
from lse_gym.envs.core import ContextEnv, Observation
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.evaluation import core_env


class OracleAgent(SearchAgent):
    """Returns the domain's oracle context, its full conventions: the ceiling; only embedded domains have one."""

    name = "oracle"

    def __init__(self, env: gym.Env | None = None, **args: Any):
        super().__init__(env, **args)
        if env is not None:
            self._context(core_env(env))

    def edit(self, observation: Observation, step: int, deterministic: bool = False) -> str:
        """The oracle context of the running episode's domain."""
        del observation, step, deterministic
        return self._context(core_env(self.require_env()))

    def _context(self, core: ContextEnv) -> str:
        context = core.family.load(core.domain_name).oracle_context
        if context is None:
            raise ArgumentError(
                f"domain {core.domain_name!r} has no oracle: nobody has written down all of its conventions, or a host "
                "keeps them. Choose another agent, such as 'lse', or an embedded domain."
            )
        return context
