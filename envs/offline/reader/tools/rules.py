"""What the reader learns from a playbook about the tools of an office: rules."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Self

from lse_gym.envs.offline.reader.tools.toolbox import Toolbox

Kind = Literal["key", "page", "spelling", "unit", "value", "step", "guard", "date", "rounding"]
Meaning = tuple[str | int, ...]


class Rule(NamedTuple):
    """One rule: what it is about, and what it says.

    | kind | trigger | meaning |
    |---|---|---|
    | key | argument | field of a row that is passed as it |
    | page | | number of the first page |
    | spelling | term, in small letters | as it is written |
    | unit | stem of the unit that requests say | "times" or "over", number |
    | value | tool, argument | value that is always given |
    | step | tool, "before" or "after" | tool that is called then, and its arguments by turns |
    | guard | status term | reason of the case that is opened instead of a change |
    | date | | format of strftime |
    | rounding | | "down", "up" or "nearest", step, unit of the step or "" |
    """

    kind: Kind
    trigger: tuple[str, ...]
    meaning: Meaning


class Knowledge(NamedTuple):
    """Rules by kind and trigger. Contradicting ones stand side by side."""

    rules: Mapping[tuple[Kind, tuple[str, ...]], Sequence[Meaning]]

    def told(self, kind: Kind, *trigger: str) -> Sequence[Meaning]:
        """What is said about a trigger."""
        return self.rules.get((kind, trigger), ())


def gather(rules: Iterable[Rule]) -> Knowledge:
    """Sort rules by what they are about."""
    sorted_: dict[tuple[Kind, tuple[str, ...]], list[Meaning]] = {}
    for rule in rules:
        same = sorted_.setdefault((rule.kind, rule.trigger), [])
        same.extend([rule.meaning] if rule.meaning not in same else [])
    return Knowledge(sorted_)


class Known(NamedTuple):
    """What of a toolbox rules are read with, in a form that can be a key of a cache; arguments are those of text."""

    arguments: tuple[tuple[str, tuple[str, ...]], ...]
    nouns: tuple[tuple[str, str], ...]
    tables: tuple[tuple[str, str], ...]
    enums: tuple[str, ...]

    @classmethod
    def of(cls, toolbox: Toolbox) -> Self:
        """That of a toolbox."""
        arguments = tuple(
            (tool, tuple(name for name, kind in of.items() if kind == "string"))
            for tool, of in toolbox.arguments.items()
        )
        return cls(
            arguments, tuple(toolbox.nouns.items()), tuple(toolbox.tables.items()), tuple(toolbox.enums.values())
        )
