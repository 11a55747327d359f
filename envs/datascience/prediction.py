"""A prediction file as a table: it comes from foreign code, so its size and shape are bounded before pandas sees it."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from lse_gym.envs.extras import require

if TYPE_CHECKING:
    import pandas as pd

SPARE_BYTES = 1 << 20  # a small file may be as long as this, whatever its truth
SPARE_FACTOR = 4  # a prediction may hold more columns and digits than its truth, and cover more times
MAX_COLUMNS = 1000  # pandas spends time and memory by the column


class BadTable(ValueError):  # noqa: N818 - it says what the table is
    """A prediction that is no table to be read; the message is for the model."""


def max_bytes(truth_bytes: int) -> int:
    """The longest prediction file that is read, in bytes, for a truth of ``truth_bytes``."""
    return SPARE_BYTES + SPARE_FACTOR * truth_bytes


def read_table(text: str) -> "pd.DataFrame":
    """Read CSV as ``pandas.read_csv`` does with its defaults, which are what the benchmark reads with.

    Raises:
        BadTable: it is none, or has too many columns.
    """
    pandas = require("pandas", "ds", "Scoring predictions")
    checked, given = io.StringIO(), io.StringIO(text.removeprefix("\ufeff"), newline="")  # a mark that pandas skips
    try:
        csv.writer(checked, quoting=csv.QUOTE_ALL).writerows(_bounded(csv.reader(given)))
        checked.seek(0)
        return pandas.read_csv(checked)
    except (ValueError, csv.Error, OverflowError) as error:  # pandas' own errors of parsing are ValueErrors
        raise BadTable(f"is no CSV that pandas reads: {str(error)[:200]}") from None


def _bounded(rows: Iterable[list[str]]) -> Iterator[list[str]]:
    """The rows; what pandas reads is written from them, so that both see the same number of columns."""
    for row in rows:
        if len(row) > MAX_COLUMNS:
            raise ValueError(f"a row has {len(row)} columns, at most {MAX_COLUMNS} are read")
        yield row
