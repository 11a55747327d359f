"""A subject with multiple-choice questions: the domain behind every question-answering env."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256

from lse_gym.envs.domain import SPLITS, Attempt, Domain, Outcome, Question, Split
from lse_gym.envs.prompt import system_message
from lse_gym.envs.qa.answer import extract_choice
from lse_gym.envs.qa.prompt import (
    LETTERS,
    SEED_CONTEXT,
    Item,
    frozen_part,
    report,
    user_message,
)
from lse_gym.envs.report import Report

NO_ANSWER = "No single letter was given."


class QADomain(Domain):
    """Questions with choices, scored by the letter.

    Args:
        name: name of the domain.
        subject: what the prompt says the questions are about.
        splits: the items.
        oracle_context: everything there is to know, if anybody knows it.
    """

    def __init__(
        self,
        name: str,
        subject: str,
        splits: Mapping[Split, Sequence[Item]],
        oracle_context: str | None = None,
    ):
        self.name, self.items = name, {item.id: item for split in SPLITS for item in splits[split]}
        self.splits = {split: tuple(item.question for item in splits[split]) for split in SPLITS}
        self.seed_context, self.oracle_context = SEED_CONTEXT, oracle_context
        self.guess = sum(1 / len(item.choices) for item in self.items.values()) / max(1, len(self.items))
        self._frozen = frozen_part(subject)
        self._users = {name: user_message(item) for name, item in self.items.items()}
        self._letters = {name: LETTERS[: len(item.choices)] for name, item in self.items.items()}
        self._explanations = {name: item.explanation for name, item in self.items.items()}

    def system(self, context: str) -> str:
        """Overview, output format and context."""
        return system_message(self._frozen, context)

    def user(self, question: Question) -> str:
        """The question and its choices."""
        return self._users[question.id]

    def score(self, questions: Sequence[Question], responses: Sequence[str]) -> list[Outcome]:
        """1.0 for the letter of the right choice alone, see :func:`lse_gym.envs.qa.answer.extract_choice`."""
        outcomes = []
        for question, response in zip(questions, responses, strict=True):
            letter = extract_choice(response, self._letters[question.id])
            outcomes.append(Outcome(float(letter == question.gold), letter or "", "" if letter else NO_ANSWER))
        return outcomes

    def report(self, attempts: Sequence[Attempt]) -> Report:
        """The report of :func:`lse_gym.envs.qa.prompt.report`."""
        return report(self._frozen, attempts, self._explanations)

    def fingerprint(self) -> str:
        """SHA-256 of every item."""
        items = [[self.items[question.id] for question in self.splits[split]] for split in SPLITS]
        return sha256(json.dumps([self._frozen, items], ensure_ascii=True).encode()).hexdigest()
