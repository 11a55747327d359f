"""How a clerk who knows a house does what is asked: the calls that lead to the gold end state, and the answer."""

import json
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeVar

from lse_gym.envs.tools.procedural.house import House, Keyed, literal, refund, stored_money, whole, written_day
from lse_gym.envs.tools.procedural.tasks import Task
from lse_gym.envs.tools.procedural.theme import ConfirmName, DefaultName, EnumName, Theme
from lse_gym.envs.tools.protocol import Call

T = TypeVar("T")
Topic = tuple[str, ...]
Plan = Generator[Call, str, T]  # yields calls, is sent their results


class Stuck(Exception):  # noqa: N818 - a plan for another house may lead nowhere
    """A call of a plan failed."""


class Clerk:
    """Makes plans by the rules of a house.

    Args:
        theme: the words.
        house: the rules that the clerk believes in.

    Attributes:
        used: the rules behind the plans made so far that nobody would guess.
    """

    def __init__(self, theme: Theme, house: House):
        self.theme, self.house, self.used = theme, house, set[Topic]()
        self._usual = literal(theme)

    def plan(self, task: Task) -> Plan[str]:
        """The calls for a task; returns the answer, empty where none is asked.

        Raises:
            Stuck: a call failed.
        """
        return (yield from getattr(self, f"_{task.op}")(task))

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

    # One method an operation

    def _create(self, task: Task) -> Plan[str]:
        person = yield from self._person(task)
        thing = yield from self._thing(task)
        place = yield from self._place(task)
        what = {"quantity": self._packs(task.quantity), "date": self._written(task.day)}
        yield from self._made(
            f"create_{self.theme.record.noun}", **person, **thing, **place, **what, **self._default("channel")
        )
        return ""

    def _written(self, day: str) -> str:
        self._use(self.house.date, self._usual.date, "date")
        return written_day(self.house, day)

    def _day(self, task: Task) -> Plan[str]:
        return self._changed(task, lambda: {"date": self._written(task.day)})

    def _quantity(self, task: Task) -> Plan[str]:
        return self._changed(task, lambda: {"quantity": self._packs(task.quantity)})

    def _status(self, task: Task) -> Plan[str]:
        return self._changed(task, lambda: {self.theme.status.column: self._spell("status", task.term)})

    def _extend(self, task: Task) -> Plan[str]:
        record = yield from self._record(task)
        if not (yield from self._untouched(record)):
            by = task.length * self._use(self.house.length, 1, "unit", "length")
            yield from self._made(f"extend_{self.theme.record.noun}", **record, by=by)
        return ""

    def _cancel(self, task: Task) -> Plan[str]:
        yield from self._cancelled((yield from self._record(task)))
        return ""

    def _pay(self, task: Task) -> Plan[str]:
        record = yield from self._record(task)
        method = {self.theme.method.column: self._spell("method", task.term)}
        amount = self._money(task.cents)
        yield from self._made(
            f"add_{self.theme.payment.noun}", **record, amount=amount, **method, **self._default("till")
        )
        return ""

    def _refund(self, task: Task) -> Plan[str]:
        payment = self.theme.payment.noun
        shown = yield from self._made(f"get_{payment}", **{payment: task.payment})
        amount = self._share(shown["amount"], task.percent)
        yield from self._made(f"refund_{payment}", **{payment: task.payment}, amount=amount)
        return ""

    def _share(self, stored: float, percent: int) -> int | float:
        """A share of a stored amount; the unit matters only to who rounds."""
        cents = round(stored * 100 / self.house.money)
        exact = refund(self._usual, cents, percent)
        back = self._use(refund(self.house, cents, percent), exact, "rounding")
        guess = stored_money(self._usual, refund(self._usual, round(stored * 100), percent))
        if back != exact or stored_money(self.house, exact) != guess:
            return self._money(back)
        return guess

    def _delete(self, task: Task) -> Plan[str]:
        payment = self.theme.payment.noun
        yield from self._made(f"{self.theme.delete}_{payment}", **{payment: task.payment}, **self._confirm("delete"))
        return ""

    def _complain(self, task: Task) -> Plan[str]:
        record = yield from self._record(task)
        case = yield from self._case(record, self._spell("reason", task.term))
        return (yield from self._closed(case, task.text))

    def _settle(self, task: Task) -> Plan[str]:
        return self._closed({self.theme.case.noun: task.case}, task.text)

    def _closed(self, case: dict[str, int], remedy: str) -> Plan[str]:
        yield from self._made(f"settle_{self.theme.case.noun}", **case, remedy=remedy)
        yield from self._made(f"close_{self.theme.case.noun}", **case)
        return ""

    def _level(self, task: Task) -> Plan[str]:
        person, level = (yield from self._person(task)), self._spell("level", task.term)
        yield from self._made(f"update_{self.theme.person.noun}", **person, **{self.theme.level.column: level})
        return ""

    def _email(self, task: Task) -> Plan[str]:
        person = yield from self._person(task)
        yield from self._made(f"update_{self.theme.person.noun}", **person, email=task.text)
        return ""

    def _price(self, task: Task) -> Plan[str]:
        thing = yield from self._thing(task)
        yield from self._made(f"update_{self.theme.thing.noun}", **thing, price=self._money(task.cents))
        return ""

    def _restock(self, task: Task) -> Plan[str]:
        thing = yield from self._thing(task)
        yield from self._made(f"restock_{self.theme.thing.noun}", **thing, quantity=self._packs(task.quantity))
        return ""

    def _phone(self, task: Task) -> Plan[str]:
        place = yield from self._place(task)
        yield from self._made(f"update_{self.theme.place.noun}", **place, phone=task.text)
        return ""

    def _note(self, task: Task) -> Plan[str]:
        record = yield from self._record(task)
        yield from self._made("add_note", **record, text=task.text)
        return ""

    def _count(self, task: Task) -> Plan[str]:
        place = yield from self._place(task)
        status = {self.theme.status.column: self._spell("status", task.term)}
        return str(len((yield from self._pages(self.theme.record.table, **place, **status))))

    def _total(self, task: Task) -> Plan[str]:
        place = yield from self._place(task)
        method = {self.theme.method.column: self._spell("method", task.term)}
        rows = yield from self._pages(self.theme.payment.table, **place, **method)
        return f"{sum(self._cents(row['amount']) for row in rows) / 100:.2f}"

    def _who(self, task: Task) -> Plan[str]:
        place = yield from self._place(task)
        status = {self.theme.status.column: self._spell("status", task.term)}
        rows = yield from self._pages(self.theme.record.table, **place, **status)
        return ", ".join(sorted({row[self.theme.person.noun] for row in rows}))

    def _stock(self, task: Task) -> Plan[str]:
        thing = yield from self._thing(task)
        shown = yield from self._made(f"get_{self.theme.thing.noun}", **thing)
        return str(whole(shown["stock"] * self._use(self.house.pack, 1, "unit", "pack")))

    def _sweep(self, task: Task) -> Plan[str]:
        person = yield from self._person(task)
        status = {self.theme.status.column: self._spell("status", task.term)}
        rows = yield from self._pages(self.theme.record.table, **person, **status)
        for row in rows:
            yield from self._cancelled({self.theme.record.noun: row[self._field("record")]})
        return ""


def follow(plan: Plan[str], call: Callable[[str, dict[str, Any]], str]) -> tuple[str, list[Call]]:
    """Make the calls of a plan; returns its answer and the calls."""
    made: list[Call] = []
    try:
        step = next(plan)
        while True:
            made.append(step)
            step = plan.send(call(step.name, step.arguments))
    except StopIteration as end:
        return end.value, made
