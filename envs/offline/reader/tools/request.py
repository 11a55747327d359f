"""What a request to an office asks for: the kind of the task, and its parts."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from lse_gym.envs.offline.reader.tools.toolbox import Toolbox

MONTHS: Sequence[str] = "january february march april may june july august september october november december".split()
DAY = re.compile(rf"\b(\d{{1,2}}) ({'|'.join(MONTHS)}) (\d{{4}})\b", re.IGNORECASE)
MAX_CHARS = 1000  # of a request that is read


class Request(NamedTuple):
    """A request.

    Attributes:
        op: the kind of the task.
        verb: what is to be done with a record or payment, where the request has a word of its own for it.
        numbers: those that are said, by role.
        thing: the name of a thing, or the text of a note.
        amount: money, pieces or lengths, with the word for the unit.
        percent: share of a refund.
        day: YYYY-MM-DD.
        term: of an enumeration.
        text: what is to be written.
        said: the whole request, which the name of a place may be in.
    """

    op: str
    verb: str = ""
    numbers: dict[str, int] = {}  # noqa: RUF012 - never changed
    thing: str = ""
    amount: tuple[str, str] = ("0", "")
    percent: int = 0
    day: str = ""
    term: str = ""
    text: str = ""
    said: str = ""


# How requests of a kind read; the first that is found is it. {record} etc. are the nouns of the office.
PATTERNS = (
    ("create", r"^(?:create an? |new |book an? )(?:new )?{record}\b.*?(?P<n>\d+) (?P<unit>[\w-]+), \""),
    ("stock", r"^(?:how many (?P<unit>[\w-]+) of {thing} |what is the stock of {thing} .*\bin (?P<unit2>[\w-]+)\?)"),
    (
        "restock",
        r"^(?:add (?P<n>\d+) (?P<unit>[\w-]+) to the stock|restock {thing} .* with (?P<n2>\d+) (?P<unit2>[\w-]+))",
    ),
    ("who", r"^(?:which|name the) {persons}\b.*\bthat (?:is|are) (?P<term>[^.?]+)"),
    ("count", r"^(?:how many|what is the number of) {records}\b.*?\b(?:that )?are (?P<term>[^.?]+)"),
    (
        "total",
        r"^(?:in (?P<unit2>[\w-]+), )?.*?\ball {payments} at .*? with {method} (?P<term>.+?)"
        r"(?:, in (?P<unit>[\w-]+)\?| add up)",
    ),
    ("refund", r"\b(?:refund|pay back) (?P<percent>\d+) ?% of {payment} (?P<payment>\d+)"),
    ("pay", r"\b{payment} of (?P<n>\d+(?:\.\d+)?) (?P<unit>[\w-]+)\b.*\b{method}: (?P<term>[^.]+)"),
    ("complain", r"\b{case} about {record}.*\b{reason}: (?P<term>[^.;]+?); settle it with: (?P<text>[^.;]+)"),
    ("complain", r"\b{record} \d+ needs an? {case}, {reason}: (?P<term>[^.;]+)\. settle it with: (?P<text>[^.;]+)"),
    ("settle", r"\b{case} (?P<case>\d+);? (?:settle it )?with: (?P<text>[^.,;]+)"),
    ("extend", r"\b(?:extend|lengthen) {record} (?P<record>\d+) by (?P<n>\d+) (?P<unit>[\w-]+)"),
    ("day", r"\b(?:move|change the date of) {record} (?P<record>\d+) to \d"),
    ("quantity", r"\b(?:change|set the quantity of) {record} (?P<record>\d+) to (?P<n>\d+) (?P<unit>[\w-]+)"),
    ("status", r"\b(?:set the {status} of {record} \d+ to|mark {record} \d+ as) (?P<term>[^.]+)"),
    ("email", r"\bthe email of {person} (?P<person>\d+) to (?P<text>\S+?)\.?$"),
    ("level", r"\bthe {level} of {person} (?P<person>\d+) to (?P<term>[^.]+)"),
    ("price", r"\bthe price of {thing} .*\bto (?P<n>\d+(?:\.\d+)?) (?P<unit>[\w-]+)"),
    ("phone", r"\bthe phone of {place} .*\bto (?P<text>\S+?)\.?$"),
    ("note", r"^(?:add the note|note on {record})"),
    ("sweep", r"\b(?P<verb>[\w-]+) (?:every {record}|all {records}) of {person} \d+ that (?:is|are) (?P<term>[^.]+)"),
    ("delete", r"\b(?P<verb>[\w-]+) {payment} (?P<payment>\d+)"),
    ("cancel", r"\b(?P<verb>[\w-]+) {record} (?P<record>\d+)"),
)


@lru_cache(maxsize=64)
def _patterns(words: tuple[tuple[str, str], ...]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    named = {name: re.escape(word.replace("_", " ")).replace(r"\ ", " ") for name, word in words}

    def filled(pattern: str) -> str:
        for name, word in named.items():
            pattern = pattern.replace(f"{{{name}}}", word)
        return pattern

    return tuple((op, re.compile(filled(pattern), re.IGNORECASE)) for op, pattern in PATTERNS)


def understand(question: str, toolbox: Toolbox) -> Request | None:
    """The request in a question; None where it is none that an office knows."""
    text = " ".join(question[:MAX_CHARS].split())
    words = {**toolbox.nouns, **{f"{role}s": table for role, table in toolbox.tables.items()}, **toolbox.enums}
    for op, pattern in _patterns(tuple(words.items())):
        if match := pattern.search(text):
            return _request(op, match, text, toolbox)
    return None


def _request(op: str, match: re.Match[str], text: str, toolbox: Toolbox) -> Request:
    found = {name: part for name, part in match.groupdict().items() if part}
    numbers = {}
    for role, noun in toolbox.nouns.items():
        if said := re.search(rf"\b{re.escape(noun.replace('_', ' '))} (\d{{1,12}})\b", text, re.IGNORECASE):
            numbers[role] = int(said[1])
    quoted = re.search(r'"([^"]*)"', text)
    day = DAY.search(text)
    return Request(
        op,
        found.get("verb", "").lower(),
        numbers,
        quoted[1] if quoted else "",
        (found.get("n") or found.get("n2") or "0", found.get("unit") or found.get("unit2") or ""),
        int(found.get("percent", "0")[:4]),
        f"{day[3]}-{MONTHS.index(day[2].lower()) + 1:02}-{int(day[1]):02}" if day else "",
        found.get("term", "").strip(),
        found.get("text", "").strip(),
        text,
    )
