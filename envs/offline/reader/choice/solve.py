"""Answering a multiple-choice question by rules, and by everyday knowledge where there are none."""

from collections.abc import Callable, Sequence

from lse_gym.envs.offline.reader.choice.everyday import ATTRIBUTES, UNITS
from lse_gym.envs.offline.reader.choice.question import Asked, Described
from lse_gym.envs.offline.reader.choice.rules import ANYONE, Knowledge, Meaning

Choose = Callable[[Sequence[Meaning]], Meaning]


def first(meanings: Sequence[Meaning]) -> Meaning:
    """What a reader without doubts takes of several meanings."""
    return meanings[0]


def solve(asked: Asked, knowledge: Knowledge, choose: Choose = first) -> list[str]:
    """The letters that may be right: one where rules or everyday knowledge tell, else all that they leave open.

    Args:
        asked: the question.
        knowledge: the rules.
        choose: takes one of several meanings that contradict each other.
    """
    letters = list(asked.choices)
    match asked.op:
        case "pick":
            found = _pick(asked, knowledge, choose)
        case "rank":
            found = _before(asked, knowledge, choose)
        case "say":
            found = _trusted(asked, knowledge, choose)
        case _:
            numbers = _numbers(asked, knowledge, choose)
            found = [letter for letter in letters if asked.choices[letter] in numbers]
    return found or letters


def fits(thing: Described, word: str, knowledge: Knowledge, choose: Choose = first) -> bool | None:
    """Whether an adjective holds of a thing; None where no rule tells."""
    told = knowledge.told("definition", (word,), thing.kind)
    if not told:
        return None
    attribute, sign, threshold = choose(told)
    value = thing.values.get(str(attribute))
    return None if value is None else (value >= int(threshold)) == (sign == ">=")


def measure(thing: Described, meaning: Meaning) -> int | None:
    """The value that a term's meaning has for a thing."""
    value = thing.values.get(str(meaning[0]))
    if len(meaning) == 1 or value is None:
        return value
    other = thing.values.get(str(meaning[2]))
    return None if other is None else value + (other if meaning[1] == "+" else -other)


def _pick(asked: Asked, knowledge: Knowledge, choose: Choose) -> list[str]:
    letters = list(asked.things)
    if asked.word:
        held = {letter: fits(thing, asked.word, knowledge, choose) for letter, thing in asked.things.items()}
        if all(fit is None for fit in held.values()):
            attribute = ATTRIBUTES.get(asked.word, "")
            known = [letter for letter in letters if attribute in asked.things[letter].values]
            if not asked.term:
                return _extreme({letter: asked.things[letter].values[attribute] for letter in known}, most=True)
        else:
            letters = [letter for letter in letters if held[letter]] or letters
    if not asked.term:
        return letters
    told = knowledge.told("term", (asked.term,))
    meaning = choose(told) if told else (asked.term,)
    values = {letter: measure(asked.things[letter], meaning) for letter in letters}
    return _extreme({letter: v for letter, v in values.items() if v is not None}, asked.most) or letters


def _extreme(values: dict[str, int], most: bool) -> list[str]:
    best = (max if most else min)(values.values(), default=None)
    return [letter for letter, value in values.items() if value == best]


def _numbers(asked: Asked, knowledge: Knowledge, choose: Choose) -> list[str]:
    """The number that is asked for, as it would be written."""
    factor = 1
    if asked.large:
        told = knowledge.told("unit", (asked.large, asked.small), asked.when)
        everyday = UNITS.get((asked.large, asked.small))
        if not told and not everyday:
            return []
        factor = int(choose(told)[0]) if told else everyday or 1
    match asked.op:
        case "convert":
            return [str(asked.number * factor)]
        case "count":
            total = asked.number
            for state, number in asked.parts:
                told = knowledge.told("count", (state,))
                total += (int(choose(told)[0]) - 1) * number if told else 0
            return [str(total)]
    told = knowledge.told("rounding", (asked.document,))
    mode, step = choose(told) if told else ("nearest", 1)
    return [entered(asked.number, factor, str(mode), int(step))]


def entered(number: int, divisor: int, mode: str, step: int) -> str:
    """``number / divisor`` rounded to a multiple of ``step``; half way is up."""
    whole = max(1, divisor * step)
    down, rest = divmod(number, whole)
    return str((down + {"down": 0, "up": rest > 0, "nearest": 2 * rest >= whole}[mode]) * step)


def wins(one: str, other: str, names: Sequence[str], knowledge: Knowledge, choose: Choose, when: str = "") -> bool:
    """Whether ``one`` comes before ``other``, directly or by way of others."""
    seen, front = {one}, [one]
    while front:
        a = front.pop()
        for b in names:
            direct = [pair for pair in (_pair(a, b), _pair(a, ANYONE)) if pair in _ordered(knowledge)]
            told = next((t for pair in direct if (t := knowledge.told("order", pair, when))), None)
            if b not in seen and told and choose(told)[0] == a:
                if b == other:
                    return True
                seen.add(b)
                front.append(b)
    return False


def _pair(a: str, b: str) -> tuple[str, ...]:
    return (a, b) if a < b else (b, a)


def _ordered(knowledge: Knowledge) -> set[tuple[str, ...]]:
    return {trigger for kind, trigger in knowledge.rules if kind == "order"}


def _before(asked: Asked, knowledge: Knowledge, choose: Choose) -> list[str]:
    named = {letter: choice.lower() for letter, choice in asked.choices.items()}
    everyone = sorted({*named.values(), *(name for pair in _ordered(knowledge) for name in pair)} - {ANYONE})
    left = dict(named)
    for letter, a in named.items():
        for b in named.values():
            loses = wins(b, a, everyone, knowledge, choose) if asked.most else wins(a, b, everyone, knowledge, choose)
            if a != b and loses:
                left.pop(letter, None)
    return list(left)


def _trusted(asked: Asked, knowledge: Knowledge, choose: Choose) -> list[str]:
    said = dict(asked.parts)
    everyone = sorted({*said, *(name for pair in _ordered(knowledge) for name in pair)} - {ANYONE})
    left = [
        source
        for source in said
        if not any(other != source and wins(other, source, everyone, knowledge, choose, asked.when) for other in said)
    ]
    values = {str(said[source]) for source in left or said}
    return [letter for letter, choice in asked.choices.items() if choice in values]
