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

from lse_gym.agents.files import write_text
from lse_gym.envs.errors import BoardError, SubmissionError
from lse_gym.leaderboard.checks import problems
from lse_gym.leaderboard.document import check_schema, read_document
from lse_gym.leaderboard.statistics import mean
from lse_gym.leaderboard.store import Store, now
from lse_gym.leaderboard.submission import best_row
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


class Board:
    """A board in a directory with ``board.sqlite``, ``board.json``, ``salt`` (secret) and ``tracks/``.

    Use as a context manager.

    Args:
        path: the directory.
        create: make a board there if there is none.
    """

    def __init__(self, path: str | os.PathLike[str], create: bool = False):
        self.path = Path(path)
        file = self.path / "board.sqlite"
        if not file.exists() and not create:
            raise BoardError(
                f"there is no board in {str(self.path)!r}. Make one with `lse-gym leaderboard submit RUN_DIR`, "
                "or name another directory with --board."
            )
        if not file.exists():
            self._found()
        self.rules = self._rules()
        self.tracks = all_tracks(self.path / "tracks")
        self.store = Store(file)

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
            document, track = self.check(data)
        except SubmissionError as error:
            with self.store.writing():
                told = f"{sha256(data).hexdigest()[:16]}: {'; '.join(error.reasons)}"
                self.store.log(None, "refused", told[:MAX_LOGGED_CHARS])
            raise
        row = {
            "sha256": document["sha256"],
            "track": track.id,
            "team": document["team"]["name"],
            "agent": document["agent"]["name"],
            "submitted": now(),
            "facts": json.dumps(facts(document), ensure_ascii=False),
        }
        with self.store.writing():
            there = self.store.db.execute("SELECT id FROM entries WHERE sha256 = ?", [row["sha256"]]).fetchone()
            if there:
                return there[0]
            self._limit(row["team"], track)
            number = self.store.add_entry(row, data)
            self.store.log(number, "submitted", row["sha256"])
        return number

    def check(self, data: bytes) -> tuple[dict[str, Any], Track]:
        """Read a submission and check all that can be checked without a model.

        Raises:
            SubmissionError: it is not accepted.
        """
        document = read_document(data)
        check_schema(document)
        if document["track"] not in self.tracks:
            raise SubmissionError([f"there is no track {document['track']!r}; there are {', '.join(self.tracks)}."])
        track = self.tracks[document["track"]]
        check_suite(track)
        reasons = problems(document, track)
        if reasons:
            raise SubmissionError(reasons[:40])
        return document, track

    def secret(self, track: Track) -> int:
        """What the sealed questions of a track are drawn from.

        Raises:
            BoardError: this copy of the board has no salt, or another one than it was made with.
        """
        try:
            salt = bytes.fromhex((self.path / "salt").read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise BoardError(
                f"the board {str(self.path)!r} has no salt: {error}. Only its owner, who has the file, can verify."
            ) from None
        commitment = sha256(b"lse-gym salt" + salt).hexdigest()
        if self.store.setting("salt_commitment", commitment) != commitment:
            raise BoardError(f"the salt of {str(self.path)!r} is not the one that the board was made with.")
        return int.from_bytes(sha256(salt + track.id.encode()).digest())

    def _found(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(self.path / "salt", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(SALT_BYTES))
        if not (self.path / "board.json").exists():
            write_text(self.path / "board.json", json.dumps(asdict(Rules()), indent=1) + "\n")

    def _rules(self) -> Rules:
        path = self.path / "board.json"
        try:
            return Rules(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else Rules()
        except (ValueError, TypeError) as error:
            raise BoardError(f"{str(path)!r} cannot be read: {error}. It has {', '.join(asdict(Rules()))}.") from None

    def _limit(self, team: str, track: Track) -> None:
        since = (datetime.now(UTC) - timedelta(days=self.rules.window_days)).isoformat(timespec="seconds")
        query = "SELECT COUNT(*) FROM entries WHERE team = ? AND track = ? AND submitted > ?"
        (sent,) = self.store.db.execute(query, [team, track.id, since]).fetchone()
        if sent >= self.rules.submissions_per_team:
            raise SubmissionError(
                [
                    f"team {team!r} has submitted {sent} entries to {track.id} in {self.rules.window_days:g} days, "
                    f"and the limit is {self.rules.submissions_per_team}. Submit your best one later."
                ]
            )


def facts(document: Mapping[str, Any]) -> dict[str, Any]:
    """What lists and tables tell of a document, without opening it again."""
    runs, contexts = document["runs"], document["contexts"]
    best = [contexts[best_row(run["trajectory"])["context"]] for run in runs]
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
        "contexts_sha256": sha256(canonical(best)).hexdigest(),
    }
