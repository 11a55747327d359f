"""The rules of a context as something to revise: read from lines, written back as lines."""

import re
from collections.abc import Iterable
from typing import Any

from lse_gym.envs.offline.examples import strip_examples
from lse_gym.envs.offline.reader.sql.rules import Knowledge, Rule, gather, parse_rule
from lse_gym.envs.offline.writer.edit import fitted

PHRASE_KINDS = ("condition", "expression", "table")


class Rulebook:
    """Rules by trigger, and the prose around them. One trigger has one meaning: a new rule replaces the old one.

    Args:
        context: the context; its worked examples are left out.
        frozen: the fixed prompt, for the schema in it.
    """

    def __init__(self, context: str, frozen: str):
        self.prose: list[str] = []
        self.rules: dict[tuple[str, tuple[str, ...]], Rule] = {}
        self.words: dict[tuple[str, ...], str] = {}  # stems -> the phrase as it was written
        self.answers: dict[str, Any] = {}  # to questions, for as long as the rules stay as they are
        for line in strip_examples(context).splitlines():
            rules = parse_rule(line, frozen)
            if not rules and line.strip():
                self.prose.append(line.strip())
            for rule in rules:
                quoted = re.findall(r'"([^"]+)"', line)
                self.add(rule, quoted[0] if len(quoted) == 1 else "")

    def add(self, rule: Rule, words: str = "") -> bool:
        """Put a rule in, in place of one with the same trigger; False where it was there already."""
        key = self._key(rule)
        new = self.rules.get(key) != rule
        if new:
            self.answers.clear()
        self.rules[key] = rule
        if words:
            self.words[rule.trigger] = words
        return new

    def drop(self, rule: Rule) -> None:
        """Take a rule out."""
        self.answers.clear()
        self.rules.pop(self._key(rule), None)

    def knowledge(self) -> Knowledge:
        """The rules as a reader would know them."""
        return gather(self.rules.values())

    def render(self, max_chars: int) -> str:
        """Prose and rules, one a line; the last ones are left out where the text would exceed ``max_chars``."""
        lines = [*self.prose, *(f"- {line}" for line in self._sentences(self.rules.values()))]
        return fitted(lines, max_chars)

    def _sentences(self, rules: Iterable[Rule]) -> Iterable[str]:
        for rule in rules:
            match rule.kind:
                case "year":
                    yield f"The year of {rule.trigger[0]} is {rule.sql}."
                case "join":
                    yield f"Join {rule.trigger[0]} to {rule.trigger[1]} through {rule.sql}."
                case "filter":
                    yield f"Always require {rule.sql}."
                case "guard":
                    yield f"When using {rule.trigger[0]}, keep only {rule.sql}."
                case _:
                    yield f'"{self.words.get(rule.trigger, " ".join(rule.trigger))}" means {rule.sql}.'

    @staticmethod
    def _key(rule: Rule) -> tuple[str, tuple[str, ...]]:
        if rule.kind in PHRASE_KINDS:
            return "phrase", rule.trigger
        return rule.kind, (*rule.trigger, rule.sql) if rule.kind == "filter" else rule.trigger
