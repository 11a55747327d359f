"""The playbook as something to revise: a new sentence takes the place of the lines that it contradicts."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from lse_gym.envs.offline.reader.tools.rules import Knowledge, Known, gather
from lse_gym.envs.offline.reader.tools.sentences import parse_line
from lse_gym.envs.offline.writer.edit import fitted

SEEN = re.compile(r"\W*Seen: (\d{1,3}) % of (\d{1,9}(?:\.\d{1,2})?) was refunded as (\d{1,9}(?:\.\d{1,2})?)\.")
SPELLING = re.compile(r'As "([^"]+)", write "([^"]+)" for "([^"]+)"')
MAX_SEEN = 12  # refunds that are kept until only one rule explains them


class Refund(NamedTuple):
    """What was paid back of an amount, both as the tools take them."""

    percent: int
    amount: Decimal
    paid: Decimal


class Book:
    """The lines of a playbook.

    Attributes:
        refunds: those that the playbook tells as examples.
        new: how many sentences were added.
    """

    def __init__(self, context: str, known: Known):
        self.known, self.new = known, 0
        self.lines: list[str] = []
        self.refunds: list[Refund] = []
        for line in context.splitlines():
            if seen := SEEN.fullmatch(line.strip()):
                self.refunds.append(Refund(int(seen[1]), Decimal(seen[2]), Decimal(seen[3])))
            elif line.strip():
                self.lines.append(line.strip())

    @property
    def knowledge(self) -> Knowledge:
        """The rules in the lines."""
        return gather(rule for line in self.lines for rule in parse_line(line, self.known))

    def term(self, column: str, written: Any) -> str:
        """The term that is written so in a column; where no line tells, as it is written."""
        for line in self.lines:
            if (told := SPELLING.search(line)) and told[1] == column and told[2] == str(written):
                return told[3]
        return str(written)

    def add(self, sentence: str) -> None:
        """Put a sentence, unless its rules are there, and take away the lines with other rules about the same."""
        rules = {(rule.kind, rule.trigger): rule.meaning for rule in parse_line(sentence, self.known)}
        told, kept = {}, []
        for line in self.lines:
            own = {(rule.kind, rule.trigger): rule.meaning for rule in parse_line(line, self.known)}
            if all(rules.get(key, meaning) == meaning for key, meaning in own.items()):
                kept.append(line)
                told |= own
        self.lines = kept
        if not rules.items() <= told.items():
            self.lines.append(f"- {sentence}")
            self.new += 1

    def render(self, max_chars: int) -> str:
        """The lines, then the refunds that are kept; what does not fit is left out."""
        seen = [f"- Seen: {r.percent} % of {r.amount} was refunded as {r.paid}." for r in self.refunds[-MAX_SEEN:]]
        return fitted([*self.lines, *seen], max_chars)


def keep(book: Book, refunds: Sequence[Refund]) -> None:
    """Let the playbook tell these refunds, and no others."""
    book.refunds = list(dict.fromkeys(refunds))
