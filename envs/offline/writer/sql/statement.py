"""Simple SELECT statements as parts that can be compared one by one."""

import re
from functools import lru_cache
from typing import NamedTuple

SIMPLE = re.compile(
    r"SELECT (?P<select>.+?) FROM (?P<table>\w+)(?P<joins>(?: (?:INNER )?JOIN \w+ ON [\w.]+ = [\w.]+)*)"
    r"(?: WHERE (?P<where>.+?))?(?P<group> GROUP BY [\w., ]+)?(?: ORDER BY (?P<order>.+?) (?P<way>DESC|ASC))?"
    r"(?P<limit> LIMIT \d+)?",
    re.IGNORECASE,
)
AGGREGATE = re.compile(r"(AVG|SUM|MAX|MIN)\(([\w.]+)\)(\s*[*/]\s*[\d.]+)?", re.IGNORECASE)
SPACED = re.compile(r"('(?:[^']|'')*')|\(\s*\*\s*\)|\s*(<>|<=|>=|!=|\|\||[=<>/*,])\s*|\s+")
QUALIFIED = re.compile(r"[A-Za-z_]\w*\.\w")
MAX_CHARS = 4000  # no longer statement is simple
CLAUSE = re.compile(r"\b(SELECT|FROM|WHERE|GROUP|ORDER|LIMIT|UNION|EXCEPT|INTERSECT|HAVING)\b", re.IGNORECASE)
COMPOUND = {"UNION", "EXCEPT", "INTERSECT", "HAVING"}


class Statement(NamedTuple):
    """A statement without subqueries: every part as text."""

    select: str
    table: str
    joins: dict[str, str]
    where: frozenset[str]
    tail: str
    order: str

    @property
    def tables(self) -> list[str]:
        """The tables, the first one first."""
        return [self.table, *self.joins]

    @property
    def measure(self) -> tuple[str, str] | None:
        """Column and scaling of the aggregate or ranking, if there is one."""
        match = AGGREGATE.search(self.select)
        if match:
            return match[2], match[3] or ""
        return (self.order, "") if re.fullmatch(r"[\w.]+", self.order) else None


@lru_cache(maxsize=8192)
def read_statement(sql: str) -> Statement | None:
    """Take a statement apart; None where it is not a simple one with qualified columns."""
    clauses = [word.upper() for word in CLAUSE.findall(sql[:MAX_CHARS])]
    if len(sql) > MAX_CHARS or '"' in sql or COMPOUND & {*clauses} or len(clauses) > len({*clauses}):
        return None
    match = SIMPLE.fullmatch(_spaced(sql.rstrip(" \n;")))
    if not match:
        return None
    joins = {}
    for table, on in re.findall(r"JOIN (\w+) ON ([\w.]+ = [\w.]+)", match["joins"] or "", re.IGNORECASE):
        joins[table.lower()] = " = ".join(sorted(on.lower().split(" = ")))
    where = frozenset(conjuncts(match["where"] or ""))
    if not all(QUALIFIED.search(part) for part in (*where, match["select"].replace("COUNT(*)", "count.all"))):
        return None
    tail = f"{match['group'] or ''}{match['way'] or ''}{match['limit'] or ''}".upper()
    return Statement(match["select"], match["table"].lower(), joins, where, tail, match["order"] or "")


def _spaced(sql: str) -> str:
    """``sql`` with one space around every sign, however tersely it was written; strings stay as they are."""

    def space(match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        return "(*)" if match[0][0] == "(" else ", " if match[2] == "," else f" {match[2] or ''} ".replace("  ", " ")

    return SPACED.sub(space, sql).strip()


def conjuncts(where: str) -> list[str]:
    """The conditions of a WHERE clause, split at every AND outside of parentheses, quotes and BETWEEN.

    >>> conjuncts("a.b = 'x AND y' AND (c.d OR c.e) AND f.g BETWEEN 1 AND 2")
    ["a.b = 'x AND y'", '(c.d OR c.e)', 'f.g BETWEEN 1 AND 2']
    """
    parts, depth, start, between = [], 0, 0, False
    for match in re.finditer(r"'(?:[^']|'')*'|[()]|\bBETWEEN\b|\bAND\b", where, re.IGNORECASE):
        word = match[0].upper()
        depth += (word == "(") - (word == ")")
        if word == "BETWEEN":
            between = True
        elif word == "AND" and depth == 0:
            if not between:
                parts.append(where[start : match.start()].strip())
                start = match.end()
            between = False
    return [part for part in [*parts, where[start:].strip()] if part]
