"""Word problems at the size of ``nano``: the reasoner writes what is to be calculated, a calculator does it.

A transformer of a million parameters learns which step a sentence calls for, but not to multiply, in minutes. So an
answer is the number at first and a working for each step, with ``v`` for the number so far (``45; v - 12; v - v / 5``),
and the number that it comes to is compared with the gold; GSM8K's authors had a calculator too (arXiv 2110.14168).
"""

import re
from collections.abc import Sequence

from lse_gym.agents.hill.task import Exercise, Task
from lse_gym.envs.domain import Question
from lse_gym.envs.games.hint.prompt import hinted
from lse_gym.envs.games.problems.family import Difficulty, ProblemFamily
from lse_gym.envs.games.problems.wording import Step, read_problem
from lse_gym.envs.models.base import Request

WORKINGS = {
    "gain": "v + a",
    "lose": "v - a",
    "packs": "v + a * b",
    "times": "v * a",
    "share": "v / a",
    "fraction": "v - v / a",
    "percent": "v - v * a / 100",
    "more": "v + v * 2 + a",
}
"""each kind of step, with ``v`` for the number so far and ``a``, ``b`` for the numbers of its sentence"""
MAX_STEPS, MAX_VALUE = 12, 10**9
MAX_TOKENS, MAX_HINT_TOKENS = 48, 32  # of an answer and of a hint
_WORKING = re.compile(r"(?:v|\d{1,6})(?: [-+*/] (?:v|\d{1,6})){0,6}")


def calculate(answer: str) -> int | None:
    """What an answer comes to; None of one that is not well formed. Division leaves out what is over.

    >>> calculate("45; v - 12; v - v / 5"), calculate("45; v - v * 20 / 100"), calculate("45; buy 3")
    (27, 36, None)
    """
    start, *steps = answer.strip().split("; ")
    if not re.fullmatch(r"\d{1,6}", start) or len(steps) > MAX_STEPS:
        return None
    value = int(start)
    for step in steps:
        if not _WORKING.fullmatch(step) or (found := _apply(step, value)) is None or abs(found) > MAX_VALUE:
            return None
        value = found
    return value


def _apply(working: str, value: int) -> int | None:
    """Products and quotients before sums and differences, each from left to right; None of a division by zero."""
    first, *rest = [value if part == "v" else part for part in working.split(" ")]
    terms = [int(first)]
    for sign, part in zip(rest[::2], map(int, rest[1::2]), strict=True):
        if sign == "*":
            terms[-1] *= part
        elif sign != "/":
            terms.append(part if sign == "+" else -part)
        elif part == 0:
            return None
        else:
            terms[-1] = abs(terms[-1]) // abs(part) * (1 if terms[-1] * part >= 0 else -1)
    return sum(terms)


def filled(working: str, step: Step) -> str:
    """A working with the numbers of a step.

    >>> filled("v + a * b", Step("packs", 3, 12))
    'v + 3 * 12'
    """
    return re.sub(r"\b[ab]\b", lambda letter: str(getattr(step, letter[0])), working)


def working_answer(question: str) -> str:
    """The right answer to a problem of :class:`ProblemFamily`."""
    start, steps = read_problem(question) or (0, ())
    return "; ".join([str(start), *(filled(WORKINGS[step.kind], step) for step in steps)])


class Workings(Task):
    """The prompts of both players, as short as can be."""

    def ask(self, exercise: Exercise, hint: str) -> Request:
        """The question and the hint."""
        return Request("", hinted(exercise.question.text, hint), MAX_TOKENS)

    def tell(self, exercise: Exercise, attempt: str) -> Request:
        """The question, the wrong answer and the right one."""
        return Request("", told(exercise.question.text, attempt, exercise.solution), MAX_HINT_TOKENS)

    def score(self, exercise: Exercise, answers: Sequence[str]) -> list[float]:
        """Whether each comes to the gold."""
        return [float(calculate(answer) == int(exercise.gold)) for answer in answers]


def told(question: str, attempt: str, solution: str) -> str:
    """The hinter's prompt."""
    return f"{question}\nwrong: {attempt}\nright: {solution}"


def word_problems(
    names: Sequence[str], difficulty: Difficulty | None, secret: int = 0, count: int = 0
) -> list[Exercise]:
    """The problems of domains.

    Args:
        names: of :class:`ProblemFamily`.
        difficulty: only problems so hard; None for all.
        secret: draws the sealed questions.
        count: sealed test questions of each domain; 0 for the questions of the split ``feedback``.
    """
    family, found = ProblemFamily(difficulty=difficulty), []
    for name in names:
        domain = family.sealed(name, secret, count) if count else family.load(name)
        asked: Sequence[Question] = domain.splits["test" if count else "feedback"]
        found += [Exercise(domain, question, working_answer(question.text), question.gold) for question in asked]
    return found
