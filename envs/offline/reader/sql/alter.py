"""Changes to an example's SQL that follow from the words in which the question differs."""

import re
from collections.abc import Callable, Iterable, Sequence

from lse_gym.envs.offline.reader.sql.alignment import EXCHANGED, SUBSTITUTE, Alignment
from lse_gym.envs.offline.reader.sql.asked import COUNTING, Asked, counts
from lse_gym.envs.offline.reader.sql.schema import Schema, Table
from lse_gym.envs.offline.reader.sql.template import IDENTIFIER, Parsed
from lse_gym.envs.offline.reader.sql.words import NUMBERS, OPPOSITES, canonical, stem

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
            opposite = OPPOSITES.get(canonical(old)) == canonical(new)
            renamed = _rename(pieces, old, new, asked.index.schema)
            changed = _every(renamed, _flip) if opposite and single else renamed
            if changed != pieces:
                pieces = changed
                cost -= max(0.0, SUBSTITUTE * (weight(old) + weight(new)) - EXCHANGED)
    return cost, pieces


def _every(pieces: Pieces, change: Callable[[str], str]) -> Pieces:
    return [change(piece) if isinstance(piece, str) else piece for piece in pieces]


def _flip(sql: str) -> str:
    return _SUPERLATIVE.sub(lambda match: _FLIPPED[match.group().lower()], sql)


def _rename(pieces: Pieces, old: str, new: str, schema: Schema) -> Pieces:
    """Exchange a word inside the names of tables and columns, if that gives names of the schema throughout."""
    columns, failed = _columns(schema.tables.values()), False

    def renamed(match: re.Match[str]) -> str:
        nonlocal failed
        name, parts = match.group(), match.group().split("_")
        if old not in map(stem, parts):
            return name
        allowed = schema.tables if name.lower() in schema.tables else columns
        for form in (new, f"{new}s", f"{new[:-1]}ies"):
            other = "_".join(form if stem(part) == old else part for part in parts)
            if other.lower() in allowed:
                return other.upper() if name.isupper() else other
        failed |= name.lower() in allowed
        return name

    changed = _every(pieces, lambda sql: IDENTIFIER.sub(renamed, sql))
    return changed if not failed and _fits(changed, schema) else pieces


def _fits(pieces: Pieces, schema: Schema) -> bool:
    """Whether every column that the SQL names is in a table that it names."""
    sql = " ".join(piece for piece in pieces if isinstance(piece, str))
    tables = {name: name for name in map(str.lower, IDENTIFIER.findall(sql)) if name in schema.tables}
    for table, alias in re.findall(r"(?:\bFROM\s+|\bJOIN\s+|,\s*)(\w+)\s+(?:AS\s+)?(\w+)", sql, re.I):
        if table.lower() in schema.tables:
            tables[alias.lower()] = table.lower()
    for alias, column in re.findall(r"\b(\w+)\.(\w+)", sql.lower()):
        if alias in tables and column not in schema.tables[tables[alias]].columns:
            return False
    used = {name.lower() for name in re.findall(r"(?<![\w.])[A-Za-z_]\w*(?![\w.])", sql)}
    own = _columns(schema.tables[table] for table in tables.values())
    return bool(tables) and used & _columns(schema.tables.values()) <= own | {*tables}


def _columns(tables: Iterable[Table]) -> set[str]:
    return {column for table in tables for column in table.columns}


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
