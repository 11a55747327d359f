"""What the reader learns from prose: rules found in the context, whatever their exact wording."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

from lse_gym.envs.models.reader.schema import Edge, Schema, parse_schema

FRAGMENT_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|\d+(?:\.\d+)?|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?|<>|<=|>=|!=|\|\||[-+*/%()=<>,])")
WORD = re.compile(r"[A-Za-z][\w'-]*|\d+")
KEYWORDS = frozenset("and or not is null in like between case when then else end cast as integer real text".split())
FUNCTIONS = frozenset("substr strftime date upper lower abs round length coalesce nullif cast trim replace ifnull instr".split())
MEANS = re.compile(
    r"\s(?:means?|refers? to|stands? for|denotes?|corresponds? to|equals?|(?:is|are) (?:stored|recorded|coded|written|given|those|"
    r"the ones|rows|measured|defined|understood|read|found)(?: as| by| in| where| when| with)?|translates? to|should be|is|are|=>|->|→|=|:)\s|:\s",
    re.IGNORECASE,
)
QUOTED = re.compile(r'"([^"]+)"|“([^”]+)”|\'([A-Za-z][\w -]*)\'|\*\*([^*]+)\*\*')
DEMAND = re.compile(
    r"\b(always|never|only|exclud\w*|ignor\w*|skip\w*|omit\w*|requir\w*|keep|drop|leave out|do not|don't|unless|must|filter\w*|without)\b",
    re.IGNORECASE,
)
REFUSE = re.compile(r"\b(exclud\w*|ignor\w*|skip\w*|omit\w*|drop|leave out|do not|don't|never|without)\b", re.IGNORECASE)
GUARD = re.compile(r"\b(when|whenever|if|for|in)\b.*\b(us\w+|comput\w*|averag\w*|rank\w*|comparing|working)\b", re.IGNORECASE)
LINK = re.compile(r"\b(join\w*|link\w*|connect\w*|through|via|belong\w*|reach\w*)\b", re.IGNORECASE)
COMPARISON = re.compile(r"<>|!=|<=|>=|[=<>]|\b(is|in|like|between)\b", re.IGNORECASE)
FILLER = frozenset("a an the word term phrase value of rows row that which where any kind stored in".split())


class Rule(NamedTuple):
    """One rule: what triggers it (words, a table or a column) and the SQL it stands for."""

    kind: Literal["condition", "expression", "table", "year", "filter", "guard", "join"]
    trigger: tuple[str, ...]  # stems of a phrase, or (table,), (column,), (table, table)
    sql: str


def stem(word: str) -> str:
    """A word without case, possessive or plural ending.

    >>> [stem(word) for word in ("Branches", "loans", "varieties", "glass")]
    ['branch', 'loan', 'variety', 'glass']
    """
    word = word.lower().removesuffix("'s").replace("_", " ")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if re.search(r"(ch|sh|x|ss|z)es$", word):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def stems(text: str) -> tuple[str, ...]:
    """The stems of the words of ``text``."""
    return tuple(stem(word) for word in WORD.findall(text))


@lru_cache(maxsize=65536)
def parse_rule(line: str, schema_text: str) -> tuple[Rule, ...]:
    """The rules in one line of a context; prose that names nothing of the schema holds none."""
    schema = parse_schema(schema_text)
    line = re.sub(r"^\s*(?:[-*•]|\d+[.)])\s+", "", line).replace("`", "").strip()
    meaning = _meaning(line, schema)
    quoted = meaning is not None and QUOTED.search(meaning[0]) is not None
    if not quoted:
        special = _year(line, schema) or _join(line, schema) or _demand(line, schema)
        if special:
            return (special,)
    return _glossary(meaning, schema) if meaning else ()


def _columns(sql: str, schema: Schema) -> list[tuple[str, str]]:
    """The known columns in a piece of SQL, as (table, column), in order."""
    found = []
    for word in re.findall(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?", re.sub(r"'(?:[^']|'')*'", "''", sql)):
        column = _column(word, schema)
        if column:
            found.append(column)
    return found


def _column(word: str, schema: Schema) -> tuple[str, str] | None:
    table, _, name = word.lower().rpartition(".")
    if table:
        return (table, name) if table in schema.tables and name in schema.tables[table].columns else None
    owners = [t.name for t in schema.tables.values() if name in t.columns]
    return (owners[0], name) if len(owners) == 1 and ("_" in name or len(name) > 3) else None


def fragment(text: str, schema: Schema, compares: bool = False) -> str:
    """The SQL that ``text`` begins with, once leading prose is skipped; "" where there is none.

    With ``compares``, the first one that is a condition.
    """
    starts = [m.start() for m in re.finditer(r"(?<![\w.'])(?:[A-Za-z_][\w.]*|')", text)]
    for start in starts:
        word = re.match(r"[A-Za-z_][\w.]*", text[start:])
        first = word[0].rstrip(".") if word else ""
        if text[start] == "'" or first.lower() in FUNCTIONS or _column(first, schema) or first.lower() in schema.tables:
            sql = _longest(text[start:], schema)
            known = _columns(sql, schema) or sql.lower() in schema.tables
            if known and (not compares or _compares(sql)):
                return sql
    return ""


def _compares(sql: str) -> bool:
    return COMPARISON.search(re.sub(r"'(?:[^']|'')*'", "''", sql)) is not None


def _longest(text: str, schema: Schema) -> str:
    at, depth, good = 0, 0, 0
    while match := FRAGMENT_TOKEN.match(text, at):
        token = match[1]
        low = token.lower()
        known = not re.match(r"[A-Za-z_]", token) or low in KEYWORDS or low in FUNCTIONS or low in schema.tables
        if not known and not _column(token, schema):
            break
        if token == "," and depth == 0:
            break
        depth += (token == "(") - (token == ")")
        if depth < 0:
            break
        at = match.end()
        if depth == 0 and (token in (")",) or re.match(r"['\d]", token) or low in ("null", "end") or _column(token, schema) or low in schema.tables):
            good = at
    return text[:good].strip()


def _qualified(sql: str, schema: Schema) -> str:
    """``sql`` with every bare column name qualified by its table."""

    def qualify(match: re.Match[str]) -> str:
        column = None if match[1] else _column(match[0], schema)
        return f"{column[0]}.{column[1]}" if column and "." not in match[0] else match[0]

    return re.sub(r"('(?:[^']|'')*')|[A-Za-z_][\w.]*", qualify, sql)


def _meaning(line: str, schema: Schema) -> tuple[str, str] | None:
    """Split a line into the words explained and the SQL that explains them."""
    for match in MEANS.finditer(line):
        left, right = line[: match.start()], line[match.end() :]
        sql = fragment(right, schema)
        if sql and (QUOTED.search(left) or not _columns(left, schema)):
            return left, _qualified(sql, schema)
        explained = QUOTED.search(right)
        if not sql and explained and COMPARISON.search(left):
            sql = fragment(left, schema)
            if sql:
                return right, _qualified(sql, schema)
    return None


def _glossary(meaning: tuple[str, str], schema: Schema) -> tuple[Rule, ...]:
    left, sql = meaning
    phrases = [next(group for group in match.groups() if group) for match in QUOTED.finditer(left)]
    if not phrases:
        nouns = {word for table in schema.tables for word in stems(table.replace("_", " "))}
        words = [word for word in WORD.findall(left) if word.lower() not in FILLER]
        if len(words) > 6:
            return ()
        phrases = [" ".join(word for word in words if stem(word) not in nouns) or " ".join(words)]
    if sql.lower() in schema.tables:
        kind, sql = "table", sql.lower()
    else:
        kind = "condition" if _compares(sql) else "expression"
    return tuple(Rule(kind, stems(phrase), sql) for phrase in phrases if stems(phrase))


def _year(line: str, schema: Schema) -> Rule | None:
    match = re.search(r"\byears?\b(.*?)(?:\bis\b|\bare\b|[:=→]|->|\bthrough\b|\bwith\b|\bby\b|\bas\b|\buse\b)\s+(.*)", line, re.IGNORECASE)
    if not match:
        return None
    sql = fragment(match[2], schema)
    columns = _columns(match[1], schema) or _columns(sql, schema)
    if not sql or not columns or _compares(sql):
        return None
    return Rule("year", (".".join(columns[0]),), _qualified(sql, schema))


def _join(line: str, schema: Schema) -> Rule | None:
    equality = re.search(r"(\w+\.\w+)\s*=\s*(\w+\.\w+)", line)
    if not equality or not LINK.search(line):
        return None
    a, b = _column(equality[1], schema), _column(equality[2], schema)
    if not a or not b or a[0] == b[0]:
        return None
    edge = next((e for e in schema.edges if {(e[0], e[1]), (e[2], e[3])} == {a, b}), Edge(*a, *b))
    named = [t for word in stems(line[: equality.start()]) for t in schema.tables if stems(t.replace("_", " ")) == (word,)]
    source = next((t for t in named if t != edge.target_table), edge.source_table)
    return Rule("join", (source, edge.target_table), f"{'.'.join(edge[:2])} = {'.'.join(edge[2:])}")


def _demand(line: str, schema: Schema) -> Rule | None:
    if not DEMAND.search(line):
        return None
    guard = GUARD.search(line)
    column = next(iter(_columns(line[: guard.end() + 60], schema)), None) if guard else None
    words = DEMAND.search(line) if not guard else None
    text = line[words.end() :] if words else line
    if guard and column:
        text = line[re.search(re.escape(column[1]), line, re.IGNORECASE).end() :]  # ty: ignore[unresolved-attribute]
    sql = fragment(text, schema, compares=True)
    columns = _columns(sql, schema)
    if not columns:
        return None
    sql = _qualified(sql, schema)
    sql = _negated(sql) if REFUSE.search(line) else sql
    return Rule("guard", (".".join(column),), sql) if guard and column else Rule("filter", (columns[0][0],), sql)


def _negated(sql: str) -> str:
    simple = re.fullmatch(r"([\w.]+)\s*(=|<>|!=|IS NULL|IS NOT NULL)(.*)", sql, re.IGNORECASE)
    if not simple:
        return f"NOT ({sql})"
    swap = {"=": "<>", "<>": "=", "!=": "=", "IS NULL": "IS NOT NULL", "IS NOT NULL": "IS NULL"}
    return f"{simple[1]} {swap[simple[2].upper()]}{simple[3]}"


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
