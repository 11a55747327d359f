"""The hands of the reader in an office: calls as the playbook wants them, and the rows that a request is about."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from lse_gym.envs.offline.reader.english import stem
from lse_gym.envs.offline.reader.tools.request import Request
from lse_gym.envs.offline.reader.tools.rules import Kind, Knowledge, Meaning
from lse_gym.envs.offline.reader.tools.toolbox import Role, Toolbox, as_json
from lse_gym.envs.tools.protocol import Call

T = TypeVar("T")
Calls = Sequence[Call]
Steps = Generator[Calls, Sequence[str], T]  # yields the calls of a message, is sent their results
Choose = Callable[[Sequence[Meaning]], Meaning]
ISO = "%Y-%m-%d"
MAX_PAGES = 20
MAX_DIGITS = 9  # of a number that is reckoned with


class Stuck(Exception):  # noqa: N818 - not a failure of ours
    """A call failed, or a result is not what it should be."""


class Hands:
    """Makes calls.

    Args:
        toolbox: the tools.
        knowledge: the rules of the playbook.
        choose: takes one of several meanings that contradict each other.
    """

    def __init__(self, toolbox: Toolbox, knowledge: Knowledge, choose: Choose):
        self.box, self.choose = toolbox, choose
        self.rules = knowledge

    def _told(self, kind: Kind, *trigger: str) -> Meaning | None:
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
            rows += listed(shown, "rows")
            if not part(shown, "more"):
                break
        return rows

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
                calls[role] = self._call(f"find_{table}", query=str(said(request, role)))
            else:
                found[noun] = said(request, role)
        if calls:
            results = yield from self._made(*calls.values())
            for role, result in zip(calls, results, strict=True):
                found[self.box.nouns[role]] = self._chosen(role, result, request)
        return found

    def _chosen(self, role: Role, rows: Any, request: Request) -> Any:
        noun = self.box.nouns[role]
        if role == "place":
            rows = [row for row in listed(rows) if str(part(row, "name")) in request.said]
        told = self._told("key", noun)
        field = str(told[0]) if told else f"{noun}_id"
        row = next(iter(listed(rows)), None)
        if row is None:
            raise Stuck(f"there is no such {noun}")
        return part(row, field)

    def _is_untouchable(self, record: Mapping[str, Any]) -> Steps[bool]:
        """Whether a record is to be left alone; then the case is opened that the playbook wants instead."""
        guards = [trigger[0] for kind, trigger in self.rules.rules if kind == "guard"]
        if not guards:
            return False
        (shown,) = yield from self._made(self._call(f"get_{self.box.nouns['record']}", **record))
        status = str(part(shown, self.box.enums["status"])).lower()
        for term in guards:
            if status in (self._spell(term).lower(), term):
                told = self._told("guard", term)
                yield from self._made(self._opened(record, str(told[0]) if told else ""))
                return True
        return False

    def _opened(self, record: Mapping[str, Any], reason: str) -> Call:
        case = self.box.nouns["case"]
        return self._call(f"open_{case}", **record, **{self.box.enums["reason"]: self._spell(reason)})


def said(request: Request, role: Role) -> int:
    """The number that a request tells of a row; Stuck where it tells none."""
    if role not in request.numbers:
        raise Stuck(f"no {role} is told")
    return request.numbers[role]


def listed(value: Any, name: str = "") -> list[Any]:
    """A result, or a part of it, that should be a list; Stuck where it is none."""
    found = part(value, name) if name else value
    if not isinstance(found, list):
        raise Stuck("a result is no list")
    return found


def part(value: Any, name: str) -> Any:
    """A part of a result; Stuck where there is none of that name."""
    if not isinstance(value, dict) or name not in value:
        raise Stuck(f"a result has no {name}")
    return value[name]


def number_of(value: Any) -> Decimal:
    """A number, as written; Stuck where it is none, or too long to reckon with."""
    text = str(value)
    if not text.replace(".", "", 1).lstrip("-").isdecimal() or len(text) > MAX_DIGITS + 3:
        raise Stuck(f"{text[:20]} is no number")
    return Decimal(text)


def plain(number: Decimal) -> int | float:
    """A number as JSON has it, to the hundredth."""
    return int(number) if number == int(number) else round(float(number), 2)
