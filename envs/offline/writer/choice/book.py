"""The context as something to revise: lines of prose, rules by what they are about, and examples kept for later."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from lse_gym.envs.offline.reader.choice.question import Asked
from lse_gym.envs.offline.reader.choice.rules import Kind, Meaning, Rule, parse_rule
from lse_gym.envs.offline.writer.edit import fitted
from lse_gym.envs.offline.writer.prompt import worked
from lse_gym.envs.report import Problem
from lse_gym.envs.text import an

Concept = tuple[Kind, tuple[str, ...]]
EXAMPLE = re.compile(r"\W*Q: (?P<question>.+) Answer: (?P<gold>[A-Z])\.(?: (?P<explanation>.*))?")
TIMES = {0: "Leave {} ones out of the count.", 1: "Count {} ones once."}


class Lesson(NamedTuple):
    """A question with its gold answer, taken apart."""

    question: str
    gold: str
    explanation: str
    asked: Asked


class Book:
    """The context as something to revise: lines of prose, lines of rules, examples."""

    def __init__(self, context: str):
        self.lines: list[tuple[str, tuple[Rule, ...]]] = []
        self.rules: dict[tuple[Kind, tuple[str, ...], str], Meaning] = {}
        self.examples: list[Problem] = []
        for line in context.splitlines():
            example = EXAMPLE.fullmatch(line.strip())
            if example:
                known = example["explanation"] or ""
                self.examples.append(worked(example["question"], example["gold"], known))
            elif line.strip():
                self.lines.append((line.strip(), parse_rule(line)))
                for rule in self.lines[-1][1]:
                    self.rules[rule.kind, rule.trigger, rule.when] = rule.meaning

    def told(self, concept: Concept, when: str = "") -> Meaning | None:
        """What the rules say about a concept."""
        special = self.rules.get((*concept, when))
        return self.rules.get((*concept, "")) if special is None else special

    def put(self, concept: Concept, meanings: dict[str, Meaning]) -> None:
        """Replace everything that is said about a concept."""
        for key in [key for key in self.rules if key[:2] == concept]:
            del self.rules[key]
        self.rules |= {(*concept, when): meaning for when, meaning in meanings.items()}

    def render(self, kept: Sequence[Lesson], max_chars: int) -> str:
        """Lines that still hold as they were written, then new rules, then examples; what does not fit is left out."""
        left = dict(self.rules)
        lines = []
        for line, rules in self.lines:
            if all(self.rules.get((r.kind, r.trigger, r.when)) == r.meaning for r in rules):
                lines.append(line)
                for rule in rules:
                    left.pop((rule.kind, rule.trigger, rule.when), None)
        lines += [
            f"- {sentence}" for sentence in sentences(Rule(k, t, meaning, w) for (k, t, w), meaning in left.items())
        ]
        lines += [f"Q: {one.question} Answer: {one.gold}. {one.explanation}".strip() for one in kept]
        return fitted(lines, max_chars)


def sentences(rules: Iterable[Rule]) -> Iterator[str]:
    """Rules in plain words, those about one order together."""
    orders: dict[tuple[str, str], list[str]] = {}
    for rule in rules:
        meaning, limit = rule.meaning, f"For {rule.when} ones, " if rule.when else ""
        match rule.kind:
            case "definition":
                comparison = "of at least" if meaning[1] == ">=" else "below"
                yield f'{limit}"{rule.trigger[0]}" means {an(str(meaning[0]))} {comparison} {meaning[2]}.'
            case "term":
                said = (
                    f"{meaning[0]} {'plus' if meaning[1] == '+' else 'minus'} {meaning[2]}"
                    if meaning[1:]
                    else meaning[0]
                )
                yield f'{limit}"{rule.trigger[0]}" means {said}.'
            case "unit":
                large, small = rule.trigger
                yield f"{an(f'{rule.when} {large}'.strip(), capital=True)} has {meaning[0]} {small}s."
            case "rounding":
                how = "to the nearest" if meaning[0] == "nearest" else f"{meaning[0]} to a"
                yield f"In the {rule.trigger[0]}, round {how} multiple of {meaning[1]}."
            case "count":
                yield TIMES.get(int(meaning[0]), "Count {} ones twice.").format(rule.trigger[0])
            case "order":
                loser = next(word for word in rule.trigger if word != meaning[0])
                orders.setdefault((rule.when, str(meaning[0])), []).append(loser)
    for (when, winner), losers in orders.items():
        limit = f"For {when} ones, the" if when else "The"
        yield f"{limit} {winner} comes before {' and '.join(f'the {loser}' for loser in losers)}."
