"""What a context has from questions that its agent was never shown."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from lse_gym.envs.domain import Domain

MIN_WORDS = 6  # a question of fewer words may be met by chance
MAX_CHANCE = 1  # that many may coincide with what an honest editor writes; 546 runs of every agent had none
MIN_ANSWER_CHARS = 12  # a shorter one, such as the letter of a choice, stands anywhere
_SPACE = re.compile(r"[^\S\n]+")
_WORD = re.compile(r"\w+")


class Leaks(NamedTuple):
    """How many questions and answers of which kind stand word for word in a context."""

    shown: int  # of the feedback questions: worked examples, which are fair
    questions: int  # of those never shown: held-out, test and sealed
    answers: int

    def problem(self) -> str:
        """Why this is not accepted, or ""."""
        if max(self.questions, self.answers) <= MAX_CHANCE:
            return ""
        return (
            f"has {self.questions} questions and {self.answers} answers of the held-out and test splits word for word"
        )


def find_leaks(context: str, domains: Sequence[Domain]) -> Leaks:
    """Count what ``context`` has of the questions of ``domains``, which share their feedback questions.

    A question that is part of a feedback question does not count, nor an answer that is also the gold answer of one.
    """
    feedback = domains[0].splits["feedback"]
    unseen = {q.text: q for domain in domains for split in ("held_out", "test") for q in domain.splits[split]}
    words, text, shown = _words(context), _plain(context), "|".join(_words(question.text) for question in feedback)
    public = {_plain(question.gold) for question in feedback}
    answers = {_plain(question.gold) for question in unseen.values()} - public
    return Leaks(
        _whole(words, [_words(question.text) for question in feedback]),
        _whole(words, [asked for asked in map(_words, unseen) if asked not in shown]),
        sum(len(answer) >= MIN_ANSWER_CHARS and _stands(answer, text) for answer in answers),
    )


def _stands(answer: str, text: str) -> bool:
    """Whether the answer stands in the text and is not the beginning of a longer one."""
    return answer in text and re.search(rf"(?<!\w){re.escape(answer)}(?!\w| *\w)", text) is not None


def _whole(words: str, questions: Sequence[str]) -> int:
    return sum(question.count(" ") > MIN_WORDS and question in words for question in questions)


def _words(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.lower()))} "


def _plain(text: str) -> str:
    return _SPACE.sub(" ", text.lower()).strip(" ;")
