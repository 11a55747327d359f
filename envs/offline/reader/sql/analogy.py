"""Answer by analogy: find the worked example nearest to a question and exchange the values in its SQL."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from lse_gym.envs.offline.examples import Example
from lse_gym.envs.offline.reader.sql.alignment import SYNONYM, Alignment, align, cost_table
from lse_gym.envs.offline.reader.sql.alter import FIRST_COLUMN, alter, fill
from lse_gym.envs.offline.reader.sql.asked import Asked, Index, index_of
from lse_gym.envs.offline.reader.sql.template import IDENTIFIER, Parsed
from lse_gym.envs.offline.reader.sql.words import words_of


class Analogy(NamedTuple):
    """SQL found by analogy; ``similarity`` in [0, 1] is 1.0 where only the values differ from the example."""

    sql: str
    similarity: float


COMPOSE_ABOVE = 0.7  # cost of an analogy with one example from which two together are tried
COMPOSE_COST = 0.2
MAX_SPLITS = 3
CLEAN = 0.4  # cost up to which the words in the slots pass for nothing but values


class Found(NamedTuple):
    """The cheapest reading of a question: the example it follows, the SQL, and whether only values differ."""

    cost: float
    number: int
    sql: str
    same: bool


def _search(asked: Asked, whole: bool) -> Found | None:
    """Read the question as an example, or (``whole``) as an example with another one in place of its value."""
    index = asked.index
    best: tuple[float, int, Alignment, list[str | int]] | None = None
    candidates = index.candidates(asked)
    for number in candidates:
        alignment = align(asked, number)
        cost, pieces = alter(asked, index.parsed[number], alignment)
        if best is None or cost < best[0] - 1e-9:
            best = cost, number, alignment, pieces
        if best[0] <= SYNONYM:
            break
    if best is None:
        return None
    cost, number, alignment, pieces = best
    same = not alignment.changed and cost <= CLEAN
    found = Found(cost, number, fill(asked, index.parsed[number], alignment, pieces), same)
    return _compose(asked, candidates, found) if whole and cost > COMPOSE_ABOVE else found


def _compose(asked: Asked, candidates: list[int], found: Found) -> Found:
    """Look for an example whose value the question describes by what another example asks for.

    "capital of Texas" and "states that border Ohio" together answer "capital of the states that border Ohio".
    """
    index = asked.index
    nouns = [at for at in range(1, len(asked.stems) - 2) if asked.stems[at] in index.nouns]
    splits = []
    for number in candidates if nouns else ():
        parsed = index.parsed[number]
        if parsed.template and parsed.template[-1] == 0 and len(parsed.slots) == 1:
            before = cost_table(asked, number)[0][-2]  # the template without its value at the end
            splits += [(before[at], number, at) for at in nouns]
    inner: dict[int, Found | None] = {}
    for cost, number, at in sorted(splits)[:MAX_SPLITS]:
        if cost + COMPOSE_COST >= found.cost:
            break
        if at not in inner:
            inner[at] = _search(Asked(index, asked.text, asked.words[at:]), whole=False)
        part = inner[at]
        if part and cost + part.cost + COMPOSE_COST < found.cost:
            sql = _nested(index, index.parsed[number], part.sql)
            if sql:
                found = Found(cost + part.cost + COMPOSE_COST, number, sql, same=False)
    return found


def _nested(index: Index, parsed: Parsed, inner: str) -> str | None:
    """The example's SQL with a subquery where its value was compared; None where that makes no sense."""
    column = FIRST_COLUMN.fullmatch(inner)
    if not column:
        return None
    name = IDENTIFIER.findall(column.group(2))[-1].lower()
    if name != parsed.slots[0].column and (name, parsed.slots[0].column) not in index.alike:
        return None
    sql = "".join(piece if isinstance(piece, str) else "\0" for piece in parsed.pieces)
    nested, count = re.subn(r"\s*=\s*(['\"])\0\1", lambda _: f" IN ({inner.rstrip('; ')})", sql)
    return nested if count and "\0" not in nested else None


def nearest(question: str, examples: Sequence[Example], schema: str = "") -> tuple[int, Analogy] | None:
    """The number of the nearest example, with the answer that it gives; None where no example shares a word."""
    words = words_of(question)
    index = index_of(tuple(examples), schema)
    asked = Asked(index, question, words)
    found = _search(asked, whole=True)
    if found is None:
        return None
    total = max(index.lengths[found.number] + sum(asked.weights), 1e-9)
    return found.number, Analogy(found.sql, 1.0 if found.same else min(0.99, max(0.0, 1.0 - found.cost / total)))


def answer_by_analogy(question: str, examples: Sequence[Example], schema: str = "") -> Analogy | None:
    """Answer a question as the nearest example was answered, with the values exchanged.

    Args:
        question: the question.
        examples: the worked examples of the context.
        schema: the schema text; tells words that name tables and columns from values.

    Returns:
        The SQL and how near the example is, or None where no example shares a word with the question.
    """
    found = nearest(question, examples, schema)
    return found[1] if found else None
