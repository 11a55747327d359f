"""The rows of one dataset of a world: what happened, written down in the house style."""

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from lse_gym.envs.datascience.plan import DAY
from lse_gym.envs.datascience.procedural.theme import Category, Measure
from lse_gym.envs.datascience.procedural.world import World

Table = dict[str, list]  # column -> values, None where one is missing

TRAIN_ROWS, VAL_ROWS = (60, 300), (24, 60)
TRAIN_WEEKS, VAL_WEEKS = (30, 52), (10, 14)
P_MISSING, P_MISSING_VAL, P_EMPTY = 0.12, 0.03, 0.04  # of a column with a sentinel; of one without
P_DROPPED, P_BROKEN = 0.13, 0.1  # of training rows, for each convention about them
CLOSED_DAYS = 3  # of a series whose missing days are marked
NOISE = 0.012  # of targets, as a share of their range
SPREAD = 0.14  # of a feature within a grade, as a share of its range
FIRST_MONDAY = date(2020, 1, 6)


class Rows(NamedTuple):
    """Training rows and rows to predict, each as tables by name, and what is true of the latter.

    ``broken`` are the training rows with values that cannot be, as the first version of a dataset has them.
    """

    train: dict[str, Table]
    val: dict[str, Table]
    broken: dict[str, Table]
    truth: list


class Drawn(NamedTuple):
    """What a target is made from: features as shares of their ranges; its values, as stored, and what is true of them.

    ``signal`` are numbers that give the target away.
    """

    shares: np.ndarray
    values: list
    truth: list
    signal: np.ndarray


def draw_rows(world: World, target: str, joined: bool, rng: np.random.Generator) -> Rows:
    """Rows with a grade or with a number to predict; ``joined`` splits them over two tables."""
    theme = world.theme
    sizes = [int(rng.integers(low, high + 1)) for low, high in (TRAIN_ROWS, VAL_ROWS)]
    count, train, n = sum(sizes), slice(0, sizes[0]), sizes[0]
    measures = [*theme.inputs, *([theme.extra] if joined else [])]
    states = {c.column: _states(c, world.dropped.get(c.column), sizes, rng) for c in (theme.state, theme.origin)}
    junk = np.any([np.array(values) == world.dropped.get(column) for column, values in states.items()], axis=0)
    graded = target == theme.grade.column
    drawn = (_draw_grades if graded else _draw_numbers)(world, target, measures, junk, rng)
    columns: Table = {m.column: _measured(m, share) for m, share in zip(measures, drawn.shares, strict=True)}
    leak = theme.leaks[0 if graded else 1]
    columns[leak] = _leak(leak in world.leaks, drawn.signal, sizes, rng)
    columns |= {group.column: _picked(group, count, rng) for group in theme.groups} | states | {target: drawn.values}
    broken = {column: _broken(columns[column], limits, n, rng) for column, limits in world.ranges.items()}
    for measure in measures:
        blanks = _blanks(measure.column in world.sentinels, sizes, rng)
        for values in (table[measure.column] for table in (columns, broken) if measure.column in table):
            for at in blanks:
                values[at] = world.sentinels.get(measure.column)
    names = [*columns]
    columns = {names[int(i)]: columns[names[int(i)]] for i in rng.permutation(len(names))}
    keys = _keys(world, count, rng) if joined else None
    val = {column: values[n:] for column, values in columns.items() if column != target}
    return Rows(
        _tables(world, _cut(columns, train), keys, 0),
        _tables(world, {"row_id": [*range(1, sizes[1] + 1)]} | val, keys, n),
        _tables(world, _cut(columns | broken, train), keys, 0),
        drawn.truth[n:],
    )


def draw_series(world: World, rng: np.random.Generator) -> Rows:
    """Days to learn from, and the weeks that come next."""
    theme = world.theme
    weeks, ahead = (int(rng.integers(low, high + 1)) for low, high in (TRAIN_WEEKS, VAL_WEEKS))
    start = FIRST_MONDAY + timedelta(weeks=int(rng.integers(100)))
    n, span = 7 * (weeks + ahead), theme.series.high - theme.series.low
    time = np.arange(n) / n
    pull = np.repeat(rng.random(weeks + ahead), 7) * 0.9 + rng.random(n) * 0.1
    pattern = np.tile(rng.permutation(np.linspace(-1, 1, 7)) * 0.16, weeks + ahead)
    level = 0.22 + rng.uniform(0.5, 0.6) * time + 0.012 * pull + pattern + 0.003 * rng.standard_normal(n)
    values: list = [round(float(theme.series.low + span * share)) for share in level]
    driver = _measured(theme.driver, pull)
    days = [(start + timedelta(days=day)).isoformat() for day in range(n)]
    known: Table = {DAY: days[: 7 * weeks], theme.driver.column: driver[: 7 * weeks]}
    known[theme.series.column] = values[: 7 * weeks]
    if theme.series.column in world.sentinels:
        for at in rng.permutation(7 * weeks)[:CLOSED_DAYS]:
            known[theme.series.column][int(at)] = world.sentinels[theme.series.column]
    coming = [slice(7 * week, 7 * week + 7) for week in range(weeks, weeks + ahead)]
    statistic = {"sum": sum, "max": max, "min": min}[world.weekly]
    val: Table = {
        "row_id": [*range(1, ahead + 1)],
        DAY: [days[week.start] for week in coming],
        theme.driver.column: [round(float(np.mean(driver[week])), 2) for week in coming],
    }
    tables = {"": known}
    return Rows(tables, {"": val}, tables, [statistic(values[week]) for week in coming])


def _states(category: Category, dropped: str | None, sizes: list[int], rng: np.random.Generator) -> list[str]:
    usual = [value for value in category.values if value != dropped]
    values = [usual[int(i)] for i in rng.integers(len(usual), size=sum(sizes))]
    if dropped:
        for at in np.flatnonzero(rng.random(sizes[0]) < P_DROPPED):
            values[int(at)] = dropped
    return values


def _draw_grades(
    world: World, target: str, measures: list[Measure], junk: np.ndarray, rng: np.random.Generator
) -> Drawn:
    """Grades; a feature has another center for each, in another order than other features. Junk is of any grade."""
    del target
    grades = world.theme.grade.values
    grade = rng.integers(len(grades), size=len(junk))
    centers = np.array([rng.permutation([0.2, 0.5, 0.8]) for _ in measures])
    shares = np.clip(centers[:, grade] + SPREAD * rng.standard_normal((len(measures), len(junk))), 0, 1)
    shares[:, junk] = rng.random((len(measures), int(junk.sum())))
    grade[junk] = rng.integers(len(grades), size=int(junk.sum()))
    values = [grades[int(i)] for i in grade]
    return Drawn(shares, values, values, grade * 10 + rng.random(len(junk)))


def _draw_numbers(
    world: World, target: str, measures: list[Measure], junk: np.ndarray, rng: np.random.Generator
) -> Drawn:
    """Numbers that are linear in the features, or whose logarithm is. Junk is anything, and more."""
    goal = world.theme.target(target)
    shares = rng.random((len(measures), len(junk)))
    weights = rng.uniform(0.2, 1, len(measures))
    if len(measures) > len(world.theme.inputs):
        weights[-1] = weights[:-1].sum()  # what comes from the other table counts as much as the rest
    weights *= rng.permutation([1] * (len(measures) - 1) + [-1])
    low, high = np.minimum(weights, 0).sum(), np.maximum(weights, 0).sum()
    share = (weights @ shares - low) / (high - low) + NOISE * rng.standard_normal(len(junk))
    share[junk] = 1.5 * rng.random(int(junk.sum())) - 0.2
    share = np.maximum(share, 0)
    ends = np.log1p([goal.low, goal.high]) if target in world.logs else [goal.low, goal.high]
    reported = ends[0] + (ends[1] - ends[0]) * share
    reported = np.expm1(reported) if target in world.logs else reported
    values = _stored(reported, world.units.get(target, 1))
    signal = np.array(values) * 0.2 * (1 + 0.01 * rng.random(len(junk)))
    return Drawn(shares, values, [round(float(value), 2) for value in reported], signal)


def _stored(reported: np.ndarray, factor: int) -> list:
    return [round(float(v) * factor) if factor > 1 else round(float(v), 2) for v in reported]


def _measured(measure: Measure, shares: np.ndarray) -> list:
    return [round(float(measure.low + (measure.high - measure.low) * share), 1) for share in shares]


def _leak(leaks: bool, signal: np.ndarray, sizes: list[int], rng: np.random.Generator) -> list:
    """What is known only afterwards: of rows to predict it is 0. One that is no leak is noise."""
    if not leaks:
        return [round(float(v), 1) for v in rng.random(sum(sizes)) * 50]
    return [round(float(v), 1) for v in signal[: sizes[0]]] + [0.0] * sizes[1]


def _picked(category: Category, n: int, rng: np.random.Generator) -> list[str]:
    return [category.values[int(i)] for i in rng.integers(len(category.values), size=n)]


def _broken(values: list, limits: tuple[int, int], n: int, rng: np.random.Generator) -> list:
    """A column with values that cannot be, in some training rows."""
    (low, high), broken = limits, [*values]
    for at in np.flatnonzero(rng.random(n) < P_BROKEN):
        broken[int(at)] = round(float(high + (high - low) * rng.uniform(1, 3)), 1)
    return broken


def _blanks(marked: bool, sizes: list[int], rng: np.random.Generator) -> list[int]:
    """The rows in which a measure is missing; where nothing marks them, only training rows."""
    p, p_val = (P_MISSING, P_MISSING_VAL) if marked else (P_EMPTY, 0.0)
    return [*map(int, np.flatnonzero(rng.random(sum(sizes)) < np.repeat([p, p_val], sizes)))]


def _cut(table: Table, rows: slice) -> Table:
    return {column: values[rows] for column, values in table.items()}


def _keys(world: World, n: int, rng: np.random.Generator) -> dict[str, list[str]]:
    """The two ids of every row, by column; the second one is worn out: in the other table it is somebody else's."""
    return {
        key: [f"{key[0].upper()}{number}" for number in 1000 + rng.permutation(8999)[:n]] for key in world.theme.keys
    }


def _tables(world: World, rows: Table, keys: dict[str, list[str]] | None, start: int) -> dict[str, Table]:
    """The rows as they are, or without what the second table has of them, which has other rows in another order."""
    theme = world.theme
    if keys is None:
        return {"": rows}
    n = len(rows[theme.inputs[0].column])
    own = {key: values[start : start + n] for key, values in keys.items()}
    wrong = next(key for key in theme.keys if key != world.key)
    other = own | {wrong: own[wrong][1:] + own[wrong][:1], theme.extra.column: rows[theme.extra.column]}
    order = sorted(range(n), key=lambda row: other[world.key][row])
    left = {column: values for column, values in rows.items() if column != theme.extra.column}
    head = {"row_id": left.pop("row_id")} if "row_id" in left else {}
    return {
        theme.things: head | own | left,
        theme.lookup: {column: [values[row] for row in order] for column, values in other.items()},
    }
