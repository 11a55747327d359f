"""Evolutionary prompting with a language model as operator (EvoPrompt, Guo et al., arXiv 2309.08532)."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from lse_gym.agents.editor_agent import EditorAgent, EditorArgs, quoted
from lse_gym.agents.tree import Node
from lse_gym.envs.arguments import Range
from lse_gym.envs.core import Observation

Variant = Literal["ga", "de"]


@dataclass(frozen=True)
class Args(EditorArgs):
    """Arguments of EvoPrompt."""

    variant: Variant = "ga"
    """"ga": genetic algorithm, two parents; "de": differential evolution, three"""
    population: Annotated[int, Range(1, 10_000)] = 10
    """contexts that can be parents, the best ones (paper, section 4: 10)"""


class EvoPromptAgent(EditorAgent):
    """EvoPrompt: parents are drawn from the best contexts so far; the editor crosses and mutates them.

    * ``ga``: two parents, each with a probability in proportion to its score.
    * ``de``: the context that is edited, two others that differ from each other, and the best one.

    The editor sees the report on the first parent, which the original does not show; without it an edit would know
    nothing of a domain.

    Args:
        env: an env of the namespace ``LSE``.
        args: see :class:`Args`.
    """

    name = "evoprompt"
    bare = True  # get_final_prompt of the released code
    Args = Args

    def select(self) -> Node:
        """The first parent."""
        return self.tree.visit(self._draw(self._population(), self.edits + 1, 0))

    def _population(self) -> list[Node]:
        ranked = sorted(self.tree.nodes, key=lambda node: (-node["performance"], -node["id"]))
        distinct = {node["context"]: node for node in reversed(ranked)}
        return sorted(distinct.values(), key=lambda node: -node["performance"])[: self.args.population]

    def _draw(self, nodes: list[Node], step: int, call: int) -> Node:
        """One node, with a probability in proportion to its score (for "de": any alike)."""
        weights = np.array([node["performance"] if self.args.variant == "ga" else 1.0 for node in nodes]) + 1e-9
        rng = np.random.default_rng(np.random.SeedSequence([self.args.seed, step, call]))
        return nodes[int(rng.choice(len(nodes), p=weights / weights.sum()))]

    def notes(self, observation: Observation, step: int, deterministic: bool) -> str:
        """The other parents, and how to use them."""
        del deterministic
        others = [node for node in self._population() if node["context"] != observation["context"]]
        if not others:
            return ""
        if self.args.variant == "ga":
            mate = self._draw(others, step, 1)
            return (
                "Cross the current instructions with these other ones: take over what is good in either. Then change "
                f"something small:\n{quoted(mate['context'])}"
            )
        first, second = self._draw(others, step, 1), self._draw(others, step, 2)
        told = (
            "Find where A and B differ, change those parts, and combine them with the best instructions so far; cross "
            "the result with the current instructions."
        )
        shown = {"A": first, "B": second, "Best": self.tree.best}
        return "\n".join([told, *(f"{name}:\n{quoted(node['context'])}" for name, node in shown.items())])
