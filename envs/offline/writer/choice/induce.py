"""Learning from lessons: the rules that explain all evidence, the likeliest of several, exceptions where none does."""

from collections.abc import Sequence
from typing import NamedTuple

from lse_gym.envs.offline.reader.choice.rules import Meaning
from lse_gym.envs.offline.writer.choice.book import Book, Concept, Lesson
from lse_gym.envs.offline.writer.choice.evidence import Evidence, evidence, hypotheses


class Fit(NamedTuple):
    """The meanings that explain all evidence, by what they are limited to ("" for always); ``settled`` if one each."""

    alive: dict[str, list[Meaning]]
    settled: bool


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
