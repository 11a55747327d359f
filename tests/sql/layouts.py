"""Tiny BIRD and Spider directories, in the layouts of the downloaded archives, and what loading them gives."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from lse_gym.envs.errors import DataError
from lse_gym.envs.sql.bird import load_directory

# Real data beside the repository; tests that use it skip where it is absent.
GEOQUERY = Path(__file__).parents[2] / ".." / "shared" / "data" / "bird_layout_geoquery"

SCHEMA = """
CREATE TABLE "city"   (
\t"name"  TEXT PRIMARY KEY,

    `County  Name` TEXT DEFAULT 'a  b', -- as  spelled
    population INTEGER
);
CREATE VIEW big AS SELECT name FROM city WHERE population > 100000;
CREATE TABLE area (id INTEGER PRIMARY KEY AUTOINCREMENT, km2 REAL);
INSERT INTO city VALUES ('Ulm', 'Ulm', 126000), ('Lindau', 'Lindau', 25000);
"""


def write_database(path: Path, schema: str = SCHEMA) -> Path:
    """Write a SQLite file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(schema)
    return path


def bird_records(databases: Iterable[str], each: int = 4, first_id: int | None = 0) -> list[dict[str, object]]:
    """Records with BIRD's keys, ``each`` of them a database; without ids, as in train.json, if ``first_id`` is None."""
    records: list[dict[str, object]] = []
    for database in databases:
        for number in range(each):
            record: dict[str, object] = {
                "db_id": database,
                "question": f"Which cities of {database} have more than {number} people?",
                "evidence": "people refers to population" if number % 2 else "",
                "SQL": f"SELECT name FROM city WHERE population > {number}",
            }
            if first_id is not None:
                record |= {"question_id": first_id + len(records), "difficulty": "simple"}
            records.append(record)
    return records


def spider_records(databases: Iterable[str], each: int = 4) -> list[dict[str, object]]:
    """Records with Spider's keys, its parsed query included."""
    return [
        {"db_id": r["db_id"], "question": r["question"], "query": r["SQL"], "query_toks": [], "sql": {"from": []}}
        for r in bird_records(databases, each)
    ]


def write_questions(path: Path, records: object) -> Path:
    """Write a question file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
    return path


def write_layout(folder: Path, files: Mapping[str, object], databases: Mapping[str, Sequence[str]]) -> Path:
    """Write question files by name and, by folder, the databases in it; returns ``folder``."""
    for name, records in files.items():
        write_questions(folder / name, records)
    for inside, names in databases.items():
        for name in names:
            write_database(folder / inside / name / f"{name}.sqlite")
    return folder


def write_bird(folder: Path, databases: Sequence[str] = ("alps", "coast"), each: int = 4) -> Path:
    """Write dev.json and dev_databases/, as in BIRD's dev.zip."""
    return write_layout(folder, {"dev.json": bird_records(databases, each)}, {"dev_databases": databases})


def write_mini_dev(folder: Path, databases: Sequence[str] = ("alps",)) -> Path:
    """Write minidev/MINIDEV/ with ids that are not indices, as in BIRD's minidev.zip; returns the outermost folder."""
    records = bird_records(databases, first_id=1471)
    files = {"mini_dev_sqlite.json": records, "mini_dev_mysql.json": [], "dev_tables.json": []}
    write_layout(folder / "minidev" / "MINIDEV", files, {"dev_databases": databases})
    return folder


def write_spider(folder: Path) -> Path:
    """Write dev.json, train_spider.json and database/, as in Spider's archive."""
    files = {"dev.json": spider_records(["pets"]), "train_spider.json": spider_records(["farm"]), "tables.json": []}
    return write_layout(folder, files, {"database": ["pets", "farm"]})


def ids(data_dir, **arguments):
    return [
        question.id for database in load_directory(data_dir, **arguments).values() for question in database.questions
    ]


def problems(data_dir, **arguments):
    with pytest.raises(DataError) as caught:
        load_directory(data_dir, **arguments)
    return str(caught.value)


def content_hash(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(str(path).encode() + path.read_bytes() for path in files)).hexdigest()


def sqlite_runs(script):
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(script)
