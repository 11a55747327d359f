"""Which statements order their rows: there the strict scoring compares lists."""

import re

# Comments, strings and quoted names are taken whole, so that nothing inside them counts; an unclosed one runs on.
_TOKENS = re.compile(
    r"""--[^\n]* | /\*.*?(?:\*/|\Z) | '(?:[^']|'')*'? | "(?:[^"]|"")*"? | `(?:[^`]|``)*`? | \[[^\]]*\]? | \w+ | [()]""",
    re.DOTALL | re.VERBOSE,
)


def is_ordered(sql: str) -> bool:
    """Whether the outermost SELECT of a statement has an ORDER BY.

    Outside all parentheses SQLite's grammar has no other place for these two words, so no parser is needed:
    subqueries, window definitions and ordered aggregates are all parenthesised.

    >>> is_ordered("SELECT a FROM t ORDER BY a"), is_ordered("SELECT a FROM (SELECT a FROM t ORDER BY a)")
    (True, False)
    """
    depth, before = 0, ""
    for token in _TOKENS.findall(sql):
        if token.startswith(("--", "/*")):
            continue
        word = token.upper()
        if depth == 0 and before == "ORDER" and word == "BY":
            return True
        depth += (token == "(") - (token == ")")
        before = word
    return False
