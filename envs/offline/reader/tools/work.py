"""How the reader does what is asked: the calls, by the playbook where it tells, literally where it doesn't."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar

from lse_gym.envs.offline.reader.english import stem
from lse_gym.envs.offline.reader.tools.request import Request
from lse_gym.envs.offline.reader.tools.rules import Knowledge, Meaning
from lse_gym.envs.offline.reader.tools.toolbox import Role, Toolbox, as_json
from lse_gym.envs.tools.protocol import Call

T = TypeVar("T")
Calls = Sequence[Call]
Steps = Generator[Calls, Sequence[str], T]  # yields the calls of a message, is sent their results
Choose = Callable[[Sequence[Meaning]], Meaning]
MONEY = ("amount", "price", "money", "payment", "refund")
ISO = "%Y-%m-%d"
MAX_PAGES = 20
MAX_DIGITS = 9  # of a number that is reckoned with


class Stuck(Exception):  # noqa: N818 - not a failure of ours
    """A call failed, or a result is not what it should be."""


class Worker:
    """Does one task.

    Args:
        toolbox: the tools.
        knowledge: the rules of the playbook.
        choose: takes one of several meanings that contradict each other.
    """

    def __init__(self, toolbox: Toolbox, knowledge: Knowledge, choose: Choose):
        self.box, self.choose = toolbox, choose
        self.rules = knowledge

    def do(self, request: Request) -> Steps[str]:
        """The calls for a request, message by message; returns the answer.

        Raises:
            Stuck: it leads nowhere.
        """
        return (yield from getattr(self, f"_{request.op}")(request))

    # What the playbook tells

    def _told(self, kind, *trigger: str) -> Meaning | None:
        told = self.rules.told(kind, *trigger)
        return self.choose(told) if told else None

    def _spell(self, term: str) -> str:
        told = self._told("spelling", term.lower())
        return str(told[0]) if told else term

    def _measured(self, number: Decimal, unit: str, back: bool = False) -> Decimal:
        """A number of units as the tools take it; with ``back``, the number of units that tools mean."""
        told = self._told("unit", stem(unit))
        if not told:
            return number
        times = (told[0] == "times") != back
        return number * int(told[1]) if times else number / int(told[1])

    def _date(self, day: str) -> str:
        told = self._told("date")
        try:
            return date.fromisoformat(day).strftime(str(told[0]) if told else ISO)
        except ValueError:
            raise Stuck(f"{day} is no day") from None

    # Calls

    def _call(self, tool: str, **arguments: Any) -> Call:
        """A call with the arguments that the playbook always wants."""
        for name in self.box.arguments.get(tool, {}):
            told = self._told("value", tool, name)
            if told and name not in arguments:
                arguments[name] = str(told[0])
        return Call(tool, arguments)

    def _made(self, *calls: Call) -> Steps[list[Any]]:
        """What calls return, those that are to be made before and after them left out."""
        wanted, everything = [], []
        for call in calls:
            everything += self._beside(call, "before")
            wanted.append(len(everything))
            everything += [call, *self._beside(call, "after")]
        results = yield everything
        made = [as_json(result) for result in results]
        if len(made) != len(everything) or any(value is None for value in made):
            raise Stuck("a call failed")
        return [made[index] for index in wanted]

    def _beside(self, call: Call, when: str) -> Iterable[Call]:
        for tool, *given in self.rules.told("step", call.name, when):
            taken = self.box.arguments.get(str(tool), {})
            own = {name: value for name, value in call.arguments.items() if name in taken}
            more = dict(zip(map(str, given[::2]), map(str, given[1::2]), strict=True))
            yield self._call(str(tool), **{**own, **{n: v for n, v in more.items() if n in taken}})

    def _rows(self, table: str, **filters: Any) -> Steps[list[Mapping[str, Any]]]:
        told, rows = self._told("page"), []
        number = int(told[0]) if told else 1
        for page in range(number, number + MAX_PAGES):
            (shown,) = yield from self._made(self._call(f"list_{table}", page=page, **filters))
            rows += _list(shown, "rows")
            if not _part(shown, "more"):
                break
        return rows

    # Which row

    def _lookups(self, request: Request, *roles: Role) -> Steps[dict[str, Any]]:
        """The arguments that stand for the rows of a request, looked up side by side where it takes that."""
        found, calls = {}, {}
        for role in roles:
            noun, table = self.box.nouns[role], self.box.tables[role]
            told = self._told("key", noun)
            if role == "place":
                calls[role] = self._call(f"list_{table}")
            elif role == "thing":
                calls[role] = self._call(f"find_{table}", query=request.thing)
            elif told and role in ("person", "record"):
                calls[role] = self._call(f"find_{table}", query=str(_said(request, role)))
            else:
                found[noun] = _said(request, role)
        if calls:
            results = yield from self._made(*calls.values())
            for role, result in zip(calls, results, strict=True):
                found[self.box.nouns[role]] = self._chosen(role, result, request)
        return found

    def _chosen(self, role: Role, rows: Any, request: Request) -> Any:
        noun = self.box.nouns[role]
        if role == "place":
            rows = [row for row in _list(rows) if str(_part(row, "name")) in request.said]
        told = self._told("key", noun)
        field = str(told[0]) if told else f"{noun}_id"
        row = next(iter(_list(rows)), None)
        if row is None:
            raise Stuck(f"there is no such {noun}")
        return _part(row, field)

    def _is_untouchable(self, record: Mapping[str, Any]) -> Steps[bool]:
        """Whether a record is to be left alone; then the case is opened that the playbook wants instead."""
        guards = [trigger[0] for kind, trigger in self.rules.rules if kind == "guard"]
        if not guards:
            return False
        (shown,) = yield from self._made(self._call(f"get_{self.box.nouns['record']}", **record))
        status = str(_part(shown, self.box.enums["status"])).lower()
        for term in guards:
            if status in (self._spell(term).lower(), term):
                told = self._told("guard", term)
                yield from self._made(self._opened(record, str(told[0]) if told else ""))
                return True
        return False

    def _opened(self, record: Mapping[str, Any], reason: str) -> Call:
        case = self.box.nouns["case"]
        return self._call(f"open_{case}", **record, **{self.box.enums["reason"]: self._spell(reason)})

    # Tasks

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
        return _plain(self._measured(_number(request.amount[0]), request.amount[1]))

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
            record = {noun: _part(row, field)}
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
        payment = {noun: _said(request, "payment")}
        (shown,) = yield from self._made(self._call(f"get_{noun}", **payment))
        share = _number(_part(shown, "amount")) * request.percent / 100
        yield from self._made(self._call(f"refund_{noun}", **payment, amount=_plain(self._rounded(share))))
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
        payment = {self.box.nouns["payment"]: _said(request, "payment")}
        yield from self._made(self._call(self._verb(request, "payment"), **payment))
        return ""

    def _complain(self, request: Request) -> Steps[str]:
        record = yield from self._lookups(request, "record")
        (made,) = yield from self._made(self._opened(record, request.term))
        noun = self.box.nouns["case"]
        return (yield from self._closed({noun: _part(made, f"{noun}_id")}, request.text))

    def _settle(self, request: Request) -> Steps[str]:
        return self._closed({self.box.nouns["case"]: _said(request, "case")}, request.text)

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

    # Questions

    def _at_place(self, request: Request, role: Role, enum: str) -> Steps[list[Mapping[str, Any]]]:
        place = yield from self._lookups(request, "place")
        term = {self.box.enums[enum]: self._spell(request.term)}
        return (yield from self._rows(self.box.tables[role], **place, **term))

    def _count(self, request: Request) -> Steps[str]:
        return str(len((yield from self._at_place(request, "record", "status"))))

    def _who(self, request: Request) -> Steps[str]:
        rows = yield from self._at_place(request, "record", "status")
        return ", ".join(sorted({str(_part(row, self.box.nouns["person"])) for row in rows}))

    def _total(self, request: Request) -> Steps[str]:
        rows = yield from self._at_place(request, "payment", "method")
        total = sum((_number(_part(row, "amount")) for row in rows), Decimal(0))
        return f"{self._measured(total, request.amount[1], back=True):.2f}"

    def _stock(self, request: Request) -> Steps[str]:
        thing = yield from self._lookups(request, "thing")
        (shown,) = yield from self._made(self._call(f"get_{self.box.nouns['thing']}", **thing))
        return str(_plain(self._measured(_number(_part(shown, "stock")), request.amount[1], back=True)))


def _said(request: Request, role: Role) -> int:
    if role not in request.numbers:
        raise Stuck(f"no {role} is told")
    return request.numbers[role]


def _list(value: Any, name: str = "") -> list[Any]:
    found = _part(value, name) if name else value
    if not isinstance(found, list):
        raise Stuck("a result is no list")
    return found


def _part(value: Any, name: str) -> Any:
    if not isinstance(value, dict) or name not in value:
        raise Stuck(f"a result has no {name}")
    return value[name]


def _number(value: Any) -> Decimal:
    text = str(value)
    if not text.replace(".", "", 1).lstrip("-").isdecimal() or len(text) > MAX_DIGITS + 3:
        raise Stuck(f"{text[:20]} is no number")
    return Decimal(text)


def _plain(number: Decimal) -> int | float:
    return int(number) if number == int(number) else round(float(number), 2)
