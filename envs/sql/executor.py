"""Run untrusted SQL against a database that stays as it is.

``execute`` and ``execute_many`` never raise because of the SQL: whatever a statement is or does, it becomes a
:class:`Result`. Statements run in a small pool of subprocesses (``worker.py`` says what they are denied), which starts
with the first call, is shared by the whole process, and ends with it. A process forked from this one starts its own.
"""

import atexit
import contextlib
import json
import math
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lse_gym.envs.errors import ArgumentError, DataError
from lse_gym.envs.sql.pool import Pool
from lse_gym.envs.sql.result import DEFAULT_LIMITS, Digest, Limits, Result


def execute(
    database_path: str | os.PathLike[str],
    sql: str,
    *,
    timeout_s: float = 30.0,
    max_steps: int = 20_000_000,
    max_rows: int = 100_000,
    max_bytes: int = 32_000_000,
) -> Result:
    """Run one SELECT; see :func:`execute_many`, which is faster for several."""
    return execute_many(database_path, [sql], Limits(timeout_s, max_steps, max_rows, max_bytes))[0]


def execute_many(
    database_path: str | os.PathLike[str], statements: Sequence[str], limits: Limits = DEFAULT_LIMITS
) -> list[Result]:
    """Run each statement on its own against a SQLite database, several at a time.

    Args:
        database_path: an existing SQLite file. It is opened immutable: no other process may write it meanwhile.
        statements: any texts; each should be one SELECT (a trailing semicolon or comment is fine).
        limits: what each statement may use.

    Returns:
        One result a statement, in the same order. All of them are in memory at once, up to some ten times
        ``max_bytes`` each; :func:`digest_many` compares results of any size.

    Raises:
        ArgumentError: an argument of the wrong type or out of range.
        DataError: no such database, not a SQLite file, or one with unfinished transactions beside it.
        ExecutorError: the worker process cannot be started.
    """
    return _run(database_path, statements, limits, digests=False)


def digest_many(
    database_path: str | os.PathLike[str], statements: Sequence[str], limits: Limits = DEFAULT_LIMITS
) -> list[Digest]:
    """Run statements as :func:`execute_many` does, and bring home digests of their rows instead of the rows.

    Whatever the results, the memory that this process needs is some hundred bytes a statement, and so it is with a
    batch of results that are all as large as ``limits`` allow.
    """
    results = _run(database_path, statements, limits, digests=True)
    return [
        Digest(*r.rows[0], r.error, r.status) if r.rows else Digest(0, "", "", "", r.error, r.status) for r in results
    ]


def _run(database_path: Any, statements: Sequence[str], limits: Limits, digests: bool) -> list[Result]:
    _check_limits(limits)
    if isinstance(statements, str) or not all(isinstance(sql, str) for sql in statements):
        raise ArgumentError(
            f"statements={type(statements).__name__} is not a sequence of str. "
            "Pass execute_many(path, ['SELECT 1']), or execute(path, 'SELECT 1') for one."
        )
    uri, signature = _check_database(database_path)
    head = json.dumps({"uri": uri, "signature": signature, "digests": digests, **limits._asdict()})[:-1]
    return _pool.run(head, statements, limits)


def _check_limits(limits: Limits) -> None:
    for name, value in limits._asdict().items():
        kinds = (int, float) if name == "timeout_s" else (int,)
        if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value) or value <= 0:
            kind = "number" if name == "timeout_s" else "whole number"
            raise ArgumentError(
                f"{name}={value!r} is not a positive {kind}. Leave it out for {getattr(DEFAULT_LIMITS, name)}."
            )
    if limits.timeout_s > 86_400:
        raise ArgumentError(f"timeout_s={limits.timeout_s!r} is more than a day. Pass seconds, at most 86400.")


def _check_database(path: str | os.PathLike[str]) -> tuple[str, list[int]]:
    """Return the URI of a database and what identifies the file's present content."""
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError(f"database_path={path!r} is not a path. Pass a str or pathlib.Path of a SQLite file.")
    full = os.path.abspath(os.fsdecode(path))
    try:
        found = os.stat(full)
        if not stat.S_ISREG(found.st_mode):
            raise DataError(f"database_path={full!r} is not a regular file. Pass the path of a SQLite database file.")
        with open(full, "rb") as file:
            magic = file.read(16)
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"database_path={full!r} cannot be read ({error}). Pass an existing SQLite file.") from error
    if magic != b"SQLite format 3\0":
        raise DataError(f"database_path={full!r} is not a SQLite 3 database. Pass a file made by SQLite.")
    for suffix in ("-wal", "-journal"):
        with contextlib.suppress(OSError):
            if os.stat(full + suffix).st_size:
                raise DataError(
                    f"database_path={full!r} has unfinished transactions in {suffix!r}, which reading would miss. "
                    f"Close its writers, then run: sqlite3 {os.path.basename(full)} 'PRAGMA wal_checkpoint(TRUNCATE)'."
                )
    return Path(full).as_uri(), [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns]


_pool = Pool()
atexit.register(_pool.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.after_fork)
