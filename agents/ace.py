"""ACE: a context of bulleted lessons that is never rewritten, only added to and pruned (Agentic Context Engineering).

Source: Zhang et al., arXiv 2510.04618: a generator answers with the bullets, a reflector draws lessons from its
mistakes and marks bullets as helpful or harmful, a curator turns the lessons into delta operations. Here the env's task
model is the generator. The wording of the prompts is ours.
"""

import re
from dataclasses import dataclass
from typing import Annotated

from lse_gym.agents.editor_agent import EditorAgent, EditorArgs, quoted
from lse_gym.agents.tree import Selection
from lse_gym.envs.arguments import Range
from lse_gym.envs.core import Observation
from lse_gym.envs.editing import editor_prompt, parse_edit


@dataclass(frozen=True)
class Args(EditorArgs):
    """Arguments of ACE."""

    selection: Selection = "deepest"
    """"deepest": one playbook grows, as in the paper"""
    prune: Annotated[int, Range(0, 1_000_000)] = 2
    """a bullet that was marked harmful so many times more often than helpful is dropped"""


class ACEAgent(EditorAgent):
    """ACE: a reflector marks bullets as helpful or harmful, a curator adds new ones; nothing is rewritten.

    The first line of the context, the task, is kept. Every other line is a bullet ``- …``; lines that the curator's
    answer leaves out stay all the same, which is what keeps the playbook from collapsing. Marks are kept in ``memory``,
    not in the context: bullet to the number of times it was helpful less those it was harmful.

    Args:
        env: an env of the namespace ``LSE``.
        args: see :class:`Args`.
    """

    name = "ace"
    Args = Args

    def most_editor_calls(self) -> int:
        """The reflector and the curator."""
        return 2

    def edit(self, observation: Observation, step: int, deterministic: bool = False) -> str:
        """Reflect, prune what has done harm, and add what was learnt."""
        context = observation["context"]
        head, *bullets = context.split("\n")
        if bullets:
            marks = self.ask(reflector_prompt(bullets, observation["feedback"]), step, deterministic)
            for bullet, mark in read_marks(marks, bullets):
                self.memory[bullet] = self.memory.get(bullet, 0) + mark
        kept = [bullet for bullet in bullets if self.memory.get(bullet, 0) > -self.args.prune]
        told = "Keep every line that is there; answer with the lines to add only."
        prompt = editor_prompt("\n".join([head, *kept]), observation["feedback"], self._max_chars(), told)
        answer = parse_edit(self.ask(prompt, step, deterministic, call=1), "\n".join([head, *kept]))
        present = {_bare(line) for line in (head, *kept)}
        new = dict.fromkeys(_bare(line) for line in (answer or "").split("\n") if line.strip())
        return "\n".join([head, *kept, *(f"- {text}" for text in new if text and text not in present)])


def reflector_prompt(bullets: list[str], report: str) -> str:
    """What the reflector is asked: which bullets helped, and which did harm."""
    listed = "\n".join(f"[{number}] {bullet}" for number, bullet in enumerate(bullets, 1))
    return (
        "Another language model answered questions with these lessons at hand:\n\n"
        f"{quoted(listed)}\n\n"
        f"This is what came of it:\n\n{quoted(report)}\n\n"
        "Which lessons led to right answers, and which to wrong ones? Leave out those that played no part. "
        "Answer with one line a lesson: its number in brackets, then helpful or harmful, as in [3] harmful."
    )


def read_marks(answer: str, bullets: list[str]) -> list[tuple[str, int]]:
    """The marks in a reflector's answer: bullet, and +1 for helpful or -1 for harmful; others are ignored.

    >>> read_marks("[1] helpful\\n[2]: harmful\\n[9] helpful", ["- a", "- b"])
    [('- a', 1), ('- b', -1)]
    """
    found = {int(number): mark for number, mark in re.findall(r"\[(\d{1,6})\]\W{0,3}(helpful|harmful)", answer.lower())}
    values = {"helpful": 1, "harmful": -1}
    return [(bullets[n - 1], values[mark]) for n, mark in found.items() if 0 < n <= len(bullets)]


def _bare(line: str) -> str:
    return line.strip().removeprefix("- ").strip()
