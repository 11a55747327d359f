"""SQL inside prose: finding the piece of a sentence that is SQL over a known schema, and writing it in one style."""

import re

from lse_gym.envs.offline.reader.sql.schema import Schema

TOKEN = re.compile(r"\s*('(?:[^']|'')*'|\d+(?:\.\d+)?|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?|<>|<=|>=|!=|\|\||[-+*/%()=<>,])")
START = re.compile(r"(?<![\w.'])(?:[A-Za-z_][\w.]*|')")
NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?")
STRING = re.compile(r"'(?:[^']|'')*'")
COMPARISON = re.compile(r"<>|!=|<=|>=|[=<>]|\b(is|in|like|between)\b", re.IGNORECASE)
IN_LIST = re.compile(r"\s*\(")
KEYWORDS = frozenset("and or not is null in like between case when then else end cast as integer real text".split())
FUNCTIONS = frozenset(
    "substr strftime date upper lower abs round length coalesce nullif cast trim replace ifnull instr".split()
)
SIGNS = frozenset(("=", "<>", "!=", "<", ">", "<=", ">=", "(", ",", "+", "*", "/"))
MAX_TOKENS = 200  # of one piece of SQL


def column_of(word: str, schema: Schema) -> tuple[str, str] | None:
    """Table and column that a word names; a bare name only where a single table has it and it is no abbreviation."""
    table, _, name = word.lower().rpartition(".")
    if table:
        return (table, name) if table in schema.tables and name in schema.tables[table].columns else None
    owners = [t.name for t in schema.tables.values() if name in t.columns]
    return (owners[0], name) if len(owners) == 1 and len(name) > 2 else None


def columns_in(text: str, schema: Schema) -> list[tuple[str, str]]:
    """The known columns in ``text``, in order; what stands in quotes is a value."""
    words = NAME.findall(STRING.sub("''", text))
    return [column for word in words if (column := column_of(word, schema))]


def compares(sql: str) -> bool:
    """Whether ``sql`` is a condition rather than an expression."""
    return COMPARISON.search(STRING.sub("''", sql)) is not None


def fragment(text: str, schema: Schema, condition: bool = False) -> str:
    """The SQL that ``text`` begins with, once leading prose is skipped; "" where there is none.

    With ``condition``, the first one that is a condition.
    """
    for match in START.finditer(text):
        word = match[0].rstrip(".").lower()
        if match[0] == "'" or word == "not" or word in FUNCTIONS or word in schema.tables or column_of(word, schema):
            sql = _longest(text, match.start(), schema)
            known = columns_in(sql, schema) or sql.lower() in schema.tables
            if known and (not condition or compares(sql)):
                return qualified(sql, schema)
    return ""


def _longest(text: str, start: int, schema: Schema) -> str:
    at, depth, good = start, 0, start
    for _ in range(MAX_TOKENS):
        match = TOKEN.match(text, at)
        if not match:
            break
        token, low = match[1], match[1].lower()
        name = low in schema.tables or column_of(token, schema) is not None
        word = token[0].isalpha() or token[0] == "_"
        if low == "in" and not IN_LIST.match(text, match.end()):
            break
        if (word and not name and low not in KEYWORDS and low not in FUNCTIONS) or (token == "," and depth == 0):
            break
        depth += (token == "(") - (token == ")")
        if depth < 0:
            break
        at = match.end()
        if depth == 0 and (token == ")" or token[0] in "'0123456789" or low in ("null", "end") or name):
            good = at
    return text[start:good].strip()


def qualified(sql: str, schema: Schema) -> str:
    """``sql`` in one style: columns with their tables, keywords in capitals, one space around signs."""
    text, before, sign = "", "(", False
    for token in TOKEN.findall(sql):
        column, low = column_of(token, schema), token.lower()
        written = ".".join(column) if column else low.upper() if low in KEYWORDS else "<>" if token == "!=" else token
        written = low if low in schema.tables or low in FUNCTIONS else written
        call = token == "(" and before in FUNCTIONS
        text += written if call or sign or token in (")", ",") or before == "(" else f" {written}"
        sign = token == "-" and (before in SIGNS or before.upper() in ("AND", "OR", "THEN", "ELSE"))  # of a number
        before = low
    return text.strip()
