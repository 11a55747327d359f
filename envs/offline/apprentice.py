"""The offline editor ``apprentice``: the skill of the writer, used as its instruction says.

An instruction to it is read by clauses; in a long one some are overlooked. Of each habit the last clause that speaks of
it counts, and a clause with a "not" asks for the opposite.

| habit | of itself | where the instruction speaks of |
|---|---|---|
| thorough | looks into the first wrong answer alone | every mistake, all problems, each answer |
| careful | loses one in three of the rules that were there | keeping, preserving what there is |
| brief | writes as many rules as it has found | one rule, few words, being short |

Asked to improve the instruction of an editor, as in ``LSE/Editor-v0``, it adds a piece of common advice on editing, or
takes one back that is there. Which of them helps it does not know: a search finds out.
"""

import re
from typing import NamedTuple

from lse_gym.envs.editor.prompt import HEAD
from lse_gym.envs.offline.stand_in import chance
from lse_gym.envs.offline.writer import Writer
from lse_gym.envs.offline.writer.edit import Edit, fitted
from lse_gym.envs.offline.writer.prompt import Task

ATTENTION_CHARS = 600  # of an instruction that is read with full attention
LOSES = 1 / 3  # of the rules of a context that it rewrites from memory
TAKES_BACK = 1 / 4  # of its edits of an instruction
CLAUSE = re.compile(r"[^.,:;!?\n]+")
NOT = re.compile(r"\b(not|never|no|without|nothing)\b|n't\b", re.IGNORECASE)
RULE = re.compile(r"- ")
HABITS = {
    "thorough": r"\b(every|each|all)\b.*\b(wrong|mistake|problem|answer|question|error|case)",
    "careful": r"\b(keep|preserve|retain|leave)\b",
    "brief": r"\b(short|brief|concise|(one|a single) (new )?(rule|line)|few words)\b",
}
ADVICE = (
    "Go through every problem of the report.",
    "Keep the lines that are right.",
    "Be brief.",
    "Write one new rule at most.",
    "Write as many rules as you can.",
    "Do not keep what stands there already.",
    "Think before you write.",
    "Take your time.",
    "Say why each rule holds.",
    "Be polite to the model.",
    "Use simple words.",
    "Imagine that you are a teacher.",
)


class Habits(NamedTuple):
    """How an edit is gone about."""

    thorough: bool = False
    careful: bool = False
    brief: bool = False


class Apprentice(Writer):
    """Edits contexts as an editor's instruction says; of itself it looks at one mistake and loses what was right."""

    name = "apprentice"
    revision = "1"

    def revise(self, task: Task, seed: int) -> Edit:
        """The context, revised as the writer would that has these habits."""
        if task.frozen.startswith(HEAD):
            return _advise(task, seed)
        habits = read_habits(task.instruction)
        wrong = tuple(problem for problem in task.problems if not problem.right)[:1]
        edit = super().revise(task if habits.thorough else task._replace(problems=wrong), seed)
        old = {*task.context.splitlines()}
        lines, new = [], 0
        for line in edit.context.splitlines():
            if RULE.match(line) and line not in old:
                new += 1
                if habits.brief and new > 1:
                    continue
            elif RULE.match(line) and not habits.careful and chance("lost", line, task.context, seed) < LOSES:
                continue
            lines.append(line)
        return edit._replace(context="\n".join(lines), rules=min(new, 1) if habits.brief else new)


def read_habits(instruction: str) -> Habits:
    """What an instruction asks for.

    >>> read_habits("Keep what is right, look at every mistake, and be brief. Do not be too brief.")
    Habits(thorough=True, careful=True, brief=False)
    """
    heeded = {}
    for clause in CLAUSE.findall(instruction):
        if chance("attention", clause, instruction) * len(instruction) < ATTENTION_CHARS:
            asked = (name for name, words in HABITS.items() if re.search(words, clause, re.IGNORECASE))
            heeded |= dict.fromkeys(asked, not NOT.search(clause))
    return Habits(**heeded)


def _advise(task: Task, seed: int) -> Edit:
    """The instruction with one piece of advice more, or with one less."""
    said = [advice for advice in ADVICE if advice in task.context]
    unsaid = [advice for advice in ADVICE if advice not in said]

    def draw(of: list[str]) -> str:
        return min(of, key=lambda advice: chance("advice", advice, task.context, seed))

    if said and (not unsaid or chance("less", task.context, seed) < TAKES_BACK):
        return Edit(task.context.replace(draw(said), "").strip())
    return Edit(fitted([task.context, draw(unsaid)], task.max_chars), 1)
