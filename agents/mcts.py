"""Monte Carlo tree search over contexts: what edits lead to counts for where they started.

Source: ReST-MCTS* (arXiv 2406.03816), whose released code has the numbers; SWE-Search (arXiv 2410.20285) does so for
code.
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from math import log, sqrt
from typing import Annotated, Literal

from lse_gym.agents.editor_agent import EditorAgent, EditorArgs
from lse_gym.agents.tree import Node
from lse_gym.envs.arguments import Range

Backup = Literal["mean", "max", "none"]


@dataclass(frozen=True)
class Args(EditorArgs):
    """Arguments of Monte Carlo tree search; ``selection`` is used with ``backup="none"`` only."""

    backup: Backup = "mean"
    """value of a context: mean or maximum of what followed from it; "none": its own score, without a descent"""
    branch: Annotated[int, Range(1, 1_000)] = 3
    """edits of a context before the search descends to them (ReST-MCTS*: branch=3)"""
    rollout: Annotated[int, Range(0, 1_000)] = 3
    """edits that follow a new context at once, in a chain (ReST-MCTS*: roll_forward_steps=3)"""
    exploration: Annotated[float, Range(0, 1e6)] = 0.7
    """weight of the bonus of what was visited little (ReST-MCTS*: exploration_constant=0.7)"""


class MCTSAgent(EditorAgent):
    """Monte Carlo tree search: descend by UCT, edit, go on in a chain, and let the scores count for all ancestors.

    The evaluations of a rollout are contexts like all others, as each was paid for. With ``backup="none"`` and
    ``selection="ucb"`` this is the tree of LSE: every visited context is a candidate by its own score.

    Args:
        env: an env of the namespace ``LSE``.
        args: see :class:`Args`.
    """

    name = "mcts"
    Args = Args

    def select(self) -> Node:
        """The newest context while its rollout lasts; else the end of a descent from the root."""
        if self.args.backup == "none":
            return self.tree.select()
        left = self.memory.get("rollout_left", 0)
        self.memory["rollout_left"] = left - 1 if left else self.args.rollout
        return self.tree.visit(self.tree.nodes[-1] if left else self._descend())

    def _descend(self) -> Node:
        children, node = self._children(), self.tree.nodes[0]
        visits, values = self._backed_up(children)
        while len(children[node["id"]]) >= self.args.branch:
            bound = partial(self._bound, visits, values, visits[node["id"]])
            node = max(children[node["id"]], key=bound)
        return node

    def _bound(self, visits: list[int], values: list[float], total: int, child: Node) -> float:
        return values[child["id"]] + self.args.exploration * sqrt(2 * log(total) / visits[child["id"]])

    def _children(self) -> dict[int | None, list[Node]]:
        children = defaultdict(list)
        for node in self.tree.nodes:
            children[node["parent_id"]].append(node)
        return children

    def _backed_up(self, children: dict[int | None, list[Node]]) -> tuple[list[int], list[float]]:
        """Visits and values of all nodes: a leaf has its score, any other node what its children come to."""
        visits = [1] * len(self.tree.nodes)
        values = [node["performance"] for node in self.tree.nodes]
        for node in reversed(self.tree.nodes):  # children come after their parents
            ids = [child["id"] for child in children[node["id"]]]
            visits[node["id"]] += sum(visits[i] for i in ids)
            if ids and self.args.backup == "max":
                values[node["id"]] = max(values[i] for i in ids)
            elif ids:
                values[node["id"]] = sum(values[i] * visits[i] for i in ids) / sum(visits[i] for i in ids)
        return visits, values
