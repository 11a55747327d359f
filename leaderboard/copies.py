"""Contexts that are not the submitter's: those of an oracle under another name, and those of an earlier entry.

Contexts are compared by their lines and sentences, normalised (:func:`lse_gym.leaderboard.text.pieces`), without those
that every run starts with. Whoever changes every line slips through: that costs what writing a context costs.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from lse_gym.leaderboard.statistics import mean
from lse_gym.leaderboard.submission import best_context
from lse_gym.leaderboard.text import pieces, squeeze
from lse_gym.leaderboard.track import Track

if TYPE_CHECKING:
    from sqlite_utils import Database

ORACLE = "oracle"  # the agent that says what it is
# Of what an oracle knows, as a mean over the runs. The scripted writer words its rules as the oracle does: of 43 honest
# entries on three tracks the closest has 0.88, and 22 of 23 lines in a single run. If one has all, the owner admits it.
MAX_OF_ORACLE = 0.96
MAX_OF_OTHERS = 0.9  # of the lines of two contexts that are in both, as a mean over the runs

_IN_COMMON = """
WITH common AS (
  SELECT entry, run, COUNT(*) AS both FROM pieces
  WHERE domain = ? AND piece IN (SELECT value FROM json_each(?)) GROUP BY entry, run)
SELECT common.entry, both,
  (SELECT COUNT(*) FROM pieces p WHERE p.entry = common.entry AND p.run = common.run
   AND p.piece NOT IN (SELECT value FROM json_each(?)))
FROM common JOIN entries ON entries.id = common.entry WHERE entries.team <> ?"""


def copied(document: Mapping[str, Any], track: Track, db: "Database") -> str:
    """Whose contexts a document has, or "". ``db`` holds the earlier entries."""
    return _of_oracle(document, track) or _of_others(document, track, db)


def index_rows(entry: int, document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What is kept of an entry for comparisons to come."""
    for number, run in enumerate(document["runs"]):
        for piece in _digests(best_context(run, document)):
            yield {"domain": run["domain"], "piece": piece, "entry": entry, "run": number}


def _of_oracle(document: Mapping[str, Any], track: Track) -> str:
    if document["agent"]["kind"] == document["agent"]["name"] == ORACLE:
        return ""
    family = track.core("reader").family
    shares = []
    for run in document["runs"]:
        domain, text = family.load(run["domain"]), squeeze(best_context(run, document))
        known = pieces(domain.oracle_context or "") - pieces(domain.seed_context)
        shares.append(mean([piece in text for piece in known]) if known else 0.0)
    return "its contexts are those of the oracle" if mean(shares) > MAX_OF_ORACLE else ""


def _of_others(document: Mapping[str, Any], track: Track, db: "Database") -> str:
    family = track.core("reader").family
    shares, sources = [], Counter()
    for run in document["runs"]:
        start = _digests(family.load(run["domain"]).seed_context)
        own = _digests(best_context(run, document)) - start
        if own:  # who found nothing better than the start has copied nothing
            share, entry = _closest(db, document["team"]["name"], run["domain"], own, start)
            shares.append(share)
            sources[entry] += 1
    if not shares or mean(shares) < MAX_OF_OTHERS:
        return ""
    return f"its contexts are those of entry {sources.most_common(1)[0][0]}, of another team"


def _closest(db: "Database", team: str, domain: str, own: set[int], start: set[int]) -> tuple[float, int]:
    """The largest share of lines that a run of another team has in common, and its entry."""
    rows = db.execute(_IN_COMMON, [domain, json.dumps([*own]), json.dumps([*start]), team])
    best = (0.0, 0)
    for entry, both, its in rows:
        share = both / (len(own) + its - both)
        best = max(best, (share, -entry))  # of equals the earliest
    return best[0], -best[1]


def _digests(context: str) -> set[int]:
    return {int.from_bytes(sha256(piece.encode()).digest()[:8], signed=True) for piece in pieces(context)}
