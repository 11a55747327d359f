"""Text-to-SQL domains: what it costs to make them, to load them again, and to reset many envs over them.

    python tests/benchmarks/bench_domains.py

Prints each as seconds and as a ratio to a reference of the same process: filling the same database in memory and
executing the same golds once, which nobody who checks questions can do without. Medians over domains; the first reset
is one measurement, its reference the same for every domain that it is about.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from statistics import median
from time import perf_counter

import gymnasium as gym

import lse_gym  # noqa: F401 - registers the ids
from lse_gym.envs.domain import SPLITS
from lse_gym.envs.sql.procedural import family as family_module
from lse_gym.envs.sql.procedural.family import ProceduralFamily, fill, make_world

ENVS = 64
NAMES = ProceduralFamily.groups["train"]


def seconds(run: Callable[[], object]) -> float:
    """How long it takes."""
    start = perf_counter()
    run()
    return perf_counter() - start


def reference(name: str) -> float:
    """Seconds to fill the database of a domain and to execute its golds."""
    script = make_world(name)[1]
    domain = ProceduralFamily().load(name)
    golds = [question.gold for split in SPLITS for question in domain.splits[split]]

    def run() -> None:
        with closing(sqlite3.connect(":memory:")) as connection:
            fill(connection, script)
            for gold in golds:
                connection.execute(gold).fetchall()

    return seconds(run)


def load_all() -> list[float]:
    """Seconds to load every domain, none of them in memory."""
    family_module._load.cache_clear()
    return [seconds(lambda name=name: ProceduralFamily().load(name)) for name in NAMES]


def first_reset() -> float:
    """Seconds of the first reset of many envs, no domain in memory."""
    family_module._load.cache_clear()
    envs = gym.make_vec("LSE/TextToSQL-v1", num_envs=ENVS, domain="train")
    try:
        return seconds(lambda: envs.reset(seed=0))
    finally:
        envs.close()


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as cold:
        os.environ["LSE_GYM_CACHE"] = cold
        resets = [first_reset(), first_reset()]  # files: none, and those of the first
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LSE_GYM_CACHE"] = folder
        family_module.cache_dir.cache_clear()
        made, loaded = load_all(), load_all()
        base = median(map(reference, NAMES))
    print(f"reference: fill one database, execute its golds: {1e3 * base:.1f} ms")
    for title, took, unit in (
        ("make a domain", median(made), base),
        ("the slowest one", max(made), base),
        ("load it from its files", median(loaded), base),
        (f"first reset of {ENVS} envs, no files", resets[0], base * len(NAMES)),
        (f"first reset of {ENVS} envs, files there", resets[1], base * len(NAMES)),
    ):
        print(f"{title}: {took:.4f} s, {took / unit:.2f} x")


if __name__ == "__main__":
    main()
