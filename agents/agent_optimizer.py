"""AgentOptimizer: few operations on single items a step, roll-back, and failures that are remembered.

Source: Zhang et al., arXiv 2402.11359 (functions that an agent may call are added, revised and removed), and its
released code in AG2. Here the items are the lines of a context.
"""

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Annotated

import gymnasium as gym

from lse_gym.agents.editor_agent import EditorAgent, EditorArgs, quoted
from lse_gym.agents.search import Callback
from lse_gym.agents.tree import Node
from lse_gym.envs.arguments import Range
from lse_gym.envs.core import Observation

SHOWN = 5  # failures that the editor is told of, the best ones


@dataclass(frozen=True)
class Args(EditorArgs):
    """Arguments of AgentOptimizer; ``selection`` is always "best", which is its roll-back."""

    max_actions: Annotated[int, Range(1, 1_000)] = 3
    """additions, revisions and removals of a step (AG2: max_actions_per_step=3)"""
    patience: Annotated[int, Range(0, 1_000_000)] = 0
    """stop after so many steps in a row without improvement; 0: when the budget is used up (paper, section 3.3)"""


class AgentOptimizer(EditorAgent):
    """AgentOptimizer: a step adds, revises or removes few lines; what is worse is rolled back, and remembered.

    Whatever the editor answers is read as operations on lines, and those beyond ``max_actions`` are left out. Failures
    are forgotten as soon as a context is better.

    Args:
        env: an env of the namespace ``LSE``.
        args: see :class:`Args`.
    """

    name = "agent-optimizer"
    Args = Args

    def select(self) -> Node:
        """The best context: what came after it and is worse is rolled back."""
        return self.tree.visit(self.tree.best)

    def edit(self, observation: Observation, step: int, deterministic: bool = False) -> str:
        """At most ``max_actions`` operations of the editor's edit."""
        context = observation["context"]
        wanted = operations(context, super().edit(observation, step, deterministic))
        return apply(context, wanted[: self.args.max_actions])

    def notes(self, observation: Observation, step: int, deterministic: bool) -> str:
        """How much may be changed, and what was tried in vain, worst first."""
        del step, deterministic
        told = f"Add, revise or remove at most {self.args.max_actions} lines; leave all others as they are."
        context = observation["context"]
        failed = [node for node in self.tree.nodes[1:] if self._failed(node, context)]
        shown = sorted(failed, key=lambda node: node["performance"])[-SHOWN:]
        tries = [f"{_told(context, node['context'])}\nScore: {round(100 * node['performance'])}" for node in shown]
        return "\n\n".join([told, *(["Changes that did not help:"] * bool(tries)), *tries])

    def _failed(self, node: Node, context: str) -> bool:
        parent = self.tree.nodes[node["parent_id"] or 0]
        return parent["context"] == context != node["context"] and node["improvement"] < 0

    def _grow(self, env: gym.Env, callback: Callback | None) -> bool:
        recent = self.tree.nodes[1:][-self.args.patience :] if self.args.patience else []
        if len(recent) == self.args.patience > 0 and all(node["improvement"] <= 0 for node in recent):
            return False
        return super()._grow(env, callback)


Operation = tuple[int, int, list[str]]  # lines of the old context, from and to, and what stands there instead


def operations(old: str, new: str) -> list[Operation]:
    """The additions, revisions and removals that lead from one context to another, a line each.

    >>> operations("a\\nb\\nc", "a\\nB\\nd\\nc\\ne")
    [(1, 2, ['B']), (2, 2, ['d']), (3, 3, ['e'])]
    """
    before, after = old.split("\n"), new.split("\n")
    found: list[Operation] = []
    for tag, i, end, j, to in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        for k in range(max(end - i, to - j)):
            found.append((min(i + k, end), min(i + k + 1, end), after[j + k : j + k + 1] if j + k < to else []))
    return found


def apply(context: str, changes: list[Operation]) -> str:
    """``context`` with the operations applied."""
    lines = context.split("\n")
    for start, end, instead in reversed(changes):
        lines[start:end] = instead
    return "\n".join(lines)


def _told(old: str, new: str) -> str:
    before = old.split("\n")
    rows = []
    for start, end, instead in operations(old, new):
        rows += [f"- {line}" for line in before[start:end]] + [f"+ {line}" for line in instead]
    return quoted("\n".join(rows))
