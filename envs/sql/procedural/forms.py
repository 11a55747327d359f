"""Questions as logical forms: said in English on one side, compiled to SQL under a reading on the other."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from lse_gym.envs.sql.procedural.theme import Measure, Role, Theme
from lse_gym.envs.sql.procedural.world import ENCODINGS, FIRST_DAY, World

Op = Literal["count", "list", "average", "total", "highest", "top", "group"]
REACHABLE: dict[Role, tuple[Role, ...]] = {
    "event": ("event", "thing", "person", "place"),
    "person": ("person", "place"),
    "thing": ("thing",),
    "place": ("place",),
}


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

    def measure(word: str) -> tuple[str, str, str]:
        spec = measure_of(theme, word)
        column = f"{theme.entity(spec.role).table}.{world.columns[word]}"
        factor, sentinel = world.factors[word], world.sentinels[word]
        return (
            column,
            f" / {factor}.0" if factor != 1 else "",
            f"{column} <> {sentinel}" if sentinel is not None else "",
        )

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


def say(form: Form, theme: Theme, rng: np.random.Generator) -> str:
    """The form in English, in one of several wordings."""
    rows = _noun_phrase(form, theme, form.role, rng, top=True)
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


def _noun_phrase(form: Form, theme: Theme, role: Role, rng: np.random.Generator, top: bool = False) -> str:
    entity = theme.entity(role)
    own = [f for f in form.filters if f.role == role]
    before = [f.word for f in own if f.kind in ("code", "adjective", "open")]
    names = [f.value for f in own if f.kind == "name"]
    if names:
        return f"the {' '.join(before + names)} {entity.noun}"
    words = [*before, entity.other if rng.random() < 0.25 else entity.table]
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
                words.append(f"{link} {_noun_phrase(form, theme, other, rng)}")
    return " ".join(words)


def draw_form(theme: Theme, rng: np.random.Generator) -> Form:
    """Draw a form: one table, one to three filters, an operation that suits them."""
    role: Role = ("event", "person", "thing")[int(rng.choice(3, p=[0.6, 0.2, 0.2]))]
    reachable = REACHABLE[role]
    number = int(rng.choice(4, p=[0.08, 0.5, 0.32, 0.1]))
    filters: dict[tuple[Role, str], Filter] = {}
    for _ in range(number):
        drawn = _draw_filter(theme, reachable[int(rng.integers(len(reachable)))], role, rng)
        filters[drawn.role, drawn.kind] = drawn
    measures = [m.word for m in theme.measures if m.role == role]
    ops: list[Op] = ["count", "count", "list"]
    ops += ["average", "total", "highest", "top"] if measures else []
    ops += ["group"] if len(reachable) > 1 else []
    op = ops[int(rng.integers(len(ops)))]
    measure = measures[int(rng.integers(len(measures)))] if op in ("average", "total", "highest", "top") else ""
    by: Role | None = None
    if op == "group":
        targets = [r for r in reachable[1:] if r in ("person", "place") or role == "event"]
        by = targets[int(rng.integers(len(targets)))]
        filters = {key: f for key, f in filters.items() if f.role != by}
    order = ("open", "code", "adjective", "year", "above", "name")
    kept = sorted(filters.values(), key=lambda f: (reachable.index(f.role), order.index(f.kind)))
    return Form(op, role, tuple(kept), measure, by)


def _draw_filter(theme: Theme, role: Role, main: Role, rng: np.random.Generator) -> Filter:
    options = [Filter(role, "code", term) for code in theme.codes if code.role == role for term in code.terms]
    options += 2 * [Filter(role, "adjective", a.word) for a in theme.adjectives if a.role == role]
    if role == "event":
        options += 3 * [Filter(role, "open", theme.open_word)]
    if role == "place" and main != "place":
        options += [Filter(role, "name", "", name) for name in theme.place_names]
    for d in theme.dates:
        if d.role == role:
            options += 3 * [Filter(role, "year", d.column, str(FIRST_DAY.year + int(rng.integers(6))))]
    for m in theme.measures:
        if m.role == role == main:
            steps = int(rng.integers(4, 14))
            options.append(Filter(role, "above", m.word, str(m.low + (m.high - m.low) * steps // 20)))
    return options[int(rng.integers(len(options)))]
