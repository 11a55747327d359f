"""What the tools of an office do: plain Python over SQLite, after the rules of its house.

Mistakes are met as real interfaces meet them: some with an error that does not say what is wrong, some not at all.
"""

import json
import sqlite3
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from lse_gym.envs.tools.procedural.catalog import TEMPLATES, filled
from lse_gym.envs.tools.procedural.house import House
from lse_gym.envs.tools.procedural.lookups import Arguments, Lookups, Refused, Session, dicts
from lse_gym.envs.tools.procedural.theme import ConfirmName, EnumName, Role, Theme

DONE = {"result": "ok"}
BAD_VALUE, CONFLICT, UNCONFIRMED = "422 invalid value", "409 conflict", "403 not allowed"


class Service(Lookups):
    """The tools of one office; made once, for all who call them.

    Args:
        theme: the words.
        house: the rules.
    """

    def __init__(self, theme: Theme, house: House):
        super().__init__(theme, house)
        self._run: dict[str, Callable[[Session, Arguments], Any]] = {}
        for template in TEMPLATES:
            self._run[filled(template.name, theme.words)] = self._bound(template.does, template.role)

    def call(self, session: Session, name: str, arguments: Arguments) -> str:
        """The result of a call as JSON, or an error in words; a call that fails changes nothing."""
        try:
            return json.dumps(self._run[name](session, arguments), ensure_ascii=False)
        except Refused as refusal:
            return f"Error: {refusal}"
        except sqlite3.IntegrityError:
            return f"Error: {BAD_VALUE}"

    def _bound(self, does: str, role: Role) -> Callable[[Session, Arguments], Any]:
        """What a tool runs: of operations for any entity, that for its role."""
        method = getattr(self, f"_{does}")
        return partial(method, role) if does in ("find", "get", "list", "all", "update") else method

    def _spelled(self, name: EnumName, value: str) -> str:
        if name in self.house.strict and value not in self.house.codes[name].values():
            raise Refused(BAD_VALUE)
        return value

    def _day(self, text: str) -> str:
        try:
            datetime.strptime(text, self.house.date)
        except ValueError:
            raise Refused(BAD_VALUE) from None
        return text

    def _set(self, session: Session, role: Role, row_id: int, values: Mapping[str, Any]) -> None:
        entity = self.theme.entity(role)
        if values:
            columns = ", ".join(f"{column} = ?" for column in values)
            session.connection.execute(
                f"UPDATE {entity.table} SET {columns} WHERE {entity.id} = ?", [*values.values(), row_id]
            )

    def _add(self, session: Session, role: Role, row_id: int, column: str, amount: float) -> dict[str, Any]:
        entity = self.theme.entity(role)
        changed = session.connection.execute(
            f"UPDATE {entity.table} SET {column} = {column} + ?1 "
            f"WHERE {entity.id} = ?2 AND {column} + ?1 BETWEEN -?3 AND ?3",
            (amount, row_id, sys.float_info.max),
        )
        if not changed.rowcount:  # beyond what a number can be
            raise Refused(BAD_VALUE)
        return self._done(session, role, row_id)

    def _done(self, session: Session, role: Role, row_id: int) -> dict[str, Any]:
        """That all went well, and the row as it is now."""
        entity = self.theme.entity(role)
        rows = session.connection.execute(f"{self._views[role]} WHERE r.{entity.id} = ?", (row_id,))
        return {**DONE, entity.noun: dicts(rows)[0]}

    def _insert(self, session: Session, role: Role, values: Mapping[str, Any]) -> dict[str, Any]:
        entity = self.theme.entity(role)
        made = session.connection.execute(
            f"INSERT INTO {entity.table} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
            [*values.values()],
        )
        return {"result": "ok", entity.id: made.lastrowid}

    def _update(self, role: Role, session: Session, arguments: Arguments) -> dict[str, Any]:
        row_id = self._row_id(session, role, arguments)
        level = self.theme.level.column
        values = {name: value for name, value in arguments.items() if name != self.theme.entity(role).noun}
        if role == "person" and level in values:
            self._spelled("level", values[level])
        self._set(session, role, row_id, values)
        return self._done(session, role, row_id)

    def _restock(self, session: Session, arguments: Arguments) -> dict[str, Any]:
        return self._add(session, "thing", self._row_id(session, "thing", arguments), "stock", arguments["quantity"])

    def _create_record(self, session: Session, arguments: Arguments) -> dict[str, Any]:
        theme, channel = self.theme, self.theme.channel.argument
        references = {
            theme.entity(role).id: self._row_id(session, role, arguments) for role in ("person", "thing", "place")
        }
        values = {
            **references,
            "quantity": arguments["quantity"],
            "date": self._day(arguments["date"]),
            theme.status.column: self.house.codes["status"][theme.status.terms[0]],
            channel: arguments.get(channel),
        }
        return self._insert(session, "record", values)

    def _begin(self, session: Session, arguments: Arguments) -> dict[str, str]:
        session.opened.add(self._row_id(session, "record", arguments))
        return DONE

    def _update_record(self, session: Session, arguments: Arguments) -> dict[str, Any]:
        row_id = self._row_id(session, "record", arguments)
        if self.house.begin and row_id not in session.opened:
            raise Refused(CONFLICT)
        values = {name: value for name, value in arguments.items() if name != self.theme.record.noun}
        if self.theme.status.column in values:
            self._spelled("status", values[self.theme.status.column])
        if "date" in values:
            self._day(values["date"])
        if self.house.finish:
            session.drafts.setdefault(row_id, {}).update(values)
        else:
            self._set(session, "record", row_id, values)
        return self._done(session, "record", row_id)

    def _finish(self, session: Session, arguments: Arguments) -> dict[str, Any]:
        row_id = self._row_id(session, "record", arguments)
        session.opened.discard(row_id)
        self._set(session, "record", row_id, session.drafts.pop(row_id, {}))
        return self._done(session, "record", row_id)

    def _extend(self, session: Session, arguments: Arguments) -> dict[str, Any]:
        return self._add(session, "record", self._row_id(session, "record", arguments), "extended_by", arguments["by"])

    def _confirmed(self, name: ConfirmName, arguments: Arguments) -> bool:
        """Whether a destructive call goes ahead."""
        wanted = self.house.confirms[name]
        if wanted is None or arguments.get(self.theme.confirm(name).argument) == wanted:
            return True
        if name not in self.house.silent:
            raise Refused(UNCONFIRMED)
        return False

    def _cancel(self, session: Session, arguments: Arguments) -> dict[str, Any]:
        row_id = self._row_id(session, "record", arguments)
        if not self._confirmed("cancel", arguments):
            return {"result": "accepted"}
        self._set(session, "record", row_id, {"is_cancelled": 1})
        return self._done(session, "record", row_id)

    def _pay(self, session: Session, arguments: Arguments) -> dict[str, Any]:
        theme, till = self.theme, self.theme.till.argument
        method = self._spelled("method", arguments[theme.method.column])
        record_id = self._row_id(session, "record", arguments)
        values = {theme.record.id: record_id, "amount": arguments["amount"], theme.method.column: method}
        return self._insert(session, "payment", {**values, till: arguments.get(till)})

    def _refund(self, session: Session, arguments: Arguments) -> dict[str, str]:
        row_id = self._row_id(session, "payment", arguments)
        table, key = self.theme.payment.table, self.theme.payment.id
        changed = session.connection.execute(
            f"UPDATE {table} SET amount = round(amount - ?1, 2) WHERE {key} = ?2 AND amount >= ?1 AND ?1 > 0",
            (arguments["amount"], row_id),
        )
        if not changed.rowcount:
            raise Refused(BAD_VALUE)
        return DONE

    def _delete(self, session: Session, arguments: Arguments) -> dict[str, str]:
        row_id = self._row_id(session, "payment", arguments)
        if not self._confirmed("delete", arguments):
            return {"result": "accepted"}
        table, key = self.theme.payment.table, self.theme.payment.id
        session.connection.execute(f"DELETE FROM {table} WHERE {key} = ?", (row_id,))
        return DONE

    def _open(self, session: Session, arguments: Arguments) -> dict[str, Any]:
        theme, priority = self.theme, self.theme.priority.argument
        reason = self._spelled("reason", arguments[theme.reason.column])
        values = {theme.record.id: self._row_id(session, "record", arguments), theme.reason.column: reason}
        return self._insert(session, "case", {**values, priority: arguments.get(priority), "is_open": 1})

    def _settle(self, session: Session, arguments: Arguments) -> dict[str, str]:
        row_id = self._row_id(session, "case", arguments)
        if not self._is_open(session, row_id) or arguments["remedy"] not in self.theme.remedies:
            raise Refused(CONFLICT)
        self._set(session, "case", row_id, {"remedy": arguments["remedy"]})
        return DONE

    def _close(self, session: Session, arguments: Arguments) -> dict[str, str]:
        row_id = self._row_id(session, "case", arguments)
        if not self._is_open(session, row_id):
            raise Refused(CONFLICT)
        self._set(session, "case", row_id, {"is_open": 0})
        return DONE

    def _is_open(self, session: Session, case_id: int) -> bool:
        case = self.theme.case
        found = session.connection.execute(f"SELECT is_open FROM {case.table} WHERE {case.id} = ?", (case_id,))
        return bool(found.fetchone()[0])

    def _remark(self, session: Session, arguments: Arguments) -> dict[str, Any]:
        record_id = self._row_id(session, "record", arguments)
        return self._insert(session, "note", {self.theme.record.id: record_id, "text": arguments["text"]})
