"""What a context has from questions that its agent was never shown."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lse_gym.envs.domain import Domain, Question
from lse_gym.leaderboard.text import squeeze

MIN_WORDS = 6  # a question of fewer words may be met by chance
MIN_CHARS = 12  # of a squeezed question or answer; a shorter one, such as the letter of a choice, stands anywhere
MAX_CHANCE = 1  # that many may coincide with what an honest editor writes; 602 runs of every agent had none


class Leaks(NamedTuple):
    """How many questions and answers of which kind stand in a context, but for spelling."""

    shown: int  # of the feedback questions: worked examples, which are fair
    questions: int  # of those never shown: held-out, test and sealed
    answers: int

    def problem(self) -> str:
        """Why this is not accepted, or "". It tells no number: a prober would learn which questions are sealed."""
        if max(self.questions, self.answers) <= MAX_CHANCE:
            return ""
        return "repeats held-out, test or sealed questions or their answers word for word"


def find_leaks(context: str, domains: Sequence[Domain]) -> Leaks:
    """Count what ``context`` has of the questions of ``domains``, which share their feedback questions.

    Both are compared by their letters and digits alone: whatever is strewn between does not hide them. What is part of
    a feedback question or of its gold answer does not count.
    """
    feedback = domains[0].splits["feedback"]
    unseen = [q for domain in domains for split in ("held_out", "test") for q in domain.splits[split]]
    kinds = dict.fromkeys(_answers(unseen), "answers") | dict.fromkeys(_questions(unseen), "questions")
    kinds |= dict.fromkeys(_answers(feedback), "") | dict.fromkeys(_questions(feedback), "shown")
    found, rest = Counter(), squeeze(context)
    for text in sorted(kinds, key=len, reverse=True):  # what is part of a longer one is not found again
        if text in rest:
            found[kinds[text]] += 1
            rest = rest.replace(text, "|")
    return Leaks(found["shown"], found["questions"], found["answers"])


def _questions(questions: Iterable[Question]) -> Iterable[str]:
    texts = (squeeze(question.text) for question in questions if len(question.text.split()) >= MIN_WORDS)
    return (text for text in texts if len(text) >= MIN_CHARS)


def _answers(questions: Iterable[Question]) -> Iterable[str]:
    return (gold for question in questions if len(gold := squeeze(question.gold)) >= MIN_CHARS)
