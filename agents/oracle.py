"""The oracle: writes the context with everything there is to know, the ceiling of every comparison."""

from lse_gym.agents.search import SearchAgent
from lse_gym.envs.core import Observation
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.evaluation import core_env


class OracleAgent(SearchAgent):
    """Returns the domain's oracle context, its full conventions: the ceiling; only embedded domains have one."""

    name = "oracle"

    def edit(self, observation: Observation, step: int, deterministic: bool = False) -> str:
        """The oracle context of the running episode's domain."""
        del observation, step, deterministic
        core = core_env(self.require_env())
        context = core.family.load(core.domain_name).oracle_context
        if context is None:
            raise ArgumentError(
                f"domain {core.domain_name!r} has no oracle: nobody has written down all of its conventions. "
                "Choose another agent, such as 'lse', or an embedded domain."
            )
        return context
