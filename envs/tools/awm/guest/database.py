"""Builds a scenario's database as Agent World Model's own reset does: what fails is counted, and the rest goes on."""

import sqlite3
import time
from contextlib import closing
from functools import partial
from typing import Any

from lse_gym.envs.tools.awm.guest.clock import freeze
from lse_gym.envs.tools.awm.names import INITIAL

STATEMENT_S, ALL_S = 2.0, 20.0  # the longest that one statement and all of them may take
STEPS_PER_CHECK = 10_000  # of SQLite's virtual machine between two looks at the clock
PAGE_BYTES = 4096
MAX_BYTES = 16 << 20  # of a database; the largest of eight that were looked at has 0.4 MB
MAX_VALUE_BYTES = 4 << 20  # of one value or row
MAX_ERROR_CHARS = 200


def build(argument: dict[str, Any]) -> list[list[str]]:
    """Write ``initial.db`` to the working directory.

    Args:
        argument: ``tables``, a list of lists of statements: each stops at its first failure, as they depend on each
            other. ``rows``, a list of statements, which do not.

    Returns:
        For each failure "table" or "row", how the statement begins, and what SQLite said.
    """
    freeze()
    faults: list[list[str]] = []
    with closing(sqlite3.connect(INITIAL, isolation_level=None)) as connection:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute(f"PRAGMA max_page_count = {MAX_BYTES // PAGE_BYTES}")
        connection.execute("PRAGMA synchronous = OFF")  # nobody needs the file after a power cut
        run = partial(_run, connection, faults, time.monotonic() + ALL_S)
        for statements in argument["tables"]:
            all(run("table", statement) for statement in statements)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("BEGIN")
        for statement in argument["rows"]:
            run("row", statement)
        if connection.in_transaction:
            connection.execute("COMMIT")
    return faults


def _run(connection: sqlite3.Connection, faults: list[list[str]], last: float, kind: str, statement: str) -> bool:
    """Run one statement within its time; whether it succeeded."""
    end = min(last, time.monotonic() + STATEMENT_S)
    connection.set_progress_handler(lambda: time.monotonic() > end, STEPS_PER_CHECK)
    try:
        connection.execute(statement).fetchmany(1)
    except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError) as error:
        faults.append([kind, " ".join(statement.split())[:60], (str(error) or type(error).__name__)[:MAX_ERROR_CHARS]])
        return False
    return True
