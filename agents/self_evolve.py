"""Plain self-evolution: an untrained editor edits its last context, again and again."""

from dataclasses import dataclass

from lse_gym.agents.editor_agent import EditorAgent, EditorArgs
from lse_gym.agents.tree import Selection


@dataclass(frozen=True)
class Args(EditorArgs):
    """Arguments of self-evolution."""

    selection: Selection = "deepest"
    """"deepest": a chain, as an editor without a tree goes on; "ucb" and "best" make it a tree"""


class SelfEvolveAgent(EditorAgent):
    """The baseline of LSE: the same loop and prompt without training and without a tree.

    Args:
        env: an env of the namespace ``LSE``.
        args: see :class:`Args`.
    """

    name = "self-evolve"
    Args = Args
