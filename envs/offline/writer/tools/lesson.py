"""A problem of a report as something to learn from: what was asked, what was called, and what should be different."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lse_gym.envs.offline.reader.tools.request import Request, understand
from lse_gym.envs.offline.reader.tools.toolbox import Toolbox, as_json
from lse_gym.envs.report import Problem
from lse_gym.envs.tools.protocol import Call, read_calls, read_results

Row = Mapping[str, Any]


class Seen(NamedTuple):
    """A call and its result: as text, and what the text is (None for an error)."""

    call: Call
    text: str
    value: Any

    def fails(self, code: str) -> bool:
        """Whether the result is this error."""
        return self.text.startswith(f"Error: {code}")


class Lesson(NamedTuple):
    """One problem, taken apart. ``changes`` and ``gold`` are differences of the database, by table."""

    request: Request
    seen: tuple[Seen, ...]
    answer: str
    right_answer: str
    changes: Mapping[str, Any]
    gold: Mapping[str, Any]

    def rows(self, kind: str, right: bool = True) -> Iterator[Row]:
        """The rows that should be (or, if not ``right``, were) "added", "removed" or "changed"."""
        for parts in (self.gold if right else self.changes).values():
            rows = parts.get(kind) if isinstance(parts, dict) else ()
            yield from (row for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ()

    def added(self, column: str, right: bool = True) -> list[Row]:
        """The new rows that have a column."""
        return [row for row in self.rows("added", right) if column in row]

    def values(self, column: str, when: str = "to", right: bool = True) -> list[Any]:
        """The values of a column in changed rows, "from" before and "to" after; in "row", those of a key."""
        parts = [row.get(when) for row in self.rows("changed", right)]
        return [part[column] for part in parts if isinstance(part, dict) and column in part]

    def became(self, column: str) -> Any:
        """The right value of a column, in a row that should be changed or new; None where there is none."""
        return next(iter([*self.values(column), *(row[column] for row in self.added(column))]), None)

    def grew(self, column: str) -> float | None:
        """By how much a column of a row should change; None where none of numbers should."""
        for before, after in zip(self.values(column, "from"), self.values(column), strict=False):
            if isinstance(before, int | float) and isinstance(after, int | float):
                return round(after - before, 2)
        return None


def read_lesson(problem: Problem, box: Toolbox) -> Lesson | None:
    """The lesson of a problem; None where nobody knows what is asked, or what is right."""
    request, gold = understand(problem.question, box), _object(problem.gold_changes)
    if request is None or gold is None:
        return None
    seen = tuple(_seen(problem))
    return Lesson(request, seen, problem.answer, problem.gold, _object(problem.changes) or {}, gold)


def _seen(problem: Problem) -> Iterator[Seen]:
    calls: Sequence[Call] = ()
    for turn in problem.transcript:
        if turn.role == "assistant":
            calls = read_calls(turn.content)
        elif turn.role == "tool":
            for call, text in zip(calls, read_results(turn), strict=False):
                yield Seen(call, text, as_json(text))
            calls = ()


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
