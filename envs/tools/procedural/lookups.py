"""How an office finds rows, and what it shows of them."""

import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

from lse_gym.envs.tools.procedural.house import House, Keyed
from lse_gym.envs.tools.procedural.theme import Role, Theme

Arguments = Mapping[str, Any]
MAX_FOUND = 5  # rows that a search returns
NOT_FOUND = "404 not found"


class Refused(Exception):  # noqa: N818 - an answer of the office, not a failure of it
    """A call that the office does not make; its text goes to the caller."""


class Session(NamedTuple):
    """What one caller works on: a database of its own, records that were opened, and updates not saved yet."""

    connection: sqlite3.Connection
    opened: set[int]
    drafts: dict[int, dict[str, Any]]


class Lookups:
    """Finds rows as the tools of an office do.

    Args:
        theme: the words.
        house: the rules.
    """

    def __init__(self, theme: Theme, house: House):
        self.theme, self.house = theme, house
        self._views = {role: self._view(role) for role in ("person", "thing", "place", "record", "payment")}

    def _view(self, role: Role) -> str:
        """The statement that shows rows as people know them: with names in the place of references."""
        theme, entity = self.theme, self.theme.entity(role)
        person, thing, place, record = theme.person, theme.thing, theme.place, theme.record
        if role == "record":
            return (
                f"SELECT r.{record.id}, r.{record.number}, p.name AS {person.noun}, t.{theme.title} AS {thing.noun}, "
                f"l.name AS {place.noun}, r.quantity, r.date, r.extended_by, r.{theme.status.column}, "
                f"r.{theme.channel.argument} FROM {record.table} r JOIN {person.table} p USING ({person.id}) "
                f"JOIN {thing.table} t USING ({thing.id}) JOIN {place.table} l USING ({place.id})"
            )
        if role == "payment":
            return (
                f"SELECT r.{entity.id}, o.{record.number}, r.amount, r.{theme.method.column}, r.{theme.till.argument} "
                f"FROM {entity.table} r JOIN {record.table} o USING ({record.id})"
            )
        return f"SELECT * FROM {entity.table} r"

    def _key(self, role: Role) -> str:
        """The column whose value the tools take for a row of an entity."""
        entity, keys = self.theme.entity(role), self.house.keys
        return entity.number if keys.get(role) == "number" else entity.id

    def _row_id(self, session: Session, role: Role, arguments: Arguments) -> int:
        """The primary key of the row that an argument names."""
        entity = self.theme.entity(role)
        found = session.connection.execute(
            f"SELECT {entity.id} FROM {entity.table} WHERE {self._key(role)} = ?", (arguments[entity.noun],)
        ).fetchone()
        if found is None:
            raise Refused(NOT_FOUND)
        return found[0]

    def _find(self, role: Keyed, session: Session, arguments: Arguments) -> list[dict[str, Any]]:
        entity, name = self.theme.entity(role), {"person": "name", "thing": self.theme.title}.get(role)
        columns, query = [entity.id, entity.number, *([name] if name else [])], arguments["query"].strip()
        where, values = f"{entity.number} = ?", [query]
        if name and not query.isdecimal():
            where, values = f"instr(lower({name}), lower(?))", [query]
        rows = session.connection.execute(
            f"SELECT {', '.join(columns)} FROM {entity.table} WHERE {where} LIMIT {MAX_FOUND}", values
        )
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _get(self, role: Role, session: Session, arguments: Arguments) -> dict[str, Any]:
        entity = self.theme.entity(role)
        key = self._key(role)
        rows = session.connection.execute(f"{self._views[role]} WHERE r.{key} = ?", (arguments[entity.noun],))
        shown = dicts(rows)
        if not shown:
            raise Refused(NOT_FOUND)
        return shown[0]

    def _all(self, role: Role, session: Session, arguments: Arguments) -> list[dict[str, Any]]:
        del arguments
        return dicts(session.connection.execute(self._views[role]))

    def _list(self, role: Role, session: Session, arguments: Arguments) -> dict[str, Any]:
        """One page; of a page that does not exist, nothing."""
        theme, wanted, values = self.theme, [], []
        for argument, value in arguments.items():
            if argument == "page":
                continue
            column = f"r.{argument}"
            for other in ("person", "place"):
                if argument == theme.entity(other).noun:
                    owner = "o" if role == "payment" else "r"
                    column, value = f"{owner}.{theme.entity(other).id}", self._row_id(session, other, arguments)
            wanted.append(f"{column} = ?")
            values.append(value)
        where = f" WHERE {' AND '.join(wanted)}" if wanted else ""
        size, number = self.house.page_size, arguments["page"] - self.house.first_page
        if not 0 <= number < 10**6:
            return {"rows": [], "more": False}
        statement = f"{self._views[role]}{where} ORDER BY r.{theme.entity(role).id} LIMIT {size + 1} OFFSET ?"
        rows = dicts(session.connection.execute(statement, [*values, number * size]))
        return {"rows": rows[:size], "more": len(rows) > size}


def dicts(cursor: sqlite3.Cursor) -> list[dict[str, Any]]:
    """The rows of a statement, by the names of its columns."""
    columns = [column for column, *_ in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor]
