"""How the writer edits contexts of multiple-choice questions: rules that explain the golds, in the fewest words.

A rule is looked for among all that a short sentence could say; what no example has ruled out yet may be wrong, so its
examples are kept in the context ("Q: … Answer: …") until only one rule is left. An exception is made only where no
single rule explains everything.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, permutations
from typing import NamedTuple

from lse_gym.envs.offline.reader.choice.question import Asked, Described, split_choices, understand
from lse_gym.envs.offline.reader.choice.rules import Kind, Meaning, Rule, gather, order_rule, parse_rule
from lse_gym.envs.offline.reader.choice.solve import entered, fits, measure
from lse_gym.envs.offline.writer.edit import Edit, fitted
from lse_gym.envs.offline.writer.prompt import Task, worked
from lse_gym.envs.report import Problem
from lse_gym.envs.text import an

Concept = tuple[Kind, tuple[str, ...]]
Test = Callable[[Meaning], bool]

EXAMPLE = re.compile(r"\W*Q: (?P<question>.+) Answer: (?P<gold>[A-Z])\.(?: (?P<explanation>.*))?")
ITS = re.compile(r"\bits ([\w-]+)\.")
ONLY = re.compile(r"\bonly ([^.]+) (?:is|are) ([\w-]+)\.", re.IGNORECASE)
VALUE = re.compile(r"\bthe ([\w-]+) of ([\w'-]+) is (-?\d+)\.", re.IGNORECASE)
ROUND_NUMBERS = range(5, 100, 5)  # thresholds that people choose
SIZES = range(2, 101)  # of units
STEPS = (1, 2, 5, 10, 20, 25, 50, 100)
TIMES = {0: "Leave {} ones out of the count.", 1: "Count {} ones once."}


class Lesson(NamedTuple):
    """A question with its gold answer, taken apart."""

    question: str
    gold: str
    explanation: str
    asked: Asked


class Evidence(NamedTuple):
    """What a lesson says about one concept: a meaning passes the test or is wrong. ``when``: the kind of case."""

    lesson: int
    when: str
    test: Test


class Fit(NamedTuple):
    """The meanings that explain all evidence, by what they are limited to ("" for always); ``settled`` if one each."""

    alive: dict[str, list[Meaning]]
    settled: bool


class Book:
    """The context as something to revise: lines of prose, lines of rules, examples."""

    def __init__(self, context: str):
        self.lines: list[tuple[str, tuple[Rule, ...]]] = []
        self.rules: dict[tuple[Kind, tuple[str, ...], str], Meaning] = {}
        self.examples: list[Problem] = []
        for line in context.splitlines():
            example = EXAMPLE.fullmatch(line.strip())
            if example:
                known = example["explanation"] or ""
                self.examples.append(worked(example["question"], example["gold"], known))
            elif line.strip():
                self.lines.append((line.strip(), parse_rule(line)))
                for rule in self.lines[-1][1]:
                    self.rules[rule.kind, rule.trigger, rule.when] = rule.meaning

    def told(self, concept: Concept, when: str = "") -> Meaning | None:
        """What the rules say about a concept."""
        special = self.rules.get((*concept, when))
        return self.rules.get((*concept, "")) if special is None else special

    def put(self, concept: Concept, meanings: dict[str, Meaning]) -> None:
        """Replace everything that is said about a concept."""
        for key in [key for key in self.rules if key[:2] == concept]:
            del self.rules[key]
        self.rules |= {(*concept, when): meaning for when, meaning in meanings.items()}

    def render(self, kept: Sequence[Lesson], max_chars: int) -> str:
        """Lines that still hold as they were written, then new rules, then examples; what does not fit is left out."""
        left = dict(self.rules)
        lines = []
        for line, rules in self.lines:
            if all(self.rules.get((r.kind, r.trigger, r.when)) == r.meaning for r in rules):
                lines.append(line)
                for rule in rules:
                    left.pop((rule.kind, rule.trigger, rule.when), None)
        lines += [
            f"- {sentence}" for sentence in sentences(Rule(k, t, meaning, w) for (k, t, w), meaning in left.items())
        ]
        lines += [f"Q: {one.question} Answer: {one.gold}. {one.explanation}".strip() for one in kept]
        return fitted(lines, max_chars)


def recognises(task: Task) -> bool:
    """Whether any question has choices."""
    return any(split_choices(problem.question)[1] for problem in task.problems)


def edit(task: Task, seed: int) -> Edit:
    """Rules that explain the golds, and the examples of those that may still be others."""
    del seed
    book = Book(task.context)
    before = dict(book.rules)
    told = [*book.examples, *(problem for problem in task.problems if problem.gold)]
    asked = {p.question: (p, understood) for p in told if (understood := understand(p.question))}
    lessons = [Lesson(q, p.gold, p.explanation, a) for q, (p, a) in asked.items() if p.gold in a.choices]
    old = {problem.question for problem in book.examples}
    unsettled: set[Concept] = set()
    for _ in range(2):  # what one concept turned out to be may explain another
        wanted = learn(lessons, old, book, unsettled)
    kept = [lesson for index, lesson in enumerate(lessons) if index in wanted]
    return Edit(book.render(kept, task.max_chars), len({*book.rules.items()} - {*before.items()}), len(kept))


def learn(lessons: Sequence[Lesson], old: set[str], book: Book, unsettled: set[Concept]) -> set[int]:
    """Revise the rules by the lessons; returns the lessons to keep, for concepts that are not settled yet.

    Args:
        lessons: all there are.
        old: the questions among them that were kept in the context: their concepts were not settled before.
        book: the rules, changed in place.
        unsettled: the concepts that more examples are wanted of, changed in place.
    """
    gathered: dict[Concept, list[Evidence]] = {}
    for index, lesson in enumerate(lessons):
        for concept, when, test in evidence(lesson, book):
            gathered.setdefault(concept, []).append(Evidence(index, when, test))
    wanted: set[int] = set()
    for concept, found in gathered.items():
        open_before = concept in unsettled or any(lessons[one.lesson].question in old for one in found)
        holds = all((told := book.told(concept, one.when)) is not None and one.test(told) for one in found)
        if holds and not open_before:
            continue
        candidates = list(hypotheses(concept, [lessons[one.lesson] for one in found]))
        if not holds and not open_before and (patch := _exception(concept, found, candidates, book)):
            when, own = patch
            book.rules[(*concept, when)] = choose(own, book.told(concept))
            if len(own) > 1:
                unsettled.add(concept)
                wanted |= {one.lesson for one in found if one.when == when}
            continue
        fit = explain(found, candidates)
        if fit is None:
            continue
        if not holds:
            base = choose(fit.alive[""])
            book.put(concept, {when: choose(alive, base) for when, alive in fit.alive.items()})
        if not fit.settled:
            unsettled.add(concept)
            wanted |= informative(found, candidates)
    return wanted


def explain(found: Sequence[Evidence], candidates: Sequence[Meaning]) -> Fit | None:
    """The meanings that pass every test; where there are none, those of a rule with one exception."""
    alive = [m for m in candidates if all(one.test(m) for one in found)]
    cases = {one.when for one in found}
    if alive:
        return Fit({"": alive}, len(alive) == 1 and ("" in cases or len(cases) > 1))
    fits_: list[tuple[int, str, Fit]] = []
    for when in sorted(cases - {""}):
        special = [one for one in found if one.when == when]
        usual = [one for one in found if one.when != when]
        base = [m for m in candidates if all(one.test(m) for one in usual)]
        own = [m for m in candidates if all(one.test(m) for one in special)]
        if base and own and usual:
            known = "" in cases or len(cases) > 2
            fits_.append((len(special), when, Fit({"": base, when: own}, known and len(base) == len(own) == 1)))
    return min(fits_, key=lambda one: one[:2])[2] if fits_ else None


def _exception(
    concept: Concept, found: Sequence[Evidence], candidates: Sequence[Meaning], book: Book
) -> tuple[str, list[Meaning]] | None:
    """What one exception could be that saves a rule which was settled, if there is such."""
    base = book.told(concept)
    failing = {one.when for one in found if (told := book.told(concept, one.when)) is None or not one.test(told)}
    if base is None or len(failing) != 1 or "" in failing:
        return None
    (when,) = failing
    own = [m for m in candidates if all(one.test(m) for one in found if one.when == when)]
    return (when, own) if own else None


def choose(alive: Sequence[Meaning], base: Meaning | None = None) -> Meaning:
    """The likeliest of several meanings: the kind of comparison with the most room, in the middle of it.

    An exception is taken to be about the attribute that the rule is about, if it can be.
    """
    if base is not None and _compares(base):
        alive = [m for m in alive if m[0] == base[0]] or alive
    groups: dict[Meaning, list[Meaning]] = {}
    for meaning in alive:
        groups.setdefault(meaning[:2] if _compares(meaning) else meaning, []).append(meaning)
    largest = max(groups.values(), key=len)
    return largest[len(largest) // 2]


def _compares(meaning: Meaning) -> bool:
    return len(meaning) == 3 and isinstance(meaning[2], int)


def informative(found: Sequence[Evidence], candidates: Sequence[Meaning]) -> set[int]:
    """Lessons that together rule out all that is ruled out, less those that add nothing to others."""
    kept: set[int] = set()
    excluded: set[tuple[str, Meaning]] = set()
    for lesson in dict.fromkeys(one.lesson for one in found):
        own = {(one.when, m) for one in found if one.lesson == lesson for m in candidates if not one.test(m)}
        if own - excluded:
            kept.add(lesson)
            excluded |= own
    return kept


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


def sentences(rules: Iterable[Rule]) -> Iterator[str]:
    """Rules in plain words, those about one order together."""
    orders: dict[tuple[str, str], list[str]] = {}
    for rule in rules:
        meaning, limit = rule.meaning, f"For {rule.when} ones, " if rule.when else ""
        match rule.kind:
            case "definition":
                comparison = "of at least" if meaning[1] == ">=" else "below"
                yield f'{limit}"{rule.trigger[0]}" means {an(str(meaning[0]))} {comparison} {meaning[2]}.'
            case "term":
                said = (
                    f"{meaning[0]} {'plus' if meaning[1] == '+' else 'minus'} {meaning[2]}"
                    if meaning[1:]
                    else meaning[0]
                )
                yield f'{limit}"{rule.trigger[0]}" means {said}.'
            case "unit":
                large, small = rule.trigger
                yield f"{an(f'{rule.when} {large}'.strip(), capital=True)} has {meaning[0]} {small}s."
            case "rounding":
                how = "to the nearest" if meaning[0] == "nearest" else f"{meaning[0]} to a"
                yield f"In the {rule.trigger[0]}, round {how} multiple of {meaning[1]}."
            case "count":
                yield TIMES.get(int(meaning[0]), "Count {} ones twice.").format(rule.trigger[0])
            case "order":
                loser = next(word for word in rule.trigger if word != meaning[0])
                orders.setdefault((rule.when, str(meaning[0])), []).append(loser)
    for (when, winner), losers in orders.items():
        limit = f"For {when} ones, the" if when else "The"
        yield f"{limit} {winner} comes before {' and '.join(f'the {loser}' for loser in losers)}."
