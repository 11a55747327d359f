"""Editors, search loops and learners. They use the environments through the public API only."""

from importlib import import_module

from lse_gym.agents.search import SearchAgent
from lse_gym.envs.errors import unknown

# name -> module and class; each module is imported on first use
AGENTS = {
    "lse": ("lse_gym.agents.lse", "LSEAgent"),
    "self-evolve": ("lse_gym.agents.self_evolve", "SelfEvolveAgent"),
    "opro": ("lse_gym.agents.opro", "OPROAgent"),
    "textgrad": ("lse_gym.agents.textgrad_native", "TextGradAgent"),
    "gepa": ("lse_gym.agents.gepa", "GEPAAgent"),
    "evoprompt": ("lse_gym.agents.evoprompt", "EvoPromptAgent"),
    "no-op": ("lse_gym.agents.noop", "NoOpAgent"),
    "random": ("lse_gym.agents.random_edit", "RandomEditAgent"),
    "hill-climb": ("lse_gym.agents.hill_climb", "HillClimbAgent"),
    "oracle": ("lse_gym.agents.oracle", "OracleAgent"),
}


def agent_class(name: str) -> type[SearchAgent]:
    """The class of an agent.

    Raises:
        UnknownNameError: there is no such agent.
    """
    if name not in AGENTS:
        raise unknown("agent", name, AGENTS)
    module, attribute = AGENTS[name]
    return getattr(import_module(module), attribute)
