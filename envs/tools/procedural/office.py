"""An office at work: a database of its own for every attempt, and what is left of it at the end."""

import sqlite3
from typing import Any

from lse_gym.envs.tools.diff import Difference, State, canonical, difference
from lse_gym.envs.tools.domain import Workplace
from lse_gym.envs.tools.procedural.lookups import Session
from lse_gym.envs.tools.procedural.service import Service
from lse_gym.envs.tools.procedural.theme import ROLES, Theme
from lse_gym.envs.tools.report import Ending


class Office(Workplace):
    """Where the tools of one attempt work.

    Args:
        service: what the tools do.
        content: the database to start from, as :meth:`sqlite3.Connection.serialize` gives it; it is copied.
        before: its snapshot.
    """

    def __init__(self, service: Service, content: bytes, before: State):
        self._service, self._before = service, before
        self._session = Session(copy(content), set(), {})

    def call(self, name: str, arguments: dict[str, Any]) -> str:
        """The result of a call, or an error in words."""
        return self._service.call(self._session, name, arguments)

    def finish(self, answer: str) -> str:
        """The answer, and the rows that were added, removed and changed."""
        found = difference(*changed(self._before, self._session.connection))
        return Ending(answer, unnumbered(found, self._service.theme)).text()

    def close(self) -> None:
        """Let go of the database."""
        self._session.connection.close()


def changed(before: State, connection: sqlite3.Connection) -> tuple[State, State]:
    """The rows that are not the same before and now: all that a difference is made of, and few."""
    old, new = {}, {}
    if not connection.total_changes:
        return old, new
    for name, table in before.items():
        rows = connection.execute(f"SELECT * FROM {name}").fetchall()
        if rows != [*table.rows]:
            same = {*rows} & {*table.rows}
            old[name] = table._replace(rows=tuple(row for row in table.rows if row not in same))
            new[name] = table._replace(rows=tuple(row for row in rows if row not in same))
    return old, new


def unnumbered(found: Difference, theme: Theme) -> Difference:
    """A difference whose new rows have no ids, as these depend on the order in which rows were made."""
    for entity in map(theme.entity, ROLES):
        rows = found.get(entity.table, {})
        if "added" in rows:
            new = [{column: value for column, value in row.items() if column != entity.id} for row in rows["added"]]
            rows["added"] = sorted(new, key=canonical)
    return found


def copy(content: bytes) -> sqlite3.Connection:
    """A database in memory with this content; every statement is a transaction of its own."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.deserialize(content)
    return connection
