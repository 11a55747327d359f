"""What the joint loop asks of a task: the prompts of both players, and which answers are right."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from lse_gym.envs.domain import Domain, Question
from lse_gym.envs.games.hint.prompt import HINTER, hinted, hinter_message
from lse_gym.envs.games.hint.questions import Exercises, final_answer
from lse_gym.envs.models.base import Request


class Exercise(NamedTuple):
    """A question with its reference solution, which the reasoner never sees, and the answer that no hint may tell."""

    domain: Domain
    question: Question
    solution: str
    gold: str


class Task(ABC):
    """The texts of both players."""

    @abstractmethod
    def ask(self, exercise: Exercise, hint: str) -> Request:
        """What the reasoner is asked, with the hint where it is not ""."""

    @abstractmethod
    def tell(self, exercise: Exercise, attempt: str) -> Request:
        """What the hinter is told: the question, one wrong answer and the solution."""

    @abstractmethod
    def score(self, exercise: Exercise, answers: Sequence[str]) -> list[float]:
        """The score of each answer, in [0, 1]."""


class GameTask(Task):
    """The texts of :mod:`lse_gym.envs.games.hint_v0`, for models that can read them.

    Args:
        max_tokens: longest answer of the reasoner, in tokens.
        max_hint_tokens: longest answer of the hinter, in tokens.
    """

    def __init__(self, max_tokens: int = 10_240, max_hint_tokens: int = 1024):
        self.max_tokens, self.max_hint_tokens = max_tokens, max_hint_tokens

    def ask(self, exercise: Exercise, hint: str) -> Request:
        """The domain's prompt; a hint stands below the question."""
        domain = exercise.domain
        user = hinted(domain.user(exercise.question), hint)
        return Request(domain.system(domain.seed_context), user, self.max_tokens)

    def tell(self, exercise: Exercise, attempt: str) -> Request:
        """The game's prompt of the hinter."""
        question = exercise.domain.user(exercise.question)
        told = {"question": question, "attempt": attempt, "solution": exercise.solution, "past_hints": ""}
        return Request(HINTER, hinter_message(told), self.max_hint_tokens)

    def score(self, exercise: Exercise, answers: Sequence[str]) -> list[float]:
        """The domain's scores."""
        return [outcome.score for outcome in exercise.domain.score([exercise.question] * len(answers), answers)]


def read_exercises(source: Exercises, domain: str | Sequence[str] | None = None) -> list[Exercise]:
    """The questions of the split ``feedback`` of the domains; the test split is for evaluation alone."""
    found = []
    for name in source.family.select(domain):
        loaded = source.family.load(name)
        found += [
            Exercise(loaded, question, source.solution(loaded, question), final_answer(question.gold))
            for question in loaded.splits["feedback"]
        ]
    return found
