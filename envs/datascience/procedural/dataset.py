"""A dataset of a world: its rows, and its two questions with the analyses that answer them."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from lse_gym.envs.datascience.plan import DAY, Kind, Plan, Statistic
from lse_gym.envs.datascience.procedural.answer import answer
from lse_gym.envs.datascience.procedural.tables import Rows, Table, draw_rows, draw_series
from lse_gym.envs.datascience.procedural.world import World

Shape = Literal["graded", "grouped", "fitted", "joined", "daily"]
SHAPES: tuple[Shape, ...] = ("graded", "grouped", "fitted", "joined", "daily")
FILLS: tuple[Statistic, ...] = ("mean", "median")
SUFFIX = {"graded": "class", "daily": "ts"}  # of names, as in DARE-bench; of the others "reg"
SAVE = "Save `prediction.csv` with the columns {} and `{}`."


class Asked(NamedTuple):
    """A question: its text, the analysis that answers it, the files as tables, and what a prediction should hold."""

    text: str
    plan: Plan
    files: Mapping[str, Mapping[str, Table]]  # by name of the file, then of the table
    truth: Table


class Dataset(NamedTuple):
    """Two questions about the same rows: the first follows instructions, the second models as well as it can.

    Of a daily series the first is told what else is known of the days to come, and the second is not.
    """

    name: str
    shape: Shape
    questions: tuple[Asked, Asked]
    clean: Mapping[str, Table]  # the training rows of the first question without broken values


def draw_dataset(world: World, name: str, rng: np.random.Generator) -> Dataset | None:
    """Draw a dataset; None where its first answer hangs on the last digits of a float, or is the same in every row."""
    theme = world.theme
    shape = SHAPES[int(rng.integers(len(SHAPES)))]
    if shape == "daily":
        rows = draw_series(world, rng)
        questions = _forecasts(world, rows, rng)
    else:
        target = theme.grade.column if shape == "graded" else theme.targets[int(rng.integers(2))].column
        rows = draw_rows(world, target, shape == "joined", rng)
        first = _first(world, shape, target, rows, rng)
        if first is None:
            return None
        questions = first, _second(world, shape, target, rows)
    one, two = (asked._replace(text=f"Dataset {name}: {asked.text}") for asked in questions)
    return Dataset(f"{name}_{SUFFIX.get(shape, 'reg')}", shape, (one, two), rows.train)


def _house(world: World, plan: Plan, columns: set[str]) -> Plan:
    """The analysis in the house style."""
    target, numeric = plan.target, [column for column in plan.features if column not in world.leaks]
    used = {*numeric, target} if plan.kind != "table" else {target}
    return plan._replace(
        features=(*numeric,),
        key=world.key if plan.tables else "",
        sentinels={column: value for column, value in world.sentinels.items() if column in used},
        dropped={column: value for column, value in world.dropped.items() if column in columns},
        ranges={column: limits for column, limits in world.ranges.items() if column in columns},
        divisor=world.units.get(target, 1),
        log=target in world.logs and plan.kind == "regression",
        weekly=world.weekly if plan.kind == "series" else "",
        step=world.steps.get(target, 0),
        name=world.names.get(target, ""),
        first=target in world.first,
    )


def _first(world: World, shape: Shape, target: str, rows: Rows, rng: np.random.Generator) -> Asked | None:
    theme = world.theme
    train, val = (f"{name}_v1.{'sqlite' if shape == 'joined' else 'csv'}" for name in ("train", "val"))
    asked, saved = rows.val, SAVE.format("row_id", target)
    kind: Kind = {"graded": "classification", "grouped": "table"}.get(shape, "regression")  # ty: ignore
    features = numeric(rows.train, target)
    plan = Plan(kind, train, val, target, features, tables=_names(world, shape), fill=FILLS[int(rng.integers(2))])
    text = (
        f"`{train}` has one row per {theme.thing}. Fit scikit-learn's "
        f"{'GaussianNB' if shape == 'graded' else 'LinearRegression'}, with its default settings, to all other "
        f"columns of numbers to predict `{target}` in `{val}`; fill missing numbers with the {plan.fill} of the "
        "training rows."
    )
    if shape == "joined":
        text = f"Both files have the tables {_tables(world)}; merge them. {text}"
    if shape == "grouped":
        group, term = theme.groups[int(rng.integers(2))], theme.terms[int(rng.integers(2))]
        plan = plan._replace(features=(group.column,), statistic=world.terms[term])
        asked = {"": {"row_id": [*range(1, len(group.values) + 1)], group.column: [*group.values]}}
        text = (
            f"`{train}` has one row per {theme.thing}. For every `{group.column}` in `{val}`, report the {term} "
            f"`{target}` of its {theme.things}."
        )
    plan = _house(world, plan, {column for table in rows.train.values() for column in table})
    predicted = answer(plan, rows.broken, asked)
    if predicted is None or len({*predicted}) == 1:
        return None
    ids = next(table["row_id"] for table in asked.values() if "row_id" in table)
    return Asked(f"{text} {saved}", plan, {train: rows.broken, val: asked}, _truth(plan, ids, predicted))


def _second(world: World, shape: Shape, target: str, rows: Rows) -> Asked:
    train, val = (f"{name}_v2.{'sqlite' if shape == 'joined' else 'csv'}" for name in ("train", "val"))
    kind: Kind = "classification" if shape == "graded" else "regression"
    plan = Plan(kind, train, val, target, numeric(rows.train, target), tables=_names(world, shape))
    plan = _house(world, plan, {column for table in rows.train.values() for column in table})._replace(ranges={})
    text = (
        f"Train a {kind} model of your choice on `{train}`, one row per {world.theme.thing}, and predict `{target}` "
        f"for every row of `{val}`. The score is {'macro-F1' if shape == 'graded' else 'R²'}. "
    )
    if shape == "joined":
        text = f"Both files have the tables {_tables(world)}; merge them. {text}"
    ids = next(table["row_id"] for table in rows.val.values() if "row_id" in table)
    text += SAVE.format("row_id", target)
    return Asked(text, plan, {train: rows.train, val: rows.val}, _truth(plan, ids, rows.truth))


def _forecasts(world: World, rows: Rows, rng: np.random.Generator) -> tuple[Asked, Asked]:
    target, driver = world.theme.series.column, world.theme.driver.column
    text = (
        f"`train.csv` has one row per day. Forecast `{target}` for every row of `{{}}`{{}}, with a model of your "
        f"choice. The score is R². {SAVE.format('{}', target)}"
    )
    plans = [
        _house(world, Plan("series", "train.csv", val, target, features), set())
        for val, features in (("val_v1.csv", (driver,)), ("val_v2.csv", ()))
    ]
    val = rows.val[""]
    order = [int(i) for i in rng.permutation(len(val[DAY]))]
    days: Table = {DAY: [val[DAY][i] for i in order]}
    known = f", which tells `{driver}`, too"
    return (
        Asked(
            text.format("val_v1.csv", known, "row_id"),
            plans[0],
            {"train.csv": rows.train, "val_v1.csv": rows.val},
            _truth(plans[0], val["row_id"], rows.truth),
        ),
        Asked(
            text.format("val_v2.csv", "", DAY),
            plans[1],
            {"train.csv": rows.train, "val_v2.csv": {"": days}},
            _truth(plans[1], days[DAY], [rows.truth[i] for i in order]),
        ),
    )


def numeric(tables: Mapping[str, Table], target: str) -> tuple[str, ...]:
    """The columns of numbers that a model is fitted to, in the order of the files."""
    columns = {column: values for table in tables.values() for column, values in table.items()}
    return tuple(c for c, values in columns.items() if c != target and not any(isinstance(v, str) for v in values))


def _truth(plan: Plan, ids: list, predicted: list) -> Table:
    columns = plan.columns
    return dict(zip(columns, (predicted, ids) if plan.first else (ids, predicted), strict=True))


def _names(world: World, shape: Shape) -> tuple[str, ...]:
    return (world.theme.things, world.theme.lookup) if shape == "joined" else ()


def _tables(world: World) -> str:
    return f"`{world.theme.things}` and `{world.theme.lookup}`"
