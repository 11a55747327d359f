"""Questions about a world: what is asked, how it is said, and which choice is right under given conventions."""

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate, islice
from typing import Literal, NamedTuple, TypeVar

import numpy as np

from lse_gym.envs.qa.procedural.theme import Theme
from lse_gym.envs.qa.procedural.world import STEPS, VALUES, Definition, Measure, Rounding, World
from lse_gym.envs.text import an

T = TypeVar("T")
Op = Literal["adjective", "term", "both", "convert", "enter", "entry", "count", "source", "rank"]
OPS: tuple[Op, ...] = ("adjective", "term", "both", "convert", "enter", "entry", "count", "source", "rank")
CHANCES = (0.2, 0.12, 0.08, 0.12, 0.08, 0.12, 0.1, 0.1, 0.08)  # of each op; definitions need the most examples
CUMULATIVE = [*accumulate(CHANCES[:-1])]
MAX_ROLLS = 32  # of the die, for one question
AMOUNTS = range(2, 13)  # of the larger unit, to be converted
EXACT = Rounding("nearest", 1)


class Thing(NamedTuple):
    """A thing to choose: its values in the order of the theme's attributes."""

    name: str
    kind: str
    values: tuple[int, ...]


class Form(NamedTuple):
    """What is asked, apart from words. Which fields are used depends on ``op``."""

    op: Op
    word: str = ""  # adjective, unit, document or attribute
    term: str = ""
    most: bool = True  # the greatest, the highest
    occasion: str = ""
    number: int = 0
    things: tuple[Thing, ...] = ()
    parts: tuple[tuple[str, int], ...] = ()  # states with their numbers, sources with what they say
    document: str = ""


class Reading(NamedTuple):
    """Conventions as a reader takes them: those of a world, or what everybody would assume."""

    world: World
    everyday: bool = False


def answer(form: Form, reading: Reading, offered: Sequence[str] = ()) -> str | None:
    """The right choice in words under a reading; None where it tells of none or of several."""
    theme = reading.world.theme
    match form.op:
        case "adjective" | "both":
            fitting = [thing for thing in form.things if _fits(thing, form.word, reading)]
            if form.op == "adjective" and reading.everyday:
                fitting = [_extreme(form.things, [_column(theme, form.word)], True)]
            if form.op == "adjective":
                return fitting[0].name if len(fitting) == 1 else None
            best = _best(fitting, form, reading)
            return best.name if best and len(fitting) > 1 else None
        case "term":
            best = _best(form.things, form, reading)
            return best.name if best else None
        case "convert":
            return str(form.number * unit_factor(form, reading))
        case "enter" | "entry":
            divisor = unit_factor(form, reading) if form.op == "enter" else 1
            return entered(form.number, divisor, EXACT if reading.everyday else reading.world.roundings[form.document])
        case "count":
            counts = reading.world.counts
            extra = sum(((1 if reading.everyday else counts[state]) - 1) * n for state, n in form.parts)
            return str(form.number + extra)
        case "source":
            kind, insider = reading.world.insider
            order = [insider, *reading.world.sources] if form.things[0].kind == kind else reading.world.sources
            said = dict(form.parts)
            return None if reading.everyday else str(next(said[source] for source in order if source in said))
        case "rank":
            ranks = reading.world.ranks if form.most else reading.world.ranks[::-1]
            return None if reading.everyday else next(rank for rank in ranks if rank in offered)


def entered(number: int, divisor: int, rounding: Rounding) -> str:
    """``number / divisor`` as it is entered; what lies half way is rounded up."""
    step = rounding.step * divisor
    down = number // step
    up = {"down": 0, "up": number % step > 0, "nearest": 2 * (number % step) >= step}[rounding.mode]
    return str((down + up) * rounding.step)


def _column(theme: Theme, adjective: str) -> int:
    return next(i for i, a in enumerate(theme.attributes) if a.adjective == adjective)


def _fits(thing: Thing, adjective: str, reading: Reading) -> bool:
    return fits(thing, definition_for(thing, adjective, reading.world), reading.world.theme)


def definition_for(thing: Thing, adjective: str, world: World) -> Definition:
    """What an adjective means for a thing of its kind."""
    usual = world.definitions[adjective]
    kind, changed = world.exceptions.get(adjective, ("", usual))
    return changed if thing.kind == kind else usual


def fits(thing: Thing, definition: Definition, theme: Theme) -> bool:
    """Whether a definition holds of a thing."""
    value = thing.values[[a.name for a in theme.attributes].index(definition.attribute)]
    return (value >= definition.threshold) == definition.at_least


def measured(thing: Thing, measure: Measure, theme: Theme) -> int:
    """The measure of a thing."""
    values = dict(zip((a.name for a in theme.attributes), thing.values, strict=True))
    return values[measure.first] + measure.sign * values.get(measure.second, 0)


def _best(things: Sequence[Thing], form: Form, reading: Reading) -> Thing | None:
    theme, measure = reading.world.theme, reading.world.measures[form.term]
    values = sorted(((measured(t, measure, theme), t) for t in things), reverse=form.most)
    return values[0][1] if values and (len(values) == 1 or values[0][0] != values[1][0]) else None


def _extreme(things: Sequence[Thing], columns: Sequence[int], most: bool) -> Thing:
    return (max if most else min)(things, key=lambda thing: [thing.values[c] for c in columns])


def unit_factor(form: Form, reading: Reading) -> int:
    """How many of the smaller unit make the larger one that a question names, on its occasion."""
    if reading.everyday:
        return next(unit.factor for unit in reading.world.theme.units if unit.large == form.word)
    if form.occasion and form.word in reading.world.occasional:
        return reading.world.occasional[form.word]
    return reading.world.factors[form.word]


def draw_op(rng: np.random.Generator) -> Op:
    """Draw a kind of question."""
    return OPS[bisect(CUMULATIVE, rng.random())]


def draw_form(op: Op, world: World, rng: np.random.Generator) -> Form:
    """Draw what to ask, without regard to the answer."""
    theme = world.theme
    rolls = iter(rng.random(MAX_ROLLS).tolist())  # all at once: one by one they cost more than all the rest

    def pick(options: Sequence[T]) -> T:
        return options[int(next(rolls) * len(options))]

    def shuffled(options: Sequence[T], number: int) -> list[T]:
        left = [*options]
        return [left.pop(int(next(rolls) * len(left))) for _ in range(number)]

    def things(number: int) -> tuple[Thing, ...]:
        low, span = VALUES.start, len(VALUES)
        return tuple(
            Thing(name, pick(theme.kinds), tuple([low + int(span * roll) for roll in islice(rolls, 4)]))
            for name in shuffled(theme.names, number)
        )

    most, few = next(rolls) < 0.5, next(rolls) < 0.6
    match op:
        case "adjective" | "both" | "term":
            return Form(op, pick([*world.definitions]), pick(theme.terms), most, things=things(4))
        case "convert":
            occasion = "" if few else theme.occasion
            return Form(op, pick([u.large for u in theme.units]), occasion=occasion, number=pick(AMOUNTS))
        case "enter":
            number, document = pick(range(100, 1000)), pick(theme.documents)
            return Form(op, pick([u.large for u in theme.units]), number=number, document=document)
        case "entry":
            number, document = pick(range(20, 300)), pick(theme.documents)
            return Form(op, pick([a.name for a in theme.attributes]), number=number, document=document)
        case "count":
            states = shuffled(theme.states, 1 if few else 2)
            return Form(op, number=pick(range(12, 40)), parts=tuple((state, pick(range(2, 6))) for state in states))
        case "source":
            named, sources = pick([a.name for a in theme.attributes]), shuffled(theme.sources, 2 if few else 3)
            said = shuffled(range(20, 90), len(sources))
            return Form(op, named, things=things(1), parts=tuple(zip(sources, said, strict=True)))
        case "rank":
            return Form(op, most=most, parts=tuple((rank, 0) for rank in shuffled(theme.ranks, 4)))


def draw_choices(form: Form, world: World, rng: np.random.Generator) -> list[str] | None:
    """Four different choices in words, among them the answer of every reading; None where there is no such four."""
    if form.things and form.op != "source":
        return [thing.name for thing in form.things]
    if form.op == "rank":
        return [rank for rank, _ in form.parts]
    gold, guess = answer(form, Reading(world)), answer(form, Reading(world, everyday=True))
    wanted = [value for value in (gold, guess) if value]
    pool = [value for value in dict.fromkeys(_distractors(form, world)) if value not in wanted and int(value) > 0]
    order = [pool[int(i)] for i in rng.permutation(len(pool))]
    if form.op == "source":
        said = [str(value) for _, value in form.parts]
        order = sorted(order, key=lambda value: value not in said)
    chosen = [*dict.fromkeys(wanted), *order][:4]
    return [chosen[int(i)] for i in rng.permutation(4)] if len(chosen) == 4 else None


def _distractors(form: Form, world: World) -> list[str]:
    """What other conventions would make of it."""
    factors = [*world.factors.values(), *world.occasional.values(), *(u.factor for u in world.theme.units)]
    match form.op:
        case "convert":
            return [str(form.number * factor) for factor in (*factors, 10, 12)]
        case "enter" | "entry":
            divisors = factors if form.op == "enter" else [1]
            roundings = [Rounding(mode, step) for mode in ("down", "up", "nearest") for step in (*STEPS, 1)]
            return [entered(form.number, divisor, rounding) for divisor in divisors for rounding in roundings]
        case "count":
            return [str(form.number + sign * n) for _, n in form.parts for sign in (0, 1, -1)] + [
                str(form.number + sum(sign * n for _, n in form.parts)) for sign in (1, -1)
            ]
        case "source":
            said = [value for _, value in form.parts]
            return [str(value) for value in (*said, sum(said) // len(said), min(said) - 3, max(said) + 4)]
    raise AssertionError(form.op)


def choice_text(choice: str, form: Form, theme: Theme) -> str:
    """A choice as it is shown."""
    thing = next((t for t in form.things if t.name == choice), None)
    if thing is None or form.op == "source":
        return choice
    values = ", ".join(f"{a.name} {value}" for a, value in zip(theme.attributes, thing.values, strict=True))
    return f"{thing.name}, {an(thing.kind)} {theme.thing}: {values}"


def say(form: Form, theme: Theme, rng: np.random.Generator) -> str:
    """The question without its choices, in one of its wordings."""
    options = wordings(form, theme)
    return options[int(rng.integers(len(options)))]


def key(form: Form, theme: Theme) -> str:
    """What makes two questions the same: what is asked and of what, whatever the wording, the order and the choices."""
    ordered = form._replace(things=tuple(sorted(form.things)), parts=tuple(sorted(form.parts)))
    things = (f"{thing.name} {thing.kind} {thing.values}" for thing in ordered.things)
    return " ".join([wordings(ordered, theme)[0], *things, *(part for part, _ in ordered.parts)])


def wordings(form: Form, theme: Theme) -> tuple[str, ...]:
    """The ways to say a question, without its choices."""
    thing, things = theme.thing, f"{theme.thing}s"
    match form.op:
        case "adjective":
            return (
                f"Which of these {things} is {form.word}?",
                f"Which {thing} counts as {form.word}?",
                f"One of these {things} is {form.word}. Which one?",
            )
        case "term" | "both":
            best = ("greatest", "highest") if form.most else ("least", "lowest")
            among = f"Which of the {form.word} {things}" if form.op == "both" else f"Which of these {things}"
            return tuple(f"{among} has the {extreme} {form.term}?" for extreme in best)
        case "convert":
            small = next(f"{unit.small}s" for unit in theme.units if unit.large == form.word)
            amount = f"{form.number} {f'{form.occasion} ' * bool(form.occasion)}{plural(form.word)}"
            return (f"How many {small} are there in {amount}?", f"How many {small} make {amount}?")
        case "enter":
            small = next(f"{unit.small}s" for unit in theme.units if unit.large == form.word)
            return (
                f"An amount of {form.number} {small} goes into the {form.document} in {plural(form.word)}. "
                "Which number is entered?",
            )
        case "entry":
            return (
                f"{an(thing, capital=True)} with {an(form.word)} of {form.number} goes into the {form.document}. "
                "Which number is entered?",
                f"Which number is entered into the {form.document} for {an(form.word)} of {form.number}?",
            )
        case "count":
            parts = " and ".join(f"{n}{' of them' * (i == 0)} {state}" for i, (state, n) in enumerate(form.parts))
            return (
                f"The {theme.place} holds {form.number} {things}, {parts}. How many {things} are counted?",
                f"There are {form.number} {things}, {parts}. What is the count of {things}?",
            )
        case "source":
            (described,) = form.things
            said = ", ".join(f"the {source} says {value}" for source, value in form.parts)
            return (
                f"On the {form.word} of {described.name}, {an(described.kind)} {thing}: {said}. Which figure is right?",
                f"About {described.name}, {an(described.kind)} {thing}, {said} for its {form.word}. Which one holds?",
            )
        case "rank":
            return (f"Which of these ranks {'highest' if form.most else 'lowest'}?",)


def plural(noun: str) -> str:
    """The plural of a unit."""
    return f"{noun}es" if noun.endswith(("ch", "sh", "s", "x")) else f"{noun}s"


def explain(form: Form, world: World, gold: str, offered: Sequence[str]) -> str:
    """What a teacher would say about the answer: the case at hand, hardly ever the rule behind it."""
    theme, things = world.theme, f"{world.theme.thing}s"
    thing = next((t for t in form.things if t.name == gold), None)
    match form.op:
        case "adjective":
            assert thing
            return f"What makes {gold} {form.word} is its {definition_for(thing, form.word, world).attribute}."
        case "term":
            assert thing
            return f"The {form.term} of {gold} is {measured(thing, world.measures[form.term], theme)}."
        case "both":
            fitting = [t.name for t in form.things if _fits(t, form.word, Reading(world))]
            return f"Only {' and '.join(fitting)} are {form.word}."
        case "convert":
            return f"It is {gold} here, whatever it is elsewhere."
        case "enter" | "entry":
            return f"The {form.document} has its own way with numbers."
        case "count":
            told = {0: "is not counted", 1: "is counted once", 2: "is counted twice"}
            return " ".join(f"A {theme.thing} that is {state} {told[world.counts[state]]}." for state, _ in form.parts)
        case "source":
            return f"About {form.things[0].kind} {things} like {form.things[0].name}, this figure could be relied on."
        case "rank":
            return f"The {gold} is {'above' if form.most else 'below'} the others."
