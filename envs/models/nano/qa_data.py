"""Training samples of ``nano`` on multiple-choice questions: invented subjects, what is known of them, and the answers.

Subjects are in the mould of the shipped ones, in other words. An answer first quotes the lines of the context that it
needs, then works, then gives the letter.
"""

import re
from collections.abc import Iterator
from functools import cache
from itertools import takewhile

import numpy as np

from lse_gym.envs.models.nano.data import Sample
from lse_gym.envs.models.nano.lexicon import invent, strings
from lse_gym.envs.models.nano.qa_steps import division, matching, product, rounded, running_best, total
from lse_gym.envs.prompt import system_message
from lse_gym.envs.qa.procedural.forms import (
    OPS,
    Form,
    Reading,
    Thing,
    answer,
    choice_text,
    definition_for,
    draw_choices,
    draw_form,
    explain,
    fits,
    measured,
    plural,
    say,
    unit_factor,
)
from lse_gym.envs.qa.procedural.rules import oracle_rules
from lse_gym.envs.qa.procedural.theme import Attribute, Theme, Unit
from lse_gym.envs.qa.procedural.themes import TEST_THEMES, TRAIN_THEMES
from lse_gym.envs.qa.procedural.world import MODES, STEPS, Definition, Rounding, World, draw_world
from lse_gym.envs.qa.prompt import LETTERS, SEED_CONTEXT, Item, frozen_part, user_message

Key = tuple[str, ...]
COMPLETE, NOTHING = 0.7, 0.05  # shares of contexts that tell every rule, and none
EDITED = 0.3  # share of contexts in the words of the offline editor
EXAMPLED = 0.25  # share of contexts that keep examples, as that editor does
MAX_EXAMPLES = 3
ALIKE = 0.5  # share of words that end like others, or begin like them, as "hard", "hardness" and "roughness" do
ENDINGS = ("en", "er", "ary", "book", "or", "ant", "al")  # of kinds, documents or sources
DERIVED = (("ness", ""), ("th", ""), ("ity", "e"), ("", "y"), ("iness", "y"))  # endings of attribute and adjective
CHANCES = (0.14, 0.14, 0.12, 0.1, 0.2, 0.1, 0.07, 0.09, 0.04)  # of each op: more where there is more to learn
DRILL = "Work it out."
DRILL_CHANCES = (0.25, 0.2, 0.25, 0.1, 0.12, 0.08)  # sum, product, division, rounding, comparison, choice
LOOK_UPS = 6  # of values at a time
UNTOLD = "not told"
GUESS = LETTERS[0]  # of who does not know


@cache
def shipped() -> frozenset[str]:
    """The words of the shipped subjects."""
    return frozenset(word.lower() for theme in (*TRAIN_THEMES, *TEST_THEMES) for word in strings(theme))


def draw_subject(rng: np.random.Generator) -> Theme:
    """Invent a trade in the mould of the shipped ones, in other words."""
    taken: set[str] = set()

    def word(ending: str = "") -> str:
        while True:
            new = invent(rng) + ending
            if new not in shipped() and new not in taken:
                taken.add(new)
                return new

    def counted() -> str:
        return next(new for new in iter(word, None) if plural(new) == f"{new}s")

    def at_times(*endings: str) -> str:
        return word(endings[int(rng.integers(len(endings)))] if rng.random() < ALIKE else "")

    def attribute() -> Attribute:
        if rng.random() >= ALIKE:
            return Attribute(word(), word())
        stem, endings = word(), DERIVED[int(rng.integers(len(DERIVED)))]
        name, adjective = (f"{stem}{ending}" for ending in endings)
        return attribute() if shipped() & {name, adjective} else Attribute(name, adjective)

    def unit() -> Unit:
        return Unit(at_times("ch", "sh", "x"), counted(), draw_factor(rng))

    kind, document, source = (ENDINGS[int(i)] for i in rng.permutation(len(ENDINGS))[:3])
    return Theme(
        name=word(),
        thing=counted(),
        place=word(),
        kinds=(at_times(kind), at_times(kind), at_times(kind)),
        names=tuple(word().capitalize() for _ in range(8)),
        attributes=(attribute(), attribute(), attribute(), attribute()),
        terms=(at_times("is", "us"), at_times("is", "us")),
        units=(unit(), unit()),
        occasion=word(),
        documents=(at_times(document, "as"), at_times(document, "as")),
        states=(at_times("ed"), at_times("ed"), at_times("ed")),
        sources=(at_times(source), at_times(source), at_times(source)),
        ranks=(at_times("er"), at_times("er"), at_times("er"), at_times("er"), at_times("er")),
    )


def draw_factor(rng: np.random.Generator) -> int:
    """How many of a smaller unit make a larger one: mostly as conventions have it, sometimes more, as an hour has."""
    return int(rng.integers(3, 16) if rng.random() < 0.7 else rng.integers(16, 101))


def draw_qa_sample(stream: tuple[int, ...], turns: int = 10, drills: float = 0.0) -> Sample:
    """Draw an invented subject, a context that tells some of its conventions, and questions with answers.

    Of the samples a share ``drills`` is on single steps: half on the working, half on what is looked up.
    """
    rng = np.random.default_rng(np.random.SeedSequence(stream))
    drill = rng.random() / drills if drills else 1.0
    if drill < 0.5:
        return draw_drills(rng, 3 * turns)
    world = draw_world(draw_subject(rng), rng)
    known, context = draw_context(world, rng)
    if rng.random() < EXAMPLED:
        context = "\n".join([context, *draw_examples(world, rng)])
    if drill < 1:
        return Sample(system_message(frozen_part(world.theme.name), context), draw_recall(world, known, rng))
    told = world._replace(
        exceptions={w: e for w, e in world.exceptions.items() if ("definition", w, e[0]) in known},
        occasional={u: n for u, n in world.occasional.items() if ("unit", u, world.theme.occasion) in known},
        insider=world.insider if ("source", world.insider[1], world.insider[0]) in known else ("", ""),
    )
    asked: dict[str, str] = {}
    while len(asked) < turns:
        form, choices, gold, item = draw_item(world, told, rng)
        asked[user_message(item)] = respond(form, told, known, choices, gold)
    return Sample(system_message(frozen_part(world.theme.name), context), tuple(asked.items()))


def draw_item(world: World, told: World, rng: np.random.Generator) -> tuple[Form, list[str], str, Item]:
    """Draw a question of a world with its choices and the answer by what is ``told`` of it."""
    while True:
        form = draw_form(OPS[int(rng.choice(len(OPS), p=CHANCES))], world, rng)
        choices = draw_choices(form, world, rng)
        gold = answer(form, Reading(told), choices or ()) if choices else None
        if choices and gold in choices:
            shown = tuple(choice_text(choice, form, world.theme) for choice in choices)
            return form, choices, gold, Item("", say(form, world.theme, rng), shown, choices.index(gold))


def draw_examples(world: World, rng: np.random.Generator) -> Iterator[str]:
    """Draw questions with answers, as the offline editor keeps them in a context."""
    for _ in range(1 + int(rng.integers(MAX_EXAMPLES))):
        form, choices, gold, item = draw_item(world, world, rng)
        question = item.question
        yield f"Q: {question.text} Answer: {question.gold}. {explain(form, world, gold, choices)}"


def draw_drills(rng: np.random.Generator, turns: int) -> Sample:
    """Draw what the working consists of, by itself: sums, products, divisions, roundings, comparisons."""
    asked: dict[str, str] = {}
    while len(asked) < turns:
        first, second, number = (int(rng.integers(*bounds)) for bounds in ((1, 100), (1, 100), (20, 1000)))
        divisor = draw_factor(rng)
        rounding = Rounding(MODES[int(rng.integers(3))], STEPS[int(rng.integers(3))])
        sign, most = (1, -1)[int(rng.integers(2))], bool(rng.random() < 0.5)
        match int(rng.choice(6, p=DRILL_CHANCES)):
            case 0:
                question, answer = f"{first} {'+' if sign > 0 else '-'} {second}", total(first, sign, second)
            case 1:
                factor = int(rng.integers(2, 13))
                question, answer = f"{factor} x {divisor}", product(factor, divisor)
            case 2:
                lines, quotient, rest = division(number, divisor)
                answer = "\n".join([*lines, rounded(quotient, rest, divisor, rounding)])
                question = f"{number} / {divisor}, {rounding.mode} {rounding.step}"
            case 3:
                question, answer = f"{number}, {rounding.mode} {rounding.step}", rounded(number, 0, 1, rounding)
            case 4:
                lowest = int(rng.integers(-60, 90))
                values = (lowest + rng.integers(0, (12, 60)[int(rng.integers(2))], 4)).tolist()
                question = f"{'greatest' if most else 'least'} of {', '.join(map(str, values))}"
                rows = ((f"{letter} {value}", letter, value) for letter, value in zip(LETTERS, values, strict=False))
                answer = "\n".join(running_best(rows, most))
            case _:
                choices = [str(value) for value in dict.fromkeys(rng.integers(1, 200, 6).tolist())][:4]
                lettered = dict(zip(LETTERS, choices, strict=False))
                gold = choices[int(rng.integers(len(choices)))]
                question = "\n".join([gold, *(f"{letter}) {choice}" for letter, choice in lettered.items())])
                answer = matching(lettered, gold)
        asked[f"Question: {question}"] = answer
    return Sample(DRILL, tuple(asked.items()))


def draw_recall(world: World, known: dict[Key, str], rng: np.random.Generator) -> tuple[tuple[str, str], ...]:
    """Draw look-ups alone: a rule by its name, the values of things."""
    keys = [*oracle_rules(world)]
    keys = [keys[int(i)] for i in rng.permutation(len(keys))]
    asked = {
        f"Question: {' '.join(key)}": f"{handle(key)}\n{known[key]}" if key in known else f"{handle(key)}: {UNTOLD}"
        for key in keys
    }
    names = [a.name for a in world.theme.attributes]
    for _ in range(LOOK_UPS):
        form = draw_form("term", world, rng)
        choices = tuple(choice_text(thing.name, form, world.theme) for thing in form.things)
        pairs = [divmod(int(i), len(names)) for i in rng.permutation(len(choices) * len(names))[:LOOK_UPS]]
        wanted = ", ".join(f"{LETTERS[i]} {names[column]}" for i, column in pairs)
        kinds = ", ".join(f"{letter} {thing.kind}" for letter, thing in zip(LETTERS, form.things, strict=False))
        values = ", ".join(f"{LETTERS[i]} {names[column]} {form.things[i].values[column]}" for i, column in pairs)
        asked[user_message(Item("", wanted, choices, 0))] = f"{kinds}\n{values}"
    return tuple(asked.items())


def draw_context(world: World, rng: np.random.Generator) -> tuple[dict[Key, str], str]:
    """What the context tells, line by line, and its text: all, nothing or some of the rules, in one of two wordings."""
    rules: dict[Key, str] = {key: f"- {rule}" for key, rule in oracle_rules(world).items()}
    if rng.random() < EDITED:
        rules = {key: edited(rule, world.theme) for key, rule in rules.items()}
    share = float(rng.choice([1.0, 0.0, rng.random()], p=[COMPLETE, NOTHING, 1 - COMPLETE - NOTHING]))
    kept = [key for key in rules if rng.random() < share]
    if rng.random() < 0.5:
        kept = [kept[int(i)] for i in rng.permutation(len(kept))]
    return {key: rules[key] for key in kept}, "\n".join([SEED_CONTEXT, *(rules[key] for key in kept)])


def edited(rule: str, theme: Theme) -> str:
    """A rule as the offline editor words it: no things are named, and every order says who comes before whom."""
    rule = re.sub(rf"^(- (?:For|Count|Leave) \S+) {theme.thing}s\b", r"\1 ones", rule)
    rule = re.sub(r"\b([Tt])rust the (\S+) over", r"\1he \2 comes before", rule)
    _, ranked, listed = rule.rstrip(".").partition("Ranks from highest to lowest: ")
    if not ranked:
        return rule
    ranks = listed.split(", ")
    lower = [" and ".join(f"the {rank}" for rank in ranks[at:]) for at in range(1, len(ranks))]
    return "\n".join(f"- The {rank} comes before {rest}." for rank, rest in zip(ranks, lower, strict=False))


def needed(form: Form, world: World) -> list[Key]:
    """The keys of the rules without which a question is a guess, in the order of their use; ``world``: what is told."""
    said, kinds = dict(form.parts), {thing.kind for thing in form.things}
    match form.op:
        case "adjective" | "both":
            excepted = [("definition", word, kind) for word, (kind, _) in world.exceptions.items() if word == form.word]
            return [("definition", form.word), *excepted, *[("term", form.term)] * (form.op == "both")]
        case "term":
            return [("term", form.term)]
        case "convert" if form.occasion and form.word in world.occasional:
            return [("unit", form.word, form.occasion)]
        case "convert":
            return [("unit", form.word)]
        case "enter":
            return [("unit", form.word), ("rounding", form.document)]
        case "entry":
            return [("rounding", form.document)]
        case "count":
            return [("count", state) for state in said]
        case "source":
            kind, insider = world.insider
            special: list[Key] = [("source", insider, kind)] * bool(insider)
            if kind in kinds and insider in said:
                return special
            first, second, _ = world.sources
            return [*special, ("source", first), *[("source", second)] * (first not in said)]
    return [("rank",)]


def handle(key: Key, before: int = 0) -> str:
    """What a rule is looked up by; ``before`` counts the rules on sources that were looked up already."""
    match key:
        case ("definition", word, _):
            return f"{word} for"
        case ("unit", large, occasion):
            return f"{occasion} {large}"
        case ("source", _, _):
            return "trust for"
        case ("source", _):
            return "trust next" if before else "trust"
    return key[-1]


def respond(form: Form, world: World, known: dict[Key, str], choices: list[str], gold: str) -> str:
    """The answer of someone who knows the lines of ``known``: each rule by its name, working, letter."""
    said = dict(form.parts) if form.op == "source" else {}
    lines = [", ".join(f"{source} {value}" for source, value in said.items())] * bool(said)
    trusted = 0
    for key in needed(form, world):
        if key not in known:
            return "\n".join([*lines, f"{handle(key, trusted)}: {UNTOLD}", f"<answer>{GUESS}</answer>"])
        lines += [handle(key, trusted), known[key], *applied(key, form, world)]
        trusted += key[0] == "source" and len(key) == 2
    lines += working(form, world, choices, gold)
    return "\n".join([*lines, f"<answer>{LETTERS[choices.index(gold)]}</answer>"])


def applied(key: Key, form: Form, world: World) -> list[str]:
    """What follows at once from a rule: how many there are now, or what the source says that it is about."""
    match key:
        case ("count", state):
            changes = {part: (world.counts[part] - 1) * n for part, n in form.parts}
            earlier = takewhile(lambda part: part != state, changes)
            number, change = form.number + sum(changes[part] for part in earlier), changes[state]
            times = ("out", "once", "twice")[world.counts[state]]
            return [f"{dict(form.parts)[state]} {times}: {total(number, -1 if change < 0 else 1, abs(change))}"]
        case ("source", source, *special):
            kind = form.things[0].kind
            about = [f"{kind} {one} {'yes' if one == kind else 'no'}" for one in special]
            return [", ".join([*about, f"{source} {dict(form.parts).get(source, 'no')}"])]
    return []


def working(form: Form, world: World, choices: list[str], gold: str) -> list[str]:
    """The steps between rules and answer, each small enough for a small model: a look-up, a digit or a comparison."""
    things = {t.name: t for t in form.things}
    lettered = dict(zip(LETTERS, choices, strict=False))
    match form.op:
        case "adjective":
            return fitting(form, world, {letter: things[name] for letter, name in lettered.items()})[0]
        case "term":
            return ranking(form, world, {letter: things[name] for letter, name in lettered.items()})
        case "both":
            lines, fit = fitting(form, world, {letter: things[name] for letter, name in lettered.items()})
            return [*lines, *ranking(form, world, fit)]
        case "convert":
            return [product(form.number, unit_factor(form, Reading(world))), matching(lettered, gold)]
        case "enter":
            divisor, rounding = unit_factor(form, Reading(world)), world.roundings[form.document]
            lines, quotient, rest = division(form.number, divisor)
            return [*lines, rounded(quotient, rest, divisor, rounding), matching(lettered, gold)]
        case "entry":
            return [rounded(form.number, 0, 1, world.roundings[form.document]), matching(lettered, gold)]
        case "count" | "source":
            return [matching(lettered, gold)]
    letters = {rank: letter for letter, rank in lettered.items()}
    listed = ", ".join(f"{rank} {letters.get(rank, 'no')}" for rank in world.ranks)
    return [f"{'max' if form.most else 'min'}: {listed}: {letters[gold]}"]


def fitting(form: Form, world: World, things: dict[str, Thing]) -> tuple[list[str], dict[str, Thing]]:
    """What is wanted, one line a thing on whether it holds of it, and the things of which it does."""
    names = [a.name for a in world.theme.attributes]
    usual, (kind, special) = world.definitions[form.word], world.exceptions.get(form.word, ("", None))
    lines, fit = [f"{kind} {limit(special)}, else {limit(usual)}"] if special else [], {}
    for letter, thing in things.items():
        definition = definition_for(thing, form.word, world)
        value = thing.values[names.index(definition.attribute)]
        if fits(thing, definition, world.theme):
            fit[letter] = thing
        told = f" {thing.kind}{' else' * (thing.kind != kind)}" if special else ""
        measured_by = f"{letter}{told} {limit(definition)}: {letter} {definition.attribute}"
        relation, verdict = ("<", ">=")[value >= definition.threshold], ("no", "yes")[letter in fit]
        lines.append(f"{measured_by} {value} {definition.threshold} {relation} {verdict}")
    return lines, fit


def limit(definition: Definition) -> str:
    """The comparison that a definition makes."""
    return f"{'>=' if definition.at_least else '<'} {definition.threshold}"


def ranking(form: Form, world: World, things: dict[str, Thing]) -> list[str]:
    """One line a thing with its measure and the best so far."""
    measure = world.measures[form.term]
    names = [a.name for a in world.theme.attributes]
    rows = []
    for letter, thing in things.items():
        first = thing.values[names.index(measure.first)]
        shown = f"{letter} {measure.first} {first}"
        if measure.sign:
            second = thing.values[names.index(measure.second)]
            shown += f", {letter} {measure.second} {second}: {total(first, measure.sign, second)}"
        rows.append((shown, letter, measured(thing, measure, world.theme)))
    return running_best(rows, form.most)
