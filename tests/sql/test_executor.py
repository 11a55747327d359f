"""The SQL executor against hostile statements, random text, crashes, hangs, forks and interrupts."""

import contextlib
import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.errors import ArgumentError, DataError, ExecutorError
from lse_gym.envs.sql import executor, pool
from lse_gym.envs.sql.executor import Limits, Result, execute, execute_many
from lse_gym.envs.sql.result import Status
from tests.sql.hostile import COUNT, HOSTILE, LONG_A, make_database

SMALL = Limits(timeout_s=1.0, max_steps=1_000_000, max_rows=1000, max_bytes=1_000_000)
ENDLESS = COUNT + ") SELECT count(*) FROM c"
PATIENT = Limits(timeout_s=60.0, max_steps=10**12)
HANG = f"SELECT instr({LONG_A}, substr({LONG_A}, 1, 2000000) || 'b')"  # minutes inside one SQLite step
REFUSED = ("write", "schema", "files", "pragma", "transactions", "several statements")


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return make_database(tmp_path_factory.mktemp("executor") / "d.sqlite")


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def answers(database):
    return execute(database, "SELECT count(*) FROM t") == Result([(200,)], ["count(*)"])


@pytest.mark.parametrize("group", HOSTILE)
def test_hostile_statements_do_no_harm(database, group, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before, places = sha256(database), (database.parent, tmp_path, Path(tempfile.gettempdir()), Path("/"))
    listings = [sorted(os.listdir(place)) for place in places]
    start = time.monotonic()
    results = execute_many(database, HOSTILE[group], SMALL)
    assert time.monotonic() - start < len(results) * (SMALL.timeout_s + pool.KILL_GRACE_S)
    for sql, result in zip(HOSTILE[group], results, strict=True):
        assert result.status in get_args(Status), sql
        assert (result.status == "ok") == (result.error == ""), sql
        assert result.status == "ok" or result.rows == result.columns == [], sql
        assert str(database.parent) not in result.error, sql
        assert result.status in ("denied", "error") or group not in REFUSED, sql
    assert sha256(database) == before
    for place, listing in zip(places[:2], listings[:2], strict=True):
        assert sorted(os.listdir(place)) == listing
    for place, listing in zip(places[2:], listings[2:], strict=True):  # other processes use these
        assert not [name for name in set(os.listdir(place)) - set(listing) if "hostile" in name or "etilqs" in name]
    assert answers(database)


def test_the_corpus_is_large():
    assert sum(map(len, HOSTILE.values())) > 250


@pytest.mark.parametrize(
    ("sql", "status"),
    [
        ("SELECT 1; -- trailing", "ok"),
        ("VALUES (1), (2)", "ok"),
        ("WITH a AS (SELECT 1) SELECT * FROM a;", "ok"),
        ("SELECT value FROM json_each('[1]') UNION SELECT value FROM json_tree('[2]')", "ok"),
        ("SELECT strftime('%Y', 'now') > '2000', sql FROM sqlite_master", "ok"),
        ("SELECT nothing FROM t", "error"),
        ("SELECT 1; SELECT 2", "error"),
        ("\ud800", "error"),
        ("DELETE FROM t", "denied"),
        ("SELECT * FROM pragma_database_list", "denied"),
        ("SELECT random()", "denied"),
        (ENDLESS, "timeout"),
        ("SELECT a.id FROM t a, t b", "too_large"),
        ("SELECT hex(zeroblob(600000))", "too_large"),
        ("SELECT zeroblob(100000000)", "too_large"),
        ("x" * 2_000_000, "too_large"),
    ],
)
def test_status(database, sql, status):
    assert execute(database, sql, **SMALL._asdict()).status == status


ODD_TEXT = st.text(alphabet=st.characters(), max_size=60)  # lone surrogates and NUL included
SQL_TEXT = st.lists(
    st.sampled_from(
        [*"()*,;'\"-/=|", "SELECT", "FROM", "t", "u", "id", "WHERE", "DELETE", "UNION", "/*", "--", "1", "x'00'"]
    )
).map(" ".join)


@settings(max_examples=40)
@given(st.lists(ODD_TEXT | SQL_TEXT, max_size=20))
def test_any_text_becomes_a_result(tmp_path_factory, texts):
    database = tmp_path_factory.getbasetemp() / "any_text.sqlite"
    if not database.exists():
        make_database(database)
    before = sha256(database)
    results = execute_many(database, texts, SMALL)
    assert [result.status in get_args(Status) for result in results] == [True] * len(texts)
    assert sha256(database) == before


INTEGERS = st.integers(-(2**63), 2**63 - 1)
VALUES = st.none() | INTEGERS | st.floats(allow_nan=False) | st.text() | st.binary()


@settings(max_examples=40)
@given(st.lists(st.tuples(VALUES, VALUES), max_size=40))
def test_values_come_back_exactly(tmp_path_factory, rows):
    database = tmp_path_factory.getbasetemp() / "values.sqlite"
    database.unlink(missing_ok=True)  # the same name with new content: must be opened anew
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE w(a, b)")
        connection.executemany("INSERT INTO w VALUES (?, ?)", rows)
        connection.commit()
    result = execute(database, "SELECT a, b FROM w ORDER BY rowid")
    assert (result.rows, result.columns) == (rows, ["a", "b"])
    assert [[type(value) for value in row] for row in result.rows] == [[type(value) for value in row] for row in rows]


def test_text_that_is_not_utf8_is_replaced(database):
    sql = "SELECT CAST(x'61ff62' AS TEXT), CAST(x'eda080' AS TEXT), 'é'"
    assert execute(database, sql).rows == [("a\ufffdb", "\ufffd\ufffd\ufffd", "é")]
    assert execute(database, "SELECT 'é'").rows == [("é",)]


def test_results_keep_their_order_and_equal_sqlite(database):
    statements = [f"SELECT id, name, amount FROM t WHERE id >= {n % 200} ORDER BY id DESC" for n in range(600)]
    with contextlib.closing(sqlite3.connect(database)) as connection:
        expected = [connection.execute(sql).fetchall() for sql in statements]
    assert [result.rows for result in execute_many(database, statements)] == expected
    assert execute_many(database, []) == []


def test_limits_on_rows_and_bytes_are_exact(database):
    sql = COUNT + " LIMIT 5000) SELECT x FROM c"
    assert execute(database, sql, max_rows=5000).rows == [(n,) for n in range(1, 5001)]
    assert execute(database, sql, max_rows=4999).status == "too_large"
    assert execute(database, "SELECT 1", max_rows=1, max_bytes=len('["ok","",["1"],[[1]]]')).status == "ok"
    assert execute(database, "SELECT 1", max_bytes=20).status == "too_large"


def test_steps_decide_alike_every_time(database):
    statements = [COUNT + f" LIMIT {n}) SELECT count(*) FROM c" for n in range(1000, 5000, 97)]
    limits = PATIENT._replace(max_steps=50_000)
    first = execute_many(database, statements, limits)
    assert {result.status for result in first} == {"ok", "timeout"}
    assert [result.status for result in first] == sorted(result.status for result in first)  # the longer ones stop
    for _ in range(3):
        assert execute_many(database, statements[::-1], limits)[::-1] == first
        assert [execute(database, sql, **limits._asdict()) for sql in statements] == first


def test_a_hang_inside_one_step_costs_only_its_own_statement(database):
    results = execute_many(database, ["SELECT 1", "SELECT 2", HANG, *["SELECT 3"] * 20], Limits(timeout_s=0.5))
    assert [result.status for result in results] == ["ok", "ok", "timeout", *["ok"] * 20]
    assert answers(database)


def test_a_stopped_worker_is_replaced(database, monkeypatch):
    assert answers(database)
    monkeypatch.setattr(pool, "KILL_GRACE_S", 0.3)
    for worker in executor._pool.workers:
        os.kill(worker.process.pid, signal.SIGSTOP)
    assert execute(database, "SELECT 1", timeout_s=0.3).status == "timeout"
    executor._pool.close()
    assert answers(database)


@contextlib.contextmanager
def killer(kills):
    """Kill a worker that has been busy for 0.2 s, at most so many times."""
    done = threading.Event()

    def watch():
        left = kills
        while left and not done.wait(0.02):
            for worker in list(executor._pool.workers):
                if left and worker.ready and worker.waiting and time.monotonic() - worker.heard_s > 0.2:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(worker.process.pid, signal.SIGKILL)
                    left -= 1
                    done.wait(0.1)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_crash_costs_only_its_own_statement(database):
    statements = [f"SELECT {n}" for n in range(30)]
    statements[5] = ENDLESS
    with killer(100):
        results = execute_many(database, statements, PATIENT)
    assert results.pop(5).status == "crash"
    assert [result.rows for result in results] == [[(n,)] for n in range(30) if n != 5]
    assert answers(database)


def test_a_single_kill_from_outside_changes_no_result(database):
    sql = COUNT + " LIMIT 3000000) SELECT count(*) FROM c"
    with killer(1):
        assert execute(database, sql, **PATIENT._asdict()).rows == [(3_000_000,)]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
def test_an_interrupt_leaves_the_protocol_intact(database):
    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for statements in ([ENDLESS], ["SELECT 1", ENDLESS, "SELECT 2", ENDLESS]):
            assert answers(database)
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with pytest.raises(KeyboardInterrupt):
                execute_many(database, statements, PATIENT)
            assert [result.rows for result in execute_many(database, ["SELECT 7", "SELECT 8"])] == [[(7,)], [(8,)]]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_starts_its_own_workers(database):
    assert answers(database)
    workers = {worker.process.pid for worker in executor._pool.workers}
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            own = not executor._pool.workers and answers(database)
            status = 0 if own and not workers & {worker.process.pid for worker in executor._pool.workers} else 2
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert answers(database)
    assert workers == {worker.process.pid for worker in executor._pool.workers}


def test_threads_share_the_pool(database):
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: execute(database, f"SELECT {n}").rows, range(100)))
    assert found == [[(n,)] for n in range(100)]


SCRIPT = """
import os, signal, sys, threading
from lse_gym.envs.sql import executor
limits = executor.Limits(timeout_s=1.0)
executor.execute_many(sys.argv[1], ["SELECT 1"] * 100, limits)
print(*[worker.process.pid for worker in executor._pool.workers], flush=True)
if sys.argv[2] == "killed":
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGKILL)).start()
    executor.execute(sys.argv[1], sys.argv[3], **limits._asdict())
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
@pytest.mark.parametrize("end", ["exits", "killed"])
def test_no_worker_outlives_its_process(database, end):
    command = [sys.executable, "-W", "error", "-c", SCRIPT, str(database), end, HANG]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert done.returncode == (0 if end == "exits" else -signal.SIGKILL)
    workers = done.stdout.split()
    deadline = time.monotonic() + (0.0 if end == "exits" else 10.0)
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert workers
    assert not any(map(alive, workers))


def alive(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize("name", ["a b", "q?mode=rwc&x", "h#x", "p%20%3f%", "ünï", "a'b\"c", "-x", "?"])
def test_any_path_works(tmp_path, name):
    database = make_database(tmp_path / name)
    assert answers(database)
    assert answers(str(database))
    assert os.listdir(tmp_path) == [name]


def test_a_wal_database_gets_no_company(tmp_path):
    database = make_database(tmp_path / "w.sqlite", wal=True)
    assert answers(database)
    assert os.listdir(tmp_path) == ["w.sqlite"]
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("DELETE FROM t")
        connection.commit()
        with pytest.raises(DataError, match="unfinished transactions"):
            execute(database, "SELECT 1")


def test_a_broken_database_is_an_error_of_the_statement(tmp_path):
    database = make_database(tmp_path / "b.sqlite")
    database.write_bytes(database.read_bytes()[:100] + b"\xff" * 9000)
    result = execute(database, "SELECT * FROM t")
    assert result.status == "error"
    assert str(tmp_path) not in result.error


def test_bad_arguments_raise(database, tmp_path):
    (tmp_path / "text").write_text("no database")
    for path in (tmp_path / "absent", tmp_path, tmp_path / "text", "a\0b"):
        with pytest.raises(DataError, match="Pass"):
            execute(path, "SELECT 1")
    for path in (None, 3, b"x"):
        with pytest.raises(ArgumentError, match="Pass"):
            execute(path, "SELECT 1")
    for field, value in [("timeout_s", 0), ("timeout_s", float("nan")), ("timeout_s", 1e9), ("max_steps", -1)]:
        with pytest.raises(ArgumentError, match=field):
            execute(database, "SELECT 1", **{field: value})
    for field in ("max_rows", "max_bytes", "max_steps"):
        for value in (0, 1.5, True, "9"):
            with pytest.raises(ArgumentError, match=field):
                execute(database, "SELECT 1", **{field: value})
    for statements in ("SELECT 1", [1], [None]):
        with pytest.raises(ArgumentError, match="sequence of str"):
            execute_many(database, statements)


def test_an_interpreter_that_cannot_start_is_said_so(database, monkeypatch):
    monkeypatch.setattr(executor, "_pool", pool.Pool())
    for wrong in ("/bin/false", "/no/such/python"):
        monkeypatch.setattr(sys, "executable", wrong)
        with pytest.raises(ExecutorError, match=wrong):
            execute(database, "SELECT 1")
    assert executor._pool.workers == []
