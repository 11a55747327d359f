"""Prompting with a history of scored contexts, in the manner of OPRO (Yang et al., arXiv 2309.03409)."""

from dataclasses import dataclass
from typing import Annotated

from lse_gym.agents.editor_agent import EditorAgent, EditorArgs, quoted
from lse_gym.envs.arguments import Range
from lse_gym.envs.core import Observation


@dataclass(frozen=True)
class Args(EditorArgs):
    """Arguments of OPRO."""

    shown: Annotated[int, Range(0, 10_000)] = 20
    """contexts in the history, the best ones (paper, section 5.1: 20)"""
    shown_chars: Annotated[int, Range(0, 10_000_000)] = 24_000
    """longest history, in characters; the worst contexts are left out first"""


class OPROAgent(EditorAgent):
    """OPRO: the editor sees the best contexts so far with their held-out scores, worst first, and edits the best.

    Args:
        env: an env of the namespace ``LSE``.
        args: see :class:`Args`.
    """

    name = "opro"
    bare = True  # opt_utils of the released code: a missing tag is an end of the text
    Args = Args

    def notes(self, observation: Observation, step: int, deterministic: bool) -> str:
        """The history: distinct contexts in ascending order of their scores, each rounded to a whole number of 100."""
        del step, deterministic
        best: dict[str, float] = {}
        for node in self.tree.nodes:
            best[node["context"]] = max(node["performance"], best.get(node["context"], 0.0))
        ranked = sorted(best.items(), key=lambda item: -item[1])[: self.args.shown]
        entries, room = [], self.args.shown_chars
        for context, score in ranked:
            entry = f"{quoted(context)}\nScore: {round(100 * score)}"
            if context == observation["context"] or len(entry) > room:
                continue
            entries.append(entry)
            room -= len(entry)
        if not entries:
            return ""
        told = "Earlier instructions with their scores, from 0 to 100; the new ones should score higher:"
        return "\n\n".join([told, *reversed(entries)])
