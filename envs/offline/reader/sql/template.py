"""A worked example taken apart: a template of words, the values that its question and its SQL share, and the SQL."""

import re
from collections import defaultdict
from functools import lru_cache
from typing import NamedTuple

from lse_gym.envs.offline.examples import Example
from lse_gym.envs.offline.reader.sql.words import words_of

TAKEN = -1  # in a template under construction: a further word of the slot before
_LITERAL = re.compile(r"'((?:[^']|'')*+)'|\"((?:[^\"]|\"\")*+)\"|(?<![\w.])(\d+(?:\.\d+)?)(?![\w.])")
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


class Slot(NamedTuple):
    """A value of the example's SQL that its question mentions: the value, its column, how to write another there."""

    text: str
    words: str
    column: str
    style: str
    number: bool

    def styled(self, surface: str) -> str:
        """Another value as the SQL would write it."""
        return styled(surface, self.style)


class Parsed(NamedTuple):
    """An example taken apart: ``template`` has stems and slot numbers, ``pieces`` SQL text and slot numbers."""

    template: tuple[str | int, ...]
    pieces: tuple[str | int, ...]
    slots: tuple[Slot, ...]


def _style(surface: str, value: str) -> str:
    """How the SQL writes a value that the question writes as ``surface``."""
    for style in ("same", "lower", "upper", "title", "capitalize"):
        if styled(surface, style) == value:
            return style
    return "lower" if value.islower() else "same"


def styled(surface: str, style: str) -> str:
    """The value as the SQL of an example would write it."""
    return surface if style == "same" else getattr(surface, style)()


def _column_before(sql: str, at: int) -> str:
    """The column that the literal at ``at`` is compared with, as far as the text before it tells."""
    names = IDENTIFIER.findall(_LITERAL.sub(" ", sql[max(0, at - 80) : at]))
    while names and names[-1].upper() in {"IN", "LIKE", "NOT", "BETWEEN", "AND", "IS", "GLOB"}:
        names.pop()
    return names[-1].lower() if names else ""


@lru_cache(maxsize=4096)
def parse(example: Example) -> Parsed:
    """Take an example apart: values that occur in both its question and its SQL become slots."""
    words = words_of(example.question)
    literals: dict[tuple[str, ...], list[re.Match[str]]] = defaultdict(list)
    for match in _LITERAL.finditer(example.sql):
        if stems := tuple(word.stem for word in words_of(match.group(match.lastindex or 0))):
            literals[stems].append(match)
    template: list[str | int] = [word.stem for word in words]
    slots: list[Slot] = []
    cuts: list[tuple[int, int, int]] = []
    for stems, matches in sorted(literals.items(), key=lambda item: (-len(item[0]), item[1][0].start())):
        spots = _take(template, stems, len(slots))
        if spots:
            surface = example.question[words[spots[0]].start : words[spots[0] + len(stems) - 1].end]
            first = matches[0]
            text = first.group(first.lastindex or 0).strip("%")
            style = _style(surface, text.replace("''", "'"))
            column = _column_before(example.sql, first.start())
            cuts += [(*_inside(match), len(slots)) for match in matches]
            slots.append(Slot(text, " ".join(stems), column, style, first.lastindex == 3))
    pieces: list[str | int] = []
    at = 0
    for start, end, slot in sorted(cuts):
        pieces += [example.sql[at:start], slot]
        at = end
    pieces.append(example.sql[at:])
    return Parsed(tuple(part for part in template if part != TAKEN), tuple(pieces), tuple(slots))


def _take(template: list[str | int], stems: tuple[str, ...], slot: int) -> list[int]:
    """Put the slot where the template has these words; return where that was."""
    spots = []
    for at in range(len(template)):
        if tuple(template[at : at + len(stems)]) == stems:
            template[at : at + len(stems)] = [slot] + [TAKEN] * (len(stems) - 1)
            spots.append(at)
    return spots


def _inside(literal: re.Match[str]) -> tuple[int, int]:
    """Where the value of a literal stands, without quotes and the wildcards of LIKE."""
    text = literal.group(literal.lastindex or 0)
    start, end = literal.span(literal.lastindex or 0)
    return start + len(text) - len(text.lstrip("%")), end - (len(text) - len(text.rstrip("%")))
