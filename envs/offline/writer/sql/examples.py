"""Worked examples as a writer keeps them: short SQL, and the set of examples that answers most within a cap."""

import random
from collections.abc import Sequence

from lse_gym.envs.offline.examples import Example, render_examples
from lse_gym.envs.offline.reader.sql.analogy import nearest
from lse_gym.envs.offline.writer.sql.compact import compact_sql

NEAR_TIE = 0.05  # losses that differ by less are decided by the seed


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
