"""The no-op baseline: keeps the context, so that whatever it reports is noise."""

from lse_gym.agents.search import SearchAgent
from lse_gym.envs.core import Observation


class NoOpAgent(SearchAgent):
    """Returns the context unchanged."""

    name = "no-op"

    def edit(self, observation: Observation, step: int, deterministic: bool = False) -> str:
        """The context as it is."""
        del step, deterministic
        return observation["context"]
