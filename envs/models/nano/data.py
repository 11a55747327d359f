"""Training samples of ``nano``: invented databases, what is known about them, and the answers that follow.

A sample is one system prompt with several turns, each a user message and the answer to it. Other tasks may be mixed in
as samples of the same shape.
"""

from typing import NamedTuple

import numpy as np

from lse_gym.envs.models.nano.lexicon import VERBS, invent
from lse_gym.envs.prompt import system_message
from lse_gym.envs.sql.procedural.forms import (
    Filter,
    Form,
    Reading,
    compile_form,
    literal_reading,
    measure_of,
    say,
    true_reading,
)
from lse_gym.envs.sql.procedural.rules import oracle_rules
from lse_gym.envs.sql.procedural.space import Space
from lse_gym.envs.sql.procedural.theme import ROLES, Adjective, Code, Dated, Entity, Measure, Role, Theme
from lse_gym.envs.sql.procedural.world import World, draw_world
from lse_gym.envs.sql.prompt import SEED_CONTEXT, frozen_part

Key = tuple[str, ...]
UNITS = "dollars euros pounds francs kroner hours litres kilometres metres kilograms tonnes grams millilitres".split()
PREPOSITIONS = "by of at from in on for with using".split()
WORDINGS = ('"{0}" means {1}.', '"{0}" is {1}.', "{0}: {1}", "{0} = {1}", 'Use {1} for "{0}".', '"{0}" -> {1}')


class Sample(NamedTuple):
    """One system prompt and the turns that follow it, independently of each other."""

    system: str
    turns: tuple[tuple[str, str], ...]


def draw_sample(stream: tuple[int, ...], turns: int = 10) -> Sample:
    """Draw an invented database, a context that tells some of its conventions, and questions with answers."""
    rng = np.random.default_rng(np.random.SeedSequence(stream))
    world = draw_world(draw_theme(rng), rng)
    known, context = draw_context(world, rng)
    reading = mixed_reading(world, frozenset(known))
    forms, asked = Space(world.theme), dict[str, str]()
    for _ in range(20 * turns):
        form = forms.draw(rng)
        if any(f.kind != "name" for f in form.filters) or form.measure or form.role == "event":
            sql, text = compile_form(form, world.theme, reading), say(form, world.theme, rng)
            quoted = [f"{known[key]}\n" for key in needed(form, text, world.theme) if key in known]
            asked[f"Question: {text}"] = f"{''.join(quoted)}<answer>{sql}</answer>"
        if len(asked) == turns:
            break
    return Sample(system_message(frozen_part(schema_of(world)), context), tuple(asked.items()))


def draw_theme(rng: np.random.Generator) -> Theme:
    """Invent a business in the mould of the shipped ones, in other words."""
    taken: set[str] = set()

    def word() -> str:
        while True:
            new = invent(rng)
            if not any(new in old or old in new for old in taken):
                taken.add(new)
                return new

    def pick(*options):
        return options[int(rng.integers(len(options)))]

    def plural(noun: str) -> str:
        if noun.endswith(("s", "sh", "ch", "x", "z")):
            return f"{noun}es"
        return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeou" else f"{noun}s"

    def entity(role: Role) -> Entity:
        noun = word()
        kind = word() if role == "event" or rng.random() < 0.3 else "name"
        column = kind if rng.random() < 0.15 and kind != "name" else f"{noun if rng.random() < 0.8 else word()}_{kind}"
        labels = f"{noun} {plural(kind)}" if role == "event" else plural(kind)
        return Entity(plural(noun), noun, column, labels, plural(word()))

    def code(role: Role) -> Code:
        terms = tuple(f"{word()}-{word()}" if rng.random() < 0.05 else word() for _ in range(int(rng.integers(2, 5))))
        return Code(role, word(), terms)

    def measure(role: Role, kind: str) -> Measure:
        name, low = word(), int(rng.integers(0, 60))
        high = low + int(10 ** rng.uniform(0.8, 3.5))
        if kind == "unit":
            return Measure(role, name, (name,), low, high, pick(*UNITS), (1, pick(60, 100, 1000)))
        if kind == "choice":
            return Measure(role, name, (f"{word()}_{name}", f"{word()}_{name}"), low, high)
        return Measure(
            role, name, (name,), low, high, sentinels=pick((-1, 0), (-1, 9999), (0, 99), (-1, 0, 99), (0, 9))
        )

    def column() -> str:
        return f"{word()}_{word()}" if rng.random() < 0.4 else word()

    suffix = pick("_on", "_at", "_date")
    roles: list[Role] = ["event", "thing"]
    return Theme(
        name="invented",
        event=entity("event"),
        person=entity("person"),
        thing=entity("thing"),
        place=entity("place"),
        person_word=pick(*PREPOSITIONS),
        thing_word=pick(*PREPOSITIONS),
        place_word=pick(*PREPOSITIONS),
        codes=(code("person"), code("thing"), code("place")),
        measures=tuple(measure(pick(*roles), kind) for kind in ("unit", "choice", "missing")),
        adjectives=tuple(
            Adjective(role, f"{word()}-{word()}" if rng.random() < 0.05 else word(), column()) for role in roles
        ),
        dates=(
            Dated("event", f"{word()}{suffix}", pick(*VERBS, word())),
            Dated("person", f"{word()}{suffix}", f"who {pick(*VERBS, word())}"),
        ),
        open_word=word(),
        open_column=f"{word()}{suffix}",
        flag_column=column(),
        place_names=tuple(word().capitalize() for _ in range(6)),
        thing_words=((), ()),
    )


def schema_of(world: World) -> str:
    """The schema as the family shows it."""
    theme, statements = world.theme, []
    for role in ("place", "person", "thing", "event"):
        entity = theme.entity(role)
        keys: dict[str, Role] = {}
        if role == "person":
            keys[f"base_{theme.place.noun}_id"] = "place"
        if role == "event":
            keys = {f"{theme.entity(r).noun}_id": r for r in ("person", "thing", "place")}
        lines = [f"{entity.noun}_id INTEGER PRIMARY KEY", f"{entity.label} TEXT"]
        lines += [f"{code.column} TEXT" for code in theme.codes if code.role == role]
        lines += [f"{key} INTEGER" for key in keys]
        measured = [column for m in theme.measures if m.role == role for column in m.columns]
        measured += [a.column for a in theme.adjectives if a.role == role]
        lines += [f"{column} INTEGER" for column in dict.fromkeys(measured)]
        lines += [f"{d.column} TEXT" for d in theme.dates if d.role == role]
        lines += [f"{theme.open_column} TEXT", f"{theme.flag_column} TEXT"] if role == "event" else []
        for key, other in keys.items():
            target = theme.entity(other)
            lines.append(f"FOREIGN KEY ({key}) REFERENCES {target.table}({target.noun}_id)")
        statements.append(f"CREATE TABLE {entity.table} (\n  " + ",\n  ".join(lines) + "\n);")
    return "\n\n".join(statements)


def keyed_rules(world: World) -> dict[Key, str]:
    """The oracle's rules, each under what it is about."""
    theme = world.theme
    keys: list[Key] = [("word", term) for code in theme.codes for term in code.terms]
    keys += [("word", a.word) for a in theme.adjectives] + [("word", theme.open_word)]
    for m in theme.measures:
        keys += [("word", m.word)] + ([("guard", m.word)] if world.sentinels[m.word] is not None else [])
    keys += [("year", d.column) for d in theme.dates]
    keys += ([("flag",)] if world.flagged else []) + ([("home",)] if world.home else [])
    keys += [("word", theme.entity(role).other) for role in ROLES]
    return dict(zip(keys, oracle_rules(world), strict=True))


def needed(form: Form, text: str, theme: Theme) -> list[Key]:
    """The keys of the rules that an answer needs, those about words in the order of the question."""
    at: dict[Key, int] = {}
    for f in form.filters:
        if f.kind == "year":
            at["year", f.word] = text.find(f.value)
        elif f.kind != "name":
            at["word", f.word] = text.find(f.word)
    measures = {f.word for f in form.filters if f.kind == "above"} | ({form.measure} - {""})
    for word in measures:
        at["word", word] = text.find(word)
        at["guard", word] = len(text)
    for role in ROLES:
        if (other := theme.entity(role).other) in text:
            at["word", other] = text.find(other)
    if form.role == "event":
        at["flag",] = len(text) + 1
        if form.by == "place" or any(f.role == "place" for f in form.filters):
            at["home",] = len(text) + 2
    return sorted(at, key=lambda key: (at[key], key))


def draw_context(world: World, rng: np.random.Generator, complete: float = 0.5) -> tuple[dict[Key, str], str]:
    """Draw what the context tells, and its text: all, nothing or some of the rules, in one of several layouts.

    Args:
        world: whose rules.
        rng: the source of chance.
        complete: probability that all rules are told.
    """
    rules = list(keyed_rules(world).items())
    nothing = 0.2 * (1 - complete)
    share = float(rng.choice([0.0, 1.0, rng.random()], p=[nothing, complete, 1 - complete - nothing]))
    if rng.random() < 0.5:
        rules = [rules[int(i)] for i in rng.permutation(len(rules))]
    rules = [rule for rule in rules if rng.random() < share]
    if rng.random() < 0.12:
        wording = WORDINGS[int(rng.integers(len(WORDINGS)))]
        rules = [(key, _reword(rule, wording) if key[0] == "word" else rule) for key, rule in rules]
    mark = "- " if rng.random() < 0.9 else str(rng.choice(["* ", ""]))
    head = [SEED_CONTEXT] if rng.random() < 0.9 else []
    text = "\n".join([*head, *(f"{mark}{rule}" for _, rule in rules)])
    return dict(rules), text or SEED_CONTEXT


def _reword(rule: str, wording: str) -> str:
    word, _, meaning = rule.partition('" means ')
    return wording.format(word.lstrip('"'), meaning.removesuffix("."))


def mixed_reading(world: World, known: frozenset[Key]) -> Reading:
    """The true reading of what is known; of the rest what the schema suggests, a label for an unknown word."""
    theme, truth, literal = world.theme, true_reading(world), literal_reading(world)

    def measure(word: str) -> tuple[str, str, str]:
        column, scale, _ = (truth if ("word", word) in known else literal).measure(word)
        true_column, _, guard = truth.measure(word)
        return column, scale, guard if ("guard", word) in known and column == true_column else ""

    def condition(filter: Filter) -> str:
        match filter.kind:
            case "name":
                return truth.condition(filter)
            case "year":
                return (truth if ("year", filter.word) in known else literal).condition(filter)
            case "above":
                column, scale, guard = measure(measure_of(theme, filter.word).word)
                return f"{column}{scale} > {filter.value}" + (f" AND {guard}" if guard else "")
        if ("word", filter.word) in known:
            return truth.condition(filter)
        entity = theme.entity(filter.role)
        return f"{entity.table}.{entity.label} = '{filter.word}'"

    return Reading(condition, measure, truth.filter if ("flag",) in known else "", world.home and ("home",) in known)
