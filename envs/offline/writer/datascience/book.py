"""The context as something to revise: lines of prose, and rules by what they are about."""

from lse_gym.envs.offline.reader.datascience.rules import Meaning, Rule, parse_line
from lse_gym.envs.offline.writer.datascience.scripts import About
from lse_gym.envs.offline.writer.edit import fitted

STATISTICS = {"mean": "mean", "median": "median", "max": "maximum", "min": "minimum", "sum": "sum"}


class Book:
    """The lines of a context with the rules in them.

    Args:
        context: the context.
        columns: what rules can be about, as far as the problems show.
        terms: the same.
    """

    def __init__(self, context: str, columns: frozenset[str], terms: frozenset[str]):
        self.lines: list[tuple[str, tuple[Rule, ...]]] = []
        self.rules: dict[About, Meaning] = {}
        for line in filter(None, map(str.strip, context.splitlines())):
            rules = parse_line(line, columns, "")
            rules += tuple(rule for term in terms for rule in parse_line(line, columns, term) if rule.about == term)
            self.lines.append((line, rules))
            self.rules |= {(rule.kind, rule.about): rule.meaning for rule in rules}

    def learn(self, about: About, meaning: Meaning | None) -> bool:
        """Take over what a script says; whether it is a new rule."""
        old = self.rules.get(about)
        if meaning is None:
            self.rules.pop(about, None)
        else:
            self.rules[about] = meaning
        return meaning is not None and old != meaning

    def render(self, max_chars: int) -> str:
        """Lines that still hold as they were written, then new rules; what does not fit is left out."""
        left, lines = dict(self.rules), []
        for line, rules in self.lines:
            if all(self.rules.get((rule.kind, rule.about)) == rule.meaning for rule in rules):
                lines.append(line)
                for rule in rules:
                    left.pop((rule.kind, rule.about), None)
        lines += [f"- {sentence(about, meaning)}" for about, meaning in left.items()]
        return fitted(lines, max_chars)


def sentence(about: About, meaning: Meaning) -> str:
    """A rule in plain words, which the reader understands."""
    kind, subject = about
    told = [f"{value:g}" if isinstance(value, float) else value for value in meaning]
    match kind:
        case "missing":
            return f"In `{subject}`, {told[0]} means missing."
        case "dropped":
            return f'Leave out training rows whose `{subject}` is "{told[0]}".'
        case "range":
            return f"`{subject}` lies between {told[0]} and {told[1]}: drop training rows with a value outside."
        case "unit":
            return f"Divide `{subject}` by {told[0]} before anything else."
        case "rounding":
            return f"Round predicted `{subject}` to the nearest multiple of {told[0]}."
        case "transform":
            return f"Fit models to the logarithm of `{subject}`, and turn predictions back."
        case "leakage":
            return f"Never use `{subject}` as a feature."
        case "key":
            return f"Merge tables by `{subject}`."
        case "name":
            return f"In results, call the column of `{subject}` `{told[0]}`."
        case "order":
            return f"In results, put `{subject}` before row_id."
        case "statistic":
            return f'"{subject}" means the {STATISTICS.get(str(told[0]), told[0])}.'
        case "week":
            return f"Resample `{subject}` to weeks by the {STATISTICS.get(str(told[0]), told[0])} of its days."
