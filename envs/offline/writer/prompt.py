"""What the writer is told: the one place where it reads text that was written for an editor."""

import re
from typing import NamedTuple

from lse_gym.envs.editing import read_editor_prompt
from lse_gym.envs.prompt import VERDICTS, split_report

PROBLEM = re.compile(r"Problem \d+: (?:score (\d(?:\.\d+)?(?:e-\d+)?)|(\w+))")
SCORES = {verdict: score for score, verdict in VERDICTS.items()}


class Problem(NamedTuple):
    """A question with its gold answer, and what became of it; what the feedback mode leaves out is empty."""

    question: str
    gold: str
    answer: str = ""
    error: str = ""
    explanation: str = ""
    score: float = 1.0  # in [0, 1]


class Task(NamedTuple):
    """What there is to do: revise ``context``, at most ``max_chars`` long, by the problems that were had with it.

    ``frozen`` is what does not change, such as the overview and the schema.
    """

    context: str
    frozen: str
    problems: tuple[Problem, ...]
    max_chars: int


def read_task(prompt: str) -> Task | None:
    """The task in an editor prompt; None where the text is no such prompt."""
    found = read_editor_prompt(prompt)
    if found is None:
        return None
    frozen, *entries = split_report(found.report)
    problems = tuple(problem for entry in entries if (problem := _problem(entry)))
    return Task(found.context, frozen, problems, found.max_chars)


def _problem(entry: str) -> Problem | None:
    first, _, rest = entry.partition("\n")
    match = PROBLEM.fullmatch(first.strip())
    score = match and (float(match[1]) if match[1] else SCORES.get(match[2]))
    if score is None:
        return None
    told = dict(line.split(": ", 1) for line in rest.split("\n") if ": " in line)
    return Problem(
        told.get("Question", ""),
        told.get("Correct SQL", told.get("Correct answer", "")),
        told.get("Model's SQL", told.get("Model's answer", "")),
        told.get("Error", ""),
        told.get("Explanation", ""),
        score,
    )
