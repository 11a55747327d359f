"""What a question with its gold answer says about a rule: which meanings it rules out, and which there could be."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, permutations
from typing import NamedTuple

from lse_gym.envs.offline.reader.choice.question import Described
from lse_gym.envs.offline.reader.choice.rules import Meaning, Rule, gather, order_rule, parse_rule
from lse_gym.envs.offline.reader.choice.solve import entered, fits, measure
from lse_gym.envs.offline.writer.choice.book import Book, Concept, Lesson

Test = Callable[[Meaning], bool]
ITS = re.compile(r"\bits ([\w-]+)\.")
ONLY = re.compile(r"\bonly ([^.]+) (?:is|are) ([\w-]+)\.", re.IGNORECASE)
VALUE = re.compile(r"\bthe ([\w-]+) of ([\w'-]+) is (-?\d+)\.", re.IGNORECASE)
ROUND_NUMBERS = range(5, 100, 5)  # thresholds that people choose
SIZES = range(2, 101)  # of units
STEPS = (1, 2, 5, 10, 20, 25, 50, 100)


class Evidence(NamedTuple):
    """What a lesson says about one concept: a meaning passes the test or is wrong. ``when``: the kind of case."""

    lesson: int
    when: str
    test: Test


def evidence(lesson: Lesson, book: Book) -> Iterator[tuple[Concept, str, Test]]:
    """What a lesson says about each concept in it."""
    asked, gold = lesson.asked, lesson.gold
    for rule in parse_rule(lesson.explanation):
        if rule.kind == "count":
            yield (rule.kind, rule.trigger), "", _is(rule.meaning)
    match asked.op:
        case "pick":
            yield from _pick_evidence(lesson, book)
        case "convert":
            value = _int(asked.choices[gold])
            yield ("unit", (asked.large, asked.small)), asked.when, lambda m: int(m[0]) * asked.number == value
        case "enter":
            value, unit = asked.choices[gold], ("unit", (asked.large, asked.small))
            told, rounding = book.told(unit) if asked.large else (1,), book.told(("rounding", (asked.document,)))
            if asked.large and rounding:
                mode, step = str(rounding[0]), int(rounding[1])
                yield unit, "", lambda m: str(entered(asked.number, int(m[0]), mode, step)) == value
            if told:
                factor = int(told[0])
                concept: Concept = "rounding", (asked.document,)
                yield concept, "", lambda m: str(entered(asked.number, factor, str(m[0]), int(m[1]))) == value
        case "count":
            others = [book.told(("count", (state,))) for state, _ in asked.parts]
            extra = (_int(asked.choices[gold]) or 0) - asked.number
            for index, (state, number) in enumerate(asked.parts):
                rest = [
                    (told, n) for i, (told, (_, n)) in enumerate(zip(others, asked.parts, strict=True)) if i != index
                ]
                if all(told for told, _ in rest):
                    left = extra - sum((int(told[0]) - 1) * n for told, n in rest if told)
                    yield ("count", (state,)), "", _adds(number, left)
        case "say":
            winners = [source for source, value in asked.parts if str(value) == asked.choices[gold]]
            losers = [source for source, _ in asked.parts if source not in winners]
            for winner in winners[:1]:
                yield from (_order(winner, loser, asked.when) for loser in losers)
        case "rank":
            best, others = asked.choices[gold].lower(), [c.lower() for k, c in asked.choices.items() if k != gold]
            yield from (_order(*((best, other) if asked.most else (other, best))) for other in others)


def _is(meaning: Meaning) -> Test:
    return lambda m: m == meaning


def _adds(number: int, left: int) -> Test:
    return lambda m: (int(m[0]) - 1) * number == left


def _order(winner: str, loser: str, when: str = "") -> tuple[Concept, str, Test]:
    rule = order_rule(winner, loser, when)
    return ("order", rule.trigger), when, _is(rule.meaning)


def _int(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?\d+", text) else None


def _pick_evidence(lesson: Lesson, book: Book) -> Iterator[tuple[Concept, str, Test]]:
    asked, gold = lesson.asked, lesson.gold
    names = {letter: choice.partition(",")[0].lower() for letter, choice in asked.choices.items()}
    held: dict[str, bool] = {}
    if asked.word:
        only = ONLY.search(lesson.explanation)
        if not asked.term:
            held = {letter: letter == gold for letter in asked.things}
        elif only and only[2].lower() == asked.word:
            listed = re.findall(r"[\w'-]+", only[1].lower())
            held = {letter: name in listed for letter, name in names.items()}
        concept: Concept = "definition", (asked.word,)
        for letter, fit in (held or {gold: True}).items():
            yield concept, asked.things[letter].kind, _holds(asked.things[letter], fit)
        decisive = ITS.search(lesson.explanation)
        if decisive:
            yield concept, asked.things[gold].kind, _about(decisive[1].lower())
    if asked.term:
        concept = "term", (asked.term,)
        told = VALUE.search(lesson.explanation)
        if told and told[1].lower() == asked.term:
            letter = next((letter for letter, name in names.items() if name == told[2].lower()), gold)
            yield concept, "", _measures(asked.things[letter], int(told[3]))
        known = gather(Rule(k, t, m, w) for (k, t, w), m in book.rules.items())
        if asked.word and not held:
            held = {letter: bool(fits(thing, asked.word, known)) for letter, thing in asked.things.items()}
        rivals = [
            thing for letter, thing in asked.things.items() if letter != gold and held.get(letter, not asked.word)
        ]
        if not asked.word or held.get(gold):
            yield concept, "", _beats(asked.things[gold], rivals, asked.most)


def _holds(thing: Described, fit: bool) -> Test:
    def test(meaning: Meaning) -> bool:
        value = thing.values.get(str(meaning[0]))
        return value is not None and ((value >= int(meaning[2])) == (meaning[1] == ">=")) == fit

    return test


def _about(attribute: str) -> Test:
    return lambda m: m[0] == attribute


def _measures(thing: Described, value: int) -> Test:
    return lambda m: measure(thing, m) == value


def _beats(best: Described, rivals: Sequence[Described], most: bool) -> Test:
    def test(meaning: Meaning) -> bool:
        own, others = measure(best, meaning), [measure(rival, meaning) for rival in rivals]
        return own is not None and all(o is not None and o != own and (o < own) == most for o in others)

    return test


def hypotheses(concept: Concept, lessons: Sequence[Lesson]) -> Iterator[Meaning]:
    """Everything that a short sentence could say about a concept, the simplest first."""
    kind, trigger = concept
    names = sorted({name for lesson in lessons for thing in lesson.asked.things.values() for name in thing.values})
    match kind:
        case "definition":
            yield from ((name, sign, n) for name in names for sign in (">=", "<") for n in ROUND_NUMBERS)
        case "term":
            yield from ((name,) for name in names)
            yield from ((a, "+", b) for a, b in combinations(names, 2))
            yield from ((a, "-", b) for a, b in permutations(names, 2))
        case "unit":
            yield from ((size,) for size in SIZES)
        case "rounding":
            yield from ((mode, step) for step in STEPS for mode in ("nearest", "down", "up"))
        case "count":
            yield from ((times,) for times in (1, 0, 2, 3))
        case "order":
            yield from ((word,) for word in trigger)
