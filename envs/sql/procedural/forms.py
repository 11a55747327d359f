"""Questions as logical forms: said in English on one side, compiled to SQL under a reading on the other."""

from collections.abc import Callable
from functools import cache
from typing import Literal, NamedTuple

import numpy as np

from lse_gym.envs.sql.procedural.theme import Measure, Role, Theme
from lse_gym.envs.sql.procedural.world import ENCODINGS, World

SYNONYMS = 0.25  # how often a table is called by its other name
Op = Literal["count", "list", "average", "total", "highest", "top", "group"]


class Filter(NamedTuple):
    """A condition on the rows of one table: a word of the theme, and a value for years, amounts and names."""

    role: Role
    kind: Literal["code", "adjective", "open", "year", "above", "name"]
    word: str
    value: str = ""


class Form(NamedTuple):
    """What is asked: an operation over the rows of one table that pass the filters."""

    op: Op
    role: Role
    filters: tuple[Filter, ...]
    measure: str = ""
    by: Role | None = None


class Reading(NamedTuple):
    """What the words mean, as SQL: the hidden truth, or what somebody takes it for."""

    condition: Callable[[Filter], str]
    measure: Callable[[str], tuple[str, str, str]]  # word -> column, scaling behind an aggregate, guard
    filter: str  # on every query over events
    home: bool


def true_reading(world: World) -> Reading:
    """The reading that the data was made with."""
    theme = world.theme

    @cache
    def measure(word: str) -> tuple[str, str, str]:
        spec = measure_of(theme, word)
        column = f"{theme.entity(spec.role).table}.{world.columns[word]}"
        factor, sentinel = world.factors[word], world.sentinels[word]
        return (
            column,
            f" / {factor}.0" if factor != 1 else "",
            f"{column} <> {sentinel}" if sentinel is not None else "",
        )

    @cache
    def condition(filter: Filter) -> str:
        table = theme.entity(filter.role).table
        match filter.kind:
            case "code":
                code = next(code for code in theme.codes if filter.word in code.terms)
                return f"{table}.{code.column} = '{world.codes[code.column][filter.word]}'"
            case "adjective":
                adjective = next(a for a in theme.adjectives if a.word == filter.word)
                operator, threshold = world.thresholds[filter.word]
                return f"{table}.{adjective.column} {operator} {threshold}"
            case "open":
                column = f"{table}.{theme.open_column}"
                return f"{column} IS NULL" if world.open_value is None else f"{column} = '{world.open_value}'"
            case "year":
                return (
                    f"{ENCODINGS[world.encodings[filter.word]][1].format(f'{table}.{filter.word}')} = '{filter.value}'"
                )
            case "above":
                column, scale, guard = measure(filter.word)
                return f"{column}{scale} > {filter.value}" + (f" AND {guard}" if guard else "")
            case "name":
                return f"{table}.{theme.entity(filter.role).label} = '{filter.value}'"

    flag = f"{theme.event.table}.{theme.flag_column} <> '{world.flag[1]}'" if world.flagged else ""
    return Reading(condition, measure, flag, world.home)


def literal_reading(world: World) -> Reading:
    """What somebody assumes who has seen the schema alone; "" for a word that no column names."""
    theme = world.theme
    plain = true_reading(
        world._replace(
            codes={code.column: {term: term for term in code.terms} for code in theme.codes},
            columns={m.word: m.columns[0] for m in theme.measures},
            factors={m.word: 1 for m in theme.measures},
            sentinels={m.word: None for m in theme.measures},
            encodings={d.column: "iso" for d in theme.dates},
            flagged=False,
            home=False,
        )
    )
    guess = {"adjective": "0", "open": "0"}
    return plain._replace(condition=lambda f: guess.get(f.kind) or plain.condition(f))


def measure_of(theme: Theme, word: str) -> Measure:
    """The measure that ``word`` names."""
    return next(m for m in theme.measures if m.word == word)


def compile_form(form: Form, theme: Theme, reading: Reading) -> str:
    """The SQL of a form under a reading."""
    main = theme.entity(form.role)
    roles = {f.role for f in form.filters} | ({form.by} if form.by else set())
    joins, where = [], [reading.condition(f) for f in form.filters]
    through_home = form.role == "person" or reading.home
    if form.role == "event" and ("person" in roles or ("place" in roles and reading.home)):
        joins.append(_join(theme, form.role, "person"))
    if form.role == "event" and "thing" in roles:
        joins.append(_join(theme, form.role, "thing"))
    if form.role != "place" and "place" in roles:
        joins.append(_join(theme, "person" if through_home else form.role, "place"))
    order = group = ""
    if form.op == "count":
        select = "COUNT(*)"
    elif form.op == "list":
        select = f"{main.table}.{main.label}"
    elif form.op == "group":
        assert form.by
        group = f"{theme.entity(form.by).table}.{theme.entity(form.by).label}"
        select, group = f"{group}, COUNT(*)", f" GROUP BY {group}"
    else:
        column, scale, guard = reading.measure(form.measure)
        if guard and guard not in " AND ".join(where):
            where.append(guard)
        functions = {"average": "AVG", "total": "SUM", "highest": "MAX"}
        select = f"{main.table}.{main.label}" if form.op == "top" else f"{functions[form.op]}({column}){scale}"
        order = f" ORDER BY {column} DESC LIMIT 1" if form.op == "top" else ""
    if form.role == "event" and reading.filter:
        where.append(reading.filter)
    conditions = f" WHERE {' AND '.join(where)}" if where else ""
    return f"SELECT {select} FROM {main.table}{''.join(joins)}{conditions}{group}{order}"


def _join(theme: Theme, source: Role, target: Role) -> str:
    a, b = theme.entity(source).table, theme.entity(target)
    key = f"{b.noun}_id"
    return f" JOIN {b.table} ON {a}.{'base_' if source == 'person' else ''}{key} = {b.table}.{key}"


def say(form: Form, theme: Theme, rng: np.random.Generator, plain: bool = False) -> str:
    """The form in English, in one of several wordings; ``plain`` calls every table by its name."""
    rows = _noun_phrase(form, theme, form.role, rng, 0.0 if plain else SYNONYMS, top=True)
    entity = theme.entity(form.role)
    measure = ""
    if form.measure:
        unit = measure_of(theme, form.measure).unit
        measure = f"{form.measure} in {unit}" if unit and form.op != "top" else form.measure
    by = theme.entity(form.by).noun if form.by else ""
    wordings = {
        "count": (f"How many {rows} are there?", f"Count the {rows}.", f"What is the number of {rows}?"),
        "list": (f"List the {entity.labels} of all {rows}.", f"What are the {entity.labels} of the {rows}?"),
        "average": (f"What is the average {measure} of {rows}?", f"Give the mean {measure} for {rows}."),
        "total": (f"What is the total {measure} of {rows}?", f"Add up the {measure} of all {rows}."),
        "highest": (f"What is the highest {measure} among {rows}?", f"Give the maximum {measure} of the {rows}."),
        "top": (f"Which of the {rows} has the highest {measure}?",),
        "group": (f"For each {by}, how many {rows} are there?", f"Count the {rows} per {by}."),
    }[form.op]
    return wordings[int(rng.integers(len(wordings)))]


def _noun_phrase(
    form: Form, theme: Theme, role: Role, rng: np.random.Generator, synonyms: float, top: bool = False
) -> str:
    entity = theme.entity(role)
    own = [f for f in form.filters if f.role == role]
    before = [f.word for f in own if f.kind in ("code", "adjective", "open")]
    names = [f.value for f in own if f.kind == "name"]
    if names:
        return f"the {' '.join(before + names)} {entity.noun}"
    words = [*before, entity.other if rng.random() < synonyms else entity.table]
    for f in own:
        if f.kind == "year":
            words.append(f"{next(d.verb for d in theme.dates if d.column == f.word)} in {f.value}")
        if f.kind == "above":
            unit = measure_of(theme, f.word).unit
            words.append(f"with a {f.word} above {f.value}{' ' + unit if unit else ''}")
    if top:
        links = {"thing": theme.thing_word, "person": theme.person_word, "place": theme.place_word}
        for other in ("thing", "person", "place"):
            if other != role and any(f.role == other for f in form.filters):
                link = "from" if role == "person" else links[other]
                words.append(f"{link} {_noun_phrase(form, theme, other, rng, synonyms)}")
    return " ".join(words)
