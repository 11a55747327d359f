"""A log in a table of SQLite that tells where it was tampered with: each row's hash covers the row before it.

The first column of such a table is ``id``, the last one ``hash``; what is between is for its owner to say.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from lse_gym.leaderboard.errors import BoardError
from lse_gym.leaderboard.track import canonical

_APPEND_ONLY = """
CREATE TRIGGER IF NOT EXISTS {table}_no_{verb} BEFORE {verb} ON {table} BEGIN
  SELECT RAISE(ABORT, '{table} is append-only');
END"""


def append_only(*tables: str) -> list[str]:
    """The statements after which rows of these tables can be neither changed nor deleted."""
    return [_APPEND_ONLY.format(table=table, verb=verb) for table in tables for verb in ("UPDATE", "DELETE")]


def append(db: sqlite3.Connection, table: str, row: Mapping[str, object]) -> None:
    """Append a row, its values in the order of the table's columns; inside a transaction that may write."""
    last = db.execute(f"SELECT hash FROM {table} ORDER BY id DESC LIMIT 1").fetchone()
    values = [*row.values(), _link(last[0] if last else "", [*row.values()])]
    db.execute(f"INSERT INTO {table} ({', '.join(row)}, hash) VALUES ({', '.join('?' * len(values))})", values)


def check(rows: Iterable[Sequence[object]], name: str) -> None:
    """Raise :class:`BoardError` where a row is not what was appended.

    Args:
        rows: all of the table, by id.
        name: what the log is called in the error.
    """
    before: object = ""
    for number, *row, link in rows:
        if _link(before, row) != link:
            raise BoardError(f"row {number} of {name} was tampered with.")
        before = link


def _link(before: object, row: Sequence[object]) -> str:
    return sha256(canonical([before, *row])).hexdigest()
