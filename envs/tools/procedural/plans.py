"""How a clerk who knows a house does what is asked: the calls that lead to the gold end state, and the answer."""

from collections.abc import Callable
from typing import Any

from lse_gym.envs.tools.procedural.habits import Habits, Plan
from lse_gym.envs.tools.procedural.house import refund, stored_money, whole
from lse_gym.envs.tools.procedural.tasks import Task
from lse_gym.envs.tools.protocol import Call


class Clerk(Habits):
    """Makes plans by the rules of a house, one method a kind of task."""

    def plan(self, task: Task) -> Plan[str]:
        """The calls for a task; returns the answer, empty where none is asked.

        Raises:
            Stuck: a call failed.
        """
        return (yield from getattr(self, f"_{task.op}")(task))

    def _create(self, task: Task) -> Plan[str]:
        person = yield from self._person(task)
        thing = yield from self._thing(task)
        place = yield from self._place(task)
        what = {"quantity": self._packs(task.quantity), "date": self._written(task.day)}
        yield from self._made(
            f"create_{self.theme.record.noun}", **person, **thing, **place, **what, **self._default("channel")
        )
        return ""

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
