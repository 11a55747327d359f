"""MAP-Elites: the best context of every kind is kept, so that search goes on from many different ones.

Source: Mouret and Clune, arXiv 1504.04909; the numbers are those of EvoAgentX's optimizer (arXiv 2507.03616).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np

from lse_gym.agents.editor_agent import EditorAgent, EditorArgs
from lse_gym.agents.tree import Node
from lse_gym.envs.arguments import Range
from lse_gym.envs.core import Observation

Feature = Literal["chars", "rules", "words_a_rule", "examples"]
# of a context: what it measures, and from which value on all is the last bin
FEATURES: dict[Feature, tuple[Callable[[str], float], float]] = {
    "chars": (len, 4000),
    "rules": (lambda context: len(_lines(context)), 40),
    "words_a_rule": (lambda context: len(context.split()) / max(1, len(_lines(context))), 40),
    "examples": (lambda context: sum(line.rstrip().endswith("?") for line in _lines(context)), 20),
}
BINS = 10  # a feature (EvoAgentX: 10)


@dataclass(frozen=True)
class Args(EditorArgs):
    """Arguments of MAP-Elites."""

    first: Feature = "chars"
    """first feature of a cell: length in characters, number of rules, words of a rule, or worked examples"""
    second: Feature = "rules"
    """second feature of a cell"""
    exploration: Annotated[float, Range(0, 1)] = 0.2
    """share of edits that start from the seed context instead of from an elite (EvoAgentX: 0.2)"""


class MapElitesAgent(EditorAgent):
    """MAP-Elites: contexts fall into cells by two features; any cell's best one, drawn alike, is edited next.

    ``summary.json`` holds the QD-score, the sum of the elites' held-out scores, and how many cells are filled.

    Args:
        env: an env of the namespace ``LSE``.
        args: see :class:`Args`.
    """

    name = "map-elites"
    Args = Args

    def select(self) -> Node:
        """An elite, or the seed context."""
        rng = np.random.default_rng(np.random.SeedSequence([self.args.seed, len(self.tree.nodes)]))
        elites = [*self.elites().values()]
        explores = rng.random() < self.args.exploration
        return self.tree.visit(self.tree.nodes[0] if explores else elites[int(rng.integers(len(elites)))])

    def notes(self, observation: Observation, step: int, deterministic: bool) -> str:
        """How many kinds of instructions are known already."""
        del observation, step, deterministic
        kinds = len(self.elites())
        return f"Instructions of {kinds} different kinds are known; new kinds are welcome." if kinds > 1 else ""

    def cell(self, context: str) -> tuple[int, int]:
        """The bins of a context's two features, each in [0, BINS)."""
        measured = ((FEATURES[name][0](context), FEATURES[name][1]) for name in (self.args.first, self.args.second))
        first, second = (min(BINS - 1, int(BINS * value / most)) for value, most in measured)
        return first, second

    def elites(self) -> dict[tuple[int, int], Node]:
        """The best context of every cell so far; of equals the first."""
        best: dict[tuple[int, int], Node] = {}
        for node in self.tree.nodes:
            held = best.setdefault(self.cell(node["context"]), node)
            if node["performance"] > held["performance"]:
                best[self.cell(node["context"])] = node
        return best

    def facts(self) -> dict[str, Any]:
        """QD-score and number of filled cells."""
        elites = self.elites().values()
        return {"qd_score": sum(node["performance"] for node in elites), "cells": len(elites)}


def _lines(context: str) -> list[str]:
    return [line for line in context.split("\n") if line.strip()]
