"""What an analysis does, as data, and the pandas script that does it: one form for analysts and readers.

The script is short, as it is a message of a task model, and runs in some hundredths of a second.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

Statistic = Literal["mean", "median", "max", "min", "sum"]
Kind = Literal["table", "regression", "classification", "series"]
PREDICTION = "prediction.csv"
DAY = "day"  # the column of dates of a series


class Plan(NamedTuple):
    """An analysis, step by step in the order of the attributes.

    Attributes:
        kind: a table of a statistic by groups, a model, or a forecast of a daily series by weeks.
        train: file to learn from.
        val: file with the rows to predict.
        target: column to predict.
        features: columns that a model sees; of a table, the one that it groups by.
        tables: of an SQLite file, the table of rows and the one that is merged with it; else empty.
        key: column to merge by.
        statistic: of a table.
        fill: what a missing feature is replaced by, computed on the training rows.
        sentinels: column -> number that stands for a missing one.
        dropped: column -> value of training rows that do not count.
        ranges: column -> known range; training rows with a value outside are broken.
        divisor: the target as stored is divided by it.
        log: whether a model is fitted to ``log1p`` of the target.
        weekly: what a week is of its days; "" where days are taken as they are.
        step: predictions are rounded to its nearest multiple; 0 where they are not rounded.
        name: what the column of predictions is called; "" for the target.
        first: whether that column comes first.
    """

    kind: Kind
    train: str
    val: str
    target: str
    features: tuple[str, ...]
    tables: tuple[str, ...] = ()
    key: str = ""
    statistic: Statistic = "mean"
    fill: Statistic = "mean"
    sentinels: Mapping[str, float] = {}
    dropped: Mapping[str, str] = {}
    ranges: Mapping[str, tuple[float, float]] = {}
    divisor: float = 1
    log: bool = False
    weekly: Statistic | Literal[""] = ""
    step: float = 0
    name: str = ""
    first: bool = False

    @property
    def columns(self) -> list[str]:
        """The header of the prediction."""
        columns = [DAY if self.kind == "series" and not self.val_has_ids else "row_id", self.name or self.target]
        return columns[::-1] if self.first else columns

    @property
    def val_has_ids(self) -> bool:
        """Whether the rows to predict have ids; those of a forecast without features have only dates."""
        return self.kind != "series" or bool(self.features)


def script(plan: Plan) -> str:
    """The analysis as Python."""
    return "\n".join([*_imports(plan), *_load(plan), *_clean(plan), *_STEPS[plan.kind](plan), *_save(plan)])


def _imports(plan: Plan) -> Iterator[str]:
    if plan.tables:
        yield "import sqlite3"
    yield "import numpy as np"
    yield "import pandas as pd"
    if plan.kind == "classification":
        yield "from sklearn.naive_bayes import GaussianNB"
    elif plan.kind != "table":
        yield "from sklearn.linear_model import LinearRegression"


def _load(plan: Plan) -> Iterator[str]:
    if not plan.tables:
        yield f'train = pd.read_csv("{plan.train}")'
        yield f'val = pd.read_csv("{plan.val}")'
        return
    rows, other = plan.tables
    yield "def load(path):"
    yield "    db = sqlite3.connect(path)"
    yield f'    rows = pd.read_sql("SELECT * FROM {rows}", db)'
    yield f'    other = pd.read_sql("SELECT * FROM {other}", db)'
    yield "    db.close()"
    yield f'    return rows.merge(other, on="{plan.key}", how="left", suffixes=("", "_2"))'
    yield f'train = load("{plan.train}")'
    yield f'val = load("{plan.val}")'


def _clean(plan: Plan) -> Iterator[str]:
    for column, value in plan.sentinels.items():
        files = ("train", "val") if column in plan.features and plan.val_has_ids else ("train",)
        for file in files:
            yield f'{file}["{column}"] = {file}["{column}"].replace({value:g}, np.nan)'
    if plan.divisor != 1:
        yield f'train["{plan.target}"] = train["{plan.target}"] / {plan.divisor:g}'
    for column, value in plan.dropped.items():
        yield f'train = train[train["{column}"] != "{value}"]'
    for column, (low, high) in plan.ranges.items():
        yield f'train = train[train["{column}"].isna() | train["{column}"].between({low:g}, {high:g})]'


def _model(plan: Plan) -> Iterator[str]:
    yield f"features = {[*plan.features]}"
    yield f"fill = train[features].{plan.fill}()"
    y = f'train["{plan.target}"]'
    model = "GaussianNB" if plan.kind == "classification" else "LinearRegression"
    yield f"model = {model}().fit(train[features].fillna(fill), {f'np.log1p({y})' if plan.log else y})"
    predicted = "model.predict(val[features].fillna(fill))"
    yield f"answer = {f'np.expm1({predicted})' if plan.log else predicted}"


def _table(plan: Plan) -> Iterator[str]:
    (group,) = plan.features
    yield f'answer = val["{group}"].map(train.groupby("{group}")["{plan.target}"].{plan.statistic}())'


def _series(plan: Plan) -> Iterator[str]:
    day, target = DAY, plan.target
    features = ["time", *plan.features]
    yield "for data in (train, val):"
    yield f'    data["{day}"] = pd.to_datetime(data["{day}"])'
    yield f'train["{target}"] = train["{target}"].interpolate().bfill()'
    if plan.weekly:
        yield f'train["{day}"] -= pd.to_timedelta(train["{day}"].dt.day_of_week, unit="D")'
        parts = ", ".join([f'"{target}": "{plan.weekly}"', *(f'"{one}": "mean"' for one in plan.features)])
        yield f'weeks = train.groupby("{day}")'
        yield f"train = weeks.agg({{{parts}}}).reset_index()"
    yield "for data in (train, val):"
    yield f'    data["time"] = (data["{day}"] - pd.Timestamp("2020-01-06")).dt.days'
    yield f'model = LinearRegression().fit(train[{features}], train["{target}"])'
    yield f"answer = model.predict(val[{features}])"


def _save(plan: Plan) -> Iterator[str]:
    if plan.step:
        yield f"answer = (answer / {plan.step:g}).round() * {plan.step:g}"
    key, name = (column for column in (plan.columns[::-1] if plan.first else plan.columns))
    result = {key: f'"{key}": val["{key}"]', name: f'"{name}": answer'}
    yield f"result = pd.DataFrame({{{', '.join(result[column] for column in plan.columns)}}})"
    yield f'result.to_csv("{PREDICTION}", index=False)'


_STEPS = {"table": _table, "regression": _model, "classification": _model, "series": _series}
