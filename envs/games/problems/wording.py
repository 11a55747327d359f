"""How a word problem is worded: the one place that who writes problems and who reads them have in common."""

import re
from functools import lru_cache
from typing import NamedTuple

OVERVIEW = "You solve word problems: a number of things goes through several steps, and you say how many there are."
START = "At first {subject} has {a} {things}."
ASKS = ("How many {things} are there in the end?", "How many {things} are left to count now?")


class Form(NamedTuple):
    """One kind of step.

    ``level`` is how hard it is for people, 1 to 3; each wording has the numbers ``a`` and, where there are two, ``b``;
    ``method`` says how it is done, in the words of a teacher.
    """

    level: int
    wordings: tuple[str, ...]
    method: str


FORMS = {
    "gain": Form(1, ("Then {a} more {things} arrive.", "{a} {things} are added to them."), "what arrives is added"),
    "lose": Form(1, ("Then {a} {things} are lost.", "{a} {things} are taken away."), "what goes is taken away"),
    "packs": Form(
        2,
        ("{a} {packs} with {b} {things} each arrive.", "Then come {a} {packs} of {b} {things} each."),
        "packs of so many each: multiply the two numbers, then add",
    ),
    "times": Form(
        2,
        ("Then there are {a} times as many {things} as before.", "The {things} grow to {a} times their number."),
        "so many times as many: multiply",
    ),
    "share": Form(
        2,
        (
            "They are split evenly among {a} {places}, and from now on only one of these is counted.",
            "They are shared evenly by {a} {places}; the rest of the story is about one of them.",
        ),
        "split or shared evenly: divide by the number of shares",
    ),
    "fraction": Form(
        3,
        ("One in every {a} {things} is broken and goes.", "One out of every {a} {things} is given away."),
        "one in every so many: divide to find how many go, then take these away",
    ),
    "percent": Form(
        3,
        ("Then {a} percent of the {things} are sold.", "{a}% of the {things} go to a neighbour."),
        "percent means of each hundred: multiply, divide by a hundred, then take these away",
    ),
    "more": Form(
        3,
        (
            "{other} has {a} more than twice as many {things}, and all of these come on top.",
            "{other} brings {a} {things} more than twice what is there, and leaves them all.",
        ),
        "more than twice as many: double first, then add the extra, then add what was there before",
    ),
}


class Step(NamedTuple):
    """A step of a problem: its kind and its numbers."""

    kind: str
    a: int
    b: int = 0


def _pattern(wording: str) -> re.Pattern[str]:
    return re.compile(
        re.sub(r"\\\{([ab])\\\}", r"(?P<\1>\\d+)", re.sub(r"\\\{(\w\w+)\\\}", r"[\\w ]+?", re.escape(wording)))
    )


PATTERNS = [(kind, _pattern(wording)) for kind, form in FORMS.items() for wording in form.wordings]
BEGINNING = _pattern(START)


@lru_cache(maxsize=4096)  # a group of answers reads it many times
def read_problem(text: str) -> tuple[int, tuple[Step, ...]] | None:
    """The number at first and the steps of a problem, in their order; None of a text that is none."""
    begun = BEGINNING.search(text)
    if not begun:
        return None
    found = {}
    for kind, pattern in PATTERNS:
        for match in pattern.finditer(text, begun.end()):
            numbers = [int(number) for number in match.groupdict().values()]
            found[match.start("a"), match.start()] = Step(kind, *numbers)
    return int(begun["a"]), tuple(found[place] for place in sorted(found))


def apply(step: Step, value: int) -> tuple[str, int]:
    """What a step makes of a number, and how it is worked out; of one that does not divide, what is left over goes."""
    kind, a, b = step
    match kind:
        case "gain":
            return f"{value} + {a}", value + a
        case "lose":
            return f"{value} - {a}", value - a
        case "packs":
            return f"{value} + {a} * {b}", value + a * b
        case "times":
            return f"{value} * {a}", value * a
        case "share":
            return f"{value} / {a}", value // a
        case "fraction":
            return f"{value} - {value} / {a}", value - value // a
        case "percent":
            return f"{value} - {value} * {a} / 100", value - value * a // 100
    return f"{value} + 2 * {value} + {a}", value + 2 * value + a


def line(number: int, working: str, result: int) -> str:
    """A line of a solution: the number of the step, how it is worked out, and what it comes to."""
    return f"Step {number}: {working} = {result}"
