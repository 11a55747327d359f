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
# Costs, in units of one rare word left unmatched; found by trial on real questions, flat around these values.
SYNONYM = 0.1
SUBSTITUTE = 0.9  # of the two words together, so that one in place of the other is better than neither
EXCHANGED = 0.4  # a word in place of another where the SQL could follow
COMPOSE_ABOVE = 0.7  # cost of an analogy with one example from which two together are tried
COMPOSE_COST = 0.2
MAX_SPLITS = 3
CLEAN = 0.4  # cost up to which the words in the slots pass for nothing but values
UNFILLED = 3.0  # cost of a slot without a value: the example's own value would stand in the answer
MAX_CANDIDATES = 9  # examples aligned word by word; the index ranks the rest below them

_JOINED = re.compile(
    r"\b(?:\w+\.)?(\w+)\s*(?:=|\bIN\b)\s*"
    r"(?:\(\s*SELECT\s+(?:DISTINCT\s+)?(?:\w+\.)?|\w+\.)(\w+)",
    re.I,
)


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
        self.drops = [[self.weight(p) if isinstance(p, str) else UNFILLED for p in e.template] for e in self.parsed]
        self.lengths = [sum(min(weight, 1.0) for weight in drops) for drops in self.drops]

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

    def candidates(self, asked: "Asked") -> list[int]:
        """The examples that share the most with the question, best first."""
        shared: dict[int, float] = defaultdict(float)
        weights = dict(zip(asked.canonical, asked.weights, strict=True))
        for word, weight in weights.items():
            for number in self.holders.get(word, ()):
                shared[number] += weight
        total = sum(weights.values())
        value = not self.known.issuperset(asked.stems)
        for number in shared:
            slot = 1.0 if value and self.parsed[number].slots else 0.0
            shared[number] = -(shared[number] + slot) / (total + self.lengths[number])
        return sorted(shared, key=lambda number: (shared[number], number))[:MAX_CANDIDATES]


@lru_cache(maxsize=64)
def _index(examples: tuple[Example, ...], schema: str) -> Index:
    return Index(examples, schema)


_QUOTED = re.compile(r"\"[^\"]+\"|\u201c[^\u201d]+\u201d|(?<!\w)'[^']+'(?!\w)")
_COUNTING = {"how", "many", "number", "count"}


def counts(parts: Sequence[str | int]) -> bool:
    """Whether a question asks for a number of things."""
    return (
        ("how", "many") in itertools.pairwise(parts)
        or tuple(parts[:1]) in {("number",), ("count",)}
        or (tuple(parts[:3]) in {("what", "is", "number"), ("give", "me", "number")})
    )


def _names(text: str, words: Sequence[Word]) -> list[bool]:
    """Which words of a question look like parts of names: capitals inside a sentence, and what stands in quotes."""
    capital = [text[word.start].isupper() for word in words]
    sentence = not all(capital[1:])
    quoted = [match.span() for match in _QUOTED.finditer(text)]
    return [
        (at > 0 and capital[at] and sentence) or any(first < word.start < last for first, last in quoted)
        for at, word in enumerate(words)
    ]


class Asked:
    """A question as an index sees it: what its words weigh, and what it costs to take some of them for a value."""

    def __init__(self, index: Index, text: str, words: Sequence[Word]) -> None:
        self.index = index
        self.text = text
        self.words = words
        self.stems = [word.stem for word in words]
        self.canonical = [canonical(word) for word in self.stems]
        self.weights = [index.weight(word) for word in self.stems]
        unknown = [word not in index.known for word in self.stems]
        self.names = _names(text, words)
        self.inserts = [
            max(weight, 1.0) * 1.3 if name else weight * (1.3 if new else 1.0)
            for weight, new, name in zip(self.weights, unknown, self.names, strict=True)
        ]
        self.counts = counts(self.stems)
        self._captures: dict[tuple[str, bool, int, int], float] = {}

    def capture(self, slot: Slot, first: int, last: int) -> float:
        """What it costs to take the words from ``first`` to before ``last`` for the slot's value."""
        key = (slot.column, slot.number, first, last)
        cost = self._captures.get(key)
        if cost is None:
            cost = self._captures[key] = self._capture(slot, self.stems[first:last], self.names[first:last])
        return cost

    def _capture(self, slot: Slot, stems: list[str], names: list[bool]) -> float:
        kinds = self.index.kinds.get(" ".join(stems))
        if kinds is not None:
            alike = slot.column in kinds or any((slot.column, kind) in self.index.alike for kind in kinds)
            return 0.0 if alike else 0.8
        cost = 0.1 * len(stems) - 0.08
        proper = False
        for at, word in enumerate(stems):
            if names[at]:
                proper = True
            elif word in self.index.kinds:
                cost += 0.7 * (len(stems) > 1)
                proper = True
            elif word in STOP_WORDS:
                cost += 0.4 if 0 < at < len(stems) - 1 else 1.0
            elif word in self.index.known:
                cost += 1.0
            else:
                proper = True
            cost += 1.5 * (slot.number != word.isdigit())
        return cost if proper else cost + 1.3


class Alignment(NamedTuple):
    """The cheapest way to read a question as an example's template."""

    cost: float
    spans: dict[int, tuple[int, int]]  # slot -> words of the question
    changed: tuple[tuple[str, str], ...]  # word of the template, word of the question in its place


def _table(asked: Asked, number: int) -> tuple[list[list[float]], list[list[int]]]:
    """Costs of reading each prefix of the question as each prefix of an example's template, and the last moves.

    A move is the number of words taken: -1 for a word that the template lacks, 0 for a part that the question lacks.
    """
    parsed = asked.index.parsed[number]
    inserts, stems, alike = asked.inserts, asked.stems, asked.canonical
    width = len(inserts) + 1
    best: list[list[float]] = [list(itertools.accumulate(inserts, initial=0.0))]
    back: list[list[int]] = [[-1] * width]
    for part, drop in zip(parsed.template, asked.index.drops[number], strict=True):
        above = best[-1]
        row, moves = [above[0] + drop], [0]
        same = canonical(part) if isinstance(part, str) else ""
        for j in range(1, width):
            cost, move = above[j] + drop, 0
            if row[-1] + inserts[j - 1] < cost:
                cost, move = row[-1] + inserts[j - 1], -1
            if isinstance(part, str):
                if stems[j - 1] == part:
                    total = above[j - 1]
                elif alike[j - 1] == same:
                    total = above[j - 1] + SYNONYM
                else:
                    total = above[j - 1] + SUBSTITUTE * (drop + inserts[j - 1])
                if total < cost:
                    cost, move = total, 1
            else:
                for taken in range(1, min(MAX_VALUE_WORDS, j) + 1):
                    if above[j - taken] < cost:
                        total = above[j - taken] + asked.capture(parsed.slots[part], j - taken, j)
                        if total < cost:
                            cost, move = total, taken
            row.append(cost)
            moves.append(move)
        best.append(row)
        back.append(moves)
    return best, back


def _align(asked: Asked, number: int) -> Alignment:
    """Follow the cheapest moves back from the end of question and template."""
    best, back = _table(asked, number)
    template = asked.index.parsed[number].template
    i, j = len(template), len(asked.stems)
    spans: dict[int, tuple[int, int]] = {}
    changed = []
    while i:
        move = back[i][j]
        part = template[i - 1]
        if move == -1:
            changed.append(("", asked.stems[j - 1]))
            j -= 1
            continue
        if isinstance(part, int):
            if move:
                spans[part] = (j - move, j)
        elif not move:
            changed.append((part, ""))
        elif asked.stems[j - 1] != part:
            changed.append((part, asked.stems[j - 1]))
        i, j = i - 1, j - move
    changed += [("", word) for word in asked.stems[:j]]
    return Alignment(best[-1][-1], spans, tuple(reversed(changed)))


_SUPERLATIVE = re.compile(r"\b(?:MAX|MIN)(?=\s*\()|\bDESC\b|\bASC\b", re.I)
_FLIPPED = {"max": "MIN", "min": "MAX", "desc": "ASC", "asc": "DESC"}
_FIRST_COUNT = re.compile(r"(\s*SELECT\s+)COUNT\s*\(\s*([^()*]+?)\s*\)(\s+FROM\b.*)", re.I | re.S)
_FIRST_COLUMN = re.compile(r"(\s*SELECT\s+)((?:DISTINCT\s+)?[\w.\"`]+)(\s+FROM\b.*)", re.I | re.S)


class _Alteration:
    """An example's SQL on its way to answer a question that asks for something slightly different."""

    def __init__(self, asked: Asked, parsed: Parsed, alignment: Alignment) -> None:
        self.index = index = asked.index
        self.pieces = list(parsed.pieces)
        self.template = parsed.template
        self.cost = alignment.cost
        self._count(alignment.changed, asked.counts)
        for old, new in alignment.changed:
            if old and new and self._exchange(old, new):
                self.cost -= max(0.0, SUBSTITUTE * (index.weight(old) + index.weight(new)) - EXCHANGED)

    def _count(self, changed: tuple[tuple[str, str], ...], asked: bool) -> None:
        """Count instead of list, or list instead of count."""
        if asked == counts(self.template) or not isinstance(self.pieces[0], str):
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
        alignment = _align(asked, number)
        altered = _Alteration(asked, index.parsed[number], alignment)
        if best is None or altered.cost < best[0] - 1e-9:
            best = altered.cost, number, alignment, altered.pieces
        if best[0] <= SYNONYM:
            break
    if best is None:
        return None
    cost, number, alignment, pieces = best
    same = not alignment.changed and cost <= CLEAN
    found = Found(cost, number, _fill(asked, index.parsed[number], alignment, pieces), same)
    return _compose(asked, candidates, found) if whole and cost > COMPOSE_ABOVE else found


def _compose(asked: Asked, candidates: list[int], found: Found) -> Found:
    """Look for an example whose value the question describes by what another example asks for.

    "capital of Texas" and "states that border Ohio" together answer "capital of the states that border Ohio".
    """
    index = asked.index
    nouns = [at for at in range(1, len(asked.stems) - 2) if asked.stems[at] in index.schema.words]
    splits = []
    for number in candidates if nouns else ():
        parsed = index.parsed[number]
        if parsed.template and parsed.template[-1] == 0 and len(parsed.slots) == 1:
            before = _table(asked, number)[0][-2]  # the template without its value at the end
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


def _fill(asked: Asked, parsed: Parsed, alignment: Alignment, pieces: Sequence[str | int]) -> str:
    """The SQL with the question's values in the slots."""
    parts = []
    for piece in pieces:
        if isinstance(piece, str):
            parts.append(piece)
            continue
        slot = parsed.slots[piece]
        value = slot.text
        if piece in alignment.spans:
            first, last = alignment.spans[piece]
            surface = asked.text[asked.words[first].start : asked.words[last - 1].end]
            number = NUMBERS.get(surface.lower(), surface.replace(",", ""))
            value = number if slot.number else styled(surface, slot.style).replace("'", "''")
        parts.append(value)
    return "".join(parts)
