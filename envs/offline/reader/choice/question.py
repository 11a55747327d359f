"""A multiple-choice question as the reader understands it: text taken apart, with whatever words there are in it."""

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from lse_gym.envs.offline.reader.english import stem

MAX_CHARS = 4000  # what is read of a question
CHOICE = re.compile(r"(?:^|\s)([A-Z])\)\s+(.*?)(?=\s+[A-Z]\)\s|\s*$)", re.DOTALL)
DESCRIBED = re.compile(r"(?P<name>[^,:]+), an? (?P<kind>[\w-]+) (?P<noun>[\w-]+):\s+(?P<values>.+)")
VALUE = re.compile(r"([\w-]+) (-?\d+)")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_WORD = r"[\w-]+"
_MOST = r"(?P<extreme>greatest|highest|largest|most|least|lowest|smallest|fewest)"
_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (op, re.compile(pattern, re.IGNORECASE))
    for op, pattern in (
        ("rank", r"which (?:of these |one )?ranks (?P<extreme>highest|lowest|above|below)"),
        ("pick", rf"which of the (?P<word>{_WORD}) {_WORD} has the {_MOST} (?P<term>{_WORD})\?"),
        ("pick", rf"has the {_MOST} (?P<term>{_WORD})\?"),
        ("pick", rf"which (?:of these )?{_WORD} (?:is|counts as|would be called) (?P<word>{_WORD})\?"),
        ("pick", rf"one of these {_WORD} (?:is|counts as) (?P<word>{_WORD})\."),
        (
            "enter",
            rf"amount of (?P<number>\d+) (?P<small>{_WORD}) (?:goes|is written|is entered) into the "
            rf"(?P<document>{_WORD}) in (?P<large>{_WORD})\.",
        ),
        (
            "convert",
            rf"how many (?P<small>{_WORD}) (?:are there in|are|make|do) (?P<number>\d+) (?:(?P<when>{_WORD}) )?"
            rf"(?P<large>{_WORD})(?: have)?\?",
        ),
        (
            "enter",
            rf"with an? {_WORD} of (?P<number>\d+) (?:goes|is written|is entered) into the (?P<document>{_WORD})\.",
        ),
        ("enter", rf"entered into the (?P<document>{_WORD}) for an? {_WORD} of (?P<number>\d+)\?"),
        ("count", rf"(?P<number>\d+) {_WORD}, (?P<parts>\d+ of them {_WORD}[^.]*)\. .*\bcount"),
        ("say", rf"\bthe {_WORD} says \d+"),
    )
)
_PART = re.compile(rf"(\d+)(?: of them)? (?:were |are )?({_WORD})")
_SAID = re.compile(rf"\bthe ({_WORD}) says (\d+)", re.IGNORECASE)
_OF_KIND = re.compile(rf"[A-Z][\w'-]*, an? ({_WORD}) {_WORD}\b")


class Described(NamedTuple):
    """A choice that describes a thing."""

    kind: str
    values: dict[str, int]


class Asked(NamedTuple):
    """A question: what is to be done, and the words and numbers that it has for it."""

    op: Literal["pick", "rank", "enter", "convert", "count", "say"]
    choices: dict[str, str]  # by letter
    things: dict[str, Described]  # by letter, where choices describe things
    word: str = ""
    term: str = ""
    most: bool = True
    number: int = 0
    small: str = ""
    large: str = ""
    when: str = ""
    document: str = ""
    parts: tuple[tuple[str, int], ...] = ()


def split_choices(text: str) -> tuple[str, dict[str, str]]:
    """The stem and the choices, which begin with "A) " and go on in the order of the alphabet."""
    start = re.search(r"(?:^|\s)A\)\s", text)
    if not start:
        return text.strip(), {}
    choices: dict[str, str] = {}
    for letter, choice in CHOICE.findall(text[start.start() :]):
        if letter != chr(ord("A") + len(choices)):
            break
        choices[letter] = choice.strip()
    return text[: start.start()].strip(), choices


@lru_cache(maxsize=8192)
def understand(text: str) -> Asked | None:
    """Take a question with its choices apart; None where it is of no kind that the reader knows."""
    stem_text, choices = split_choices(text[:MAX_CHARS])
    things = {letter: thing for letter, choice in choices.items() if (thing := _described(choice))}
    for op, pattern in _FORMS:
        match = pattern.search(stem_text)
        if not match or (op == "pick" and len(things) < len(choices)) or not choices:
            continue
        found = {name: value for name, value in match.groupdict().items() if value}
        most = found.pop("extreme", "most").lower() not in ("least", "lowest", "smallest", "fewest", "below")
        parts = found.pop("parts", "")
        number = int(found.pop("number", 0))
        words = {name: word.lower() for name, word in found.items()}
        words |= {name: stem(words[name]) for name in ("small", "large") if name in words}
        asked = Asked(op, choices, things, most=most, number=number, **words)  # ty: ignore[invalid-argument-type]
        if op == "count":
            asked = asked._replace(parts=tuple((word.lower(), int(n)) for n, word in _PART.findall(parts)))
        if op == "say":
            kind = _OF_KIND.search(stem_text)
            said = tuple((source.lower(), int(n)) for source, n in _SAID.findall(stem_text))
            asked = asked._replace(parts=said, when=kind[1].lower() if kind else "")
        return asked
    return None


def _described(choice: str) -> Described | None:
    match = DESCRIBED.fullmatch(choice)
    values = {name.lower(): int(n) for name, n in VALUE.findall(match["values"])} if match else {}
    return Described(match["kind"].lower(), values) if match and values else None
