"""What lessons teach: sentences of a playbook, in words that the reader understands."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal
from itertools import permutations, product
from typing import Any

from lse_gym.envs.offline.reader.english import stem
from lse_gym.envs.offline.reader.tools.rules import Knowledge
from lse_gym.envs.offline.reader.tools.toolbox import Role, Toolbox
from lse_gym.envs.offline.writer.tools.book import Book
from lse_gym.envs.offline.writer.tools.lesson import Lesson, Seen
from lse_gym.envs.text import an

KEYED: tuple[Role, ...] = ("person", "thing", "record")
# How what a request says becomes what the database has: the column by kind of task, whether it is added to what was
# there, and what the sentence is about.
MEASURED = {
    "price": ("price", False, "Amounts and prices"),
    "pay": ("amount", False, "Amounts and prices"),
    "create": ("quantity", False, "Quantities and stock"),
    "quantity": ("quantity", False, "Quantities and stock"),
    "restock": ("stock", True, "Quantities and stock"),
    "extend": ("extended_by", True, "Extensions"),
}
SPELLED = {"level": "level", "status": "status", "pay": "method", "complain": "reason"}
CHANGING = ("day", "quantity", "status", "extend", "cancel")  # what a guard stands before
MAX_STORED = 10**9  # what is more is no number of an office
HUNDREDS = (10, 100, 1000)  # parts of an amount of money
DATE_PARTS = {"%d": "DD", "%m": "MM", "%Y": "YYYY", "%y": "YY"}


def teach(lesson: Lesson, box: Toolbox) -> Iterator[str]:
    """What a lesson teaches by itself."""
    for about in (_keys, _spelling, _measure, _given, _steps, _note):
        yield from about(lesson, box)


def _numbers(row: Any, noun: str) -> dict[str, Any]:
    """The numbers that a row of an entity has, by field."""
    if not isinstance(row, dict) or f"{noun}_id" not in row:
        return {}
    return {name: value for name, value in row.items() if name == f"{noun}_id" or name.endswith("_no")}


def _keys(lesson: Lesson, box: Toolbox) -> Iterator[str]:
    for role in KEYED:
        noun = box.nouns[role]
        for seen in lesson.seen:
            given = seen.call.arguments.get(noun)
            field = _taken(seen, noun, given, lesson, box) if given is not None else ""
            if field and field != (f"{noun}_id" if role == "thing" else ""):
                yield f'Pass the {field} of find_{box.tables[role]} as "{noun}".'


def _taken(seen: Seen, noun: str, given: Any, lesson: Lesson, box: Toolbox) -> str:
    """The field of a row that a tool takes as an argument; "" where that doesn't show."""
    value = seen.value
    row = value.get(noun, value) if isinstance(value, dict) else None
    shown = _numbers(row, noun) or _looked_up(lesson, noun, given)
    if seen.fails("404"):
        others = [n for role in (*KEYED, "place") if (n := box.nouns[role]) != noun and n in seen.call.arguments]
        fields = [field for field, number in shown.items() if number != given] if shown else [f"{noun}_id"]
        return "" if others else next(iter(fields), "")
    if not _numbers(row, noun):
        made = [row for row in lesson.added(f"{noun}_id", right=False) if _is_of(row, seen)]
        if len(made) != 1:
            return ""
        if made[0][f"{noun}_id"] == given:
            return f"{noun}_id"
    return next((field for field, number in shown.items() if number == given), "")


def _is_of(row: Any, seen: Seen) -> bool:
    """Whether a new row was made by a call, by the texts that both have."""
    texts = [value for value in seen.call.arguments.values() if isinstance(value, str)]
    return bool(texts) and all(text in row.values() for text in texts)


def _looked_up(lesson: Lesson, noun: str, given: Any) -> dict[str, Any]:
    """The numbers of the row that a search has shown with this number."""
    for seen in lesson.seen:
        for row in seen.value if isinstance(seen.value, list) else ():
            numbers = _numbers(row, noun)
            if given in numbers.values():
                return numbers
    return {}


def _spelling(lesson: Lesson, box: Toolbox) -> Iterator[str]:
    column = box.enums.get(SPELLED.get(lesson.request.op, ""), "")
    written = lesson.became(column)
    if isinstance(written, str) and written != lesson.request.term and not _is_guarded(lesson, box):
        yield f'As "{column}", write "{written}" for "{lesson.request.term}".'


def _measure(lesson: Lesson, box: Toolbox) -> Iterator[str]:
    del box
    column, adds, about = MEASURED.get(lesson.request.op, ("", False, ""))
    stored = lesson.grew(column) if adds else lesson.became(column)
    if not isinstance(stored, int | float) or not 0 < abs(stored) < MAX_STORED:
        return
    said, unit = Decimal(lesson.request.amount[0]), lesson.request.amount[1]
    times, over = Decimal(str(stored)) / said if said else Decimal(0), said / Decimal(str(stored))
    if times > 1 and times == int(times):
        yield f"{about}: multiply {unit} by {int(times)}."
    elif over > 1 and over == int(over):
        yield f"{about}: divide {unit} by {int(over)}."


def _given(lesson: Lesson, box: Toolbox) -> Iterator[str]:
    """Arguments that the request does not tell, in rows that should be new."""
    tools = {
        f"create_{box.nouns['record']}": "quantity",
        f"add_{box.nouns['payment']}": "amount",
        f"open_{box.nouns['case']}": "is_open",
    }
    for tool, column in tools.items():
        for row in lesson.added(column):
            for argument, kind in box.arguments.get(tool, {}).items():
                value = row.get(argument)
                if kind == "string" and isinstance(value, str) and argument not in ("date", *box.enums.values()):
                    yield f'Call {tool} with {argument}="{value}".'


def teach_confirmation(lesson: Lesson, box: Toolbox, knowledge: Knowledge) -> Iterator[str]:
    """Which value confirms a call nothing tells: the one after that which was tried."""
    for seen in lesson.seen:
        refused = seen.fails("403") or (isinstance(seen.value, dict) and seen.value.get("result") == "accepted")
        for (tool, argument), values in box.choices.items():
            given, told = seen.call.arguments.get(argument), knowledge.told("value", tool, argument)
            if tool == seen.call.name and refused and (not told or told[0] == (given,)):
                following = (values.index(given) + 1) % len(values) if given in values else 0
                yield f'Call {tool} with {argument}="{values[following]}".'


def _steps(lesson: Lesson, box: Toolbox) -> Iterator[str]:
    """What has to be called before and after an update: the tools beside it that take nothing but the record."""
    noun = box.nouns["record"]
    update, tools = f"update_{noun}", list(box.arguments)
    beside = [tool for tool in tools if [*box.arguments[tool]] == [noun] and not tool.startswith("get_")]
    place = tools.index(update) if update in tools else 0
    before = [tool for tool in beside if tools.index(tool) < place]
    after = [tool for tool in beside if tools.index(tool) > place]
    for seen in lesson.seen:
        if seen.call.name == update and seen.fails("409") and before:
            yield f"Call {before[-1]} before {update}."
        should = lesson.values(f"{noun}_id", "row")
        if seen.call.name == update and seen.value is not None and should and not lesson.changes and after:
            yield f"Call {after[0]} after {update}."


def _note(lesson: Lesson, box: Toolbox) -> Iterator[str]:
    if lesson.request.op in ("cancel", "sweep"):
        for row in lesson.added("text"):
            tool = f"{lesson.request.verb}_{box.nouns['record']}"
            yield f'After {tool}, call add_note with text="{row["text"]}".'


def _is_guarded(lesson: Lesson, box: Toolbox) -> bool:
    """Whether a case should be opened where a change was asked for."""
    return lesson.request.op in CHANGING and bool(lesson.added("is_open"))


def teach_guard(lesson: Lesson, box: Toolbox, book: Book) -> Iterator[str]:
    """Which records are left alone, where a result shows the status of one."""
    if not _is_guarded(lesson, box):
        return
    noun, case = box.nouns["record"], lesson.added("is_open")[0]
    status, reason = box.enums["status"], box.enums["reason"]
    for seen in lesson.seen:
        row = seen.value.get(noun, seen.value) if isinstance(seen.value, dict) else {}
        if isinstance(row, dict) and row.get(f"{noun}_id") == case.get(f"{noun}_id") and status in row:
            term = book.term(status, _before(lesson, status, row[status]))
            yield (
                f'Never change, extend or cancel {an(noun)} that is "{term}": open {an(box.nouns["case"])} with '
                f'{reason} "{book.term(reason, case[reason])}" instead.'
            )
            return


def _before(lesson: Lesson, column: str, now: Any) -> Any:
    """The value that a column had before the attempt changed it."""
    return next(iter(lesson.values(column, "from", right=False)), now)


def teach_units(lesson: Lesson, knowledge: Knowledge) -> Iterator[str]:
    """What an answer in the wrong unit teaches, where nothing is known of the unit yet."""
    unit, found, right = lesson.request.amount[1], _number(lesson.answer), _number(lesson.right_answer)
    if not (found and right) or knowledge.told("unit", stem(unit)):
        return
    if lesson.request.op == "total" and found / right in HUNDREDS:
        yield f"Amounts and prices: multiply {unit} by {int(found / right)}."
    if lesson.request.op == "stock" and right / found == right // found > 1:
        yield f"Quantities and stock: divide {unit} by {int(right / found)}."


def teach_pages(lesson: Lesson, knowledge: Knowledge) -> Iterator[str]:
    """Whether a page is missing: nothing was found of a term that is known to be written so, or less than there is."""
    lists = [seen for seen in lesson.seen if "page" in seen.call.arguments]
    if lesson.request.op not in ("count", "who", "total") or not lists or lists[0].value is None:
        return
    page, term = lists[0].call.arguments["page"], knowledge.told("spelling", lesson.request.term.lower())
    spelled = bool(term) and term[0][0] in lists[0].call.arguments.values()
    if spelled and lists[0].value == {"rows": [], "more": False} and lesson.right_answer and page in (0, 1):
        yield f"Pages are counted from {1 - page}."
    elif page == 1 and _is_less(lesson):
        yield "Pages are counted from 0."


def _is_less(lesson: Lesson) -> bool:
    """Whether an answer has something of the right one, but not all."""
    found, right = lesson.answer, lesson.right_answer
    if lesson.request.op == "who":
        return bool(_names(found)) and _names(found) < _names(right)
    return 0 < _number(found) < _number(right)


def _number(text: str) -> Decimal:
    plain = text.replace(",", "")
    return Decimal(plain) if plain.replace(".", "", 1).isdecimal() and len(plain) < 16 else Decimal(0)


def _names(text: str) -> set[str]:
    return {name.strip() for name in text.split(",") if name.strip()}


def _day(said: str) -> date | None:
    with suppress(ValueError):  # such as 31 June
        return date.fromisoformat(said)
    return None


def teach_dates(lessons: Sequence[Lesson]) -> Iterator[str]:
    """The first way to write days that explains all of them."""
    days = [(lesson.request.day, lesson.became("date")) for lesson in lessons if lesson.request.op in ("day", "create")]
    told = [(day, written) for said, written in days if (day := _day(said)) and isinstance(written, str)]
    if not told or all(day.isoformat() == written for day, written in told):
        return
    for sign, year, order in product((".", "/", "-", ""), ("%Y", "%y"), permutations(range(3))):
        parts = [("%d", "%m", year)[i] for i in order]
        if all(day.strftime(sign.join(parts)) == written for day, written in told):
            yield f"Write dates as {sign.join(DATE_PARTS[part] for part in parts)}."
            return
