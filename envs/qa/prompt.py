"""The multiple-choice prompt and report: the only text that task model and editor ever see of a subject."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lse_gym.envs.domain import Attempt, Question
from lse_gym.envs.prompt import OUTPUT_HEADER, count_right
from lse_gym.envs.report import Problem, Report
from lse_gym.envs.text import one_line

OVERVIEW = "You answer multiple-choice questions about {}. Exactly one choice of each question is right."
OUTPUT = "Put the letter of the right choice between <answer> and </answer>. Nothing else is scored."
SEED_CONTEXT = "Return the letter of the right choice."
MAX_SHOWN_CHARS = 4000  # of a question in a report; the longest of MMLU-Redux has about 3,800
MAX_RESPONSE_CHARS = 300  # of a response without an answer


class Item(NamedTuple):
    """A multiple-choice question: what is asked, the choices in order, the right one, and why."""

    id: str
    stem: str
    choices: tuple[str, ...]
    right: int
    explanation: str = ""

    @property
    def question(self) -> Question:
        """The item as an env sees it; the text is all of it on one line."""
        shown = " ".join(f"{letter}) {choice}" for letter, choice in zip(LETTERS, self.choices, strict=False))
        return Question(self.id, one_line(f"{self.stem} {shown}", MAX_SHOWN_CHARS), LETTERS[self.right])


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def frozen_part(subject: str) -> str:
    """The prompt without the context: overview and output format."""
    return f"{OVERVIEW.format(subject)}\n\n{OUTPUT_HEADER}\n{OUTPUT}\n\n"


def user_message(item: Item) -> str:
    """The question, and a line a choice."""
    choices = "\n".join(f"{letter}) {choice}" for letter, choice in zip(LETTERS, item.choices, strict=False))
    return f"Question: {item.stem}\n{choices}"


def report(frozen: str, attempts: Sequence[Attempt], explanations: Mapping[str, str]) -> Report:
    """The report on attempts: a head with the frozen part of the prompt, then one entry a problem."""
    problems = tuple(
        Problem(
            question=question.text,
            answer=outcome.answer or one_line(response, MAX_RESPONSE_CHARS),
            gold=question.gold,
            score=outcome.score,
            error=outcome.error,
            explanation=explanations.get(question.id, ""),
        )
        for question, response, outcome, _ in attempts
    )
    return Report(f"The model's fixed prompt:\n{frozen}{count_right(attempts)}", problems)
