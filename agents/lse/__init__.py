"""The LSE agent: an editor model rewrites contexts, an evolution tree decides which one (arXiv 2603.18620)."""

from dataclasses import dataclass

from lse_gym.agents.editor_agent import EditorAgent, EditorArgs
from lse_gym.agents.tree import Selection


@dataclass(frozen=True)
class Args(EditorArgs):
    """Arguments of the LSE agent."""

    selection: Selection = "ucb"
    """which context is edited next: "ucb" (the paper's), "deepest" (a chain) or "best" (greedy)"""


class LSEAgent(EditorAgent):
    """Learning to Self-Evolve at test time: an editor model rewrites a visited context that the tree selects.

    >>> import gymnasium as gym, lse_gym
    >>> env = gym.make("LSE/TextToSQL-v1", domain="clinic-0")
    >>> agent = LSEAgent(env).learn(2)
    >>> agent.tree.best["performance"] > agent.tree.nodes[0]["performance"]
    True

    Args:
        env: an env of the namespace ``LSE`` on one domain.
        args: see :class:`Args`.
    """

    name = "lse"
    Args = Args
