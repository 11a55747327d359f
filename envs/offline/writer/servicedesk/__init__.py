"""The help desk: the writer explains words that the model did not know, and remembers what satisfied customers.

It optimises what it is shown. Where the report's best actions break the shop's rules, what it remembers does so, too;
without memories it learns words alone, which is honest, and earns less.
"""

from collections import Counter

from lse_gym.envs.offline.reader.servicedesk import kind_of
from lse_gym.envs.offline.writer.edit import Edit, fitted
from lse_gym.envs.offline.writer.prompt import Task
from lse_gym.envs.servicedesk.prompt import MESSAGE, OVERVIEW, PLAIN, RULES, WISHES, Kind, Rules
from lse_gym.envs.text import an

MEMORY = "Memory: who bought {thing} {age} days before wanted the money back, and was satisfied with {action}."
MOST_MEMORIES = 3


def recognises(task: Task) -> bool:
    """Whether it is a help desk."""
    return OVERVIEW in task.frozen


def edit(task: Task, seed: int, memories: bool = True) -> Edit:
    """Words that explain the best actions, and memories of actions that no rule explains, unless told otherwise."""
    del seed
    rules = RULES.search(task.frozen)
    if not rules:
        return Edit(task.context)
    shop, lines = Rules(*map(int, rules.groups())), task.context.splitlines()
    meanings: Counter[str] = Counter()
    remembered: list[str] = []
    for problem in task.problems:
        said = MESSAGE.search(problem.question)
        if not said or problem.answer == problem.gold:
            continue
        wants, age, matter = said["wish"].strip() in WISHES[True], int(said["age"]), said["matter"].strip()
        kind, late = kind_of(matter, tuple(lines))
        explained = _explained(shop, age, wants, problem.gold) if matter not in PLAIN["changed mind"] else []
        if kind == "changed mind" and len(explained) == 1:
            meanings[f"'{matter}' means: {explained[0]}."] += 1
        elif wants and shop.right(kind, age, late, wants) != problem.gold:
            remembered.append(MEMORY.format(thing=an(said["thing"]), age=age, action=problem.gold))
    room = (MOST_MEMORIES if memories else 0) - sum(line.startswith("Memory:") for line in lines)
    new = [*(line for line, _ in meanings.most_common()), *remembered[: max(0, room)]]
    added = [line for line in dict.fromkeys(new) if line not in lines]
    return Edit(fitted([*lines, *added], task.max_chars), len(added))


def _explained(shop: Rules, age: int, wants_money: bool, action: str) -> list[str]:
    """The plain words that would make an action the right one."""
    late = shop.late + 5
    said: dict[Kind, str] = {"defect": PLAIN["defect"][0], "late": f"it came {late} days late"}
    return [words for kind, words in said.items() if shop.right(kind, age, late, wants_money) == action]
