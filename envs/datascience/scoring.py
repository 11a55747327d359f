"""The benchmark's scores: predictions merged with the truth, one metric per family, the mean over targets.

Rules of github Snowflake-Labs/dare-bench, commit 0144714, ``scripts/evaluation.py``: an inner merge on ``row_id`` (of
canonical forecasts on every column that is no target); a missing id column, or another number of rows than the truth
has, scores 0; a missing target scores 0 for that target. Where the benchmark's script would stop with an exception, or
say "not a number" (R² of a single row), the score is 0.

Counting rows alone, the benchmark accepts a row given twice in the place of one left out: a file that repeats the one
row that it is sure of scores 1. ``strict`` grading wants every row that is asked for.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lse_gym.envs.datascience.prediction import BadTable, max_bytes, read_table
from lse_gym.envs.datascience.task import ALIGNED_BY_ALL, FOLLOWING, PREDICTION, Task
from lse_gym.envs.extras import needs

if TYPE_CHECKING:
    import pandas as pd

ROW_ID = "row_id"
SIDES = ("_gt", "_pred")  # what the benchmark's merge adds to the names of columns
COUNT = "rows\0"  # no id column of a truth is called so
TRUTHS = 512  # tables kept in memory


class Grade(NamedTuple):
    """A score in [0, 1], the score of each target, what is wrong, and for a reference run where it differs first.

    ``problem`` may be told without giving an answer away; ``difference`` holds a value of the truth.
    """

    score: float
    targets: Mapping[str, float] = {}
    problem: str = ""
    difference: str = ""


class Truth(NamedTuple):
    """What predictions of a family are compared with: the table, the columns that tell rows apart, and the targets.

    ``distinct`` is how many rows those columns tell apart.
    """

    family: str
    table: "pd.DataFrame"
    ids: tuple[str, ...]
    distinct: int
    targets: tuple[str, ...]
    max_bytes: int


def make_truth(family: str, text: str, targets: Sequence[str]) -> Truth:
    """The truth in a CSV of our own."""
    table = read_table(text)
    others = tuple(column for column in table.columns if column not in targets)
    ids = (ROW_ID,) if ROW_ID in others and family not in ALIGNED_BY_ALL else others
    return Truth(family, table, ids, _distinct(table, ids), tuple(targets), max_bytes(len(text.encode())))


def truth_of(task: Task) -> Truth:
    """The truth of a task that has one; kept in memory while its file stays as it is."""
    assert task.truth is not None
    status = task.truth.stat()
    return _truth(task.family, task.truth, task.targets, status.st_mtime_ns, status.st_size)


@lru_cache(TRUTHS)
def _truth(family: str, path: Path, targets: tuple[str, ...], *version: int) -> Truth:
    del version
    return make_truth(family, path.read_text(encoding="utf-8"), targets)


def grade(text: str | None, truth: Truth, strict: bool = False) -> Grade:
    """Score the text of a prediction file; None where there is no file. Never raises on hostile text.

    Args:
        text: the file.
        truth: what it is compared with.
        strict: whether rows given twice may not stand for others that are missing.
    """
    if text is None:
        return Grade(0.0, problem=f"there is no {PREDICTION}")
    if len(text) > truth.max_bytes or len(text.encode("utf-8", "surrogatepass")) > truth.max_bytes:
        return Grade(0.0, problem=f"{PREDICTION} is longer than {truth.max_bytes:,} bytes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of labels that were never predicted, and of what pandas makes of odd columns
        try:
            return _grade(read_table(text), truth, strict)
        except BadTable as error:
            return Grade(0.0, problem=f"{PREDICTION} {error}")


def _grade(table: "pd.DataFrame", truth: Truth, strict: bool) -> Grade:
    lacking = [column for column in truth.ids if column not in table.columns]
    if lacking or not truth.ids:
        return Grade(0.0, problem=f"{PREDICTION} has no column {', '.join(map(repr, lacking)) or ROW_ID}")
    found = [target for target in truth.targets if target in table.columns]
    scores = dict.fromkeys(truth.targets, 0.0)
    problems = [f"{PREDICTION} has no column {target!r}" for target in truth.targets if target not in found]
    try:
        count, merged = _merged(table[[*truth.ids, *found]], truth)
        if merged is None:
            told = (
                f"{count:,} rows match of {len(truth.table):,} that are asked for; {PREDICTION} has {len(table):,} rows"
            )
            return Grade(0.0, scores, told)
        if strict and (missing := truth.distinct - _distinct(merged, truth.ids)):
            return Grade(0.0, scores, f"{missing:,} rows are missing, and others are there twice")
    except Exception as error:  # columns that cannot be compared: pandas raises many kinds
        return Grade(0.0, scores, f"{', '.join(truth.ids)} cannot be matched: {str(error)[:200]}")
    differences = []
    for target in found:
        predicted, right = (merged[target + side].tolist() for side in reversed(SIDES))
        scores[target], problem = measure(truth.family, predicted, right)
        if problem:
            problems.append(f"{target}: {problem}")
        elif truth.family in FOLLOWING and scores[target] < 1:
            rows = _differing(truth.family, predicted, right)
            at = ", ".join(f"{column} {merged[column].iloc[rows[0]]}" for column in truth.ids)
            problems.append(f"{target} differs from the reference in {len(rows)} of {len(right)} rows, first at {at}")
            differences.append(f"{at}: {target} is {predicted[rows[0]]!r}, the reference has {right[rows[0]]!r}")
    score = sum(scores.values()) / len(scores)
    return Grade(score, scores, "; ".join(problems), "; ".join(differences))


def _merged(table: "pd.DataFrame", truth: Truth) -> tuple[int, "pd.DataFrame | None"]:
    """How many rows the merge with the truth has, and the merge, where these are as many as the truth has.

    Ids that repeat on both sides could make it of any size, so its rows are counted before there.
    """
    ids = [*truth.ids]
    if truth.distinct < len(truth.table):
        asked, given = (one[ids].value_counts(dropna=False).reset_index(name=COUNT) for one in (truth.table, table))
        pairs = asked.merge(given, on=ids, how="inner", suffixes=SIDES)
        count = sum(a * b for a, b in zip(*(pairs[COUNT + side].tolist() for side in SIDES), strict=True))
        if count != len(truth.table):
            return count, None
    merged = truth.table.merge(table, on=ids, how="inner", suffixes=SIDES)
    return len(merged), merged if len(merged) == len(truth.table) else None


def _distinct(table: "pd.DataFrame", ids: Sequence[str]) -> int:
    return int((~table.duplicated([*ids])).sum()) if ids else 0


def measure(family: str, predicted: list, right: list) -> tuple[float, str]:
    """The metric of a family for one column, in [0, 1], and why it cannot be computed."""
    try:
        score = float(METRICS[family](right, predicted))
    except Exception as error:  # values that a metric does not take: scikit-learn raises many kinds
        return 0.0, str(error).partition("\n")[0][:200]
    return (score, "") if 0 <= score <= 1 else (0.0, "the metric of these rows is not a number")


def _differing(family: str, predicted: list, right: list) -> list[int]:
    """The rows in which a prediction that can be measured differs from the reference."""
    if family == "class_if":
        return [i for i, (a, b) in enumerate(zip(predicted, right, strict=True)) if a is not b and a != b]
    import numpy as np

    return np.flatnonzero(~np.isclose(np.array(right), np.array(predicted))).tolist()


def _exact(right: list, predicted: list) -> bool:
    return right == predicted


def _close(right: list, predicted: list) -> Any:
    import numpy as np

    return np.allclose(np.array(right), np.array(predicted))


def _macro_f1(right: list, predicted: list) -> float:
    with needs("ds", "Scoring predictions"):
        from sklearn.metrics import f1_score

    return f1_score(right, predicted, average="macro")


def _clipped_r2(right: list, predicted: list) -> float:
    with needs("ds", "Scoring predictions"):
        from sklearn.metrics import r2_score

    return min(max(r2_score(right, predicted), 0.0), 1.0)


METRICS: Mapping[str, Callable[[list, list], Any]] = {
    "class_if": _exact,
    "class_mm": _macro_f1,
    "reg_if": _close,
    "reg_mm": _clipped_r2,
    "ts_xf": _clipped_r2,
    "ts_cf": _clipped_r2,
}
