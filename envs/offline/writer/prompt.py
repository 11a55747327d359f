"""The report as the writer reads it: plain text taken apart into problems."""

import re
from typing import NamedTuple

from lse_gym.envs.prompt import split_report

PROBLEM = re.compile(r"Problem \d+: (right|wrong)")


class Problem(NamedTuple):
    """One entry of a report; fields that the feedback mode leaves out are empty."""

    right: bool
    question: str
    answer: str
    gold: str
    error: str
    explanation: str = ""


def read_report(report: str) -> tuple[str, list[Problem]]:
    """The fixed prompt at the head of a report, and its problems."""
    head, *entries = split_report(report)
    problems = []
    for entry in entries:
        first, _, rest = entry.partition("\n")
        match = PROBLEM.fullmatch(first.strip())
        if not match:
            continue
        fields = dict(line.split(": ", 1) for line in rest.split("\n") if ": " in line)
        problems.append(
            Problem(
                match[1] == "right",
                fields.get("Question", ""),
                fields.get("Model's SQL", fields.get("Model's answer", "")),
                fields.get("Correct SQL", fields.get("Correct answer", "")),
                fields.get("Error", ""),
                fields.get("Explanation", ""),
            )
        )
    return head, problems
