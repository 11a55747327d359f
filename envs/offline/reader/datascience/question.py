"""A data-science question as the reader understands it: the files it is shown the heads of, and what is asked."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from lse_gym.envs.datascience.plan import DAY, Kind, Plan, Statistic

MAX_CHARS = 20_000  # what is read of a question and of the heads of its files
HEAD = re.compile(r"(\S+?)(?:, table (\w+))?, \d+ rows:")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?|")
FILE = re.compile(r"`((?:train|val)\w*\.(?:csv|sqlite))`")
TARGETS = (
    re.compile(r"report the (?P<term>[\w-]+) `(?P<target>\w+)`"),
    re.compile(r"(?:to |and )?(?:predict|forecast) `(?P<target>\w+)`", re.IGNORECASE),
)
GROUP = re.compile(r"for every `(\w+)` in", re.IGNORECASE)
FILL = re.compile(r"\bfill\b.*?\bwith the (mean|median)")
MERGED = re.compile(r"the tables `(\w+)` and `(\w+)`")


class Table(NamedTuple):
    """What is seen of a table: its columns, and which of them hold numbers as far as one sees."""

    file: str
    name: str
    columns: tuple[str, ...]
    numbers: frozenset[str]


class Asked(NamedTuple):
    """A question: the analysis that it asks for when taken literally, the term in it, and all columns."""

    plan: Plan
    term: str
    columns: frozenset[str]
    numbers: frozenset[str]
    shared: tuple[str, ...]  # what two tables could be merged by


@lru_cache(maxsize=4096)
def understand(text: str, heads: tuple[str, ...]) -> Asked | None:
    """Take a question apart; None where it is of no kind that the reader knows."""
    text = text[:MAX_CHARS]
    match = next((m for pattern in TARGETS if (m := pattern.search(text))), None)
    tables = list(read_heads(heads))
    files = [name for name in dict.fromkeys(FILE.findall(text)) if any(table.file == name for table in tables)]
    train, val = (next((f for f in files if f.startswith(side)), "") for side in ("train", "val"))
    train = train or next((table.file for table in tables if table.file.startswith("train")), "")
    if not match or not train or not val:
        return None
    target, term = match["target"], match.groupdict().get("term") or ""
    known = [table for table in tables if table.file == train]
    asked = {column for table in tables if table.file == val for column in table.columns}
    numbers = frozenset(column for table in known for column in table.numbers)
    features = tuple(c for table in known for c in table.columns if c in numbers and c in asked and c != target)
    kind = _kind(text, term, asked)
    if kind == "table":
        group = GROUP.search(text)
        if not group:
            return None
        features = (group[1],)
    merged, fill = MERGED.search(text), FILL.search(text)
    shared = [c for c in known[0].columns if c in known[-1].columns] if len(known) > 1 else []
    plan = Plan(kind, train, val, target, tuple(dict.fromkeys(features)))
    if merged and shared:
        plan = plan._replace(tables=(merged[1], merged[2]), key=shared[0])
    if fill:
        fills: dict[str, Statistic] = {"mean": "mean", "median": "median"}
        plan = plan._replace(fill=fills[fill[1]])
    columns = frozenset(column for table in known for column in table.columns)
    return Asked(plan, term, columns, numbers, tuple(shared))


def _kind(text: str, term: str, asked: Iterable[str]) -> Kind:
    if term:
        return "table"
    if DAY in asked:
        return "series"
    return "classification" if re.search(r"GaussianNB|classif", text) else "regression"


def read_heads(lines: Iterable[str]) -> Iterable[Table]:
    """The tables of which first rows are shown."""
    rows: list[list[str]] = []
    where: tuple[str, str] | None = None
    for line in [*lines, ""]:
        head = HEAD.fullmatch(line.strip())
        if head or not line.strip():
            if where and rows:
                yield _table(*where, rows)
            where, rows = ((head[1], head[2] or "") if head else None), []
        elif where:
            rows.append(line.strip().split(","))


def _table(file: str, name: str, rows: list[list[str]]) -> Table:
    columns, *cells = rows
    values = {column: [row[i] for row in cells if i < len(row)] for i, column in enumerate(columns)}
    numbers = {column for column, found in values.items() if all(map(NUMBER.fullmatch, found))}
    return Table(file, name, tuple(columns), frozenset(numbers - {"row_id"}))
