"""Passages that a question is answered from: the writer puts last what was believed and wrong, one passage an edit.

It reads what passages say, not of whom: one about something else that happens to say so is moved as well.
"""

import random
import re

from lse_gym.envs.offline.writer.edit import Edit
from lse_gym.envs.offline.writer.prompt import Task
from lse_gym.envs.passages.prompt import NUMBER, OVERVIEW, VALUE

SHOWN = re.compile(r"^\[(\d{1,4})\] (.*)$", re.MULTILINE)  # a passage in the report's head
NEAR = 2  # lines of which any may be the one that is moved


def recognises(task: Task) -> bool:
    """Whether questions are answered from passages."""
    return OVERVIEW in task.frozen


def edit(task: Task, seed: int) -> Edit:
    """Move one of the first passages that say a wrong answer to the end; if none does, one that says a gold to the top.

    A passage that is not listed is not said to be missing, and stays away.
    """
    said = {number: {*VALUE.findall(text)} for number, text in SHOWN.findall(task.frozen)}
    wrong = [problem for problem in task.problems if problem.score < 1]
    answers, golds = {problem.answer for problem in wrong}, {problem.gold for problem in wrong}
    lines = task.context.splitlines()
    spoken = [said.get(match[1], set()) if (match := NUMBER.search(line)) else set() for line in lines]
    believed = [i for i, values in enumerate(spoken[:-1]) if values & answers and not values & golds]
    right = [i for i, values in enumerate(spoken) if i and values & golds]
    if not (believed or right):
        return Edit(task.context)
    moved = lines.pop(random.Random(seed).choice(believed[:NEAR] or right[-NEAR:]))
    return Edit("\n".join([*lines, moved] if believed else [moved, *lines]))
