"""What the writer is told: the parts of an editor prompt, as data. It never reads the text of a report."""

from typing import NamedTuple

from lse_gym.envs.editing import EditorPrompt
from lse_gym.envs.report import Problem


class Task(NamedTuple):
    """What there is to do: revise ``context``, at most ``max_chars`` long, by the problems that were had with it.

    ``frozen`` is what does not change, such as the overview and the schema; ``instruction`` says how to go about it.
    """

    context: str
    frozen: str
    problems: tuple[Problem, ...]
    max_chars: int
    instruction: str = ""


def read_task(prompt: str) -> Task | None:
    """The task behind an editor prompt; None where the text was not made by :func:`editor_prompt`."""
    if not isinstance(prompt, EditorPrompt):
        return None
    context, report, max_chars, instruction = prompt.data
    return Task(context, report.head, report.problems, max_chars, instruction)


def worked(question: str, gold: str, explanation: str = "") -> Problem:
    """A worked example of a context, as if it were a problem with its gold."""
    return Problem(question, "", gold, 1.0, explanation=explanation)
