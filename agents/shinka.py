"""ShinkaEvolve: an archive, parents by score and novelty, copies refused before they cost, a bandit over editors.

Source: arXiv 2509.19349, section 3, and its released code. Contexts are compared by their words instead of by
embeddings, so that nothing is downloaded; islands and meta-recommendations are left out.
"""

from dataclasses import dataclass
from math import expm1, inf, log, sqrt
from typing import Annotated

import gymnasium as gym
import numpy as np

from lse_gym.agents.diversity import common_words
from lse_gym.agents.editor_agent import EditorAgent, EditorArgs, quoted
from lse_gym.agents.tree import Node
from lse_gym.envs.arguments import Range
from lse_gym.envs.core import Observation
from lse_gym.envs.metered import MeteredModel
from lse_gym.envs.models import make_model


@dataclass(frozen=True)
class Args(EditorArgs):
    """Arguments of ShinkaEvolve."""

    editors: str = ""
    """further editors, separated by commas; a bandit chooses among them and ``editor``"""
    archive: Annotated[int, Range(1, 10_000)] = 40
    """contexts that can be parents, the best ones (released code: archive_size=40)"""
    sharpness: Annotated[float, Range(0, 1e6)] = 10.0
    """how strongly score decides on the parent (released code: parent_selection_lambda=10)"""
    similarity: Annotated[float, Range(0, 1)] = 0.95
    """share of words in common from which on an edit is no news (paper, section 3.2: 0.95, of embeddings)"""
    attempts: Annotated[int, Range(1, 100)] = 3
    """edits that are tried for a new one (released code: max_novelty_attempts=3)"""
    exploration: Annotated[float, Range(0, 1e6)] = 1.0
    """weight of the bandit's bonus (released code: exploration_coef=1)"""


class ShinkaAgent(EditorAgent):
    """ShinkaEvolve: parents by score and number of children; an edit that is no news is asked for again, unpaid.

    A parent is drawn with weight ``sigmoid(sharpness * (score - median) / MAD) / (1 + children)``. Of several editors
    UCB1 chooses, by how much their edits improved on the parent or the seed context, whichever was better; what made
    things worse counts as nothing.

    Args:
        env: an env of the namespace ``LSE``.
        args: see :class:`Args`.
    """

    name = "shinka"
    Args = Args

    def __init__(self, env: gym.Env | None = None, **args: object):
        super().__init__(env, **args)
        more = [name.strip() for name in self.args.editors.split(",") if name.strip()]
        for name in more:
            self.editors[name] = MeteredModel(make_model(name, record=self.args.record), self.editor.budget)

    def most_editor_calls(self) -> int:
        """As many as edits are tried for a new one."""
        return self.args.attempts

    def select(self) -> Node:
        """Draw a parent from the archive."""
        archive = sorted(self.tree.nodes, key=lambda node: (-node["performance"], node["id"]))[: self.args.archive]
        scores = np.array([node["performance"] for node in archive])
        spread = max(float(np.median(np.abs(scores - np.median(scores)))), 1e-6)
        slopes = np.clip(self.args.sharpness * (scores - np.median(scores)) / spread, -500, 500)
        children = np.array([sum(node["id"] == child["parent_id"] for child in self.tree.nodes) for node in archive])
        weights = 1 / (1 + np.exp(-slopes)) / (1 + children)
        rng = np.random.default_rng(np.random.SeedSequence([self.args.seed, len(self.tree.nodes)]))
        return self.tree.visit(archive[int(rng.choice(len(archive), p=weights / weights.sum()))])

    def edit(self, observation: Observation, step: int, deterministic: bool = False) -> str:
        """Edits of the chosen editor until one is new; the last one if none is."""
        chosen = self.memory.setdefault("chosen", [])
        name = self._choose(chosen[:step])
        if step == len(chosen):  # else a prediction, or an edit that is made again
            chosen.append(name)
        self.editor = self.editors[name]
        context, seen = observation["context"], {observation["context"], *(node["context"] for node in self.tree.nodes)}
        for attempt in range(self.args.attempts):
            self._attempt = attempt
            context = super().edit(observation, step, deterministic)
            if all(common_words(context, old) < self.args.similarity for old in seen):
                break
        return context

    def notes(self, observation: Observation, step: int, deterministic: bool) -> str:
        """The best other context, to learn from; and that something new is wanted where an attempt was none."""
        del step, deterministic
        others = [node for node in self.tree.nodes if node["context"] != observation["context"]]
        told = "Earlier answers said nothing new. Try something else.\n" * (self._attempt > 0)
        if others:
            best = max(others, key=lambda node: (node["performance"], node["id"]))
            score = round(100 * best["performance"])
            told += f"Other instructions, which scored {score} of 100:\n{quoted(best['context'])}"
        return told

    def ask(self, prompt: str, step: int, deterministic: bool = False, call: int = 0) -> str:
        """Each attempt is an answer of its own."""
        return super().ask(prompt, step, deterministic, call + self._attempt)

    _attempt = 0

    def _choose(self, chosen: list[str]) -> str:
        """UCB1 over the editors, on normalised improvements."""
        gains: dict[str, list[float]] = {name: [] for name in self.editors}
        for node in (node for node in self.tree.nodes[1:] if node["round_idx"] <= len(chosen)):
            name = chosen[node["round_idx"] - 1]
            before = max(self.tree.nodes[node["parent_id"] or 0]["performance"], self.tree.nodes[0]["performance"])
            gains[name].append(expm1(max(0.0, node["performance"] - before)))
        top = max((gain for each in gains.values() for gain in each), default=0.0) or 1.0

        def bound(name: str) -> float:
            if not gains[name]:
                return inf
            bonus = sqrt(2 * log(len(chosen)) / len(gains[name]))
            return sum(gains[name]) / len(gains[name]) / top + self.args.exploration * bonus

        return max(self.editors, key=bound)
