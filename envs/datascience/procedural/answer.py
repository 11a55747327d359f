"""What an analysis gives, computed with numpy alone: so a gold is the same whatever pandas and scikit-learn are there.

The tests compare it with what the script of the same plan writes.
"""

from collections.abc import Mapping

import numpy as np

from lse_gym.envs.datascience.plan import Plan
from lse_gym.envs.datascience.procedural.tables import Table

STATISTICS = {"mean": np.mean, "median": np.median, "max": np.max, "min": np.min, "sum": np.sum}
SMOOTHING = 1e-9  # of variances, as a share of the largest: the default of scikit-learn's GaussianNB
MARGIN = 1e-6  # a result nearer to being another one is not clear


def answer(plan: Plan, train: Mapping[str, Table], val: Mapping[str, Table]) -> list | None:
    """The column of predictions; None where it hangs on the last digits of a float.

    Args:
        plan: no series.
        train: tables by name, "" where there is one.
        val: the same.
    """
    known, asked = _columns(plan, train), _columns(plan, val)
    kept = np.ones(len(known[plan.target]), bool)
    for column, value in plan.dropped.items():
        kept &= known[column] != value
    for column, (low, high) in plan.ranges.items():
        values = known[column]
        kept &= np.isnan(values) | ((values >= low) & (values <= high))
    known = {column: values[kept] for column, values in known.items()}
    if plan.kind == "classification":
        return _classified(plan, known, asked)
    y = known[plan.target].astype(float) / plan.divisor
    predicted = _grouped(plan, y, known, asked) if plan.kind == "table" else _fitted(plan, y, known, asked)
    return _rounded(predicted, plan.step)


def _columns(plan: Plan, tables: Mapping[str, Table]) -> dict[str, np.ndarray]:
    """The rows as arrays, merged, with NaN for what is missing."""
    rows = dict(tables[plan.tables[0] if plan.tables else ""])
    if plan.tables:
        other = tables[plan.tables[1]]
        at = {key: index for index, key in enumerate(other[plan.key])}
        order = [at[key] for key in rows[plan.key]]
        rows |= {column: [values[i] for i in order] for column, values in other.items() if column not in rows}
    columns = {column: _array(values) for column, values in rows.items()}
    for column, value in plan.sentinels.items():
        if column in columns:
            columns[column] = np.where(columns[column] == value, np.nan, columns[column])
    return columns


def _array(values: list) -> np.ndarray:
    if any(isinstance(value, str) for value in values):
        return np.array(values, object)
    return np.array([np.nan if value is None else value for value in values], float)


def _filled(plan: Plan, known: Mapping[str, np.ndarray], asked: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    sides = []
    for side in (known, asked):
        columns = []
        for feature in plan.features:
            present = known[feature][~np.isnan(known[feature])]
            columns.append(np.where(np.isnan(side[feature]), STATISTICS[plan.fill](present), side[feature]))
        sides.append(np.array(columns).T)
    return sides


def _fitted(plan: Plan, y: np.ndarray, known: Mapping[str, np.ndarray], asked: Mapping[str, np.ndarray]) -> np.ndarray:
    """Least squares with an intercept."""
    x, at = _filled(plan, known, asked)
    center = x.mean(axis=0)
    y = np.log1p(y) if plan.log else y
    weights = np.linalg.lstsq(x - center, y - y.mean(), rcond=None)[0]
    predicted = (at - center) @ weights + y.mean()
    return np.expm1(predicted) if plan.log else predicted


def _grouped(plan: Plan, y: np.ndarray, known: Mapping[str, np.ndarray], asked: Mapping[str, np.ndarray]) -> np.ndarray:
    (group,) = plan.features
    values = {value: STATISTICS[plan.statistic](y[known[group] == value]) for value in {*asked[group]}}
    return np.array([values[value] for value in asked[group]])


def _classified(plan: Plan, known: Mapping[str, np.ndarray], asked: Mapping[str, np.ndarray]) -> list | None:
    """Gaussian naive Bayes, with the shares of the classes as prior."""
    (x, at), y = _filled(plan, known, asked), known[plan.target]
    classes = sorted({*y})
    smoothing = SMOOTHING * x.var(axis=0).max()
    scores = []
    for one in classes:
        own = x[y == one]
        mean, variance = own.mean(axis=0), own.var(axis=0) + smoothing
        density = -0.5 * (np.log(2 * np.pi * variance) + (at - mean) ** 2 / variance).sum(axis=1)
        scores.append(np.log(len(own) / len(y)) + density)
    ranked = np.sort(np.array(scores), axis=0)
    if (ranked[-1] - ranked[-2] < MARGIN * np.maximum(1, abs(ranked[-1]))).any():
        return None
    return [classes[int(i)] for i in np.argmax(scores, axis=0)]


def _rounded(predicted: np.ndarray, step: float) -> list | None:
    if not step:
        return [float(value) for value in predicted]
    shares = predicted / step
    if (abs(shares - np.floor(shares) - 0.5) < MARGIN).any():
        return None
    return [float(value) for value in np.round(shares) * step]
