"""What a host keeps: teams, plays, and every step before it is answered. One SQLite file, written by one process.

A step that was committed survives a kill of the process and, with ``synchronous = FULL``, a loss of power.
"""

import json
import sqlite3
import threading
import zlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, Self

from lse_gym.leaderboard.errors import BoardError
from lse_gym.leaderboard.host.run import Step
from lse_gym.leaderboard.log import append, append_only, check
from lse_gym.leaderboard.store import now

STORE = "played.sqlite"  # in the board's folder
_TABLES = """
CREATE TABLE IF NOT EXISTS teams (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, token_sha256 BLOB NOT NULL, made TEXT NOT NULL, revoked TEXT);
CREATE TABLE IF NOT EXISTS plays (
  id TEXT PRIMARY KEY, team TEXT NOT NULL REFERENCES teams (id), name TEXT NOT NULL, track TEXT NOT NULL,
  track_sha256 TEXT NOT NULL, begun TEXT NOT NULL, entry INTEGER, about TEXT NOT NULL, UNIQUE (team, name));
CREATE TABLE IF NOT EXISTS steps (
  id INTEGER PRIMARY KEY AUTOINCREMENT, play TEXT NOT NULL REFERENCES plays (id), run INTEGER NOT NULL,
  number INTEGER NOT NULL, kind TEXT NOT NULL, digest BLOB NOT NULL, request BLOB NOT NULL, answer BLOB NOT NULL,
  responses BLOB NOT NULL, at REAL NOT NULL, UNIQUE (play, run, number));
CREATE TABLE IF NOT EXISTS log (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, team TEXT, play TEXT, action TEXT NOT NULL,
  details TEXT NOT NULL, hash TEXT NOT NULL);
"""


class Team(NamedTuple):
    """A team, and the digest of its token: the token itself is nowhere."""

    id: str
    name: str
    token_sha256: bytes
    revoked: str | None


class Play(NamedTuple):
    """A play: what a team plays of a track."""

    id: str
    team: str
    name: str
    track: str
    track_sha256: str
    begun: str
    entry: int | None = None
    about: str = "{}"


class PlayStore:
    """The SQLite file of a host. Threads may share it; close it in the end.

    Args:
        path: the file; made when missing.

    Raises:
        BoardError: it cannot be used.
    """

    def __init__(self, path: Path):
        self.path, self._lock = path, threading.RLock()
        try:
            self._db = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
            path.chmod(0o600)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(";\n".join([_TABLES.strip().rstrip(";"), *append_only("steps", "log")]) + ";")
        except (sqlite3.Error, OSError) as error:
            raise BoardError(f"{str(path)!r} cannot be used: {error}.") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _rows(self, query: str, *values: object) -> list[tuple]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def log(self, action: str, team: str | None = None, play: str | None = None, details: str = "") -> None:
        """Append to the log, whose rows each cover the row before."""
        with self._writing():
            self._log(action, team, play, details)

    def _log(self, action: str, team: str | None, play: str | None, details: str) -> None:
        row = {"at": now(), "team": team, "play": play, "action": action, "details": details}
        append(self._db, "log", row)

    def check_log(self) -> None:
        """Raise :class:`BoardError` where the log was tampered with."""
        rows = self._rows("SELECT id, at, team, play, action, details, hash FROM log ORDER BY id")
        check(rows, f"the log of {str(self.path)!r}")

    def history(self, play: str) -> list[tuple]:
        """Time, action and details of what was logged of a play."""
        return self._rows("SELECT at, action, details FROM log WHERE play = ? ORDER BY id", play)

    def add_team(self, team: Team) -> None:
        """Add a team, or give one of that name another token.

        Raises:
            sqlite3.IntegrityError: another team has this id.
        """
        with self._writing() as db:
            (known,) = db.execute("SELECT COUNT(*) FROM teams WHERE name = ?", [team.name]).fetchone()
            db.execute(
                "INSERT INTO teams VALUES (?, ?, ?, ?, NULL) ON CONFLICT (name) DO UPDATE "
                "SET token_sha256 = excluded.token_sha256, revoked = NULL",
                [team.id, team.name, team.token_sha256, now()],
            )
            self._log("another token" if known else "team added", team.name, None, "")

    def revoke(self, name: str) -> bool:
        """Take a team's token away; returns whether there is such a team."""
        with self._writing() as db:
            found = db.execute("UPDATE teams SET revoked = ? WHERE name = ?", [now(), name]).rowcount > 0
            if found:
                self._log("token revoked", name, None, "")
        return found

    def teams(self) -> list[Team]:
        """All teams, by name."""
        return [Team(*row) for row in self._rows("SELECT id, name, token_sha256, revoked FROM teams ORDER BY name")]

    def team(self, number: str) -> Team | None:
        """A team by its id."""
        found = self._rows("SELECT id, name, token_sha256, revoked FROM teams WHERE id = ?", number)
        return Team(*found[0]) if found else None

    def begin(self, play: Play, most: int, since: str) -> Play | None:
        """Begin a play, or find the one of that team and name; None where the team has begun ``most`` since then."""
        with self._writing() as db:
            found = db.execute("SELECT * FROM plays WHERE team = ? AND name = ?", [play.team, play.name]).fetchone()
            if found:
                return Play(*found)
            if self.begun(play.team, play.track, since) >= most:
                return None
            db.execute("INSERT INTO plays VALUES (?, ?, ?, ?, ?, ?, ?, ?)", play)
            self._log("play begun", play.team, play.id, f"{play.track}: {play.name}")
        return play

    def begun(self, team: str, track: str, since: str) -> int:
        """How many plays of a track a team has begun since then."""
        query = "SELECT COUNT(*) FROM plays WHERE team = ? AND track = ? AND begun > ?"
        return self._rows(query, team, track, since)[0][0]

    def play(self, number: str) -> Play | None:
        """A play by its id."""
        found = self._rows("SELECT * FROM plays WHERE id = ?", number)
        return Play(*found[0]) if found else None

    def plays(self, team: str) -> list[Play]:
        """The plays of a team, in order."""
        return [Play(*row) for row in self._rows("SELECT * FROM plays WHERE team = ? ORDER BY rowid", team)]

    def describe(self, play: str, about: str) -> None:
        """Keep what a team says of the agent of a play."""
        with self._writing() as db:
            db.execute("UPDATE plays SET about = ? WHERE id = ?", [about, play])
            self._log("described", None, play, sha256(about.encode()).hexdigest())

    def entered(self, play: str, entry: int) -> None:
        """Note the board's entry that a play came to."""
        with self._writing() as db:
            db.execute("UPDATE plays SET entry = ? WHERE id = ?", [entry, play])
            self._log("entered", None, play, f"entry {entry}")

    def refuse(self, play: str, why: str) -> None:
        """Log, once, why a play does not become an entry."""
        if why != self.refusal(play):
            self.log("not entered", None, play, why)

    def refusal(self, play: str) -> str | None:
        """Why a play has not become an entry, where it was refused."""
        told = [details for _, action, details in self.history(play) if action == "not entered"]
        return told[-1] if told else None

    def add_step(self, play: str, run: int, number: int, step: Step, digest: bytes, at: float) -> bytes:
        """Keep a step, down to the disk; returns its answer as it is sent.

        Raises:
            sqlite3.IntegrityError: there is a step of that number; it stays as it is.
        """
        answer = json.dumps(step.answer, allow_nan=False).encode()
        blobs = [
            zlib.compress(data, 1)
            for data in (json.dumps(step.request).encode(), answer, json.dumps(step.responses).encode())
        ]
        with self._writing() as db:
            names = "play, run, number, kind, digest, request, answer, responses, at"
            values = [play, run, number, step.kind, digest, *blobs, at]
            db.execute(f"INSERT INTO steps ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
            if step.kind == "finish":
                self._log("run finished", None, play, f"run {run}, step {number}")
        return answer

    def answered(self, play: str, run: int, number: int) -> tuple[bytes, bytes] | None:
        """Digest of the request and answer of a step, if it was executed."""
        query = "SELECT digest, answer FROM steps WHERE play = ? AND run = ? AND number = ?"
        found = self._rows(query, play, run, number)
        return (found[0][0], zlib.decompress(found[0][1])) if found else None

    def steps(self, play: str, run: int) -> Iterator[tuple[Step, float]]:
        """Every step of a run, with the time at which it was kept."""
        query = "SELECT kind, request, answer, responses, at FROM steps WHERE play = ? AND run = ? ORDER BY number"
        for kind, *blobs, at in self._rows(query, play, run):
            yield Step(kind, *(json.loads(zlib.decompress(blob)) for blob in blobs)), at

    def ends(self, play: str) -> dict[int, Mapping[str, Any]]:
        """By run what its end was answered, of those that have ended."""
        rows = self._rows("SELECT run, answer FROM steps WHERE play = ? AND kind = 'finish'", play)
        return {run: json.loads(zlib.decompress(answer)) for run, answer in rows}

    def progress(self, play: str) -> Mapping[int, tuple[int, float, bool]]:
        """By run: its steps, the time of the first one, and whether it has ended."""
        query = "SELECT run, COUNT(*), MIN(at), MAX(kind = 'finish') FROM steps WHERE play = ? GROUP BY run"
        return {run: (steps, first, bool(over)) for run, steps, first, over in self._rows(query, play)}
