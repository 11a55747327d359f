"""How the reader does what is asked, by the playbook where it tells, literally where it doesn't."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from lse_gym.envs.offline.reader.english import stem
from lse_gym.envs.offline.reader.tools.hands import Hands, Steps, Stuck, number_of, part, plain, said
from lse_gym.envs.offline.reader.tools.request import Request
from lse_gym.envs.offline.reader.tools.toolbox import Role

MONEY = ("amount", "price", "money", "payment", "refund")  # words that a rule about amounts may have


class Worker(Hands):
    """Does one task, one method a kind of task."""

    def do(self, request: Request) -> Steps[str]:
        """The calls for a request, message by message; returns the answer.

        Raises:
            Stuck: it leads nowhere.
        """
        return (yield from getattr(self, f"_{request.op}")(request))

    def _changing(self, request: Request, tool: str, **values: Any) -> Steps[str]:
        record = yield from self._lookups(request, "record")
        if not (yield from self._is_untouchable(record)):
            yield from self._made(self._call(tool, **record, **values))
        return ""

    def _update(self, role: Role) -> str:
        return f"update_{self.box.nouns[role]}"

    def _create(self, request: Request) -> Steps[str]:
        rows = yield from self._lookups(request, "person", "thing", "place")
        what = {"quantity": self._amount(request), "date": self._date(request.day)}
        yield from self._made(self._call(f"create_{self.box.nouns['record']}", **rows, **what))
        return ""

    def _amount(self, request: Request) -> int | float:
        return plain(self._measured(number_of(request.amount[0]), request.amount[1]))

    def _day(self, request: Request) -> Steps[str]:
        return self._changing(request, self._update("record"), date=self._date(request.day))

    def _quantity(self, request: Request) -> Steps[str]:
        return self._changing(request, self._update("record"), quantity=self._amount(request))

    def _status(self, request: Request) -> Steps[str]:
        status = {self.box.enums["status"]: self._spell(request.term)}
        return self._changing(request, self._update("record"), **status)

    def _extend(self, request: Request) -> Steps[str]:
        return self._changing(request, f"extend_{self.box.nouns['record']}", by=self._amount(request))

    def _cancel(self, request: Request) -> Steps[str]:
        return self._changing(request, self._verb(request, "record"))

    def _verb(self, request: Request, role: Role) -> str:
        tool = f"{request.verb}_{self.box.nouns[role]}"
        if tool not in self.box.arguments:
            raise Stuck(f"there is no {tool}")
        return tool

    def _sweep(self, request: Request) -> Steps[str]:
        tool, noun = self._verb(request, "record"), self.box.nouns["record"]
        person = yield from self._lookups(request, "person")
        status = {self.box.enums["status"]: self._spell(request.term)}
        rows = yield from self._rows(self.box.tables["record"], **person, **status)
        told = self._told("key", noun)
        numbers = [name for name in (rows[0] if rows else ()) if name.endswith("_no")]
        field = str(told[0]) if told else (numbers or [f"{noun}_id"])[0]
        for row in rows:
            record = {noun: part(row, field)}
            if not (yield from self._is_untouchable(record)):
                yield from self._made(self._call(tool, **record))
        return ""

    def _pay(self, request: Request) -> Steps[str]:
        record = yield from self._lookups(request, "record")
        what = {"amount": self._amount(request), self.box.enums["method"]: self._spell(request.term)}
        yield from self._made(self._call(f"add_{self.box.nouns['payment']}", **record, **what))
        return ""

    def _refund(self, request: Request) -> Steps[str]:
        noun = self.box.nouns["payment"]
        payment = {noun: said(request, "payment")}
        (shown,) = yield from self._made(self._call(f"get_{noun}", **payment))
        share = number_of(part(shown, "amount")) * request.percent / 100
        yield from self._made(self._call(f"refund_{noun}", **payment, amount=plain(self._rounded(share))))
        return ""

    def _rounded(self, share: Decimal) -> Decimal:
        """A refund as the playbook rounds it; to the hundredth where it is silent."""
        told = self._told("rounding")
        factor = self._parts(*(MONEY if not told or not told[2] else (str(told[2]), *MONEY)))
        if not told:
            return (share * 100 / factor).quantize(Decimal(1), ROUND_HALF_UP) * factor / 100
        mode, step = told[0], int(told[1]) * factor
        down, rest = divmod(share, step) if step else (share, Decimal(0))
        more = {"down": False, "up": rest > 0}.get(str(mode), 2 * rest >= step)
        return (down + more) * step

    def _parts(self, *units: str) -> int:
        """How many parts of a unit make one that requests say, by the first of the words that a rule is about."""
        told = next((told for unit in units if (told := self._told("unit", stem(unit)))), None)
        return int(told[1]) if told and told[0] == "times" else 1

    def _delete(self, request: Request) -> Steps[str]:
        payment = {self.box.nouns["payment"]: said(request, "payment")}
        yield from self._made(self._call(self._verb(request, "payment"), **payment))
        return ""

    def _complain(self, request: Request) -> Steps[str]:
        record = yield from self._lookups(request, "record")
        (made,) = yield from self._made(self._opened(record, request.term))
        noun = self.box.nouns["case"]
        return (yield from self._closed({noun: part(made, f"{noun}_id")}, request.text))

    def _settle(self, request: Request) -> Steps[str]:
        return self._closed({self.box.nouns["case"]: said(request, "case")}, request.text)

    def _closed(self, case: Mapping[str, Any], remedy: str) -> Steps[str]:
        noun = self.box.nouns["case"]
        yield from self._made(self._call(f"settle_{noun}", **case, remedy=remedy), self._call(f"close_{noun}", **case))
        return ""

    def _level(self, request: Request) -> Steps[str]:
        person = yield from self._lookups(request, "person")
        level = {self.box.enums["level"]: self._spell(request.term)}
        yield from self._made(self._call(self._update("person"), **person, **level))
        return ""

    def _email(self, request: Request) -> Steps[str]:
        person = yield from self._lookups(request, "person")
        yield from self._made(self._call(self._update("person"), **person, email=request.text))
        return ""

    def _price(self, request: Request) -> Steps[str]:
        thing = yield from self._lookups(request, "thing")
        yield from self._made(self._call(self._update("thing"), **thing, price=self._amount(request)))
        return ""

    def _restock(self, request: Request) -> Steps[str]:
        thing = yield from self._lookups(request, "thing")
        tool = f"restock_{self.box.nouns['thing']}"
        yield from self._made(self._call(tool, **thing, quantity=self._amount(request)))
        return ""

    def _phone(self, request: Request) -> Steps[str]:
        place = yield from self._lookups(request, "place")
        yield from self._made(self._call(self._update("place"), **place, phone=request.text))
        return ""

    def _note(self, request: Request) -> Steps[str]:
        record = yield from self._lookups(request, "record")
        yield from self._made(self._call("add_note", **record, text=request.thing))
        return ""

    def _at_place(self, request: Request, role: Role, enum: str) -> Steps[list[Mapping[str, Any]]]:
        place = yield from self._lookups(request, "place")
        term = {self.box.enums[enum]: self._spell(request.term)}
        return (yield from self._rows(self.box.tables[role], **place, **term))

    def _count(self, request: Request) -> Steps[str]:
        return str(len((yield from self._at_place(request, "record", "status"))))

    def _who(self, request: Request) -> Steps[str]:
        rows = yield from self._at_place(request, "record", "status")
        return ", ".join(sorted({str(part(row, self.box.nouns["person"])) for row in rows}))

    def _total(self, request: Request) -> Steps[str]:
        rows = yield from self._at_place(request, "payment", "method")
        total = sum((number_of(part(row, "amount")) for row in rows), Decimal(0))
        return f"{self._measured(total, request.amount[1], back=True):.2f}"

    def _stock(self, request: Request) -> Steps[str]:
        thing = yield from self._lookups(request, "thing")
        (shown,) = yield from self._made(self._call(f"get_{self.box.nouns['thing']}", **thing))
        return str(plain(self._measured(number_of(part(shown, "stock")), request.amount[1], back=True)))
