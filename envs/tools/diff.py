"""What an attempt changed in a SQLite database: rows added, removed and changed, as canonical JSON."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

Row = tuple[Any, ...]
Difference = dict[str, dict[str, list[Any]]]


class Table(NamedTuple):
    """The rows of a table, each a tuple in the order of ``columns``; ``key`` are the columns of the primary key."""

    columns: tuple[str, ...]
    key: tuple[str, ...]
    rows: tuple[Row, ...]


State = Mapping[str, Table]


def snapshot(connection: sqlite3.Connection) -> State:
    """All rows of all tables of the main database; views, and the tables that SQLite keeps for itself, are left out.

    Values are as JSON has them; bytes become an object with their hex digits, an infinite number one with its name.
    """
    factories = connection.text_factory, connection.row_factory
    connection.text_factory, connection.row_factory = str, None
    try:
        names = connection.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%'"
            " ESCAPE '\\' ORDER BY name"
        ).fetchall()
        return {name: _table(connection, name) for (name,) in names}
    finally:
        connection.text_factory, connection.row_factory = factories


def difference(before: State, after: State) -> Difference:
    """What is different, by table: ``added`` and ``removed`` rows, and ``changed`` ones; ``{}`` where nothing is.

    A row is known by its primary key: a changed one tells ``row`` (its key), and ``from`` and ``to`` (the columns that
    differ). In a table without one, or whose keys are not unique, rows are only added or removed. All lists are sorted,
    so equal differences are equal as JSON.
    """
    found = {}
    for name in sorted({*before, *after}):
        old, new = before.get(name, _NO_TABLE), after.get(name, _NO_TABLE)
        if old != new and (parts := _table_difference(old, new)):
            found[name] = parts
    return found


def is_difference(value: Any) -> bool:
    """Whether :func:`difference` may have told ``value``: its tables, its lists, what is in them, and their order."""
    try:
        return all(
            parts and set(parts) <= {*_KINDS} and _told(**parts) == parts and _rows(parts) for parts in value.values()
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def canonical(value: Any) -> str:
    """JSON that is equal for equal values: keys sorted, on one line."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)


def shortened(found: Difference, max_rows: int) -> dict[str, Any]:
    """A difference to show: ``max_rows`` of each list, and how many ``more`` rows of the table there are."""
    shown: dict[str, Any] = {}
    for name, parts in found.items():
        more = sum(max(0, len(rows) - max_rows) for rows in parts.values())
        first = {kind: rows[:max_rows] for kind, rows in parts.items() if max_rows}
        shown[name] = first | ({"more": more} if more else {})
    return shown


_NO_TABLE = Table((), (), ())
_KINDS = ("added", "removed", "changed")
_CHANGE = {"row", "from", "to"}
_INFINITE = {float("inf"), float("-inf")}


def _table(connection: sqlite3.Connection, name: str) -> Table:
    quoted = name.replace('"', '""')
    key = connection.execute("SELECT name FROM pragma_table_info(?) WHERE pk ORDER BY pk", [name]).fetchall()
    cursor = connection.execute(f'SELECT * FROM "{quoted}"')
    columns = tuple(column for column, *_ in cursor.description)
    try:
        rows = cursor.fetchall()
        plain = bytes not in map(type, chain.from_iterable(rows)) and _INFINITE.isdisjoint(chain.from_iterable(rows))
    except sqlite3.OperationalError:  # a text that is no UTF-8
        connection.text_factory, plain = _text, False
        rows = connection.execute(f'SELECT * FROM "{quoted}"').fetchall()
        connection.text_factory = str
    told = rows if plain else [tuple(map(_value, row)) for row in rows]
    return Table(columns, tuple(column for (column,) in key), tuple(told))


def _text(data: bytes) -> Any:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"bytes": data.hex()}


def _value(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, float) and value in _INFINITE:
        return {"number": str(value)}
    return value


def _table_difference(old: Table, new: Table) -> dict[str, list[Any]]:
    keys = {table.key for table in (old, new) if table.columns}
    key = keys.pop() if len(keys) == 1 else ()
    old, new = _without_same(old, new)
    before, after = (_by_key(table, key) for table in (old, new))
    if not key or before is None or after is None:
        return _told(added=_less(new, old), removed=_less(old, new))
    return _told(
        added=[row for one, row in after.items() if one not in before],
        removed=[row for one, row in before.items() if one not in after],
        changed=[_change(before[one], row, key) for one, row in after.items() if before.get(one, row) != row],
    )


def _without_same(old: Table, new: Table) -> tuple[Table, Table]:
    """The tables without the rows that both have, which are most; as they are where a row may be there twice."""
    if old.columns != new.columns:
        return old, new
    try:
        before, after = {*old.rows}, {*new.rows}
    except TypeError:  # a value that is no plain one
        return old, new
    if len(before) < len(old.rows) or len(after) < len(new.rows):
        return old, new
    return (
        old._replace(rows=tuple(row for row in old.rows if row not in after)),
        new._replace(rows=tuple(row for row in new.rows if row not in before)),
    )


def _by_key(table: Table, key: Sequence[str]) -> dict[str, dict[str, Any]] | None:
    """The rows by their key; None where keys are not unique, as SQLite allows where they are NULL."""
    rows = {canonical([row[column] for column in key]): row for row in _dicts(table.columns, table.rows)}
    return rows if len(rows) == len(table.rows) else None


def _change(old: Mapping[str, Any], new: Mapping[str, Any], key: Iterable[str]) -> dict[str, Any]:
    columns = [column for column in {**old, **new} if old.get(column, ...) != new.get(column, ...)]
    return {
        "row": {column: new[column] for column in key},
        "from": {column: old[column] for column in columns if column in old},
        "to": {column: new[column] for column in columns if column in new},
    }


def _less(table: Table, other: Table) -> list[dict[str, Any]]:
    """The rows of ``table`` that ``other`` has not, or not so often."""
    rows = Counter(map(canonical, _dicts(table.columns, table.rows)))
    rows.subtract(Counter(map(canonical, _dicts(other.columns, other.rows))))
    return [json.loads(row) for row in (+rows).elements()]


def _dicts(columns: Sequence[str], rows: Iterable[Row]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _rows(parts: Mapping[str, list[Any]]) -> bool:
    """Whether all rows are objects, and changed ones objects of three objects."""
    changed = parts.get("changed", [])
    rows = [row for kind in parts for row in parts[kind]]
    inner = [part for row in changed for part in row.values()]
    return all(isinstance(one, dict) for one in (*rows, *inner)) and all({*row} == _CHANGE for row in changed)


def _told(**lists: list[Any]) -> dict[str, list[Any]]:
    """The lists that hold something, sorted: changed rows by their keys."""

    def place(kind: str, row: Mapping[str, Any]) -> str:
        return canonical(row["row"] if kind == "changed" else row)

    return {kind: sorted(rows, key=partial(place, kind)) for kind, rows in lists.items() if rows}
