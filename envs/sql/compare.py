"""Compare the rows of two queries: BIRD's official execution accuracy, and a stricter flavour. Pure functions.

Scores are made of digests that the SQL workers take (:func:`lse_gym.envs.sql.executor.digest_many`), which are equal
exactly where these functions say so.
"""

import re
from collections import Counter
from collections.abc import Sequence

# Comments, strings and quoted names are taken whole, so that nothing inside them counts; an unclosed one runs on.
_TOKENS = re.compile(
    r"""--[^\n]* | /\*.*?(?:\*/|\Z) | '(?:[^']|'')*'? | "(?:[^"]|"")*"? | `(?:[^`]|``)*`? | \[[^\]]*\]? | \w+ | [()]""",
    re.DOTALL | re.VERBOSE,
)


def same_set(predicted: Sequence[tuple], gold: Sequence[tuple]) -> bool:
    """BIRD's execution accuracy: the same set of rows. Source: ``evaluation.py`` of DAMO-ConvAI and mini_dev.

    As there: order and duplicates do not count, ``1 == 1.0``, and two empty results are equal.

    >>> same_set([(1, "a"), (1, "a")], [(1.0, "a")])
    True
    """
    return set(predicted) == set(gold)


def same_strict(predicted: Sequence[tuple], gold: Sequence[tuple], ordered: bool) -> bool:
    """The same rows as often, and in the same order if the gold query orders them (see :func:`is_ordered`).

    >>> same_strict([(1,), (2,)], [(2,), (1,)], ordered=False), same_strict([(1,), (1,)], [(1,)], ordered=False)
    (True, False)
    """
    if ordered:
        return list(predicted) == list(gold)
    return len(predicted) == len(gold) and Counter(predicted) == Counter(gold)


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
