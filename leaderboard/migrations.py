"""The tables of a board, as a history of changes: a file of an earlier version gets those that it lacks.

Never change one: add another below it.
"""

import json
import zlib

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from lse_gym.leaderboard.copies import index_rows
from lse_gym.leaderboard.log import append_only

migrations = Migrations("lse-gym board")


@migrations()
def tables(db: Database) -> None:
    """Entries, what verifications found, scores that were computed, settings, and the log of everything."""
    for statement in (
        """CREATE TABLE IF NOT EXISTS entries (
             id INTEGER PRIMARY KEY AUTOINCREMENT, sha256 TEXT NOT NULL UNIQUE, track TEXT NOT NULL, team TEXT NOT NULL,
             agent TEXT NOT NULL, submitted TEXT NOT NULL, facts TEXT NOT NULL, document BLOB NOT NULL)""",
        "CREATE INDEX IF NOT EXISTS entries_team ON entries (team, track, submitted)",
        """CREATE TABLE IF NOT EXISTS verifications (
             id INTEGER PRIMARY KEY AUTOINCREMENT, entry INTEGER NOT NULL REFERENCES entries (id), at TEXT NOT NULL,
             level TEXT NOT NULL, reason TEXT NOT NULL, details TEXT NOT NULL)""",
        "CREATE INDEX IF NOT EXISTS verifications_entry ON verifications (entry, id)",
        "CREATE TABLE IF NOT EXISTS scores (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        """CREATE TABLE IF NOT EXISTS audit (
             id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, entry INTEGER, action TEXT NOT NULL,
             details TEXT NOT NULL, hash TEXT NOT NULL)""",
        *append_only("entries", "verifications", "audit"),
    ):
        db.conn.execute(statement)


@migrations()
def pieces_of_contexts(db: Database) -> None:
    """Digests of lines, which :func:`text_of_pieces` replaces. And the log by entry."""
    db.conn.execute(
        """CREATE TABLE pieces (
             domain TEXT NOT NULL, piece INTEGER NOT NULL, entry INTEGER NOT NULL, run INTEGER NOT NULL,
             PRIMARY KEY (domain, piece, entry, run)) WITHOUT ROWID"""
    )
    db.conn.execute("CREATE INDEX pieces_entry ON pieces (entry, run)")
    db.conn.execute("CREATE INDEX audit_entry ON audit (entry, action)")


@migrations()
def text_of_pieces(db: Database) -> None:
    """What finds copies: the lines of every entry's best contexts, normalised."""
    db.conn.execute("DROP TABLE pieces")
    db.conn.execute(
        """CREATE TABLE pieces (
             domain TEXT NOT NULL, piece TEXT NOT NULL, entry INTEGER NOT NULL, run INTEGER NOT NULL,
             PRIMARY KEY (domain, entry, run, piece)) WITHOUT ROWID"""
    )
    for entry, document in db.execute("SELECT id, document FROM entries").fetchall():
        db.table("pieces").insert_all(index_rows(entry, json.loads(zlib.decompress(document))))


@migrations()
def heads_of_pieces(db: Database) -> None:
    """Finds copies without reading every entry."""
    db.conn.execute("CREATE INDEX pieces_head ON pieces (domain, substr(piece, 1, 8))")


KNOWN = {migration.name for migration in migrations.pending(Database(memory=True))}
