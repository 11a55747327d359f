"""Contexts that are not the submitter's: those of an oracle under another name, and those of an earlier entry.

The lines and sentences of an earlier context, normalised (:func:`lse_gym.leaderboard.text.pieces`) and without those
that every run starts with, are searched in the letters of the new one: how that is spelled, ordered or broken into
lines makes no difference. Whoever changes every line slips through: that costs what writing a context costs.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

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
MAX_OF_OTHERS = 0.9  # of the letters of two contexts that are in lines of both, as a mean over the runs


class Earlier(NamedTuple):
    """On one domain: in which runs, each an entry and a number, a piece is, and how many letters a run has in all."""

    places: dict[str, list[tuple[int, int]]]
    letters: Counter[tuple[int, int]]


def copied(document: Mapping[str, Any], track: Track, db: "Database") -> str:
    """Whose contexts a document has, or "". ``db`` holds the earlier entries."""
    return _of_oracle(document, track) or _of_others(document, track, db)


def index_rows(entry: int, document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What is kept of an entry for comparisons to come."""
    for number, run in enumerate(document["runs"]):
        for piece in pieces(best_context(run, document)):
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
    starts = {run["domain"]: pieces(family.load(run["domain"]).seed_context) for run in document["runs"]}
    others = {name: _earlier(db, document["team"]["name"], name, start) for name, start in starts.items()}
    for run in document["runs"]:
        own = _without(squeeze(best_context(run, document)), starts[run["domain"]])
        if own.strip("|"):  # who found nothing better than the start has copied nothing
            share, entry = _closest(own, others[run["domain"]])
            shares.append(share)
            sources[entry] += 1
    if not shares or mean(shares) < MAX_OF_OTHERS:
        return ""
    return f"its contexts are those of entry {sources.most_common(1)[0][0]}, of another team"


def _earlier(db: "Database", team: str, domain: str, start: set[str]) -> Earlier:
    """What entries of other teams have on a domain besides what every run starts with."""
    query = """SELECT p.entry, p.run, p.piece FROM pieces p JOIN entries e ON e.id = p.entry
               WHERE p.domain = ? AND e.team <> ?"""
    found = Earlier({}, Counter())
    for entry, run, piece in db.execute(query, [domain, team]):
        if piece not in start:
            found.places.setdefault(piece, []).append((entry, run))
            found.letters[entry, run] += len(piece)
    return found


def _closest(own: str, earlier: Earlier) -> tuple[float, int]:
    """The largest share of letters that a squeezed text has in common with a run of another entry, and the entry.

    A run of which less than half is there counts as nothing.
    """
    found: dict[tuple[int, int], list[str]] = {}
    for piece, places in earlier.places.items():
        if piece in own:
            for place in places:
                found.setdefault(place, []).append(piece)
    best = (0.0, 0)
    for place, there in found.items():
        both, whole = sum(map(len, there)), earlier.letters[place]
        if 2 * both > whole:
            rest = _without(own, there)  # what is there twice counts once
            best = max(best, (both / (whole + len(rest) - rest.count("|")), -place[0]))  # of equals the earliest
    return best[0], -best[1]


def _without(text: str, parts: Iterable[str]) -> str:
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "|")
    return text
