"""A world: one draw of the hidden conventions of a theme, and the rows of its database."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import numpy as np

from lse_gym.envs.sql.procedural.theme import Adjective, Code, Dated, Measure, Role, Theme

ROWS = {"place": 6, "person": 60, "thing": 48, "event": 420}
FIRST_NAMES = "Ada Ben Cleo Dan Eva Finn Gina Hugo Iris Jon Kira Liam Mona Nils Olga Paul Rosa Sven Tara Uwe".split()
LAST_NAMES = "Adler Brandt Costa Dubois Eriksen Fischer Garcia Hansen Ivanov Jensen Keller Lopez Meyer Novak".split()
FIRST_DAY, DAYS = date(2018, 1, 1), 6 * 365
ADJECTIVE_RANGE = (1, 400)

# How a date may be stored, and how its year is read. The first is what a reader assumes who knows nothing.
ENCODINGS = {
    "iso": ("%Y-%m-%d", "strftime('%Y', {})"),
    "compact": ("%Y%m%d", "substr({}, 1, 4)"),
    "short": ("%y%m%d", "'20' || substr({}, 1, 2)"),
    "european": ("%d.%m.%Y", "substr({}, 7, 4)"),
    "american": ("%m/%d/%Y", "substr({}, 7, 4)"),
    "epoch": ("%s", "strftime('%Y', {}, 'unixepoch')"),
}
CODE_SYSTEMS = (("A", "B", "C", "D"), ("1", "2", "3", "4"), ("T10", "T20", "T30", "T40"), ("k", "m", "q", "z"))
OPEN_VALUES = (None, "", "0", "-", "open-end")
FLAGS = (("N", "V"), ("0", "1"), ("live", "test"), ("ok", "dup"), ("P", "X"))
P_LITERAL = 0.25  # chance that a convention is what a literal reader assumes


class World(NamedTuple):
    """One draw: every fact about the data that the schema does not tell."""

    theme: Theme
    codes: Mapping[str, Mapping[str, str]]  # column -> adjective -> stored value
    columns: Mapping[str, str]  # measure word -> column
    factors: Mapping[str, int]  # measure word -> stored parts of the unit
    sentinels: Mapping[str, int | None]  # measure word -> stored value for "unknown"; None is NULL
    thresholds: Mapping[str, tuple[str, int]]  # adjective -> operator and threshold as stored
    encodings: Mapping[str, str]  # date column -> key of ENCODINGS
    open_value: str | None  # stored while an event is open
    flag: tuple[str, str]  # stored for rows that count, and for rows that do not
    flagged: bool  # whether the second kind is to be left out
    home: bool  # whether the place of an event is the home place of its person


def draw_world(theme: Theme, rng: np.random.Generator) -> World:
    """Draw the conventions; again until at least 8 of 6 kinds differ from the literal reading."""
    while True:
        world = _draw(theme, rng)
        kinds = hidden_kinds(world)
        if len(kinds) >= 8 and len(set(kinds)) >= 6:
            return world


def hidden_kinds(world: World) -> list[str]:
    """The kind of every convention that a literal reader gets wrong, one entry a convention."""
    theme = world.theme
    return [
        *("value code" for code in theme.codes if any(t != v for t, v in world.codes[code.column].items())),
        *("column choice" for m in theme.measures if world.columns[m.word] != m.columns[0]),
        *("unit" for m in theme.measures if world.factors[m.word] != 1),
        *("missing value" for m in theme.measures if world.sentinels[m.word] is not None),
        *("threshold" for _ in theme.adjectives),
        *("date encoding" for d in theme.dates if world.encodings[d.column] != "iso"),
        "open state",
        *(["default filter"] if world.flagged else []),
        *(["join path"] if world.home else []),
        "synonym",
    ]


def _draw(theme: Theme, rng: np.random.Generator) -> World:
    def literal() -> bool:
        return bool(rng.random() < P_LITERAL)

    def pick(options):
        return options[int(rng.integers(len(options)))]

    factors = {m.word: m.factors[0] if literal() else m.factors[-1] for m in theme.measures}
    return World(
        theme=theme,
        codes={code.column: _draw_code(code, literal(), rng) for code in theme.codes},
        columns={m.word: m.columns[0] if literal() else m.columns[-1] for m in theme.measures},
        factors=factors,
        sentinels={m.word: pick(m.sentinels) if m.sentinels and not literal() else None for m in theme.measures},
        thresholds={a.word: _draw_threshold(theme, a, factors, rng) for a in theme.adjectives},
        encodings={d.column: "iso" if literal() else pick(list(ENCODINGS)[1:]) for d in theme.dates},
        open_value=pick(OPEN_VALUES),
        flag=pick(FLAGS),
        flagged=not literal(),
        home=not literal(),
    )


def _draw_code(code: Code, literal: bool, rng: np.random.Generator) -> dict[str, str]:
    if literal:
        return {term: term for term in code.terms}
    system = CODE_SYSTEMS[int(rng.integers(len(CODE_SYSTEMS)))]
    order = rng.permutation(len(code.terms))
    return {term: system[int(i)] for term, i in zip(code.terms, order, strict=True)}


def _draw_threshold(
    theme: Theme, adjective: Adjective, factors: Mapping[str, int], rng: np.random.Generator
) -> tuple[str, int]:
    measure = next((m for m in theme.measures if adjective.column in m.columns), None)
    low, high, factor = (measure.low, measure.high, factors[measure.word]) if measure else (*ADJECTIVE_RANGE, 1)
    steps = int(rng.integers(9, 15))  # in twentieths of the range
    return ">" if rng.random() < 0.5 else ">=", (low + (high - low) * steps // 20) * factor


def tables(world: World, rng: np.random.Generator) -> dict[str, tuple[list[str], list[tuple]]]:
    """Column definitions and rows of every table, in creation order."""
    theme = world.theme
    result = {}
    for role in ("place", "person", "thing", "event"):
        columns = _columns(world, role, rng)
        entity = theme.entity(role)
        rows = list(zip(*columns.values(), strict=True))
        definitions = [f"{name} {'TEXT' if _is_text(values) else 'INTEGER'}" for name, values in columns.items()]
        definitions[0] += " PRIMARY KEY"
        definitions += [
            f"FOREIGN KEY ({name}) REFERENCES {theme.entity(other).table}({theme.entity(other).noun}_id)"
            for name, other in _foreign_keys(theme, role).items()
        ]
        result[entity.table] = (definitions, rows)
    return result


def _foreign_keys(theme: Theme, role: Role) -> dict[str, Role]:
    if role == "person":
        return {f"base_{theme.place.noun}_id": "place"}
    return {f"{theme.entity(r).noun}_id": r for r in ("person", "thing", "place")} if role == "event" else {}


def _is_text(values: list) -> bool:
    return all(value is None or isinstance(value, str) for value in values)


def _columns(world: World, role: Role, rng: np.random.Generator) -> dict[str, list]:
    theme, n = world.theme, ROWS[role]
    entity = theme.entity(role)
    columns: dict[str, list] = {f"{entity.noun}_id": list(range(1, n + 1)), entity.label: _labels(theme, role, rng)}
    for code in theme.codes:
        if code.role == role:
            stored = list(world.codes[code.column].values())
            columns[code.column] = [stored[int(i)] for i in rng.integers(len(stored), size=n)]
    for name, other in _foreign_keys(theme, role).items():
        columns[name] = [int(i) + 1 for i in rng.integers(ROWS[other], size=n)]
    for measure in theme.measures:
        if measure.role == role:
            columns |= _measure_columns(world, measure, n, rng)
    for adjective in theme.adjectives:
        if adjective.role == role and adjective.column not in columns:
            low, high = ADJECTIVE_RANGE
            columns[adjective.column] = [int(v) for v in rng.integers(low, high + 1, size=n)]
    for dated in theme.dates:
        if dated.role == role:
            columns[dated.column] = _dates(world, dated, n, rng)
    if role == "event":
        done = _dates(world, next(d for d in theme.dates if d.role == "event"), n, rng)
        columns[theme.open_column] = [world.open_value if rng.random() < 0.3 else day for day in done]
        columns[theme.flag_column] = [world.flag[int(rng.random() < 0.15)] for _ in range(n)]
    return columns


def _measure_columns(world: World, measure: Measure, n: int, rng: np.random.Generator) -> dict[str, list]:
    factor = world.factors[measure.word]
    columns = {}
    for column in measure.columns:
        values: list = [int(v) for v in rng.integers(measure.low * factor, measure.high * factor + 1, size=n)]
        if measure.sentinels:
            values = [world.sentinels[measure.word] if rng.random() < 0.2 else value for value in values]
        columns[column] = values
    return columns


def _dates(world: World, dated: Dated, n: int, rng: np.random.Generator) -> list[str]:
    form = ENCODINGS[world.encodings[dated.column]][0]
    days = [FIRST_DAY + timedelta(days=int(d)) for d in rng.integers(DAYS, size=n)]
    if form == "%s":  # not every platform's strftime knows it
        return [str(int(datetime(d.year, d.month, d.day, tzinfo=UTC).timestamp())) for d in days]
    return [day.strftime(form) for day in days]


def _labels(theme: Theme, role: Role, rng: np.random.Generator) -> list[str]:
    n = ROWS[role]
    if role == "place":
        return list(theme.place_names)
    if role == "event":
        return [f"{theme.event.noun[:2].upper()}-{number}" for number in 1000 + rng.permutation(9000)[:n]]
    first, second = (FIRST_NAMES, LAST_NAMES) if role == "person" else theme.thing_words
    pairs = rng.permutation(len(first) * len(second))[:n]
    return [f"{first[int(p) // len(second)]} {second[int(p) % len(second)]}" for p in pairs]
