"""The game of hints: the writer says how the steps are done that stay wrong, as their worked solutions do."""

import re
from collections import Counter
from collections.abc import Iterable

from lse_gym.envs.games.hint.prompt import SHEET_RULES
from lse_gym.envs.offline.writer.edit import Edit, fitted
from lse_gym.envs.offline.writer.prompt import Task

METHOD = re.compile(r"^Step \d+: .+ = -?\d+ \((.+)\)$", re.MULTILINE)
HINT = "Remember: {}."
MOST_NEW = 2  # hints of an edit
TOLD = "tells the answer"


def recognises(task: Task) -> bool:
    """Whether a sheet of hints is to be revised."""
    return task.frozen.startswith(SHEET_RULES)


def edit(task: Task, seed: int) -> Edit:
    """A sheet with the methods that the worked solutions of unsolved questions have most in common."""
    del seed
    lines = task.context.splitlines()
    wrong = [problem for problem in task.problems if not problem.right]
    if any(TOLD in problem.error for problem in wrong):
        lines = [line for line in lines if not re.search(r"\d", line)] or lines
    methods = Counter(_methods(problem.gold for problem in wrong))
    new = [hint for method, _ in methods.most_common() if (hint := HINT.format(method)) not in lines][:MOST_NEW]
    return Edit(fitted([*lines, *new], task.max_chars), len(new))


def _methods(solutions: Iterable[str]) -> Iterable[str]:
    return (method for solution in solutions for method in dict.fromkeys(METHOD.findall(solution)))
