"""Worked examples as a writer keeps them: short SQL, and the set of examples that answers most within a cap."""

import random
import re
from collections.abc import Sequence
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from lse_gym.envs.offline.reader.sql.analogy import nearest
from lse_gym.envs.offline.worked import Example, render_examples

MAX_SQL_CHARS = 4000  # longer statements only lose their white space
NEAR_TIE = 0.05  # losses that differ by less are decided by the seed
LONG_NAME = 8  # output columns with longer made-up names are renamed
_TOKEN = re.compile(
    r"(?P<string>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\])|(?P<space>(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)+)"
    r"|(?P<word>\w+)|(?P<sign>.)",
    re.S,
)
_AS_BEFORE = re.compile(r"\s+(?:AS\s+)?$", re.I)


def _tokens(sql: str) -> list[str]:
    """The tokens of a statement; every run of white space and comments is one space."""
    matches = _TOKEN.finditer(sql.strip())
    return [" " if match.lastgroup == "space" else match.group() for match in matches]


def _collapse(sql: str) -> str:
    """The statement without comments, final semicolon and needless white space; strings stay as they are."""
    tokens = _tokens(sql)
    while tokens and tokens[-1] in {" ", ";"}:
        tokens.pop()
    parts: list[str] = []
    for before, token, after in zip(["(", *tokens], tokens, [*tokens[1:], ")"], strict=False):
        if token != " " or not (before in "(,=<>" or after in "),=<>"):
            parts.append(token)
    return "".join(parts)


class _Names:
    """The names of a parsed statement: which sources there are, and which of their aliases can go or shrink."""

    def __init__(self, sql: str, schema: str) -> None:
        self.sql = sql
        self.tree = tree = sqlglot.parse_one(sql, dialect="sqlite")
        self.schema = schema.lower()
        self.columns = list(tree.find_all(exp.Column))
        self.taken = {word.lower() for word in re.findall(r"\w+", sql)}
        self.edits: dict[tuple[int, int], str] = {}
        tables = {table.name.lower() for table in tree.find_all(exp.Table)}
        self.tables = tables
        self.has_schema = bool(tables) and all(re.search(rf"\b{re.escape(name)}\b", self.schema) for name in tables)
        self.outputs = [alias.args["alias"] for alias in tree.find_all(exp.Alias) if alias.args.get("alias")]
        aliases = [source.alias.lower() for source in tree.find_all(exp.Table, exp.Subquery) if source.alias]
        names = aliases + [cte.alias.lower() for cte in tree.find_all(exp.CTE)] + [o.name.lower() for o in self.outputs]
        self.once = {name for name in aliases if names.count(name) == 1 and name not in tables}

    def fresh(self, start: str) -> str:
        """A short name that is not in the statement or its schema."""
        number, name = 1, start
        while name in self.taken or re.search(rf"\b{re.escape(name)}\b", self.schema):
            number, name = number + 1, f"{start}{number + 1}"
        self.taken.add(name)
        return name

    def quotes(self) -> None:
        """Write strings that SQLite reads as such only for want of a column of that name as proper strings."""
        known = {alias.name.lower() for alias in self.outputs} | self.tables | self.once
        for column in self.columns:
            name = column.this
            if self.has_schema and isinstance(name, exp.Identifier) and not column.table:
                start, end = _span(name)
                if self.sql[start] == '"' and name.name.lower() not in self.schema and name.name.lower() not in known:
                    self.edits[start, end] = "'" + name.name.replace("'", "''") + "'"

    def sources(self) -> None:
        """Drop the alias of a statement's only source, shorten the aliases of several."""
        for source in self.tree.find_all(exp.Table, exp.Subquery):
            alias = source.args.get("alias")
            if alias is None or source.alias.lower() not in self.once or alias.args.get("columns"):
                continue
            start, end = _span(alias.this)
            used = [column for column in self.columns if column.table.lower() == source.alias.lower()]
            if self._alone(source, used):
                gap = _AS_BEFORE.search(self.sql, 0, start)
                self.edits[gap.start() if gap else start, end] = " "
                self.edits.update({(_span(column.args["table"])[0], _span(column.this)[0]): "" for column in used})
            elif len(source.alias) > 2:
                short = self.fresh(source.name[:1].lower() if re.match("[a-z]", source.name, re.I) else "t")
                gap = _AS_BEFORE.search(self.sql, 0, start)
                self.edits[gap.start() if gap else start, end] = f" {short}"
                self.edits.update({_span(column.args["table"]): short for column in used})

    def _alone(self, source: exp.Table | exp.Subquery, used: list[exp.Column]) -> bool:
        select = source.find_ancestor(exp.Select)
        if select is None or select.args.get("joins") or any(isinstance(column.this, exp.Star) for column in used):
            return False
        if not isinstance(source.parent, exp.From) or source.parent.parent is not select:
            return False
        renamed = {alias.alias.lower() for alias in select.expressions if isinstance(alias, exp.Alias)}
        named = {column.table.lower() for column in self.columns}
        return (
            not (source.name and source.name.lower() in named)
            and not any(column.name.lower() in renamed for column in used)
            and all(column.find_ancestor(exp.Select) is select for column in used)
        )

    def fields(self) -> None:
        """Shorten long made-up names of output columns; the rows stay the same."""
        for name in sorted({o.name for o in self.outputs if len(o.name) > LONG_NAME}):
            lower = name.lower()
            if not self.has_schema or lower in self.schema or lower in self.once or lower in self.tables:
                continue
            short = self.fresh("n")
            for identifier in self.tree.find_all(exp.Identifier):
                if identifier.name.lower() == lower:
                    self.edits[_span(identifier)] = short

    def edited(self) -> str:
        """The statement with the edits made, last one first."""
        sql = self.sql
        for (start, end), text in sorted(self.edits.items(), reverse=True):
            sql = sql[:start] + text + sql[end:]
        return sql


def _span(node: exp.Identifier) -> tuple[int, int]:
    return node.meta["start"], node.meta["end"] + 1


@lru_cache(maxsize=4096)
def compact_sql(sql: str, schema: str = "") -> str:
    """Shorter SQL with exactly the same rows; where in doubt, the input without needless white space.

    Args:
        sql: one SQLite statement.
        schema: the schema text. Without it, "quoted" words are left alone, as they may be names.

    >>> compact_sql("SELECT Talias0.A FROM T AS Talias0 WHERE Talias0.B = 'x'")
    "SELECT A FROM T WHERE B='x'"
    """
    plain = _collapse(sql)
    if len(plain) > MAX_SQL_CHARS:
        return plain
    try:
        names = _Names(plain, schema)
        names.quotes()
        converted = len(names.edits)
        names.sources()
        names.fields()
        short = _collapse(names.edited())
        again = sqlglot.parse_one(short, dialect="sqlite")
    except (SqlglotError, KeyError, AttributeError, RecursionError):
        return plain
    columns = len(list(again.find_all(exp.Column)))
    same = columns == len(names.columns) - converted and len(short) <= len(plain)
    return short if same else plain


def merge_examples(
    old: Sequence[Example], new: Sequence[Example], max_chars: int, seed: int, schema: str = ""
) -> list[Example]:
    """Join new problems to the examples of a context, keeping those that answer most within ``max_chars``.

    A new problem that the examples already answer is not stored. The order is the memory: an example that answered a
    new problem moves to the front, newcomers start in the middle, and what is of no use for long sinks to the end.

    Args:
        old: the examples of the context, most useful first.
        new: problems with their correct SQL.
        max_chars: cap on the length of ``render_examples`` of the result.
        seed: breaks near ties, so that siblings in a search differ.
        schema: the schema text, if known.
    """
    rng = random.Random(seed)
    kept = list(dict.fromkeys(Example(question, compact_sql(sql, schema)) for question, sql in old))
    fresh = list(dict.fromkeys(Example(question, compact_sql(sql, schema)) for question, sql in new))
    rng.shuffle(fresh)
    for example in sorted(fresh, key=_size):  # short ones first: they may answer the longer ones
        if example not in kept:
            kept = [other for other in kept if other.question != example.question]
            number = _answered_by(example, kept, schema)
            if number is None:
                kept.insert(len(kept) // 2, example)
            else:
                kept.insert(0, kept.pop(number))
    return _fit(kept, max_chars, rng, schema)


def _fit(kept: list[Example], max_chars: int, rng: random.Random, schema: str) -> list[Example]:
    """Drop examples until the rest fits: first, from the end, what others answer, then the long and long unused."""
    excess = sum(map(_size, kept)) - max_chars
    for number in reversed(range(len(kept))):
        if excess <= 0:
            return kept
        rest = kept[:number] + kept[number + 1 :]
        if _answered_by(kept[number], rest, schema) is not None:
            excess -= _size(kept[number])
            kept = rest
    # Squared: a long example costs the room of several short ones, and its question is the rarer kind.
    loss = {
        example: _size(example) ** 2 * (number + 1) * (1 + NEAR_TIE * rng.random())
        for number, example in enumerate(kept)
    }
    for example in sorted(kept, key=loss.__getitem__, reverse=True):
        if excess <= 0:
            break
        excess -= _size(example)
        kept.remove(example)
    return kept


def _size(example: Example) -> int:
    return len(render_examples([example]))


def _answered_by(example: Example, others: Sequence[Example], schema: str) -> int | None:
    """The number of the other example by which the question is already answered as it should be, or None."""
    found = nearest(example.question, others, schema)
    if found is None or compact_sql(found[1].sql, schema).lower() != example.sql.lower():
        return None
    return found[0]
