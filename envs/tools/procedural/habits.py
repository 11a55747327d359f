"""The habits of a clerk who knows a house: what its rules make of a request, and steps that come again and again."""

import json
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeVar

from lse_gym.envs.tools.procedural.house import House, Keyed, literal, stored_money, whole, written_day
from lse_gym.envs.tools.procedural.tasks import Task
from lse_gym.envs.tools.procedural.theme import ConfirmName, DefaultName, EnumName, Theme
from lse_gym.envs.tools.protocol import Call

T = TypeVar("T")
Topic = tuple[str, ...]
Plan = Generator[Call, str, T]  # yields calls, is sent their results


class Stuck(Exception):  # noqa: N818 - a plan for another house may lead nowhere
    """A call of a plan failed."""


class Habits:
    """The rules of a house, each noted when it is used, and steps by them.

    Args:
        theme: the words.
        house: the rules that the clerk believes in.

    Attributes:
        used: the rules behind the plans made so far that nobody would guess.
    """

    def __init__(self, theme: Theme, house: House):
        self.theme, self.house, self.used = theme, house, set[Topic]()
        self._usual = literal(theme)

    # The rules

    def _use(self, mine: T, usual: T, *topic: str) -> T:
        if mine != usual:
            self.used.add(topic)
        return mine

    def _spell(self, name: EnumName, term: str) -> str:
        return self._use(self.house.codes[name][term], term, "spelling", name, term)

    def _money(self, cents: int) -> int | float:
        self._use(self.house.money, 1, "unit", "money")
        return stored_money(self.house, cents)

    def _cents(self, stored: float) -> int:
        return round(stored * 100 / self._use(self.house.money, 1, "unit", "money"))

    def _packs(self, pieces: int) -> int | float:
        return whole(pieces / self._use(self.house.pack, 1, "unit", "pack"))

    def _default(self, name: DefaultName) -> dict[str, str]:
        value = self._use(self.house.defaults[name], None, "default", name)
        return {self.theme.option(name).argument: value} if value else {}

    def _confirm(self, name: ConfirmName) -> dict[str, str]:
        value = self._use(self.house.confirms[name], None, "confirmation", name)
        return {self.theme.confirm(name).argument: value} if value else {}

    def _field(self, role: Keyed) -> str:
        """The column whose value stands for a row in calls."""
        key = self._use(self.house.keys[role], self._usual.keys[role], "key", role)
        entity = self.theme.entity(role)
        return entity.number if key == "number" else entity.id

    # Steps

    def _made(self, name: str, **arguments: Any) -> Plan[Any]:
        result = yield Call(name, arguments)
        if result.startswith("Error:"):
            raise Stuck(result)
        return json.loads(result)

    def _numbered(self, role: Keyed, number: int) -> Plan[dict[str, int]]:
        """The argument that stands for a row whose number was said."""
        entity, field = self.theme.entity(role), self._field(role)
        if field == entity.number:
            return {entity.noun: number}
        found = yield from self._made(f"find_{entity.table}", query=str(number))
        if not found:
            raise Stuck(f"there is no {entity.noun} {number}")
        return {entity.noun: found[0][field]}

    def _record(self, task: Task) -> Plan[dict[str, int]]:
        return (yield from self._numbered("record", task.record))

    def _person(self, task: Task) -> Plan[dict[str, int]]:
        return (yield from self._numbered("person", task.person))

    def _thing(self, task: Task) -> Plan[dict[str, int]]:
        thing = self.theme.thing
        found = yield from self._made(f"find_{thing.table}", query=task.thing)
        return {thing.noun: found[0][self._field("thing")]}

    def _place(self, task: Task) -> Plan[dict[str, int]]:
        place = self.theme.place
        rows = yield from self._made(f"list_{place.table}")
        return {place.noun: next(row[place.id] for row in rows if row["name"] == task.place)}

    def _pages(self, table: str, **filters: Any) -> Plan[list[Mapping[str, Any]]]:
        number, rows = self._use(self.house.first_page, self._usual.first_page, "pages"), []
        while True:
            page = yield from self._made(f"list_{table}", page=number, **filters)
            rows += page["rows"]
            number += 1
            if not page["more"]:
                return rows

    def _untouched(self, record: dict[str, int]) -> Plan[bool]:
        """Whether the record may not be touched; then the case is opened that takes the place of a change."""
        if self.house.guard is None:
            return False
        status, reason = self.house.guard
        shown = yield from self._made(f"get_{self.theme.record.noun}", **record)
        if shown[self.theme.status.column] != self.house.codes["status"][status]:
            return False
        self.used |= {("guard",)}
        yield from self._case(record, self.house.codes["reason"][reason])
        return True

    def _case(self, record: dict[str, int], reason: str) -> Plan[dict[str, int]]:
        case, cause = self.theme.case, {self.theme.reason.column: reason}
        made = yield from self._made(f"open_{case.noun}", **record, **cause, **self._default("priority"))
        return {case.noun: made[case.id]}

    def _changed(self, task: Task, written: Callable[[], dict[str, Any]]) -> Plan[str]:
        """A record with other values."""
        noun, record = self.theme.record.noun, (yield from self._record(task))
        if (yield from self._untouched(record)):
            return ""
        values = written()
        if self._use(self.house.begin, False, "begin"):
            yield from self._made(f"{self.theme.begin}_{noun}", **record)
        yield from self._made(f"update_{noun}", **record, **values)
        if self._use(self.house.finish, False, "finish"):
            yield from self._made(f"{self.theme.finish}_{noun}", **record)
        return ""

    def _cancelled(self, record: dict[str, int]) -> Plan[None]:
        if (yield from self._untouched(record)):
            return
        yield from self._made(f"{self.theme.cancel}_{self.theme.record.noun}", **record, **self._confirm("cancel"))
        if note := self._use(self.house.note, None, "follow-up"):
            yield from self._made("add_note", **record, text=note)

    def _written(self, day: str) -> str:
        self._use(self.house.date, self._usual.date, "date")
        return written_day(self.house, day)
