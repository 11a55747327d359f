"""Answer by analogy: find the worked example nearest to a question and exchange the values in its SQL."""

import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from lse_gym.envs.models.worked import (
    COMMON_WORDS,
    IDENTIFIER,
    NUMBERS,
    OPPOSITES,
    STOP_WORDS,
    Example,
    Parsed,
    Schema,
    Slot,
    Word,
    canonical,
    parse,
    stem,
    styled,
    words_of,
)


class Analogy(NamedTuple):
    """SQL found by analogy; ``similarity`` in [0, 1] is 1.0 where only the values differ from the example."""

    sql: str
    similarity: float


MAX_VALUE_WORDS = 4
COMPOSE_ABOVE = 0.7  # cost of an analogy with one example from which two together are tried
COMPOSE_COST = 0.2
MAX_SPLITS = 3
UNFILLED = 3.0  # cost of a slot without a value: the example's own value would stand in the answer
MAX_CANDIDATES = 9  # examples aligned word by word; the index ranks the rest below them

_JOINED = re.compile(r"(?:\w+\.)?(\w+)\s*(?:=|\bIN\b)\s*(?:\(\s*SELECT\s+(?:DISTINCT\s+)?(?:\w+\.)?|\w+\.)(\w+)", re.I)


class Index:
    """The examples of one context, ready for questions."""

    def __init__(self, examples: tuple[Example, ...], schema: str) -> None:
        self.parsed = [parse(example) for example in examples]
        self.sqls = [example.sql for example in examples]
        self.schema = Schema(schema)
        frequency: Counter[str] = Counter()
        self.kinds: dict[str, set[str]] = defaultdict(set)  # value -> columns it was compared with
        self.holders: dict[str, list[int]] = defaultdict(list)  # word -> examples
        for number, parsed in enumerate(self.parsed):
            for word in {canonical(part) for part in parsed.template if isinstance(part, str)}:
                frequency[word] += 1
                self.holders[word].append(number)
            for slot in parsed.slots:
                self.kinds[slot.words].add(slot.column)
        rarest = math.log(1 + len(self.parsed))
        self.weights = {
            word: 0.15 if word in STOP_WORDS else 0.6 + 0.4 * math.log(len(self.parsed) / count + 1) / rarest
            for word, count in frequency.items()
        }
        self.known = set(frequency) | self.schema.words | COMMON_WORDS
        self.alike = self._alike()
        self.lengths = [
            sum(self.weight(part) if isinstance(part, str) else 1.0 for part in parsed.template)
            for parsed in self.parsed
        ]

    def _alike(self) -> set[tuple[str, str]]:
        """Pairs of columns that have been compared with the same values."""
        shared: Counter[tuple[str, str]] = Counter()
        for columns in self.kinds.values():
            shared.update((a, b) for a in columns for b in columns)
        alike = {pair for pair, count in shared.items() if count >= 2 or pair[0] == pair[1]}
        for sql in self.sqls:
            for a, b in _JOINED.findall(sql):
                alike |= {(a.lower(), b.lower()), (b.lower(), a.lower())}
        return alike | {(a, d) for a, b in alike for c, d in alike if b == c}

    def weight(self, word: str) -> float:
        """How much it matters that this word of a question stays unmatched."""
        weight = self.weights.get(canonical(word))
        if weight is None:
            return 0.15 if word in STOP_WORDS else 1.0
        return weight

    def candidates(self, words: Sequence[Word]) -> list[int]:
        """The examples that share the most with the question, best first."""
        shared: dict[int, float] = defaultdict(float)
        total = 0.0
        for word in dict.fromkeys(canonical(word.stem) for word in words):
            total += (weight := self.weight(word))
            for number in self.holders.get(word, ()):
                shared[number] += weight
        values = any(word.stem not in self.known for word in words)
        ranked = sorted(
            shared,
            key=lambda number: (
                -2 * (shared[number] + (values and bool(self.parsed[number].slots))) / (total + self.lengths[number]),
                number,
            ),
        )
        return ranked[:MAX_CANDIDATES]


@lru_cache(maxsize=64)
def _index(examples: tuple[Example, ...], schema: str) -> Index:
    return Index(examples, schema)


class Alignment(NamedTuple):
    """The cheapest way to read a question as an example's template."""

    cost: float
    spans: dict[int, tuple[int, int]]  # slot -> words of the question
    changed: tuple[tuple[str, str], ...]  # word of the template, word of the question in its place


def _align(index: Index, parsed: Parsed, words: Sequence[Word]) -> Alignment:
    """Align template and question by dynamic programming over edits; slots take one to four words."""
    best, back = _table(index, parsed, parsed.template, words)
    return _trace(parsed.template, words, best, back)


def _table(
    index: Index, parsed: Parsed, template: Sequence[str | int], words: Sequence[Word]
) -> tuple[list[list[float]], list[list[int]]]:
    """The cheapest costs of reading each prefix of the question as each prefix of the template, and the last moves."""
    inserts = [index.weight(word.stem) * (1.0 if word.stem in index.known else 1.3) for word in words]
    width = len(words) + 1
    best: list[list[float]] = [[0.0] * width]
    back: list[list[int]] = [[0] * width]
    for j, cost in enumerate(inserts):
        best[0][j + 1] = best[0][j] + cost
    for i, part in enumerate(template):
        above = best[i]
        row, moves = [0.0] * width, [0] * width
        if isinstance(part, int):
            row[0] = above[0] + UNFILLED
            for j in range(1, width):
                cost, move = above[j] + UNFILLED, 0
                if row[j - 1] + inserts[j - 1] < cost:
                    cost, move = row[j - 1] + inserts[j - 1], -1
                for taken in range(1, min(MAX_VALUE_WORDS, j) + 1):
                    if above[j - taken] >= cost:
                        continue
                    total = above[j - taken] + _capture(index, parsed.slots[part], words[j - taken : j])
                    if total < cost:
                        cost, move = total, taken
                row[j], moves[j] = cost, move
        else:
            drop = index.weight(part)
            row[0] = above[0] + drop
            for j in range(1, width):
                cost, move = above[j] + drop, 0
                if row[j - 1] + inserts[j - 1] < cost:
                    cost, move = row[j - 1] + inserts[j - 1], -1
                total = above[j - 1] + _substitute(part, words[j - 1].stem, drop + inserts[j - 1])
                if total < cost:
                    cost, move = total, 1
                row[j], moves[j] = cost, move
        best.append(row)
        back.append(moves)
    return best, back


def _trace(
    template: tuple[str | int, ...], words: Sequence[Word], best: list[list[float]], back: list[list[int]]
) -> Alignment:
    i, j = len(template), len(words)
    spans: dict[int, tuple[int, int]] = {}
    changed = []
    while i:
        move = back[i][j] if j else 0
        part = template[i - 1]
        if move == -1:
            changed.append(("", words[j - 1].stem))
            j -= 1
            continue
        if isinstance(part, int):
            if move:
                spans[part] = (j - move, j)
        elif not move:
            changed.append((part, ""))
        elif words[j - 1].stem != part:
            changed.append((part, words[j - 1].stem))
        i, j = i - 1, j - move
    changed += [("", word.stem) for word in words[:j]]
    return Alignment(best[-1][-1], spans, tuple(reversed(changed)))


def _substitute(a: str, b: str, both: float) -> float:
    if a == b:
        return 0.0
    if canonical(a) == canonical(b):
        return 0.1
    return both * 0.9


def _capture(index: Index, slot: Slot, words: Sequence[Word]) -> float:
    """What it costs to take these words for the slot's value."""
    value = " ".join(word.stem for word in words)
    kinds = index.kinds.get(value)
    if kinds is not None:
        if slot.column in kinds or any((slot.column, kind) in index.alike for kind in kinds):
            return 0.0
        return 0.8
    cost = 0.1 * len(words) - 0.08
    proper = False
    for at, word in enumerate(words):
        if word.stem in index.kinds:
            cost += 0.7 * (len(words) > 1)
            proper = True
        elif word.stem in STOP_WORDS:
            cost += 0.4 if 0 < at < len(words) - 1 else 1.0
        elif word.stem in index.known:
            cost += 1.0
        else:
            proper = True
        if slot.number != word.stem.isdigit():
            cost += 1.5
    if not proper:
        cost += 1.3
    return cost


_SUPERLATIVE = re.compile(r"\b(?:MAX|MIN)(?=\s*\()|\bDESC\b|\bASC\b", re.I)
_FLIPPED = {"max": "MIN", "min": "MAX", "desc": "ASC", "asc": "DESC"}
_FIRST_COUNT = re.compile(r"(\s*SELECT\s+)COUNT\s*\(\s*([^()*]+?)\s*\)(\s+FROM\b.*)", re.I | re.S)
_FIRST_COLUMN = re.compile(r"(\s*SELECT\s+)((?:DISTINCT\s+)?[\w.\"`]+)(\s+FROM\b.*)", re.I | re.S)


class _Alteration:
    """An example's SQL on its way to answer a question that asks for something slightly different."""

    def __init__(self, index: Index, parsed: Parsed, alignment: Alignment, words: Sequence[Word]) -> None:
        self.index = index
        self.pieces = list(parsed.pieces)
        self.template = parsed.template
        self.cost = alignment.cost
        self._count(alignment.changed, words)
        for old, new in alignment.changed:
            if old and new and self._exchange(old, new):
                gained = 0.9 * (index.weight(old) + index.weight(new)) - 0.4
                self.cost -= max(0.0, gained)

    def _count(self, changed: tuple[tuple[str, str], ...], words: Sequence[Word]) -> None:
        """Count instead of list, or list instead of count."""
        asked = _counts([word.stem for word in words])
        if asked == _counts(self.template) or not isinstance(self.pieces[0], str):
            return
        if asked:
            text, done = _FIRST_COLUMN.subn(r"\1COUNT(\2)\3", self.pieces[0], count=1)
        else:
            text, done = _FIRST_COUNT.subn(r"\1\2\3", self.pieces[0], count=1)
        self.pieces[0] = text
        if done:
            self.cost -= sum(self.index.weight(word) for pair in changed for word in pair if word in _COUNTING)
            self.cost = max(self.cost, 0.0) + 0.2
        else:
            self.cost += 1.0

    def _exchange(self, old: str, new: str) -> bool:
        """Make the SQL say ``new`` where it says ``old``; True where that was possible."""
        if OPPOSITES.get(canonical(old)) == canonical(new):
            renamed = self._rename(old, new)
            return self._flip() or renamed
        return self._rename(old, new)

    def _flip(self) -> bool:
        superlatives = sum(canonical(part) in OPPOSITES for part in self.template if isinstance(part, str))
        if superlatives > 1:
            return False
        before = list(self.pieces)
        self._sub(_SUPERLATIVE, lambda match: _FLIPPED[match.group().lower()])
        return before != self.pieces

    def _rename(self, old: str, new: str) -> bool:
        """Exchange a word inside the names of tables and columns, if that gives names of the schema throughout."""
        schema = self.index.schema
        failed = []

        def renamed(match: re.Match[str]) -> str:
            parts = match.group().split("_")
            if old not in map(stem, parts):
                return match.group()
            allowed = schema.tables if match.group().lower() in schema.tables else schema.columns
            for form in (new, new + "s", new[:-1] + "ies"):
                name = "_".join(form if stem(part) == old else part for part in parts)
                if name.lower() in allowed:
                    return name.upper() if match.group().isupper() else name
            if match.group().lower() in schema.names:
                failed.append(match.group())
            return match.group()

        before = list(self.pieces)
        self._sub(IDENTIFIER, renamed)
        if failed or before == self.pieces or not schema.fits(self.pieces):
            self.pieces = before
            return False
        return True

    def _sub(self, pattern: re.Pattern[str], change: Callable[[re.Match[str]], str]) -> None:
        self.pieces = [pattern.sub(change, piece) if isinstance(piece, str) else piece for piece in self.pieces]


_COUNTING = {"how", "many", "number", "count"}


def _counts(parts: Sequence[str | int]) -> bool:
    """Whether a question asks for a number of things."""
    return (
        ("how", "many") in itertools.pairwise(parts)
        or tuple(parts[:1]) in {("number",), ("count",)}
        or (tuple(parts[:3]) in {("what", "is", "number"), ("give", "me", "number")})
    )


class Found(NamedTuple):
    """The cheapest reading of a question: the example it follows, and the SQL that results."""

    cost: float
    number: int
    sql: str


def _search(index: Index, question: str, words: Sequence[Word], whole: bool) -> Found | None:
    """Read the question as an example, or (``whole``) as an example with another one in place of its value."""
    best: tuple[float, int, Alignment, list[str | int]] | None = None
    candidates = index.candidates(words)
    for number in candidates:
        alignment = _align(index, index.parsed[number], words)
        altered = _Alteration(index, index.parsed[number], alignment, words)
        if best is None or altered.cost < best[0] - 1e-9:
            best = altered.cost, number, alignment, altered.pieces
        if best[0] <= 0.1:
            break
    if best is None:
        return None
    cost, number, alignment, pieces = best
    found = Found(cost, number, _fill(question, words, index.parsed[number], alignment, pieces))
    return _compose(index, question, words, candidates, found) if whole and cost > COMPOSE_ABOVE else found


def _compose(index: Index, question: str, words: Sequence[Word], candidates: list[int], found: Found) -> Found:
    """Look for an example whose value the question describes by what another example asks for.

    "capital of Texas" and "states that border Ohio" together answer "capital of the states that border Ohio".
    """
    splits = []
    for number in candidates:
        parsed = index.parsed[number]
        if parsed.template and parsed.template[-1] == 0 and len(parsed.slots) == 1:
            costs = _table(index, parsed, parsed.template[:-1], words)[0][-1]
            splits += [
                (costs[at], number, at) for at in range(1, len(words) - 2) if words[at].stem in index.schema.words
            ]
    for cost, number, at in sorted(splits)[:MAX_SPLITS]:
        if cost + COMPOSE_COST >= found.cost:
            break
        inner = _search(index, question, words[at:], False)
        if inner is None or cost + inner.cost + COMPOSE_COST >= found.cost:
            continue
        sql = _nested(index, index.parsed[number], inner.sql)
        if sql:
            found = Found(cost + inner.cost + COMPOSE_COST, number, sql)
    return found


def _nested(index: Index, parsed: Parsed, inner: str) -> str | None:
    """The example's SQL with a subquery where its value was compared; None where that makes no sense."""
    column = _FIRST_COLUMN.fullmatch(inner)
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
    index = _index(tuple(examples), schema)
    found = _search(index, question, words, True)
    if found is None:
        return None
    total = index.lengths[found.number] + sum(index.weight(word.stem) for word in words)
    return found.number, Analogy(found.sql, min(1.0, max(0.0, 1.0 - found.cost / max(total, 1e-9))))


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


def _fill(
    question: str, words: Sequence[Word], parsed: Parsed, alignment: Alignment, pieces: Sequence[str | int]
) -> str:
    parts = []
    for piece in pieces:
        if isinstance(piece, str):
            parts.append(piece)
        elif piece in alignment.spans:
            first, last = alignment.spans[piece]
            surface = question[words[first].start : words[last - 1].end]
            value = NUMBERS.get(surface.lower(), surface.replace(",", "")) if parsed.slots[piece].number else surface
            parts.append(styled(value, parsed.slots[piece].style).replace("'", "''"))
        else:
            parts.append(parsed.slots[piece].text)
    return "".join(parts)
