"""A board: a directory with a store, a salt, and tracks of its owner."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from lse_gym.agents.files import write_new
from lse_gym.leaderboard.checks import problems
from lse_gym.leaderboard.copies import copied, index_rows
from lse_gym.leaderboard.document import check_schema, read_document
from lse_gym.leaderboard.errors import BoardError, SubmissionError
from lse_gym.leaderboard.statistics import area, mean
from lse_gym.leaderboard.store import Store, now
from lse_gym.leaderboard.submission import best_context, digest
from lse_gym.leaderboard.text import alike
from lse_gym.leaderboard.track import Track, all_tracks, canonical, check_suite

SALT_BYTES = 32
MAX_LOGGED_CHARS = 2000


@dataclass(frozen=True)
class Rules:
    """What the owner of a board decides, in ``board.json``."""

    title: str = "lse-gym leaderboard"
    """heading of the pages"""
    submissions_per_team: int = 20
    """entries of one team to one track within the window"""
    window_days: float = 7.0
    """length of the window"""

    def since(self) -> str:
        """When the window that ends now began."""
        return (datetime.now(UTC) - timedelta(days=self.window_days)).isoformat(timespec="seconds")


class Board:
    """A board in a directory with ``board.sqlite``, ``board.json``, ``salt`` (secret) and ``tracks/``.

    Use as a context manager.

    Args:
        path: the directory.
        create: make a board there if there is none.

    Raises:
        BoardError: there is none, or one of its files is damaged.
    """

    def __init__(self, path: str | os.PathLike[str], create: bool = False):
        self.path = Path(path)
        file = self.path / "board.sqlite"
        if not file.exists() and not create:
            raise BoardError(
                f"there is no board in {str(self.path)!r}. Make one with `lse-gym leaderboard submit RUN_DIR`, "
                "or name another directory with --board."
            )
        new = not file.exists()
        if new:
            self._found()
        salt = self._salt() if (self.path / "salt").exists() else b""
        self.rules = self._rules()
        self.tracks = all_tracks(self.path / "tracks")
        self.store = Store(file)
        if new:
            self.store.setting("salt_commitment", _commitment(salt))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.store.close()

    def submit(self, data: bytes) -> int:
        """Take in a submission; returns the number of its entry. Submitting it again returns the same number.

        Raises:
            SubmissionError: it is not accepted; the reasons are in the message and in the log.
        """
        try:
            document = read_submission(data)
            there = self.store.find(document["sha256"])
            if there is not None and digest(document) == document["sha256"]:
                return there
            return self._take(data, document, accept(document, self.tracks))
        except SubmissionError as error:
            with self.store.writing():
                told = f"{sha256(data).hexdigest()[:16]}: {'; '.join(error.reasons)}"
                self.store.log(None, "refused", told[:MAX_LOGGED_CHARS])
            raise

    def withdraw(self, entry: int, reason: str) -> None:
        """Take an entry off the board: it stays in the store with its history, and in no ranking, page or table.

        Raises:
            BoardError: there is no such entry, or no reason.
        """
        self._mark(entry, "withdrawn", reason)

    def admit(self, entry: int, reason: str) -> None:
        """Take a mark, flagged or withdrawn, away from an entry again.

        Raises:
            BoardError: there is no such entry, or no reason.
        """
        self._mark(entry, "admitted", reason)

    def renew(self, reason: str) -> None:
        """Go on under a new salt, as where the old one is lost or known to others; the log keeps both commitments.

        Entries stay as they are. What was played keeps its level, though nobody draws its domains again; what was
        replayed has to be verified again, as its questions were the old salt's.

        Raises:
            BoardError: there is a salt, which opens what was drawn from it, or no reason.
        """
        path = self.path / "salt"
        if path.exists():
            raise BoardError(f"{str(path)!r} is there. Keep it elsewhere, as it opens what was drawn from it.")
        if not reason.strip():
            raise BoardError("the salt cannot be renewed without a reason. Pass --reason 'why'.")
        try:
            write_new(path, secrets.token_hex(SALT_BYTES).encode(), mode=0o600)
        except OSError as error:
            raise BoardError(f"{str(path)!r} cannot be written: {error}.") from None
        self.store.renew("salt_commitment", _commitment(self._salt()), " ".join(reason.split())[:MAX_LOGGED_CHARS])

    def _mark(self, entry: int, mark: str, reason: str) -> None:
        if not reason.strip():
            raise BoardError(f"entry {entry} cannot be {mark} without a reason. Pass --reason 'why'.")
        self.store.mark(entry, mark, " ".join(reason.split())[:MAX_LOGGED_CHARS])

    def check(self, data: bytes) -> tuple[dict[str, Any], Track]:
        """Read a submission and check all that can be checked without a model.

        Raises:
            SubmissionError: it is not accepted.
        """
        document = read_submission(data)
        return document, accept(document, self.tracks)

    def rehearse(self, document: Mapping[str, Any], track: Track) -> str:
        """What :meth:`submit` would say of an accepted document besides "entry N": "" or a mark with its reason.

        Nothing is written.

        Raises:
            SubmissionError: it would not be accepted, by the limits of this board.
        """
        there = self.store.find(document["sha256"])
        if there is not None:
            return f"it is entry {there} already"
        self._limit(document["team"]["name"], track)
        copy = copied(document, track, self.store.db)
        return f"flagged: {copy}; it would not rank" if copy else ""

    def secret(self, track: Track) -> int:
        """What the sealed questions of a track are drawn from.

        Raises:
            BoardError: this copy of the board has no salt, or another one than it was made with.
        """
        salt = self._salt()
        commitment = _commitment(salt)
        if self.store.setting("salt_commitment", commitment) != commitment:
            raise BoardError(f"the salt of {str(self.path)!r} is not the one that the board was made with.")
        return int.from_bytes(sha256(salt + track.id.encode()).digest())

    def _salt(self) -> bytes:
        path = self.path / "salt"
        try:
            salt = bytes.fromhex(path.read_text(encoding="ascii"))
        except FileNotFoundError:
            raise BoardError(
                f"the board {str(self.path)!r} has no salt. Only its owner, who has it, can verify."
            ) from None
        except (OSError, ValueError) as error:
            raise BoardError(f"the salt {str(path)!r} cannot be read: {error}. Restore it from a copy.") from None
        if len(salt) != SALT_BYTES:
            raise BoardError(
                f"the salt {str(path)!r} has {len(salt)} bytes instead of {SALT_BYTES}: it is damaged, and the secrets "
                "that come from it could be guessed. Restore it from a copy; of a board without entries, delete it."
            )
        return salt

    def _found(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_new(self.path / "salt", secrets.token_hex(SALT_BYTES).encode(), mode=0o600)
            write_new(self.path / "board.json", (json.dumps(asdict(Rules()), indent=1) + "\n").encode())
        except OSError as error:
            raise BoardError(f"no board can be made in {str(self.path)!r}: {error}.") from None

    def _rules(self) -> Rules:
        path = self.path / "board.json"
        try:
            rules = Rules(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else Rules()
            if not isinstance(rules.title, str) or not rules.submissions_per_team >= 0 or not rules.window_days >= 0:
                raise ValueError("a text, a count and a number of days are wanted")
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise BoardError(f"{str(path)!r} cannot be read: {error}. It has {', '.join(asdict(Rules()))}.") from None
        return rules

    def _take(self, data: bytes, document: Mapping[str, Any], track: Track) -> int:
        row = {
            "sha256": document["sha256"],
            "track": track.id,
            "team": document["team"]["name"],
            "agent": document["agent"]["name"],
            "submitted": now(),
            "facts": json.dumps(facts(document, track), ensure_ascii=False),
        }
        pieces = [*index_rows(0, document)]
        with self.store.writing():
            there = self.store.find(row["sha256"])
            if there is not None:
                return there
            self._limit(row["team"], track)
            copy = copied(document, track, self.store.db)
            number = self.store.add_entry(row, data, pieces)
            self.store.log(number, "submitted", row["sha256"])
            if copy:
                self.store.log(number, "flagged", f"{copy}; it does not rank.")
        return number

    def _limit(self, team: str, track: Track) -> None:
        twin = next((other for other in self.store.teams() if other != team and alike(other, team)), None)
        if twin is not None:
            raise SubmissionError([f"team {team!a} looks like {twin!a}, which is on the board. Take another name."])
        since = self.rules.since()
        query = "SELECT COUNT(*) FROM entries WHERE team = ? AND track = ? AND submitted > ?"
        (sent,) = self.store.db.execute(query, [team, track.id, since]).fetchone()
        if sent >= self.rules.submissions_per_team:
            raise SubmissionError(
                [
                    f"team {team!r} has submitted {sent} entries to {track.id} in {self.rules.window_days:g} days, "
                    f"and the limit is {self.rules.submissions_per_team}. Submit your best one later."
                ]
            )


def read_submission(data: bytes) -> dict[str, Any]:
    """Read a submission.

    Raises:
        SubmissionError: it is none.
    """
    document = read_document(data)
    check_schema(document)
    return document


def accept(document: Mapping[str, Any], tracks: Mapping[str, Track]) -> Track:
    """The track of a document in which all that can be checked without a model is right.

    Raises:
        SubmissionError: something is not; the reasons are in the message.
    """
    if document["track"] not in tracks:
        raise SubmissionError([f"there is no track {document['track']!r}; there are {', '.join(tracks)}."])
    track = tracks[document["track"]]
    check_suite(track)
    reasons = problems(document, track)
    if reasons:
        raise SubmissionError(reasons[:40])
    return track


def _commitment(salt: bytes) -> str:
    return sha256(b"lse-gym salt" + salt).hexdigest()


def facts(document: Mapping[str, Any], track: Track) -> dict[str, Any]:
    """What lists and tables tell of a document, without opening it again."""
    runs = document["runs"]
    best = [best_context(run, document) for run in runs]
    return {
        "kind": document["agent"]["kind"],
        "editor": document["agent"]["editor"],
        "version": document["agent"]["version"],
        "runs": len(runs),
        "claimed": mean([mean(run["claimed"]["test_scores_best"]) for run in runs]),
        "claimed_seed": mean([mean(run["claimed"]["test_scores_seed"]) for run in runs]),
        "context_tokens": mean([-(-len(text) // 4) for text in best]),
        "calls": max(run["ledger"]["calls"] for run in runs),
        "tokens": max(run["ledger"]["tokens"] for run in runs),
        "usd": max(run["ledger"]["usd"] for run in runs),
        "edits": max(len(run["trajectory"]) - 1 for run in runs),
        "area": mean([_area(run, track.budget["calls"]) for run in runs]) if "calls" in track.budget else None,
        "contexts_sha256": sha256(canonical(best)).hexdigest(),
    }


def _area(run: Mapping[str, Any], cap: float) -> float:
    return area([(row["spent"]["calls"], row["performance"]) for row in run["trajectory"]], cap)
