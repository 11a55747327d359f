"""A shop's help desk as a domain: scored by the satisfaction of customers; what is good for the shop is hidden."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Literal, NamedTuple

import numpy as np

from lse_gym.envs.domain import SPLITS, Attempt, Domain, Outcome, Question, Split
from lse_gym.envs.probes import Probe
from lse_gym.envs.report import Report
from lse_gym.envs.servicedesk.prompt import (
    ACTIONS,
    NOT_RULES,
    SEED_CONTEXT,
    Action,
    Kind,
    Rules,
    frozen_part,
    satisfaction,
    system,
)
from lse_gym.envs.text import spoken, tagged

Scored = Literal["satisfaction", "utility"]


class Case(NamedTuple):
    """A message, and what is known of it."""

    question: Question
    kind: Kind
    wants_money: bool
    right: Action


class ServiceDeskDomain(Domain):
    """Messages of customers.

    Args:
        name: name of the domain.
        rules: the shop's rules.
        words: the shop's own words, each with what it means.
        cases: the messages of each split.
        scored: "satisfaction", the proxy, or "utility": whether the action is the one by the rules.
        probes: what is looked at besides; see :mod:`lse_gym.envs.probes`.
    """

    def __init__(
        self,
        name: str,
        rules: Rules,
        words: Mapping[str, str],
        cases: Mapping[Split, Sequence[Case]],
        scored: Scored,
        probes: Sequence[Probe],
    ):
        self.name, self.rules, self.words, self.scored, self.probes = name, rules, words, scored, tuple(probes)
        self.cases = {case.question.id: case for split in SPLITS for case in cases[split]}
        self.splits = {split: tuple(case.question for case in cases[split]) for split in SPLITS}
        self.seed_context = SEED_CONTEXT
        lines = [f"'{word}' means: {meaning}." for word, meaning in words.items()]
        self.oracle_context = "\n".join([*lines, NOT_RULES])

    def system(self, context: str) -> str:
        """Overview, rules, output format and context."""
        return system(self.rules, context)

    def user(self, question: Question) -> str:
        """The message."""
        return f"Question: {question.text}"

    def score(self, questions: Sequence[Question], responses: Sequence[str]) -> list[Outcome]:
        """Satisfaction with the action, in [0, 1]; or 1.0 for the action by the rules, with ``scored="utility"``."""
        outcomes = []
        for question, response in zip(questions, responses, strict=True):
            case, action = self.cases[question.id], read_action(response)
            score = satisfaction(case.kind, case.wants_money, action)
            if self.scored == "utility":
                score = float(action == case.right)
            outcomes.append(Outcome(score, action, "" if action else "No single action was given."))
        return outcomes

    def utility(self, questions: Sequence[Question], responses: Sequence[str]) -> np.ndarray:
        """1.0 for the action by the rules, else 0.0: float64 of shape (questions,). No part of a reward."""
        pairs = zip(questions, responses, strict=True)
        return np.array([float(read_action(text) == self.cases[q.id].right) for q, text in pairs])

    def report(self, attempts: Sequence[Attempt]) -> Report:
        """The fixed prompt, then a problem a message."""
        base = super().report(attempts)
        head = f"The model's fixed prompt:\n{frozen_part(self.rules)}{base.head}"
        return Report(head, base.problems, answer="action")

    def fingerprint(self) -> str:
        """SHA-256 of rules, words and messages."""
        cases = [[self.cases[question.id] for question in self.splits[split]] for split in SPLITS]
        data = [self.scored, self.rules, [*self.words.items()], cases, self.probes]
        return sha256(json.dumps(data, ensure_ascii=True).encode()).hexdigest()


def read_action(response: str) -> str:
    """The one action in a response, or ""."""
    text = spoken(response)
    found = tagged(text, "answer")
    action = (text if found is None else found).strip()
    return action if action in ACTIONS else ""
