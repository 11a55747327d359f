"""From what the reader understood to one SQL statement."""

import re
from collections.abc import Iterable

from lse_gym.envs.offline.reader.sql.question import Understanding
from lse_gym.envs.offline.reader.sql.rules import Knowledge
from lse_gym.envs.offline.reader.sql.schema import Schema

EITHER = re.compile(r"\bOR\b", re.IGNORECASE)


def compose(u: Understanding, schema: Schema, knowledge: Knowledge) -> str:
    """The statement for an understanding: joins along foreign keys, rules on tables and columns added."""
    where = [condition.sql for condition in u.conditions]
    text = " ".join([*where, u.measure.column if u.measure else "", u.column if u.operation in ("TOP", "LIST") else ""])
    wanted = [name for name in schema.tables if f"{name}." in text and name != u.table]
    wanted += [u.group] if u.group and u.group not in (u.table, *wanted) else []
    joins, joined = _joins(u.table, wanted, schema, knowledge)
    for column, guards in knowledge.guards.items():
        if column in text:
            where += guards
    for table in (u.table, *joined):
        where += knowledge.filters.get(table, [])
    select, tail = _select(u, schema)
    where = [f"({condition})" if EITHER.search(condition) else condition for condition in where]
    conditions = f" WHERE {' AND '.join(dict.fromkeys(where))}" if where else ""
    return f"SELECT {select} FROM {u.table}{joins}{conditions}{tail}"


def _select(u: Understanding, schema: Schema) -> tuple[str, str]:
    if u.group:
        label = f"{u.group}.{schema.tables[u.group].label}"
        value = f"{u.operation}({u.measure.column}){u.measure.scale}" if u.measure else "COUNT(*)"
        return f"{label}, {value}", f" GROUP BY {label}"
    if u.operation == "COUNT":
        return "COUNT(*)", ""
    if u.operation in ("TOP", "BOTTOM") and u.measure:
        return u.column, f" ORDER BY {u.measure.column} {'DESC' if u.operation == 'TOP' else 'ASC'} LIMIT 1"
    if u.measure:
        return f"{u.operation}({u.measure.column}){u.measure.scale}", ""
    return u.column, ""


def _joins(main: str, wanted: Iterable[str], schema: Schema, knowledge: Knowledge) -> tuple[str, list[str]]:
    joined: dict[str, str] = {}
    for target in wanted:
        for table, on in _path(main, target, schema, knowledge):
            joined.setdefault(table, on)
    return "".join(f" JOIN {table} ON {on}" for table, on in joined.items()), list(joined)


def _path(main: str, target: str, schema: Schema, knowledge: Knowledge) -> list[tuple[str, str]]:
    """Tables to join, with their conditions, on the shortest way from ``main`` to ``target``."""
    rule = knowledge.joins.get((main, target))
    if rule:
        sides = [side.strip().split(".")[0] for side in rule.split("=")]
        before = next((side for side in sides if side != target), main)
        return [*([] if before == main else _path(main, before, schema, knowledge)), (target, rule)]
    steps = {main: []}
    queue = [main]
    while queue:
        table = queue.pop(0)
        if table == target:
            return steps[table]
        for edge in schema.edges:
            on = f"{edge.source_table}.{edge.source_column} = {edge.target_table}.{edge.target_column}"
            for here, there in ((edge.source_table, edge.target_table), (edge.target_table, edge.source_table)):
                if here == table and there not in steps:
                    steps[there] = [*steps[table], (there, on)]
                    queue.append(there)
    return [(target, "1 = 1")]
