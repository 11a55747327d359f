"""Changes to an example's SQL that follow from the words in which the question differs."""

import re
from collections.abc import Sequence

from lse_gym.envs.offline.reader.sql.alignment import EXCHANGED, SUBSTITUTE, Alignment
from lse_gym.envs.offline.reader.sql.asked import COUNTING, Asked, counts
from lse_gym.envs.offline.reader.sql.template import Parsed
from lse_gym.envs.offline.reader.sql.words import NUMBERS, OPPOSITES, canonical

Pieces = list[str | int]
_SUPERLATIVE = re.compile(r"\b(?:MAX|MIN)(?=\s*\()|\bDESC\b|\bASC\b", re.I)
_FLIPPED = {"max": "MIN", "min": "MAX", "desc": "ASC", "asc": "DESC"}
_FIRST_COUNT = re.compile(r"(\s*SELECT\s+)COUNT\s*\(\s*([^()*]+?)\s*\)(\s+FROM\b.*)", re.I | re.S)
FIRST_COLUMN = re.compile(r"(\s*SELECT\s+)((?:DISTINCT\s+)?[\w.\"`]+)(\s+FROM\b.*)", re.I | re.S)


def alter(asked: Asked, parsed: Parsed, alignment: Alignment) -> tuple[float, Pieces]:
    """An example's SQL, changed to ask for what the question asks for, and the cost of what differs all the same."""
    pieces, cost, weight = [*parsed.pieces], alignment.cost, asked.index.weight
    if asked.counts != counts(parsed.template) and isinstance(pieces[0], str):  # count instead of list, or list
        pattern, form = (FIRST_COLUMN, r"\1COUNT(\2)\3") if asked.counts else (_FIRST_COUNT, r"\1\2\3")
        pieces[0], done = pattern.subn(form, pieces[0], count=1)
        told = sum(weight(word) for pair in alignment.changed for word in pair if word in COUNTING)
        cost = max(cost - told, 0.0) + 0.2 if done else cost + 1.0
    single = sum(canonical(part) in OPPOSITES for part in parsed.template if isinstance(part, str)) <= 1
    for old, new in alignment.changed:
        if old and new:
            opposite = single and OPPOSITES.get(canonical(old)) == canonical(new)
            changed = [_flip(piece) if isinstance(piece, str) else piece for piece in pieces] if opposite else pieces
            if changed != pieces:
                pieces = changed
                cost -= max(0.0, SUBSTITUTE * (weight(old) + weight(new)) - EXCHANGED)
    return cost, pieces


def _flip(sql: str) -> str:
    return _SUPERLATIVE.sub(lambda match: _FLIPPED[match.group().lower()], sql)


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
            value = number if slot.number else slot.styled(surface).replace("'", "''")
        parts.append(value)
    return "".join(parts)
