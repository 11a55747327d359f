"""A question beside the worked examples of a context: words weighed, names told from words that mean something."""

import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache

from lse_gym.envs.offline.examples import Example
from lse_gym.envs.offline.reader.sql.schema import parse_schema
from lse_gym.envs.offline.reader.sql.template import Slot, parse
from lse_gym.envs.offline.reader.sql.words import COMMON_WORDS, STOP_WORDS, Word, canonical, stem

UNFILLED = 3.0  # cost of a slot without a value: the example's own value would stand in the answer
MAX_CANDIDATES = 9  # examples aligned word by word; the index ranks the rest below them
_JOINED = re.compile(
    r"\b(?:\w+\.)?(\w+)\s*(?:=|\bIN\b)\s*(?:\(\s*SELECT\s+(?:DISTINCT\s+)?(?:\w+\.)?|\w+\.)(\w+)", re.I
)


class Index:
    """The examples of one context, ready for questions."""

    def __init__(self, examples: tuple[Example, ...], schema: str) -> None:
        self.parsed = [parse(example) for example in examples]
        self.schema = parse_schema(schema)
        names = {name for table in self.schema.tables.values() for name in (table.name, *table.columns)}
        self.nouns = {stem(part) for name in names for part in name.split("_") if part}
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
        self.known = set(frequency) | self.nouns | COMMON_WORDS
        self.alike = self._alike([example.sql for example in examples])
        self.drops = [[self.weight(p) if isinstance(p, str) else UNFILLED for p in e.template] for e in self.parsed]
        self.lengths = [sum(min(weight, 1.0) for weight in drops) for drops in self.drops]

    def _alike(self, sqls: Sequence[str]) -> set[tuple[str, str]]:
        """Pairs of columns that have been compared with the same values."""
        shared: Counter[tuple[str, str]] = Counter()
        for columns in self.kinds.values():
            shared.update((a, b) for a in columns for b in columns)
        alike = {pair for pair, count in shared.items() if count >= 2 or pair[0] == pair[1]}
        for sql in sqls:
            for a, b in _JOINED.findall(sql.lower()):
                alike |= {(a, b), (b, a)}
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
def index_of(examples: tuple[Example, ...], schema: str) -> Index:
    """The index of some examples, made once."""
    return Index(examples, schema)


_QUOTED = re.compile(r"\"[^\"]+\"|\u201c[^\u201d]+\u201d|(?<!\w)'[^']+'(?!\w)")
COUNTING = {"how", "many", "number", "count"}


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
