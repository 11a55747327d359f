"""Throughput of scoring SQL: the safe executor against one plain sqlite3 connection in the same process.

    python tests/benchmarks/bench_scoring.py [--data-dir DIR] [--repeats 25]

Both sides execute every gold statement of the data set and compare the rows, as sets, with rows computed beforehand. A
trailing comment makes each text new, so that no cache of statements or scores helps either side; then the same texts
are scored again and again, ours through the domain and its cache of scores. The two sides alternate, so that a noisy
machine disturbs both; the ratio of their throughputs is ours / plain.
"""

import argparse
import contextlib
import json
import os
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lse_gym.envs.sql.bird_family import BIRDFamily
from lse_gym.envs.sql.executor import digest_many

DATA = Path(__file__).parents[2] / ".." / "shared" / "data" / "bird_layout_geoquery"
TARGET_FRESH = 0.8  # of the plain connection's throughput; BIRD's official scorer reaches 0.15
TARGET_REPEATED = 10.0

Score = Callable[[list[str], list[list[tuple]]], int]


def load(data_dir: Path) -> tuple[Path, list[str]]:
    """Return the database and the gold statements of a directory in BIRD's layout with one database."""
    questions = json.loads((data_dir / "dev.json").read_text(encoding="utf-8"))
    (name,) = {question["db_id"] for question in questions}
    return data_dir / "dev_databases" / name / f"{name}.sqlite", [question["SQL"] for question in questions]


def compare(
    plain: Score, ours: Score, statements: list[str], gold: list[list[tuple]], repeats: int, fresh: bool = True
) -> list[dict]:
    """Time both sides in turn, on fresh texts or on the same ones; one record a repetition, times in seconds."""
    records = []
    for repeat in range(repeats + 1):
        record = {}
        for name, score in (("plain", plain), ("ours", ours)):
            new = [f"{sql} -- {name} {repeat} {index}" for index, sql in enumerate(statements)]
            start = time.perf_counter()
            right = score(new if fresh else statements, gold)
            record[name] = time.perf_counter() - start
            if right != len(gold):
                raise SystemExit(f"{name}: only {right} of {len(gold)} gold statements equal themselves")
        records.append(record)
    return records[1:]  # the first starts the workers and fills the caches


def report(title: str, records: list[dict], statements: int, target: float) -> bool:
    """Print one line; return whether the median ratio reaches the target."""
    ratios = sorted(record["plain"] / record["ours"] for record in records)
    median = statistics.median(ratios)
    rates = {name: statements / statistics.median(record[name] for record in records) for name in records[0]}
    print(
        f"{title}: ratio median {median:.2f} (min {ratios[0]:.2f}, max {ratios[-1]:.2f}, n={len(ratios)}), "
        f"target {target}; plain {rates['plain']:,.0f}/s, ours {rates['ours']:,.0f}/s; {os.cpu_count()} cores"
    )
    return median >= target


def main() -> int:
    """Run the benchmark; the exit status says whether every target was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=DATA, help="directory in BIRD's layout with one database")
    parser.add_argument("--repeats", type=int, default=25, help="alternating repetitions of each side")
    args = parser.parse_args()
    if not (args.data_dir / "dev.json").exists():
        raise SystemExit(f"--data-dir {args.data_dir} holds no dev.json. Pass a directory in BIRD's layout.")
    database, statements = load(args.data_dir)

    with contextlib.closing(sqlite3.connect(database)) as connection:
        gold = [connection.execute(sql).fetchall() for sql in statements]

        def plain(texts: list[str], gold: list[list[tuple]]) -> int:
            return sum(
                set(connection.execute(sql).fetchall()) == set(rows) for sql, rows in zip(texts, gold, strict=True)
            )

        digests = [one.as_set for one in digest_many(database, statements)]

        def ours(texts: list[str], _: list[list[tuple]]) -> int:
            return sum(one.as_set == right for one, right in zip(digest_many(database, texts), digests, strict=True))

        fresh = compare(plain, ours, statements, gold, args.repeats)
        domain = BIRDFamily(args.data_dir, held_out_size=50).load(database.stem)
        questions = sorted((q for split in domain.splits.values() for q in split), key=lambda q: int(q.id))

        def cached(texts: list[str], _: list[list[tuple]]) -> int:
            return sum(outcome.score == 1.0 for outcome in domain.score(questions, texts))

        repeated = compare(plain, cached, statements, gold, args.repeats, fresh=False)
    reached = [
        report("fresh statements", fresh, len(statements), TARGET_FRESH),
        report("repeated statements", repeated, len(statements), TARGET_REPEATED),
    ]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
