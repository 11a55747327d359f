"""The process that runs untrusted SQL: read-only, under an authorizer, with limits. Standard library only.

Started by ``pool.py`` as ``python -I -S worker.py`` and spoken to in JSON lines. A request is one line, an object
with the database's ``uri`` and ``signature``, the four limits, ``digests`` and a list of statements; every statement is
answered, in order, by one line ``[status, error, columns, rows]``, a BLOB as ``{"x": hex}``. With ``digests`` there is
one row only, which stands for all: their number, and a digest of them as a list, as a multiset and as a set (see
:func:`digest`), so that results of any size can be compared without travelling. End of input ends the process.

What a process has done before must not decide what it can do: its caches take memory. So a statement that runs out of
memory in a process that has run others ends it with the status ``AGAIN``, and is asked for again as the first of a new
one, whose verdict counts.

What stands between a statement and the machine, outermost first: resource limits of the operating system (no file can
grow, no process can start, capped memory), a connection that is read-only and immutable (so that no ``-wal``, ``-shm``
or ``-journal`` file appears beside the database), lowered SQLite limits, and an authorizer that lets pass SELECT, READ,
RECURSIVE and most functions. Work is counted in SQLite's virtual-machine steps, so that a verdict does not depend on
the speed of the machine; the clock is the backstop, and the alarm signal ends what hangs inside a single step.
"""

import contextlib
import hashlib
import json
import os
import signal
import sqlite3
import sys
import time
from collections import OrderedDict

try:
    import resource
except ImportError:  # Windows
    resource = None

MAX_SQL_CHARS = 1_000_000  # SQLite's own default as well
MAX_VALUE_BYTES = 10_000_000  # of one string, BLOB or row
MAX_HEAP_BYTES = 512 * 2**20  # of everything SQLite allocates: page caches, sorters, temporary tables
MAX_PROCESS_BYTES = 2 * 2**30
MAX_ERROR_CHARS = 1000
LONG_LINE = 65_536  # characters of an answer that is sent at once rather than gathered with others
STEPS_PER_CHECK = 10_000  # SQLite steps between two looks at the limits: 0.1 to 1 ms of work
ALARM_GRACE_S = 1.0  # at most, and at least half of it, beyond the time limit: then the alarm ends this process
CONNECTIONS = 4  # databases kept open, each with a cache of CACHE_KIB
CACHE_KIB = 32_000
LONGEST = 40  # a result as JSON is at most so many times as long as its rows' texts and its columns' names
FIRST_FETCH, LAST_FETCH = 16, 4096  # rows: a small first fetch, since each row may hold MAX_VALUE_BYTES

LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_VALUE_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 4 * MAX_SQL_CHARS,  # bytes; a character takes up to four
    sqlite3.SQLITE_LIMIT_COLUMN: 2000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 1000,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 500,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 250_000,  # ends the exponential growth of nested views before memory does
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 100,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1000,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
# random() and randomblob() are harmless, but the same statement would not get the same score twice.
DENIED_FUNCTIONS = frozenset(
    ("load_extension", "fts3_tokenizer", "readfile", "writefile", "edit", "random", "randomblob")
)
DENIED_TABLES = frozenset(("sqlite_stmt", "sqlite_dbpage", "sqlite_dbdata", "dbstat", "bytecode", "tables_used"))
OK, DENY = sqlite3.SQLITE_OK, sqlite3.SQLITE_DENY
SELECT, READ = sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ
FUNCTION, RECURSIVE = sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE
ACTIONS = {  # what a refusal is called; anything else is refused without a name
    sqlite3.SQLITE_ALTER_TABLE: "ALTER TABLE",
    sqlite3.SQLITE_ANALYZE: "ANALYZE",
    sqlite3.SQLITE_ATTACH: "ATTACH",
    sqlite3.SQLITE_DELETE: "DELETE",
    sqlite3.SQLITE_DETACH: "DETACH",
    sqlite3.SQLITE_INSERT: "INSERT",
    sqlite3.SQLITE_PRAGMA: "PRAGMA",
    sqlite3.SQLITE_REINDEX: "REINDEX",
    sqlite3.SQLITE_SAVEPOINT: "SAVEPOINT",
    sqlite3.SQLITE_TRANSACTION: "a transaction",
    sqlite3.SQLITE_UPDATE: "UPDATE",
}
SCHEMA_TABLES = ("sqlite_master", "sqlite_temp_master")  # written by every CREATE and DROP
MEMORY_CODES = (7, 3082)  # SQLITE_NOMEM, SQLITE_IOERR_NOMEM
TOO_BIG = 18  # SQLITE_TOOBIG
AGAIN = 75  # EX_TEMPFAIL


class Stop(Exception):  # noqa: N818  (a verdict, not an error)
    """A statement was ended by a limit; ``args`` are the status and the message."""


class Session:
    """Runs statements under limits and keeps the answers until they are sent."""

    def __init__(self) -> None:
        self.connections: OrderedDict[str, tuple[list[int], sqlite3.Connection]] = OrderedDict()
        self.answers: list[str] = []
        self.encode = json.JSONEncoder(check_circular=False, separators=(",", ":"), default=_blob).encode
        self.stop: tuple[str, str] | None = None  # why the progress handler ended the statement
        self.refused = ""  # what the authorizer refused
        self.readable: set[str | None] = set()  # names of tables seen to be allowed: most calls of the authorizer
        self.checks_left, self.deadline, self.armed_until = 0, 0.0, 0.0
        self.fresh = True  # whether the running statement is the first

    def flush(self) -> None:
        """Send the answers so far: at the end of a request, and when an answer is long or a statement slow."""
        data = "".join(self.answers).encode("ascii")
        self.answers.clear()
        start = time.monotonic()
        self.disarm()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        self.deadline += time.monotonic() - start  # waiting for the reader is not the statement's fault

    def arm(self, now: float) -> None:
        """Set the alarm for a statement that must end by ``deadline``: it ends this process, wherever it hangs.

        The default action of the signal needs no Python, so it works inside a SQLite step and with the parent gone.
        """
        if now > self.armed_until and hasattr(signal, "setitimer"):  # one alarm serves the statements of half a second
            self.armed_until = now + ALARM_GRACE_S / 2
            signal.setitimer(signal.ITIMER_REAL, self.deadline - now + ALARM_GRACE_S)

    def disarm(self) -> None:
        """Put the alarm off."""
        self.armed_until = 0.0
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)

    def serve(self, request: dict) -> None:
        """Answer every statement of one request."""
        self.timeout_s, self.max_steps = request["timeout_s"], request["max_steps"]
        self.max_rows, self.max_bytes, self.digests = request["max_rows"], request["max_bytes"], request["digests"]
        interval = min(STEPS_PER_CHECK, self.max_steps)
        checks = self.max_steps // interval
        try:
            connection = self.connect(request["uri"], request["signature"])
            connection.set_progress_handler(self.on_progress, interval)
        except (sqlite3.Error, MemoryError):
            line = '["error","the database cannot be opened",[],[]]\n'
            self.answers += [line] * len(request["statements"])
            return self.flush()
        for sql in request["statements"]:
            self.checks_left, self.stop, self.refused = checks, None, ""
            now = time.monotonic()
            self.deadline = now + self.timeout_s
            self.arm(now)
            self.answers.append(self.answer(connection, sql))
            self.fresh = False
            if len(self.answers[-1]) > LONG_LINE:
                self.flush()
        return self.flush()

    def connect(self, uri: str, signature: list[int]) -> sqlite3.Connection:
        """Return the connection to a database, opened anew when the file is no longer the same."""
        known = self.connections.pop(uri, None)
        if known and known[0] != signature:
            known[1].close()
            known = None
        if known is None:
            while len(self.connections) >= CONNECTIONS:
                self.connections.popitem(last=False)[1][1].close()
            known = (signature, self.open(uri))
        self.connections[uri] = known
        return known[1]

    def open(self, uri: str) -> sqlite3.Connection:
        """Open a database for reading only and close every door before the first statement."""
        # No statement cache: SQLite's step counter would go on where the same text left it the time before.
        connection = sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True, isolation_level=None, cached_statements=0)
        for pragma in (
            "temp_store=MEMORY",
            "trusted_schema=OFF",
            "query_only=ON",
            f"cache_size=-{CACHE_KIB}",
            f"hard_heap_limit={MAX_HEAP_BYTES}",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        # Loads the schema, so that no statement is charged its steps, and declares the JSON tables, which the
        # authorizer would take for a change of the schema. Other virtual tables stay out of reach.
        with contextlib.suppress(sqlite3.DatabaseError):  # a broken file: every statement will say so
            connection.execute("SELECT 1 FROM sqlite_master, json_each('[]'), json_tree('[]')").fetchall()
        for limit, value in LIMITS.items():
            connection.setlimit(limit, value)
        if hasattr(connection, "enable_load_extension"):
            connection.enable_load_extension(False)
        connection.set_authorizer(self.authorize)
        return connection

    def authorize(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        """Allow reading and nothing else (SQLite's authorizer callback)."""
        if action == READ and first in self.readable:
            return OK
        name = (first or "").lower()
        if action == READ:
            if name not in DENIED_TABLES and not name.startswith("pragma_"):
                if len(self.readable) < 10_000:
                    self.readable.add(first)
                return OK
            refused = f"table {first}"
        elif action in (SELECT, RECURSIVE):
            return OK
        elif action == FUNCTION:
            if (second or "").lower() not in DENIED_FUNCTIONS:
                return OK
            refused = f"function {second}()"
        else:
            refused = "changing the schema" if name in SCHEMA_TABLES else ACTIONS.get(action, "this statement")
        self.refused = self.refused or refused
        return DENY

    def on_progress(self) -> int:
        """Count the work of the running statement (SQLite's progress callback); 1 ends it."""
        self.checks_left -= 1
        if self.checks_left <= 0:
            self.stop = ("timeout", f"stopped after {self.max_steps} SQLite steps: the statement does too much work")
        elif time.monotonic() > self.deadline:
            self.stop = ("timeout", f"stopped after {self.timeout_s:g} s")
        elif self.answers:
            self.flush()
            self.arm(time.monotonic())
        return 1 if self.stop else 0

    def answer(self, connection: sqlite3.Connection, sql: str) -> str:
        """Run one statement; return its line whatever happens."""
        try:
            try:
                return self.run(connection, sql)
            except sqlite3.OperationalError as error:
                if not str(error).startswith("Could not decode to UTF-8"):
                    raise
                connection.text_factory = _replace
                try:
                    return self.run(connection, sql)
                finally:
                    connection.text_factory = str
        except Exception as error:
            if not self.fresh and not self.stop and _is_memory(error):
                self.flush()
                os._exit(AGAIN)
            status, message = self.verdict(error)
            return self.encode([status, message[:MAX_ERROR_CHARS], [], []]) + "\n"

    def run(self, connection: sqlite3.Connection, sql: str) -> str:
        """Run one statement; return its line, or raise."""
        cursor = connection.execute(sql)
        if cursor.description is None:
            raise Stop("error", "the text holds no statement that returns rows")
        columns = [column[0] for column in cursor.description]
        size = FIRST_FETCH
        rows = cursor.fetchmany(size)
        count = len(rows)
        prints = _prints(rows) if self.digests else []
        chars = sum(map(len, prints)) + sum(map(len, columns)) + len(columns)
        if self.digests and count < min(size, self.max_rows) and LONGEST * chars < self.max_bytes:
            return _line(prints)  # nearly every statement that is scored
        line = self.encode(["ok", "", columns, rows])
        self.within(count, len(line))
        parts, length = [line[:-2]], len(line)
        while len(rows) == size:
            size = min(LAST_FETCH, 2 * size) if length < MAX_VALUE_BYTES else FIRST_FETCH
            size = min(size, self.max_rows + 1 - count)
            rows = cursor.fetchmany(size)
            count += len(rows)
            if rows:
                part = self.encode(rows)[1:-1]
                length += len(part) + 1
                self.within(count, length)
                if self.digests:
                    prints += _prints(rows)
                else:
                    parts.append(part)
        if self.digests:
            return _line(prints)
        return ",".join(parts) + "]]\n"

    def within(self, rows: int, length: int) -> None:
        """Raise if the result goes over the limits on rows and bytes."""
        if rows > self.max_rows:
            raise Stop("too_large", f"more than {self.max_rows} rows")
        if length > self.max_bytes:
            raise Stop("too_large", f"more than {self.max_bytes} bytes of result")

    def verdict(self, error: Exception) -> tuple[str, str]:
        """Classify what ended a statement."""
        if isinstance(error, Stop):
            return error.args
        if self.stop:
            return self.stop
        if self.refused:
            return "denied", f"{self.refused} is not allowed: only one SELECT is run, on a read-only database"
        if _is_memory(error):
            return "too_large", "out of memory"
        if getattr(error, "sqlite_errorcode", 0) == TOO_BIG:
            return "too_large", str(error)
        if isinstance(error, UnicodeEncodeError):
            return "error", "the statement is not valid Unicode text"
        return "error", str(error) or type(error).__name__


def _is_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or getattr(error, "sqlite_errorcode", 0) in MEMORY_CODES


def _prints(rows: list[tuple]) -> list[str]:
    """A line of text for each row; rows that Python calls equal, as ``(1,)`` and ``(1.0,)``, have the same one."""
    return [repr(_plain(row) if float in map(type, row) else row) for row in rows]


def _plain(row: tuple) -> tuple:
    return tuple(int(value) if isinstance(value, float) and value.is_integer() else value for value in row)


def digest(prints: list[str]) -> list[int | str]:
    """How many rows there are, and digests of them as a list, as a multiset and as a set, in hex.

    Args:
        prints: a line of text for each row.
    """
    as_list = _hash(prints)
    if len(prints) < 2:
        return [len(prints), as_list, as_list, as_list]
    ordered, distinct = sorted(prints), {*prints}
    as_multiset = as_list if ordered == prints else _hash(ordered)
    as_set = as_multiset if len(distinct) == len(prints) else _hash(sorted(distinct))
    return [len(prints), as_list, as_multiset, as_set]


def _line(prints: list[str]) -> str:
    return '["ok","",[],[[{},"{}","{}","{}"]]]\n'.format(*digest(prints))


def _hash(prints: list[str]) -> str:
    return hashlib.blake2b("\n".join(prints).encode(), digest_size=16).hexdigest()


def _blob(value: bytes) -> dict[str, str]:
    return {"x": value.hex()}


def _replace(value: bytes) -> str:
    # Not surrogateescape: what comes out must survive being printed and encoded.
    return value.decode("utf-8", "replace")


def harden() -> None:
    """Give up every right that reading a database does not need, as far as the system lets us."""
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    if resource is None:
        return
    for name, value in {
        "RLIMIT_FSIZE": 0,
        "RLIMIT_CORE": 0,
        "RLIMIT_NPROC": 0,
        "RLIMIT_NOFILE": 64,
        "RLIMIT_AS": MAX_PROCESS_BYTES,
    }.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):  # unknown here, or below what is in use
            resource.setrlimit(getattr(resource, name), (value, value))


def main() -> None:
    """Answer requests until the input ends."""
    harden()
    session = Session()
    session.answers.append(json.dumps(["ready", sqlite3.sqlite_version, [], []]) + "\n")
    session.flush()
    for line in sys.stdin.buffer:
        session.serve(json.loads(line))


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, KeyboardInterrupt):
        os._exit(1)  # the parent is gone: nobody to tell
