"""What an office is asked to do: the parts of a request, and its wordings."""

import json
from datetime import date
from typing import Literal, NamedTuple

import numpy as np

from lse_gym.envs.tools.procedural.theme import Theme

Op = Literal[
    "create", "day", "quantity", "status", "extend", "cancel", "pay", "refund", "delete", "complain", "level", "email",
    "price", "restock", "phone", "settle", "note", "count", "total", "who", "stock", "sweep",
]  # fmt: skip
MONTHS = (
    "January February March April May June July August September October November December".split()
)  # whatever the locale


class Task(NamedTuple):
    """A request: what is to be done, and with what. Numbers are those that people say."""

    op: Op
    record: int = 0
    person: int = 0
    payment: int = 0
    case: int = 0
    thing: str = ""
    place: str = ""
    quantity: int = 0  # pieces
    length: int = 0
    cents: int = 0
    percent: int = 0
    day: str = ""  # YYYY-MM-DD
    term: str = ""  # of an enumeration
    text: str = ""


WORDINGS: dict[Op, tuple[str, ...]] = {
    "create": (
        'Create {a_record} for {person} {person_number}: {quantity} {pieces}, "{thing_name}", {place_name}, {day}.',
        'New {record} for {person} {person_number} at {place_name}: {quantity} {pieces}, "{thing_name}", on {day}.',
    ),
    "day": ("Move {record} {number} to {day}.", "Change the date of {record} {number} to {day}."),
    "quantity": (
        "Change {record} {number} to {quantity} {pieces}.",
        "Set the quantity of {record} {number} to {quantity} {pieces}.",
    ),
    "status": ("Set the {status} of {record} {number} to {term}.", "Mark {record} {number} as {term}."),
    "extend": ("Extend {record} {number} by {length} {lengths}.", "Lengthen {record} {number} by {length} {lengths}."),
    "cancel": ("{Cancel} {record} {number}.", "Please {cancel} {record} {number}."),
    "pay": (
        "Add {a_payment} of {amount} {money} for {record} {number}, {method}: {term}.",
        "For {record} {number}, take {a_payment} of {amount} {money}, {method}: {term}.",
    ),
    "refund": (
        "Refund {percent} % of {payment} {payment_number}.",
        "Pay back {percent} % of {payment} {payment_number}.",
    ),
    "delete": ("{Delete} {payment} {payment_number}.", "Please {delete} {payment} {payment_number}."),
    "complain": (
        "Open {a_case} about {record} {number}, {reason}: {term}; settle it with: {text}; then close it.",
        "{record} {number} needs {a_case}, {reason}: {term}. Settle it with: {text}. Then close it.",
    ),
    "level": (
        "Set the {level} of {person} {person_number} to {term}.",
        "Change the {level} of {person} {person_number} to {term}.",
    ),
    "email": (
        "Set the email of {person} {person_number} to {text}.",
        "Change the email of {person} {person_number} to {text}.",
    ),
    "price": (
        'Set the price of {thing} "{thing_name}" to {amount} {money}.',
        'Change the price of {thing} "{thing_name}" to {amount} {money}.',
    ),
    "restock": (
        'Add {quantity} {pieces} to the stock of {thing} "{thing_name}".',
        'Restock {thing} "{thing_name}" with {quantity} {pieces}.',
    ),
    "phone": (
        "Set the phone of {place} {place_name} to {text}.",
        "Change the phone of {place} {place_name} to {text}.",
    ),
    "settle": (
        "Settle {case} {case_number} with: {text}, then close it.",
        "Close {case} {case_number}; settle it with: {text}.",
    ),
    "note": ('Add the note "{text}" to {record} {number}.', 'Note on {record} {number}: "{text}".'),
    "count": (
        "How many {records} at {place_name} are {term}?",
        "What is the number of {records} at {place_name} that are {term}?",
    ),
    "total": (
        "What is the total of all {payments} at {place_name} with {method} {term}, in {money}?",
        "In {money}, what do all {payments} at {place_name} with {method} {term} add up to?",
    ),
    "who": (
        "Which {persons} have {a_record} at {place_name} that is {term}? Give their names.",
        "Name the {persons} with {a_record} at {place_name} that is {term}.",
    ),
    "stock": (
        'How many {pieces} of {thing} "{thing_name}" are in stock?',
        'What is the stock of {thing} "{thing_name}", in {pieces}?',
    ),
    "sweep": (
        "{Cancel} every {record} of {person} {person_number} that is {term}.",
        "Please {cancel} all {records} of {person} {person_number} that are {term}.",
    ),
}
OPS: tuple[Op, ...] = tuple(WORDINGS)
TEACHING: tuple[Op, ...] = ("status", "level", "pay", "complain")  # right rows of these show how a term is written


def say(task: Task, theme: Theme, rng: np.random.Generator) -> str:
    """The request in one of its wordings."""
    patterns = WORDINGS[task.op]
    return worded(patterns[int(rng.integers(len(patterns)))], task, theme)


def worded(pattern: str, task: Task, theme: Theme) -> str:
    """The request in one wording."""
    text = pattern.format(
        **{name: word.replace("_", " ") for name, word in theme.words.items()},
        Cancel=theme.cancel.capitalize(),
        Delete=theme.delete.capitalize(),
        number=task.record,
        person_number=task.person,
        payment_number=task.payment,
        case_number=task.case,
        thing_name=task.thing,
        place_name=task.place,
        quantity=task.quantity,
        length=task.length,
        amount=f"{task.cents / 100:.2f}",
        percent=task.percent,
        day=said_day(task.day) if task.day else "",
        term=task.term,
        text=task.text,
    )
    return text[0].upper() + text[1:]


def said_day(day: str) -> str:
    """A day as people say it.

    >>> said_day("2024-05-03")
    '3 May 2024'
    """
    found = date.fromisoformat(day)
    return f"{found.day} {MONTHS[found.month - 1]} {found.year}"


def key(task: Task) -> str:
    """What makes two requests the same, however they are worded."""
    return json.dumps({name: value for name, value in task._asdict().items() if value})
