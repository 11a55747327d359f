"""ReEvo: evolution led by reflections, short ones on pairs of contexts and one that lasts (arXiv 2402.01145).

The wording of the prompts is ours. Source of the numbers: section 4 of the paper and its released code.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from lse_gym.agents.editor_agent import EditorAgent, EditorArgs, quoted
from lse_gym.agents.tree import Node
from lse_gym.envs.arguments import Range
from lse_gym.envs.core import Observation

MUTATED = 0.5  # mutations of the elite in a generation, as a share of the population (released code: mutation_rate)
SHORT_WORDS, LONG_WORDS = 20, 50  # of a reflection (released code: prompts)


@dataclass(frozen=True)
class Args(EditorArgs):
    """Arguments of ReEvo."""

    population: Annotated[int, Range(2, 10_000)] = 4
    """contexts that survive, and crossovers of a generation (paper: 10, for 100 evaluations; a run here has 5 to 25)"""
    initial: Annotated[int, Range(1, 10_000)] = 4
    """edits of the seed context before the first generation (released code: 30)"""


class ReEvoAgent(EditorAgent):
    """ReEvo: the editor reflects on a better and a worse context, crosses them, and mutates the best by what it learnt.

    A generation is as many crossovers as there are survivors, each led by a short reflection on its two parents; then
    half as many mutations of the best context, led by a long-term reflection that the first of them writes from the
    one before and the short ones since. The editor sees the report on the context that it changes, which the original
    does not show.

    Args:
        env: an env of the namespace ``LSE``.
        args: see :class:`Args`.
    """

    name = "reevo"
    Args = Args

    def most_editor_calls(self) -> int:
        """A reflection and an edit."""
        return 2

    def select(self) -> Node:
        """The seed context at first; then the better parent, or the best context of all."""
        match self._place(self.edits):
            case ("initial", _):
                return self.tree.visit(self.tree.nodes[0])
            case ("crossover", _) if pair := self._pair(self.edits):
                return self.tree.visit(pair[0])
        return self.tree.visit(self.tree.best)

    def notes(self, observation: Observation, step: int, deterministic: bool) -> str:
        """The reflection that leads this edit, from a call of its own, and the worse parent of a crossover."""
        del observation
        match self._place(step):
            case ("crossover", _) if pair := self._pair(step):
                hint = self._reflect(_compare(*pair), SHORT_WORDS, step, deterministic)
                self.memory.setdefault("short", []).append(hint)
                return f"{_cross(pair[1])}\nWhat their difference teaches:\n{quoted(hint)}"
            case ("mutation", number) if self.tree.nodes:
                if number == 0:
                    merged = _merge(self.memory.get("long", ""), self.memory.pop("short", []))
                    self.memory["long"] = self._reflect(merged, LONG_WORDS, step, deterministic)
                return f"Change what is left to improve, led by what earlier attempts taught:\n{quoted(self._long())}"
        return ""

    def _place(self, step: int) -> tuple[str, int]:
        """What edit number ``step`` is, and its number among the edits of that kind in its generation."""
        if step < self.args.initial:
            return "initial", step
        crossovers, mutations = self.args.population, max(1, int(self.args.population * MUTATED))
        number = (step - self.args.initial) % (crossovers + mutations)
        return ("crossover", number) if number < crossovers else ("mutation", number - crossovers)

    def _pair(self, step: int) -> tuple[Node, Node] | None:
        """A better and a worse survivor; None where all are equally good."""
        distinct = {node["context"]: node for node in self.tree.nodes}
        survivors = sorted(distinct.values(), key=lambda node: -node["performance"])[: self.args.population]
        rng = np.random.default_rng(np.random.SeedSequence([self.args.seed, step]))
        first = survivors[int(rng.integers(len(survivors)))] if survivors else None
        unequal = [node for node in survivors if first and node["performance"] != first["performance"]]
        if first is None or not unequal:
            return None
        pair = sorted((first, unequal[int(rng.integers(len(unequal)))]), key=lambda node: -node["performance"])
        return pair[0], pair[1]

    def _long(self) -> str:
        return self.memory.get("long", "")

    def _reflect(self, prompt: str, words: int, step: int, deterministic: bool) -> str:
        """At most ``words`` words of the editor's answer."""
        told = f"{prompt}\n\nSay what to do in new ones, in less than {words} words."
        return " ".join(self.ask(told, step, deterministic, call=1).split()[:words])


def _compare(better: Node, worse: Node) -> str:
    return (
        "Below are two sets of instructions that a language model followed, the second with the better results.\n\n"
        f"Worse:\n{quoted(worse['context'])}\n\nBetter:\n{quoted(better['context'])}"
    )


def _cross(worse: Node) -> str:
    return f"Cross the current instructions with these, which did worse:\n{quoted(worse['context'])}"


def _merge(before: str, new: list[str]) -> str:
    known = f"What was known about good instructions:\n{quoted(before)}\n\n" if before else ""
    return f"{known}What comparisons have taught since:\n{quoted(chr(10).join(new))}"
