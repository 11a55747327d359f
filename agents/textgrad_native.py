"""Textual gradients (Yuksekgonul et al., arXiv 2406.07496): a critic says what is wrong, a rewrite follows it."""

from dataclasses import dataclass
from typing import Annotated

from lse_gym.agents.editor_agent import EditorAgent, EditorArgs, quoted
from lse_gym.envs.arguments import Range
from lse_gym.envs.core import Observation


@dataclass(frozen=True)
class Args(EditorArgs):
    """Arguments of textual gradients."""

    critique_chars: Annotated[int, Range(1, 10_000_000)] = 8_192
    """longest criticism that is passed on (the bound on instructions in LSE's released code)"""


class TextGradAgent(EditorAgent):
    """Textual gradients: a critic reads context and report, then a rewrite follows it; what is no better is reverted.

    The next edit starts from the best context so far, so a rewrite that does not raise the held-out score is reverted,
    as LSE's released code does with its TextGrad baseline.

    Args:
        env: an env of the namespace ``LSE``.
        args: see :class:`Args`.
    """

    name = "textgrad"
    Args = Args

    def most_editor_calls(self) -> int:
        """The critic and the rewrite."""
        return 2

    def notes(self, observation: Observation, step: int, deterministic: bool) -> str:
        """The criticism, from a call of its own."""
        prompt = (
            "You are the critic of instructions that a language model follows. Below are the instructions, and a "
            "report on what the model made of them. Say what in the instructions caused the wrong answers: what is "
            "missing, what is wrong, what is misleading. Name the passages. Do not write new instructions.\n\n"
            f"The instructions:\n{quoted(observation['context'])}\n\nThe report:\n{quoted(observation['feedback'])}"
        )
        critique = self.ask(prompt, step, deterministic, call=1)[: self.args.critique_chars]
        return f"A critic says about the current instructions:\n{quoted(critique)}"
