"""The store: entries, what was verified, and the log of everything, in one SQLite file that any number may write to."""

import json
import sqlite3
import time
import zlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from lse_gym.envs.errors import BoardError
from lse_gym.leaderboard.track import canonical

WAIT_S = 120.0  # for other processes that write
LEVELS = ("self-reported", "replayed", "reproduced", "rejected")
_APPEND_ONLY = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table} BEGIN
  SELECT RAISE(ABORT, '{table} is append-only');
END"""
# One list of statements a version; a file of an earlier version gets what is missing. Never change one: add another.
MIGRATIONS: Sequence[Sequence[str]] = (
    (
        """CREATE TABLE entries (
             id INTEGER PRIMARY KEY AUTOINCREMENT, sha256 TEXT NOT NULL UNIQUE, track TEXT NOT NULL, team TEXT NOT NULL,
             agent TEXT NOT NULL, submitted TEXT NOT NULL, facts TEXT NOT NULL, document BLOB NOT NULL)""",
        "CREATE INDEX entries_team ON entries (team, track, submitted)",
        """CREATE TABLE verifications (
             id INTEGER PRIMARY KEY AUTOINCREMENT, entry INTEGER NOT NULL REFERENCES entries (id), at TEXT NOT NULL,
             level TEXT NOT NULL, reason TEXT NOT NULL, details TEXT NOT NULL)""",
        "CREATE INDEX verifications_entry ON verifications (entry, id)",
        "CREATE TABLE scores (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        """CREATE TABLE audit (
             id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, entry INTEGER, action TEXT NOT NULL,
             details TEXT NOT NULL, hash TEXT NOT NULL)""",
        *(
            _APPEND_ONLY.format(table=table, verb=verb)
            for table in ("entries", "verifications", "audit")
            for verb in ("UPDATE", "DELETE")
        ),
    ),
)
_LATEST = """SELECT e.id, e.sha256, e.track, e.team, e.agent, e.submitted, e.facts, v.at AS verified,
  COALESCE(v.level, 'self-reported') AS level, COALESCE(v.reason, '') AS reason, v.details
  FROM entries e LEFT JOIN verifications v ON v.id = (SELECT MAX(id) FROM verifications WHERE entry = e.id)"""


class Store:
    """The SQLite file of a board. Use as a context manager.

    Args:
        path: the file; made when missing, brought up to date when old.
    """

    def __init__(self, path: Path):
        from sqlite_utils import Database

        self.path = path
        self.db = Database(sqlite3.connect(path, timeout=WAIT_S, isolation_level=None))
        self._prepare()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    @contextmanager
    def writing(self) -> Generator[None]:
        """A transaction that has the right to write from its first statement on: all of it happens, or nothing."""
        self._patiently("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.conn.execute("ROLLBACK")
            raise
        self.db.conn.execute("COMMIT")

    def add_entry(self, row: Mapping[str, Any], document: bytes) -> int:
        """Insert an entry; inside :meth:`writing`. Returns its id."""
        table = self.db.table("entries")
        number = table.insert({**row, "document": zlib.compress(document, 9)}).last_pk
        assert isinstance(number, int)
        return number

    def add_verification(self, entry: int, level: str, reason: str, details: Mapping[str, Any]) -> None:
        """Record what a verification found, and log it."""
        with self.writing():
            row = {"entry": entry, "at": now(), "level": level, "reason": reason, "details": json.dumps(details)}
            self.db.table("verifications").insert(row)
            self.log(entry, level, reason)

    def log(self, entry: int | None, action: str, details: str = "") -> None:
        """Append to the log; inside :meth:`writing`. Each row's hash covers the row before it."""
        (last,) = self.db.execute("SELECT COALESCE(MAX(id), 0) FROM audit").fetchone()
        before = self.db.execute("SELECT hash FROM audit WHERE id = ?", [last]).fetchone()
        row = {"at": now(), "entry": entry, "action": action, "details": details}
        link = sha256(canonical([before[0] if before else "", *row.values()])).hexdigest()
        self.db.table("audit").insert({**row, "hash": link})

    def check_log(self) -> None:
        """Raise :class:`BoardError` where the log was tampered with, or an entry is not in it."""
        before = ""
        for number, *row, link in self.db.execute("SELECT id, at, entry, action, details, hash FROM audit ORDER BY id"):
            if sha256(canonical([before, *row])).hexdigest() != link:
                raise BoardError(f"row {number} of the audit log of {str(self.path)!r} was tampered with.")
            before = link
        query = "SELECT COUNT(*) FROM entries WHERE id NOT IN (SELECT entry FROM audit WHERE action = 'submitted')"
        (lost,) = self.db.execute(query).fetchone()
        if lost:
            raise BoardError(f"{lost} entries of {str(self.path)!r} are not in its audit log.")

    def entries(self, where: str = "1", values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Entries with what their last verification found, by id; ``facts`` and ``details`` parsed."""
        rows = [*self.db.query(f"{_LATEST} WHERE {where} ORDER BY e.id", [*values])]
        for row in rows:
            row["facts"], row["details"] = json.loads(row["facts"]), json.loads(row["details"] or "{}")
        return rows

    def document(self, entry: int) -> bytes:
        """The submission of an entry, as it was stored."""
        row = self.db.execute("SELECT document FROM entries WHERE id = ?", [entry]).fetchone()
        if row is None:
            raise BoardError(f"there is no entry {entry}. `lse-gym leaderboard list` tells what there is.")
        return zlib.decompress(row[0])

    def history(self, entry: int) -> list[dict[str, Any]]:
        """The log of one entry."""
        return [*self.db.query("SELECT at, action, details FROM audit WHERE entry = ? ORDER BY id", [entry])]

    def scores(self, keys: Sequence[str]) -> dict[str, Any]:
        """What was computed before, by key."""
        found = {}
        for start in range(0, len(keys), 500):  # below SQLite's limit on variables
            part = keys[start : start + 500]
            query = f"SELECT key, value FROM scores WHERE key IN ({','.join('?' * len(part))})"
            found |= {key: json.loads(value) for key, value in self.db.execute(query, part)}
        return found

    def keep_scores(self, found: Mapping[str, Any]) -> None:
        """Keep what was computed, at once."""
        with self.writing():
            rows = [(key, json.dumps(value)) for key, value in found.items()]
            self.db.conn.executemany("INSERT OR IGNORE INTO scores VALUES (?, ?)", rows)

    def setting(self, name: str, default: str) -> str:
        """A setting; the default is written where there is none yet."""
        with self.writing():
            self.db.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", [name, default])
            return self.db.execute("SELECT value FROM settings WHERE name = ?", [name]).fetchone()[0]

    def setting_or(self, name: str, default: str) -> str:
        """A setting, or the default where there is none; nothing is written."""
        row = self.db.execute("SELECT value FROM settings WHERE name = ?", [name]).fetchone()
        return row[0] if row else default

    def _prepare(self) -> None:
        try:
            if self.db.execute("PRAGMA user_version").fetchone()[0] != len(MIGRATIONS):
                self._patiently("PRAGMA journal_mode = WAL")
                self._migrate()
        except sqlite3.DatabaseError as error:
            self.db.close()
            raise BoardError(f"{str(self.path)!r} cannot be used as a board: {error}.") from None

    def _migrate(self) -> None:
        with self.writing():
            (version,) = self.db.execute("PRAGMA user_version").fetchone()
            if version > len(MIGRATIONS):
                raise BoardError(f"{str(self.path)!r} was written by a later version of lse-gym. Update the package.")
            for statements in MIGRATIONS[version:]:
                for statement in statements:
                    self.db.conn.execute(statement)
            self.db.conn.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    def _patiently(self, statement: str) -> None:
        """Execute what SQLite does not always wait for by itself."""
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                self.db.conn.execute(statement)
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


def now() -> str:
    """The time in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
