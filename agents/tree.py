"""The evolution tree: every visited context, and the rules that pick the one to edit next.

Source: LSE, arXiv 2603.18620, and its released code, whose JSON format version 1 this is.
"""

from collections.abc import Mapping, Sequence
from math import log, sqrt
from typing import Any, Literal, TypedDict

import numpy as np

from lse_gym.agents.diversity import diversity
from lse_gym.agents.pareto import wins
from lse_gym.envs.errors import unknown

Selection = Literal["ucb", "deepest", "best", "pareto"]
SELECTIONS: tuple[Selection, ...] = ("ucb", "deepest", "best", "pareto")
UCB_C = 2.0  # exploration weight of the paper's released code (base.yaml: ucb_c)


class Node(TypedDict):
    """One visited context; ``performance`` is its held-out score in [0, 1].

    ``scores`` are those of each held-out question where the selection looks at them, else [].
    """

    id: int
    parent_id: int | None
    depth: int
    visits: int
    performance: float
    round_idx: int
    context: str
    feedback: str
    feedback_score: float
    improvement: float
    batch: int
    scores: list[float]


class Tree:
    """Contexts and where they came from.

    Args:
        selection: "ucb" (performance plus exploration bonus), "deepest" (a chain), "best" (greedy) or "pareto" (drawn
            from those that are best on some held-out question, by :func:`lse_gym.agents.pareto.wins`).
        ucb_c: weight of the exploration bonus.
    """

    def __init__(self, selection: Selection = "ucb", ucb_c: float = UCB_C):
        if selection not in SELECTIONS:
            raise unknown("selection", selection, SELECTIONS)
        self.selection, self.ucb_c = selection, ucb_c
        self.total_selections = 0
        self.nodes: list[Node] = []

    def add(
        self,
        parent: Node | None,
        context: str,
        performance: float,
        *,
        round_idx: int,
        feedback: str = "",
        feedback_score: float = 0.0,
        batch: int = 0,
        scores: Sequence[float] = (),
    ) -> Node:
        """Add a visited context under ``parent`` (None for the root)."""
        node = Node(
            id=len(self.nodes),
            parent_id=parent["id"] if parent else None,
            depth=parent["depth"] + 1 if parent else 0,
            visits=0,
            performance=performance,
            round_idx=round_idx,
            context=context,
            feedback=feedback,
            feedback_score=feedback_score,
            improvement=performance - parent["performance"] if parent else 0.0,
            batch=batch,
            scores=[*scores] if self.selection == "pareto" else [],
        )
        self.nodes.append(node)
        return node

    def select(self, seed: int = 0) -> Node:
        """Pick the node to edit next, from all nodes, and count the visit. Of equals, ucb takes the earliest.

        Only "pareto" draws; ``seed`` and the selections so far say what.
        """
        if self.selection == "deepest":
            node = max(self.nodes, key=lambda n: (n["depth"], n["id"]))
        elif self.selection == "best":
            node = self.best
        elif self.selection == "pareto":
            chances = wins(np.array([n["scores"] for n in self.nodes]))
            rng = np.random.default_rng(np.random.SeedSequence([seed, self.total_selections]))
            node = self.nodes[int(rng.choice(len(self.nodes), p=chances / chances.sum()))]
        else:
            node = max(self.nodes, key=self.ucb_score)
        return self.visit(node)

    def visit(self, node: Node) -> Node:
        """Count a selection of ``node``, and return it."""
        node["visits"] += 1
        self.total_selections += 1
        return node

    def ucb_score(self, node: Node) -> float:
        """``performance + c * sqrt(ln(max(1, N)) / max(1, visits))`` with N the selections so far."""
        bonus = sqrt(log(max(1, self.total_selections)) / max(1, node["visits"]))
        return node["performance"] + self.ucb_c * bonus

    @property
    def best(self) -> Node:
        """The node of the best held-out score; of equals the deepest, then the latest."""
        return max(self.nodes, key=merit)

    @property
    def diversity(self) -> float:
        """How different the visited contexts are, in [0, 1]; see :func:`lse_gym.agents.diversity.diversity`."""
        return diversity([node["context"] for node in self.nodes])

    def to_json(self) -> dict[str, Any]:
        """The tree in the released code's format, version 1."""
        return {
            "format_version": 1,
            "selection": self.selection,
            "ucb_c": self.ucb_c,
            "next_id": len(self.nodes),
            "total_selections": self.total_selections,
            "root_id": 0,
            "nodes": self.nodes,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Tree":
        """The inverse of :meth:`to_json`."""
        tree = cls(data["selection"], data["ucb_c"])
        tree.total_selections, tree.nodes = data["total_selections"], data["nodes"]
        return tree


def merit(node: Mapping[str, Any]) -> tuple[float, int, int]:
    """What the best of some nodes has most of: held-out score; of equals the deepest, then the latest."""
    return node["performance"], node["depth"], node["id"]
