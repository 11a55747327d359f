"""A dataset as files, in the layout of DARE-bench.

Layout: github Snowflake-Labs/dare-bench, commit 0144714: ``question_list.json`` beside
``databases/<name>/{source,verify}``.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from lse_gym.envs.cache import write_whole
from lse_gym.envs.datascience.procedural.dataset import Asked, Dataset
from lse_gym.envs.datascience.procedural.tables import Table
from lse_gym.envs.datascience.procedural.world import World

HEAD = 4  # rows of a table that a question shows
TASKS = {"graded": "classification", "daily": "time_series_analysis"}  # of the others "regression"


def csv_text(table: Table) -> str:
    """A table as CSV; no value of ours needs quotes."""
    rows = zip(*map(_cells, table.values()), strict=True)
    return "\n".join([",".join(table), *map(",".join, rows)]) + "\n"


def _cells(values: Iterable[object]) -> list[str]:
    """Values as CSV has them: what is missing is empty, and a number has all its digits."""
    return [
        repr(value).removesuffix(".0") if isinstance(value, float) else "" if value is None else str(value)
        for value in values
    ]


def file_bytes(tables: Mapping[str, Table]) -> bytes:
    """The content of a file: CSV of its one table, or an SQLite database of several."""
    if "" in tables:
        return csv_text(tables[""]).encode()
    with closing(sqlite3.connect(":memory:")) as connection:
        for name, table in tables.items():
            connection.execute(f"CREATE TABLE {name} ({', '.join(table)})")
            rows = zip(*table.values(), strict=True)
            connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(table))})", rows)
        connection.commit()
        return connection.serialize()


def source(world: World, asked: Asked) -> dict[str, bytes]:
    """The files of a question, by name."""
    files = {name: file_bytes(tables) for name, tables in asked.files.items()}
    return files | {"metadata.txt": metadata(world, asked).encode()}


def metadata(world: World, asked: Asked) -> str:
    """What is told of the columns: next to nothing, as the house style is known to the house."""
    theme = world.theme
    columns = dict.fromkeys(c for tables in asked.files.values() for table in tables.values() for c in table)
    lines = [f"{column}: [no description]" for column in columns if column != "row_id"]
    return "\n".join([f"The {theme.things} of a {theme.name}.", "", "=== Columns & descriptions ===", "", *lines, ""])


def heads(asked: Asked) -> str:
    """The first rows of every table, as a question shows them."""
    shown = []
    for file, tables in asked.files.items():
        for name, table in tables.items():
            size = len(next(iter(table.values())))
            first = {column: values[:HEAD] for column, values in table.items()}
            shown.append(f"{file}{f', table {name}' if name else ''}, {size} rows:\n{csv_text(first)}")
    return "\n" + "\n".join(shown).rstrip()


def write_layout(folder: Path, world: World, datasets: Iterable[Dataset]) -> None:
    """Write datasets to ``folder`` as DARE-bench has them, with the outputs of the reference runs."""
    listed = []
    for dataset in datasets:
        root = folder / "databases" / dataset.name
        daily, (first, second) = dataset.shape == "daily", dataset.questions
        for name, content in (source(world, first) | source(world, second)).items():
            write_whole(root / "source" / name, content)
        if not daily:
            train = Path(first.plan.train)
            write_whole(root / "source" / f"{train.stem}_no_err{train.suffix}", file_bytes(dataset.clean))
        truths = {"ground_truth_v1.csv": first, "ground_truth_v2.csv": second}
        truths = truths if daily else {"simulated_pred_local.csv": first, "ground_truth.csv": second}
        for name, asked in truths.items():
            write_whole(root / "verify" / name, csv_text(asked.truth).encode())
        write_whole(root / "verify" / "all_metadata.json", json.dumps(_about(dataset), indent=1).encode())
        listed.append(_record(dataset))
    write_whole(folder / "question_list.json", json.dumps(listed, indent=1, ensure_ascii=False).encode())


def _task(dataset: Dataset) -> str:
    return TASKS.get(dataset.shape, "regression")


def _needed(asked: Asked) -> list[str]:
    return [*asked.files, "metadata.txt"]


def _record(dataset: Dataset) -> dict[str, Any]:
    first, second = dataset.questions
    return {
        "file_path": dataset.name,
        "question_v1": first.text,
        "question_v2": second.text,
        "available_tools": ["python_executor"],
        "task": _task(dataset),
        "needed_files_v1": _needed(first),
        "needed_files_v2": _needed(second),
        "contain_multiple_files": False,
    }


def _about(dataset: Dataset) -> dict[str, Any]:
    plan = dataset.questions[0].plan
    about = {
        "target": [plan.name or plan.target],
        "problem_type": _task(dataset),
        "selected_features": [*plan.features],
        "expected_ranges": {column: [*limits] for column, limits in plan.ranges.items()},
        "imputer_type": plan.fill,
        "needed_files_v1": _needed(dataset.questions[0]),
        "needed_files_v2": _needed(dataset.questions[1]),
    }
    return {"question": about, "data_info": {"licenseName": "Apache 2.0"}}
