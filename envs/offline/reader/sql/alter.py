"""Changes to an example's SQL that follow from the words in which the question differs."""

import re
from collections.abc import Callable, Sequence

from lse_gym.envs.offline.reader.sql.alignment import EXCHANGED, SUBSTITUTE, Alignment
from lse_gym.envs.offline.reader.sql.asked import COUNTING, Asked, counts
from lse_gym.envs.offline.worked import (
    IDENTIFIER,
    NUMBERS,
    OPPOSITES,
    Parsed,
    canonical,
    stem,
    styled,
)

_SUPERLATIVE = re.compile(r"\b(?:MAX|MIN)(?=\s*\()|\bDESC\b|\bASC\b", re.I)
_FLIPPED = {"max": "MIN", "min": "MAX", "desc": "ASC", "asc": "DESC"}
_FIRST_COUNT = re.compile(r"(\s*SELECT\s+)COUNT\s*\(\s*([^()*]+?)\s*\)(\s+FROM\b.*)", re.I | re.S)
FIRST_COLUMN = re.compile(r"(\s*SELECT\s+)((?:DISTINCT\s+)?[\w.\"`]+)(\s+FROM\b.*)", re.I | re.S)


class Alteration:
    """An example's SQL on its way to answer a question that asks for something slightly different."""

    def __init__(self, asked: Asked, parsed: Parsed, alignment: Alignment) -> None:
        self.index = index = asked.index
        self.pieces = list(parsed.pieces)
        self.template = parsed.template
        self.cost = alignment.cost
        self._count(alignment.changed, asked.counts)
        for old, new in alignment.changed:
            if old and new and self._exchange(old, new):
                self.cost -= max(0.0, SUBSTITUTE * (index.weight(old) + index.weight(new)) - EXCHANGED)

    def _count(self, changed: tuple[tuple[str, str], ...], asked: bool) -> None:
        """Count instead of list, or list instead of count."""
        if asked == counts(self.template) or not isinstance(self.pieces[0], str):
            return
        if asked:
            text, done = FIRST_COLUMN.subn(r"\1COUNT(\2)\3", self.pieces[0], count=1)
        else:
            text, done = _FIRST_COUNT.subn(r"\1\2\3", self.pieces[0], count=1)
        self.pieces[0] = text
        if done:
            self.cost -= sum(self.index.weight(word) for pair in changed for word in pair if word in COUNTING)
            self.cost = max(self.cost, 0.0) + 0.2
        else:
            self.cost += 1.0

    def _exchange(self, old: str, new: str) -> bool:
        """Make the SQL say ``new`` where it says ``old``; True where that was possible."""
        if OPPOSITES.get(canonical(old)) == canonical(new):
            renamed = self._rename(old, new)
            return self._flip() or renamed
        return self._rename(old, new)

    def _flip(self) -> bool:
        superlatives = sum(canonical(part) in OPPOSITES for part in self.template if isinstance(part, str))
        if superlatives > 1:
            return False
        before = list(self.pieces)
        self._sub(_SUPERLATIVE, lambda match: _FLIPPED[match.group().lower()])
        return before != self.pieces

    def _rename(self, old: str, new: str) -> bool:
        """Exchange a word inside the names of tables and columns, if that gives names of the schema throughout."""
        schema = self.index.schema
        failed = []

        def renamed(match: re.Match[str]) -> str:
            parts = match.group().split("_")
            if old not in map(stem, parts):
                return match.group()
            allowed = schema.tables if match.group().lower() in schema.tables else schema.columns
            for form in (new, new + "s", new[:-1] + "ies"):
                name = "_".join(form if stem(part) == old else part for part in parts)
                if name.lower() in allowed:
                    return name.upper() if match.group().isupper() else name
            if match.group().lower() in schema.names:
                failed.append(match.group())
            return match.group()

        before = list(self.pieces)
        self._sub(IDENTIFIER, renamed)
        if failed or before == self.pieces or not schema.fits(self.pieces):
            self.pieces = before
            return False
        return True

    def _sub(self, pattern: re.Pattern[str], change: Callable[[re.Match[str]], str]) -> None:
        self.pieces = [pattern.sub(change, piece) if isinstance(piece, str) else piece for piece in self.pieces]


def fill(asked: Asked, parsed: Parsed, alignment: Alignment, pieces: Sequence[str | int]) -> str:
    """The SQL with the question's values in the slots."""
    parts = []
    for piece in pieces:
        if isinstance(piece, str):
            parts.append(piece)
            continue
        slot = parsed.slots[piece]
        value = slot.text
        if piece in alignment.spans:
            first, last = alignment.spans[piece]
            surface = asked.text[asked.words[first].start : asked.words[last - 1].end]
            number = NUMBERS.get(surface.lower(), surface.replace(",", ""))
            value = number if slot.number else styled(surface, slot.style).replace("'", "''")
        parts.append(value)
    return "".join(parts)
