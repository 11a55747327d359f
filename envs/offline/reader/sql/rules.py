"""What the reader learns from prose: rules found in the context, whatever their exact wording."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

from lse_gym.envs.offline.reader.english import BULLET, WORD, stem, stems
from lse_gym.envs.offline.reader.sql import wording as say
from lse_gym.envs.offline.reader.sql.fragment import column_of, columns_in, compares, fragment
from lse_gym.envs.offline.reader.sql.schema import Edge, Schema, parse_schema

MAX_LINE_CHARS = 2000  # what is read of a line
MAX_PHRASE_WORDS = 4


class Rule(NamedTuple):
    """One rule: what triggers it (words, a table or a column) and the SQL it stands for."""

    kind: Literal["condition", "expression", "table", "year", "filter", "guard", "join"]
    trigger: tuple[str, ...]  # stems of a phrase, or (table,), (column,), (table, table)
    sql: str


@lru_cache(maxsize=65536)
def parse_rule(line: str, schema_text: str) -> tuple[Rule, ...]:
    """The rules in one line of a context; prose that names nothing of the schema holds none."""
    schema = parse_schema(schema_text)
    line = BULLET.sub("", line[:MAX_LINE_CHARS]).replace("`", "").strip()
    if line.startswith("|"):
        line = re.sub(r"(?<!\|)\|(?!\|)", ":", line.strip("| "))
    clauses = [clause for sentence in say.SENTENCE.split(line) for clause in say.LISTED.split(sentence)]
    rules = [rule for clause in clauses for rule in _clause(clause, schema)] if len(clauses) > 1 else []
    return _values(line, schema) or _divided(line, schema) or tuple(rules) or _clause(line, schema)


def _clause(text: str, schema: Schema) -> tuple[Rule, ...]:
    text = say.REMIND.sub("", text.strip())
    told = _values(text, schema) or _divided(text, schema)
    if told:
        return told
    meaning = _meaning(text, schema)
    quoted = meaning is not None and any(not _is_label(phrase) for phrase in _phrases(meaning[0]))
    if not quoted:
        special = _year(text, schema) or _join(text, schema)
        special = special or (None if meaning and say.USE.match(text) else _demand(text, schema))
        if special:
            return (special,)
    return _glossary(meaning, schema) if meaning else ()


def _phrases(text: str) -> list[str]:
    return [next(group for group in match.groups() if group) for match in say.QUOTED.finditer(text)]


def _is_label(phrase: str) -> bool:
    return any(label.match(phrase) for label in (say.LABEL, say.DEMAND, say.LINK))


def _meaning(line: str, schema: Schema) -> tuple[str, str] | None:
    """Split a clause into the words explained and the SQL that explains them."""
    for pattern in (say.USE, say.USED_FOR, say.STATE, say.APPENDED):
        match = pattern.search(line)
        sql = fragment(match["sql"], schema, condition=pattern is say.APPENDED) if match else ""
        if match and sql and not set(match["words"].lower().split()) & say.NO_WORD:
            guards = compares(sql) and columns_in(match["words"], schema)
            if not guards and sql not in schema.tables:
                return match["words"], sql
    called = say.CALLED.search(line)
    if called and (sql := fragment(line[: called.start()], schema, condition=True)):
        return called["words"], sql
    for match in say.MEANS.finditer(line):
        left, right = line[: match.start()], line[match.end() :]
        sql = fragment(right, schema)
        sql = _table_named(right, schema) if not sql or sql in schema.tables else sql
        if sql and (_phrases(left) or not columns_in(left, schema) or (_is_word(left, schema) and not compares(sql))):
            return left, sql
        short = len(right.split()) <= MAX_PHRASE_WORDS and not columns_in(right, schema)
        if not sql and (short or _phrases(right)) and (sql := fragment(left, schema, condition=True)):
            return right, sql
    return None


def _is_word(text: str, schema: Schema) -> bool:
    """Whether ``text`` is a single word that happens to be a column's name too, as in "fee = fee / 100"."""
    words = _content(say.UNIT.sub("", text))
    return len(words) == 1 and "." not in text and column_of(words[0], schema) is not None


def _content(text: str) -> list[str]:
    return [word for word in WORD.findall(text) if word.lower() not in say.FILLER]


def _table_named(text: str, schema: Schema) -> str:
    named = stems(" ".join(_content(text)))
    return next((table for table in schema.tables if stems(table.replace("_", " ")) == named), "")


def _glossary(meaning: tuple[str, str], schema: Schema) -> tuple[Rule, ...]:
    left, sql = meaning
    kind = "table" if sql in schema.tables else "condition" if compares(sql) else "expression"
    phrases = _phrases(left)
    if not phrases:
        if kind == "expression":
            left = say.UNIT.sub("", left)
        nouns = {word for table in schema.tables for word in stems(table.replace("_", " "))}
        words = _content(left)
        if len(words) > MAX_PHRASE_WORDS:
            return ()
        phrases = [" ".join(word for word in words if stem(word) not in nouns)]
    return tuple(Rule(kind, stems(phrase), sql) for phrase in phrases if stems(phrase))


def _values(line: str, schema: Schema) -> tuple[Rule, ...]:
    """Codes of one column, as in "tier: 'A' means gold, 'B' means silver"."""
    columns = columns_in(line, schema)
    if len(set(columns)) != 1 or compares(fragment(line, schema, condition=True)):
        return ()
    column = ".".join(columns[0])
    rest = re.sub(
        rf"(?:\b(?:in|of)\s+)?(?:the\s+)?(?:column\s+)?(?:\w+\.)?\b{columns[0][1]}\b:?", " ", line, flags=re.IGNORECASE
    )
    for pattern in (say.VALUE_FIRST, say.WORD_FIRST):
        pairs = [(m["word"], m["value"]) for m in pattern.finditer(rest) if m["word"].lower() not in say.FILLER]
        if pairs:
            return tuple(Rule("condition", stems(word), f"{column} = '{value}'") for word, value in pairs)
    return ()


def _divided(line: str, schema: Schema) -> tuple[Rule, ...]:
    """A unit told in words, as in "fees are stored in cents: divide by 100"."""
    match = say.DIVIDE.search(line)
    columns = columns_in(line, schema) or columns_in(" ".join(stems(line)), schema)
    if not match or len(set(columns)) != 1:
        return ()
    return (Rule("expression", stems(columns[0][1].replace("_", " ")), f"{'.'.join(columns[0])} / {match[1]}"),)


def _year(line: str, schema: Schema) -> Rule | None:
    match = re.search(r"\byears?\b", line, re.IGNORECASE)
    if not match:
        return None
    sqls = [fragment(line[at:], schema) for at in [0, *(m.start() for m in re.finditer(r"(?<![\w.])\w+\(|'", line))]]
    sql = next((sql for sql in sqls if "(" in sql and not compares(sql)), "")
    columns = columns_in(sql, schema)
    return Rule("year", (".".join(columns[0]),), sql) if columns else None


def _join(line: str, schema: Schema) -> Rule | None:
    equality = re.search(r"(\w+\.\w+)\s*=\s*(\w+\.\w+)", line)
    if not equality or not say.LINK.search(line):
        return None
    a, b = column_of(equality[1], schema), column_of(equality[2], schema)
    if not a or not b or a[0] == b[0]:
        return None
    edge = next((e for e in schema.edges if {(e[0], e[1]), (e[2], e[3])} == {a, b}), Edge(*a, *b))
    around = f"{line[: equality.start()]} {line[equality.end() :]}"
    named = [t for word in stems(around) for t in schema.tables if stems(t.replace("_", " ")) == (word,)]
    source = next((t for t in named if t != edge.target_table), edge.source_table)
    return Rule("join", (source, edge.target_table), f"{'.'.join(edge[:2])} = {'.'.join(edge[2:])}")


def _demand(line: str, schema: Schema) -> Rule | None:
    """A condition on every query over a table, or on every query that uses a column."""
    demand = say.DEMAND.search(line)
    if not demand:
        return None
    guard = say.GUARD.search(line)
    used = columns_in(line[guard.start() : guard.end() + 60], schema) if guard else []
    after = "" if guard else fragment(line[demand.end() :], schema, condition=True)
    sql = after or fragment(line, schema, condition=True)
    columns = columns_in(sql, schema)
    if not columns:
        return None
    sql = _negated(sql) if say.REFUSE.search(line) else sql
    return Rule("guard", (".".join(used[0]),), sql) if used else Rule("filter", (columns[0][0],), sql)


def _negated(sql: str) -> str:
    simple = re.fullmatch(r"([\w.]+) (=|<>|<=|>=|<|>|IS NULL|IS NOT NULL)((?: -?[\w.]+| '[^']*')?)", sql)
    if not simple:
        return f"NOT ({sql})"
    return f"{simple[1]} {say.OPPOSITE[simple[2]]}{simple[3]}"


class Knowledge(NamedTuple):
    """Rules by trigger. Where the context contradicts itself, several rules share one."""

    phrases: dict[tuple[str, ...], list[Rule]]
    years: dict[str, str]
    filters: dict[str, list[str]]
    guards: dict[str, list[str]]
    joins: dict[tuple[str, str], str]


def gather(rules: Iterable[Rule]) -> Knowledge:
    """Sort rules by what triggers them; of two joins or year rules for one trigger the later one holds."""
    knowledge = Knowledge({}, {}, {}, {}, {})
    for rule in rules:
        key = rule.trigger[0]
        if rule.kind == "year":
            knowledge.years[key] = rule.sql
        elif rule.kind == "join":
            knowledge.joins[rule.trigger[0], rule.trigger[1]] = rule.sql
        elif rule.kind in ("filter", "guard"):
            conditions = (knowledge.filters if rule.kind == "filter" else knowledge.guards).setdefault(key, [])
            conditions.extend([rule.sql] if rule.sql not in conditions else [])
        else:
            same = knowledge.phrases.setdefault(rule.trigger, [])
            same.extend([rule] if rule not in same else [])
    return knowledge
