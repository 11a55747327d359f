"""The schema as the reader sees it: parsed from the CREATE TABLE statements in the prompt, nothing else."""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from lse_gym.envs.offline.reader.english import stems

CREATE = re.compile(r'CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(["`\[]?)([^\s("`\]]+)["`\]]?\s*\(', re.IGNORECASE)
FOREIGN = re.compile(
    r'FOREIGN\s+KEY\s*\(\s*["`\[]?(\w+)["`\]]?\s*\)\s*REFERENCES\s+["`\[]?(\w+)["`\]]?\s*(?:\(\s*["`\[]?(\w+))?',
    re.IGNORECASE,
)
INLINE = re.compile(r'REFERENCES\s+["`\[]?(\w+)["`\]]?\s*(?:\(\s*["`\[]?(\w+))?', re.IGNORECASE)
COLUMN = re.compile(r'(?:"([^"]+)"|`([^`]+)`|\[([^\]]+)\]|(\w+))\s*(\w*)')
CONSTRAINTS = {"primary", "foreign", "unique", "check", "constraint"}
DATE_NAME = re.compile(r"(_on|_at)$|date|day|time|year", re.IGNORECASE)


class Edge(NamedTuple):
    """A foreign key: ``source_table.source_column`` refers to ``target_table.target_column``."""

    source_table: str
    source_column: str
    target_table: str
    target_column: str


@dataclass(frozen=True)
class Table:
    """A table: its columns in order, with their declared types, and which of them are keys."""

    name: str
    columns: dict[str, str]
    keys: frozenset[str]

    @cached_property
    def texts(self) -> list[str]:
        """Text columns that are neither keys nor dates."""
        return [
            name
            for name, kind in self.columns.items()
            if name not in self.keys and kind.upper() in ("TEXT", "VARCHAR", "CHAR") and not DATE_NAME.search(name)
        ]

    @cached_property
    def label(self) -> str:
        """The column that names a row: the first text column, else the first column."""
        named = [name for name in self.texts if re.search(r"name|title", name, re.IGNORECASE)]
        return next(iter([*named, *self.texts, *self.columns]))

    @cached_property
    def dates(self) -> list[str]:
        """Columns whose name speaks of a date."""
        return [name for name in self.columns if DATE_NAME.search(name)]


@dataclass(frozen=True)
class Schema:
    """Tables by lower-case name, and the foreign keys between them."""

    tables: dict[str, Table]
    edges: tuple[Edge, ...]

    @cached_property
    def nouns(self) -> dict[tuple[str, ...], str]:
        """The tables by the stems of their names."""
        return {stems(name.replace("_", " ")): name for name in self.tables}

    @cached_property
    def columns(self) -> dict[tuple[str, ...], list[tuple[str, str]]]:
        """Tables and columns by the stems of a column's name, and by each of them where the column is no key."""
        index: dict[tuple[str, ...], list[tuple[str, str]]] = {}
        for table in self.tables.values():
            for column in table.columns:
                whole = stems(column.replace("_", " "))
                parts = {whole, *((word,) for word in whole)} if column not in table.keys else {whole}
                for part in parts:
                    if part:
                        index.setdefault(part, []).append((table.name, column))
        return index

    @cached_property
    def longest(self) -> int:
        """How many words the longest name has."""
        return max(map(len, (*self.nouns, *self.columns)), default=1)


@lru_cache(maxsize=256)
def parse_schema(text: str) -> Schema:
    """Parse every CREATE TABLE statement of ``text``; what cannot be parsed is left out."""
    tables, edges, end = {}, [], 0
    for match in CREATE.finditer(text):
        if match.start() < end:
            continue
        name, columns, keys = match[2].lower(), {}, set()
        parts, end = _parts(text, match.end())
        for part in parts:
            foreign = FOREIGN.search(part)
            if foreign:
                keys.add(foreign[1].lower())
                edges.append(Edge(name, foreign[1].lower(), foreign[2].lower(), (foreign[3] or foreign[1]).lower()))
                continue
            column = COLUMN.match(part)
            if not column or (column[4] or "").lower() in CONSTRAINTS:
                continue
            key = next(group for group in column.groups()[:4] if group).lower()
            columns[key] = column[5]
            inline = INLINE.search(part)
            if inline:
                edges.append(Edge(name, key, inline[1].lower(), (inline[2] or key).lower()))
            if inline or "primary key" in part.lower():
                keys.add(key)
        if columns:
            tables[name] = Table(name, columns, frozenset(keys))
    return Schema(tables, tuple(e for e in edges if e.source_table in tables and e.target_table in tables))


def _parts(text: str, start: int) -> tuple[list[str], int]:
    """The comma-separated parts of the parenthesis that opens just before ``start``, and where it closes."""
    depth, parts, at = 1, [], start
    for index in range(start, len(text)):
        sign = text[index]
        depth += (sign == "(") - (sign == ")")
        if depth == 0 or (depth == 1 and sign == ","):
            parts.append(text[at:index].strip())
            at = index + 1
        if depth == 0:
            return parts, index
    return parts, len(text)
