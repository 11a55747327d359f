"""The store: entries, what was verified, and the log of everything, in one SQLite file that any number may write to."""

import json
import sqlite3
import time
import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lse_gym.agents.files import move_new
from lse_gym.envs.cache import beside
from lse_gym.leaderboard.errors import BoardError
from lse_gym.leaderboard.log import append, check

if TYPE_CHECKING:  # the command line starts without it
    from sqlite_utils import Database

WAIT_S = 120.0  # for other processes that write
LEVELS = ("self-reported", "replayed", "reproduced", "played", "rejected", "flagged", "withdrawn")
MARKS = ("flagged", "admitted", "withdrawn")  # what a board or its owner says of an entry; the last one holds
# An entry with what its last verification found, unless it is marked.
LATEST = """
SELECT id, sha256, track, team, agent, submitted, facts, verified, details,
  CASE WHEN mark = 'withdrawn' OR (mark = 'flagged' AND found <> 'rejected') THEN mark ELSE found END AS level,
  CASE WHEN mark = 'withdrawn' OR (mark = 'flagged' AND found <> 'rejected') THEN said ELSE why END AS reason
FROM (SELECT e.id, e.sha256, e.track, e.team, e.agent, e.submitted, e.facts, v.at AS verified,
        COALESCE(v.level, 'self-reported') AS found, COALESCE(v.reason, '') AS why,
        v.details, m.action AS mark, m.details AS said
      FROM entries e
      LEFT JOIN verifications v ON v.id = (SELECT MAX(id) FROM verifications WHERE entry = e.id)
      LEFT JOIN audit m ON m.id = (SELECT MAX(id) FROM audit WHERE entry = e.id
                                   AND action IN ('flagged', 'admitted', 'withdrawn'))) e"""
TEXTS = ("sha256", "track", "team", "agent", "submitted", "level", "reason")
# What lists and pages read of an entry's facts, and its types.
_NUMBER = (int, float)
FACTS: Mapping[str, type | tuple[type, ...]] = {
    "kind": str,
    "editor": (str, type(None)),
    "version": str,
    "contexts_sha256": str,
    "runs": int,
    **dict.fromkeys(("claimed", "claimed_seed", "context_tokens", "calls", "tokens", "usd", "edits"), _NUMBER),
    "area": (*_NUMBER, type(None)),  # entries of earlier versions have none
}


class Store:
    """The SQLite file of a board. Use as a context manager.

    Args:
        path: the file; made when missing, whole or not at all; brought up to date when old.

    Raises:
        BoardError: the file is damaged, emptied, of another kind, or of a later version.
    """

    def __init__(self, path: Path):
        self.path = path
        if not path.exists():
            self._make()
        self.db = _connect(path)
        try:
            with self._told():
                self._prepare()
        except BaseException:
            self.close()
            raise

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
        with self._told():
            self._patiently("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self.db.conn.in_transaction:
                    self.db.conn.execute("ROLLBACK")
                raise
            self.db.conn.execute("COMMIT")

    def add_entry(self, row: Mapping[str, Any], document: bytes, pieces: Iterable[Mapping[str, Any]]) -> int:
        """Insert an entry and what finds its copies; inside :meth:`writing`. Returns its id."""
        table = self.db.table("entries")
        number = table.insert({**row, "document": zlib.compress(document, 9)}).last_pk
        assert isinstance(number, int)
        self.db.table("pieces").insert_all({**piece, "entry": number} for piece in pieces)
        return number

    def mark(self, entry: int, mark: str, reason: str) -> None:
        """Log what the owner says of an entry: "withdrawn" takes it off the board, "admitted" takes a mark away."""
        if mark not in MARKS:
            raise ValueError(f"mark={mark!r} is none of {', '.join(MARKS)}")
        with self.writing():
            self._must_have(entry)
            self.log(entry, mark, reason)

    def add_verification(self, entry: int, level: str, reason: str, details: Mapping[str, Any]) -> None:
        """Record what a verification found, and log it."""
        with self.writing():
            row = {"entry": entry, "at": now(), "level": level, "reason": reason, "details": json.dumps(details)}
            self.db.table("verifications").insert(row)
            self.log(entry, level, reason)

    def log(self, entry: int | None, action: str, details: str = "") -> None:
        """Append to the log; inside :meth:`writing`. Each row's hash covers the row before it."""
        append(self.db.conn, "audit", {"at": now(), "entry": entry, "action": action, "details": details})

    def check_log(self) -> None:
        """Raise :class:`BoardError` where the log was tampered with, or an entry is not in it."""
        with self._told():
            rows = self.db.execute("SELECT id, at, entry, action, details, hash FROM audit ORDER BY id").fetchall()
            query = "SELECT COUNT(*) FROM entries WHERE id NOT IN (SELECT entry FROM audit WHERE action = 'submitted')"
            (lost,) = self.db.execute(query).fetchone()
        check(rows, f"the audit log of {str(self.path)!r}")
        if lost:
            raise BoardError(f"{lost} entries of {str(self.path)!r} are not in its audit log.")

    def entries(self, where: str = "1", values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Entries with what their last verification found, by id; ``facts`` and ``details`` parsed."""
        return [*self.each_entry(where, values)]

    def each_entry(self, where: str = "1", values: Sequence[object] = ()) -> Iterator[dict[str, Any]]:
        """As :meth:`entries`, one after the other: what was found of many takes gigabytes."""
        for number in self.ids(where, values):
            with self._told():
                (row,) = self.db.query(f"{LATEST} WHERE e.id = ?", [number])
                row["facts"], row["details"] = json.loads(str(row["facts"])), json.loads(str(row["details"] or "{}"))
            odd = [name for name in TEXTS if not isinstance(row[name], str)]
            if odd or row["level"] not in LEVELS:
                raise self.damaged(f"entry {row['id']} has no {', '.join(odd) or 'level'} as it should be")
            facts = row["facts"] if isinstance(row["facts"], dict) else {}
            wrong = [name for name, kind in FACTS.items() if not isinstance(facts.get(name), kind)]
            if wrong or not isinstance(row["details"], dict):
                raise self.damaged(f"entry {row['id']} has no {', '.join(wrong) or 'details'} as they should be")
            yield row

    def ids(self, where: str = "1", values: Sequence[object] = ()) -> list[int]:
        """The numbers of entries."""
        with self._told():
            return [
                row[0] for row in self.db.execute(f"SELECT id FROM ({LATEST}) e WHERE {where} ORDER BY id", [*values])
            ]

    def document(self, entry: int) -> bytes:
        """The submission of an entry, as it was stored."""
        with self._told():
            self._must_have(entry)
            (stored,) = self.db.execute("SELECT document FROM entries WHERE id = ?", [entry]).fetchone()
            return zlib.decompress(stored if isinstance(stored, bytes) else b"")

    def history(self, entry: int) -> list[dict[str, Any]]:
        """The log of one entry."""
        with self._told():
            return [*self.db.query("SELECT at, action, details FROM audit WHERE entry = ? ORDER BY id", [entry])]

    def find(self, digest: str) -> int | None:
        """The entry of a submission of this digest, if there is one."""
        with self._told():
            row = self.db.execute("SELECT id FROM entries WHERE sha256 = ?", [digest]).fetchone()
        return row[0] if row else None

    def teams(self) -> list[str]:
        """Every team that has an entry."""
        with self._told():
            return [row[0] for row in self.db.execute("SELECT DISTINCT team FROM entries")]

    def damaged(self, what: object) -> BoardError:
        """The error for a file that is not as this class wrote it."""
        return BoardError(f"{str(self.path)!r} cannot be used, it is damaged: {what}. Restore it from a copy.")

    def scores(self, keys: Sequence[str]) -> dict[str, Any]:
        """What was computed before, by key."""
        query = "SELECT key, value FROM scores WHERE key IN (SELECT value FROM json_each(?))"
        with self._told():
            return {key: json.loads(value) for key, value in self.db.execute(query, [json.dumps([*keys])])}

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

    def renew(self, name: str, value: str, reason: str) -> None:
        """Change a setting, which the log tells with the value before."""
        with self.writing():
            before = self.setting_or(name, "none")
            self.db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", [name, value])
            self.log(None, "renewed", f"{name}: {before} before, {value} now: {reason}")

    def setting_or(self, name: str, default: str) -> str:
        """A setting, or the default where there is none; nothing is written."""
        with self._told():
            row = self.db.execute("SELECT value FROM settings WHERE name = ?", [name]).fetchone()
        return row[0] if row else default

    def _make(self) -> None:
        """Make the file beside its place and move it there, so that a file without tables was never ours."""
        from lse_gym.leaderboard.migrations import migrations

        temporary = beside(self.path)
        try:
            db = _connect(temporary)
            try:
                db.execute("PRAGMA journal_mode = WAL")
                migrations.apply(db)
            finally:
                db.close()
            move_new(temporary, self.path)
        except (OSError, sqlite3.Error) as error:
            raise BoardError(f"{str(self.path)!r} cannot be made: {error}.") from None
        finally:
            for end in ("", "-wal", "-shm", "-journal"):
                Path(f"{temporary}{end}").unlink(missing_ok=True)

    def _prepare(self) -> None:
        from lse_gym.leaderboard.migrations import KNOWN, migrations

        if not {"entries", "audit"} <= {*self.db.table_names()}:
            raise BoardError(f"{str(self.path)!r} holds no board: it was emptied, or is another file. Restore it.")
        if {migration.name for migration in migrations.applied(self.db)} - KNOWN:
            raise BoardError(f"{str(self.path)!r} was written by a later version of lse-gym. Update the package.")
        if migrations.pending(self.db):
            with self.writing():
                migrations.apply(self.db)

    def _must_have(self, entry: int) -> None:
        if self.db.execute("SELECT 1 FROM entries WHERE id = ?", [entry]).fetchone() is None:
            raise BoardError(f"there is no entry {entry}. `lse-gym leaderboard list` tells what there is.")

    @contextmanager
    def _told(self) -> Generator[None]:
        """Tell of what SQLite cannot read, and of what is there and cannot be parsed, with the name of the file."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.OperationalError as error:
            raise BoardError(f"{str(self.path)!r} cannot be used: {error}.") from None
        except OverflowError:
            raise BoardError("a number of an entry is at most 2**63 - 1. `list` tells what there is.") from None
        except (sqlite3.DatabaseError, zlib.error, json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self.damaged(error) from None

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


def _connect(path: Path) -> "Database":
    from sqlite_utils import Database

    return Database(sqlite3.connect(path, timeout=WAIT_S, isolation_level=None))


def now() -> str:
    """The time in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
