"""Functions to be repaired: the writer compares each with its repaired form, and says what holds in its module."""

from collections import Counter

from lse_gym.envs.offline.reader.repair import MODULE, read_rules
from lse_gym.envs.offline.writer.edit import Edit, fitted
from lse_gym.envs.offline.writer.prompt import Task
from lse_gym.envs.repair.idioms import IDIOMS, forms_in
from lse_gym.envs.repair.prompt import OVERVIEW

MOST_NEW = 8  # rules of one edit


def recognises(task: Task) -> bool:
    """Whether functions are repaired."""
    return OVERVIEW in task.frozen


def edit(task: Task, seed: int) -> Edit:
    """Add what is seen in repaired functions and not said yet; take out what they contradict."""
    del seed
    lines = task.context.splitlines()
    seen: Counter[tuple[str, str, str]] = Counter()
    for problem in task.problems:
        module, broken = MODULE.search(problem.gold), forms_in(problem.question)
        if module is not None:
            for matter, form in forms_in(problem.gold).items():
                seen[module[1], matter, form] += 1 + (broken.get(matter) != form)
    new: list[str] = []
    for (module, matter, form), _ in seen.most_common():
        said = read_rules(tuple(lines), module).get(matter, [])
        if said == [form]:
            continue
        line = f"- In {module}, {IDIOMS[matter].forms[form].rule}."
        wrong = {f"- In {module}, {IDIOMS[matter].forms[other].rule}." for other in said if other != form}
        lines = [old for old in lines if old not in wrong]
        if len(new) < MOST_NEW and line not in new:
            new.append(line)
    return Edit(fitted([*lines, *new], task.max_chars), len(new))
