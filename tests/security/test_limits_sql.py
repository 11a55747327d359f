"""A statement's verdict is its own: neither what ran before nor what runs beside it counts; and memory is bounded."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lse_gym.envs.sql import executor, pool, worker
from lse_gym.envs.sql.executor import Digest, Limits, digest_many, execute, execute_many
from tests.sql.hostile import COUNT, make_database

HEAP_MB = 64
VALUES = st.none() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=2) | st.binary(max_size=2)
ROWS = st.lists(st.tuples(VALUES, VALUES), max_size=8)
SHUFFLED = ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations([*rows, *rows[:1]])))
WARM = "SELECT sum(length(b)) FROM big"


def large(megabytes):
    """A statement that needs so much memory."""
    numbers = f"{COUNT} LIMIT {megabytes}) SELECT x FROM c"
    return f"SELECT count(*) FROM (SELECT DISTINCT x, zeroblob(1000000) AS b FROM ({numbers}) WHERE length(b) > x)"


def make_big(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE big(b BLOB)")
        connection.executemany("INSERT INTO big VALUES (?)", ((os.urandom(10_000),) for _ in range(1000)))
        connection.commit()
    return path


@pytest.fixture
def small_worker(tmp_path, monkeypatch):
    """One worker with an eighth of the memory, so that running out of it takes no time."""
    source = pool.WORKER.read_text(encoding="utf-8")
    small = source.replace("= 512 * 2**20", f"= {HEAP_MB} * 2**20").replace("CACHE_KIB = 32_000", "CACHE_KIB = 8_000")
    assert small.count(f"{HEAP_MB} * 2**20") == small.count("CACHE_KIB = 8_000") == 1
    (tmp_path / "worker.py").write_text(small, encoding="utf-8")
    monkeypatch.setattr(pool, "WORKER", tmp_path / "worker.py")
    monkeypatch.setattr(pool, "_worker_count", lambda: 1)
    executor._pool.close()
    yield
    executor._pool.close()


def test_a_verdict_does_not_depend_on_what_ran_before(small_worker, tmp_path):
    databases = [make_big(tmp_path / f"{n}.sqlite") for n in range(4)]
    statements = [large(20), large(45), large(56), large(200), WARM]
    verdicts = []
    for history in (0, 1, 50):
        for sql in statements:
            executor._pool.close()
            for n in range(history):
                execute(databases[n % 4], WARM)
            verdicts.append((sql, execute(databases[0], sql)))
    assert {result.status for _, result in verdicts} == {"ok", "too_large"}
    for sql in statements:
        assert len({str(result) for one, result in verdicts if one == sql}) == 1, sql
    assert execute(databases[0], large(56)).status == "ok", "else the caches of the others decide nothing"


def test_a_verdict_does_not_depend_on_its_batch(small_worker, tmp_path):
    database = make_big(tmp_path / "big.sqlite")
    statements = [WARM, large(200), "SELECT 1", large(56), large(200), WARM, "SELECT nothing"]
    alone = [execute(database, sql) for sql in statements]
    assert [result.status for result in alone] == ["ok", "too_large", "ok", "ok", "too_large", "ok", "error"]
    assert execute_many(database, statements) == alone
    assert execute_many(database, statements[::-1]) == alone[::-1]
    assert execute_many(database, statements * 3) == alone * 3


ROOT = Path(__file__).parents[2]
PARENT = """
import sys
from tests.memory import peak_bytes
from lse_gym.envs.sql.executor import digest_many
before = peak_bytes()
numbers = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 99000)"
numbers += " SELECT x, hex(zeroblob(150)) FROM c"
results = digest_many(sys.argv[1], [f"{numbers} -- {n}" for n in range(4)])
assert [result.count for result in results] == [99_000] * 4, results
assert len({result.as_list for result in results}) == 1
print(peak_bytes() - before)
"""


def test_large_results_do_not_travel(tmp_path):
    database = make_database(tmp_path / "d.sqlite")
    done = subprocess.run(
        [sys.executable, "-c", PARENT, str(database)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 20_000_000, "four results of 30 MB, some bytes each"


@given(st.tuples(ROWS, ROWS) | SHUFFLED)
@example(([(1,)], [(1.0,)]))
@example(([("1",)], [(1,)]))
@example(([(b"a",)], [("a",)]))
@example(([], [(None,)]))
@example(([(1,)], [(1, 1)]))
def test_digests_are_equal_where_the_rows_are(pair):
    left, right = pair
    (count, *mine), (_, *other) = (worker.digest(worker._prints(rows)) for rows in (left, right))
    assert count == len(left)
    assert (mine[2] == other[2]) == (set(left) == set(right)), "BIRD's execution accuracy"
    assert (mine[1] == other[1]) == (Counter(left) == Counter(right))
    assert (mine[0] == other[0]) == (left == right)


NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, 2.0**53, 1e308])


@given(NUMBERS, NUMBERS)
def test_numbers_have_one_digest_where_they_are_equal(one, other):
    assert (worker._prints([(one,)]) == worker._prints([(other,)])) == (one == other)


def test_digests_have_the_verdicts_of_results(tmp_path):
    database = make_database(tmp_path / "d.sqlite")
    limits = Limits(max_rows=100, max_bytes=10_000, max_steps=100_000)
    statements = [
        "SELECT 1", "SELECT 1.0", "SELECT nothing", "DELETE FROM t", "SELECT 1 WHERE 0", "SELECT id FROM t LIMIT 100",
        "SELECT id FROM t LIMIT 101", "SELECT hex(zeroblob(6000))", COUNT + ") SELECT count(*) FROM c", "",
        "SELECT CAST(x'61ff62' AS TEXT), 'é', NULL, x'00'",
    ]  # fmt: skip
    digests, results = digest_many(database, statements, limits), execute_many(database, statements, limits)
    for digest, result in zip(digests, results, strict=True):
        assert (digest.status, digest.error, digest.count) == (result.status, result.error, len(result.rows))
    assert digests[0] == digests[1] != digests[4]
    assert digests[4] == Digest(0, *digests[4][1:4])
    assert digests[4].as_set
