"""Worked examples by bootstrapping and random search, without an editor: what a context needs before any instruction.

Source: BootstrapFewShotWithRandomSearch of DSPy (Khattab et al., arXiv 2310.03714).
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np

from lse_gym.agents.moi import arranged
from lse_gym.agents.search import Callback, SearchAgent, SearchArgs
from lse_gym.agents.shots import Shot, drawn, pool_of, remember, with_shots
from lse_gym.agents.tree import Node
from lse_gym.envs.arguments import Range
from lse_gym.envs.core import Info, Observation

Arrangement = Literal["random", "moi"]
FIRST_DRAWN = 2  # candidates before it are labelled examples alone, and the first bootstrapped ones, as in DSPy


@dataclass(frozen=True)
class Args(SearchArgs):
    """Arguments of few-shot."""

    bootstrapped: Annotated[int, Range(0, 1_000)] = 4
    """most examples that the task model got right by itself (DSPy's max_bootstrapped_demos: 4)"""
    shots: Annotated[int, Range(1, 1_000)] = 16
    """most examples in all (DSPy's max_labeled_demos: 16)"""
    balanced: bool = True
    """each answer is shown as often as any other, as far as the examples seen so far allow"""
    arrangement: Arrangement = "random"
    """order of the examples: "random", or "moi": by what each is worth apart from its place, as the agent moi has it"""


class FewShotAgent(SearchAgent):
    """Few-shot: the seed context with sets of worked examples behind it, drawn at random; no editor is needed.

    Every report brings examples: its questions with their right answers, or where the env hides these what the task
    model answered rightly. The first candidates are DSPy's: labelled examples alone, then the first bootstrapped ones
    beside them. After these every candidate draws how many of either it has, and which.

    Args:
        env: an env of the namespace ``LSE``.
        args: see :class:`Args`.
    """

    name = "few-shot"
    selection = "best"
    Args = Args
    args: Any

    def select(self) -> Node:
        """The seed context: candidates do not build on each other."""
        return self.tree.visit(self.tree.nodes[0])

    def edit(self, observation: Observation, step: int, deterministic: bool = False) -> str:
        """The seed context with another set of examples; as it is where no report has shown one."""
        del deterministic
        remember(self.memory, observation["feedback"])
        pool, rng = pool_of(self.memory), np.random.default_rng(np.random.SeedSequence([self.args.seed, step]))
        chosen = self._draw(pool, step, rng)
        if self.args.arrangement == "moi":
            chosen = self._arranged(chosen, len(pool))
        self.memory["drawn"] = chosen
        nodes = self.tree.nodes
        start = nodes[0]["context"] if nodes else observation["context"]
        return with_shots(start, [pool[index].text for index in chosen], self._max_chars())

    def _draw(self, pool: list[Shot], step: int, rng: np.random.Generator) -> list[int]:
        """The numbers of the examples of a candidate, in random order."""
        own, count = self.args.bootstrapped if step else 0, self.args.shots
        if step >= FIRST_DRAWN:
            own, count = int(rng.integers(min(1, own), own + 1)), int(rng.integers(1, count + 1))
        right = [index for index, shot in enumerate(pool) if shot.right]
        taken = drawn(pool, right, min(own, count), rng, self.args.balanced)
        rest = [index for index in range(len(pool)) if index not in taken]
        labelled = drawn(pool, rest, count - len(taken), rng, self.args.balanced)
        chosen = [*taken, *labelled]
        return [chosen[int(i)] for i in rng.permutation(len(chosen))]

    def _arranged(self, chosen: list[int], count: int) -> list[int]:
        """The examples in the order of their worth, estimated from all candidates so far."""
        tried = [(node, one) for node, one in zip(self.tree.nodes, self.memory.get("sets", []), strict=False) if one]
        if len(tried) < FIRST_DRAWN:
            return chosen
        return arranged(chosen, [one for _, one in tried], [node["performance"] for node, _ in tried], count)

    def _keep(self, parent: Node | None, observation: Observation, info: Info, callback: Callback | None) -> bool:
        if info["evaluated"]:
            remember(self.memory, observation["feedback"])
            self.memory.setdefault("sets", []).append(self.memory.get("drawn", []) if parent else [])
        return super()._keep(parent, observation, info, callback)
