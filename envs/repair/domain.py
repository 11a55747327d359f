"""A code base as a domain: functions with bugs, scored by the unit tests that their repaired forms pass."""

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from lse_gym.envs.domain import SPLITS, Attempt, Domain, Outcome, Question, Split
from lse_gym.envs.repair.idioms import IDIOMS
from lse_gym.envs.repair.prompt import FROZEN, SEED_CONTEXT, system
from lse_gym.envs.repair.testing import UnitTests, run
from lse_gym.envs.report import Report
from lse_gym.envs.splits import Lazy
from lse_gym.envs.text import spoken, tagged

FENCE = re.compile(r"\A\s*```\w*\n(.*?)\n?```\s*\Z", re.DOTALL)
Rules = Mapping[tuple[str, str], str]
"""(module, matter) -> the form that the code base has it in"""


class Bug(NamedTuple):
    """A function as it is, which is the question; repaired, which is the gold; and its tests."""

    question: Question
    tests: UnitTests


class RepairDomain(Domain):
    """Functions of one code base.

    Args:
        name: name of the domain.
        rules: what holds in which module.
        bugs: the functions of each split; their ids begin with its name, or with "sealed" in the place of "test".
    """

    def __init__(self, name: str, rules: Rules, bugs: Mapping[Split, Sequence[Bug]]):
        self.name, self.rules = name, rules
        self.splits = Lazy(lambda split: tuple(bug.question for bug in bugs[split]))
        self._tests = Lazy(lambda split: {bug.question.id: bug.tests for bug in bugs[split]})
        self.seed_context = SEED_CONTEXT
        self.oracle_context = "\n".join([SEED_CONTEXT, *(sentence(*rule) for rule in rules.items())])

    def system(self, context: str) -> str:
        """Task, output format and context."""
        return system(context)

    def user(self, question: Question) -> str:
        """The function."""
        return f"Question: {question.text}"

    def score(self, questions: Sequence[Question], responses: Sequence[str]) -> list[Outcome]:
        """UnitTests passed beyond those that the function passes unrepaired, in [0, 1].

        Raises:
            SandboxError: nothing can confine foreign code here.
        """
        codes, tests = [read_code(text) for text in responses], [self._tests_of(question) for question in questions]
        ran = run(codes, tests)
        return [Outcome(t.score(r.passed), code, r.error) for t, r, code in zip(tests, ran, codes, strict=True)]

    def _tests_of(self, question: Question) -> UnitTests:
        split = next((split for split in SPLITS if question.id.startswith(split)), "test")
        return self._tests[split][question.id]

    def report(self, attempts: Sequence[Attempt]) -> Report:
        """The fixed prompt, then a problem a function."""
        base = super().report(attempts)
        return Report(f"The model's fixed prompt:\n{FROZEN}{base.head}", base.problems, answer="function")

    def fingerprint(self) -> str:
        """SHA-256 of rules, functions and tests."""
        tests = [self._tests_of(question) for split in SPLITS for question in self.splits[split]]
        data = [[[*rule, form] for rule, form in self.rules.items()], [*map(self.splits.get, SPLITS)], tests]
        return sha256(json.dumps(data, ensure_ascii=True).encode()).hexdigest()


def sentence(about: tuple[str, str], form: str) -> str:
    """A rule as advice.

    >>> sentence(("billing", "rounding"), "up")
    '- In billing, divisions round up.'
    """
    module, matter = about
    return f"- In {module}, {IDIOMS[matter].forms[form].rule}."


def read_code(response: str) -> str:
    """The function in a response: what stands in answer tags, or all of it, without a fence; "" where there is none."""
    text = spoken(response)
    found = tagged(text, "answer")
    code = (text if found is None else found).strip("\n")
    fenced = FENCE.match(code)
    return fenced[1] if fenced else code
