"""The board as tables: CSV for everybody, Parquet for Hugging Face ``datasets``."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lse_gym.agents.files import write_text
from lse_gym.envs.errors import MissingExtraError
from lse_gym.envs.extras import require
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.ranking import Row, rank

COLUMNS = [name for name in Row._fields if name not in ("ci95", "transfer", "details", "summary")]
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would execute


def table(board: Board) -> list[dict[str, Any]]:
    """One flat row an entry, in the order of the ranking."""
    return [dict(_flat(row)) for rows in rank(board).values() for row in rows]


def _flat(row: Row) -> Iterator[tuple[str, Any]]:
    yield from ((name, getattr(row, name)) for name in COLUMNS)
    ranks = row.score is not None
    yield from zip(("low", "high"), row.ci95 if ranks else (None, None), strict=True)
    yield "items", row.details.get("items") if ranks else None
    yield "transfer", json.dumps({model: found["score"] for model, found in row.transfer.items()})


def to_dataset(board: Board) -> Any:
    """The table as a ``datasets.Dataset``.

    Raises:
        MissingExtraError: the package is not installed.
    """
    return require("datasets", "data", "A Hugging Face table").Dataset.from_list(table(board))


def export(board: Board, out: Path) -> list[Path]:
    """Write ``entries.csv``, and ``entries.parquet`` where ``datasets`` is installed; returns what was written."""
    out.mkdir(parents=True, exist_ok=True)
    rows, text = table(board), io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    write_text(out / "entries.csv", text.getvalue())
    written = [out / "entries.csv"]
    try:
        to_dataset(board).to_parquet(str(out / "entries.parquet"))
        written.append(out / "entries.parquet")
    except MissingExtraError:
        pass
    return written


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
