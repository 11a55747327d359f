"""Editors, search loops and learners. They use the environments through the public API only."""

from importlib import import_module

from lse_gym.agents.search import SearchAgent, SearchArgs
from lse_gym.envs.arguments import Range
from lse_gym.envs.errors import unknown
from lse_gym.envs.plugins import import_class, is_reference

__all__ = ["AGENTS", "Range", "SearchAgent", "SearchArgs", "agent_class"]

# name -> module and class; each module is imported on first use
AGENTS = {
    "lse": ("lse_gym.agents.lse", "LSEAgent"),
    "self-evolve": ("lse_gym.agents.self_evolve", "SelfEvolveAgent"),
    "opro": ("lse_gym.agents.opro", "OPROAgent"),
    "textgrad": ("lse_gym.agents.textgrad_native", "TextGradAgent"),
    "textgrad-package": ("lse_gym.agents.textgrad_package", "TextGradPackageAgent"),
    "gepa": ("lse_gym.agents.gepa", "GEPAAgent"),
    "ace": ("lse_gym.agents.ace", "ACEAgent"),
    "evoprompt": ("lse_gym.agents.evoprompt", "EvoPromptAgent"),
    "reevo": ("lse_gym.agents.reevo", "ReEvoAgent"),
    "shinka": ("lse_gym.agents.shinka", "ShinkaAgent"),
    "map-elites": ("lse_gym.agents.map_elites", "MapElitesAgent"),
    "mcts": ("lse_gym.agents.mcts", "MCTSAgent"),
    "agent-optimizer": ("lse_gym.agents.agent_optimizer", "AgentOptimizer"),
    "few-shot": ("lse_gym.agents.few_shot", "FewShotAgent"),
    "instruct-and-shots": ("lse_gym.agents.instruct_and_shots", "InstructAndShotsAgent"),
    "dspy-bootstrap": ("lse_gym.agents.dspy", "BootstrapAgent"),
    "dspy-mipro": ("lse_gym.agents.dspy", "MIPROAgent"),
    "moi": ("lse_gym.agents.moi", "MOIAgent"),
    "sb3": ("lse_gym.agents.sb3", "PolicyAgent"),
    "no-op": ("lse_gym.agents.noop", "NoOpAgent"),
    "random": ("lse_gym.agents.random_edit", "RandomEditAgent"),
    "hill-climb": ("lse_gym.agents.hill_climb", "HillClimbAgent"),
    "oracle": ("lse_gym.agents.oracle", "OracleAgent"),
}


def agent_class(name: str) -> type[SearchAgent]:
    """The class of an agent: a name of ``AGENTS``, or ``package.module:Class`` for one of your own.

    Raises:
        UnknownNameError: there is no such agent.
        ArgumentError: the class of your own cannot be imported, or is no search agent.
    """
    if is_reference(name):
        return import_class(name, SearchAgent, "agent")
    if name not in AGENTS:
        beside = "Its arguments go beside its name: --set key=value." if "," in name else ""
        raise unknown("agent", name, AGENTS, beside or "One of your own is 'package.module:Class'.")
    module, attribute = AGENTS[name]
    return getattr(import_module(module), attribute)
