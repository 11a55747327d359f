"""Contexts that are not the submitter's: those of an oracle under another name, and those of an earlier entry.

The lines and sentences of an earlier context, normalised (:func:`lse_gym.leaderboard.text.pieces`) and without those
that every run starts with, are searched in the letters of the new one: how that is spelled, ordered or broken into
lines makes no difference. Whoever changes every line slips through: that costs what writing a context costs.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lse_gym.leaderboard.statistics import mean
from lse_gym.leaderboard.store import LATEST
from lse_gym.leaderboard.submission import best_context
from lse_gym.leaderboard.text import pieces, squeeze
from lse_gym.leaderboard.track import Track

if TYPE_CHECKING:
    from sqlite_utils import Database

ORACLE = "oracle"  # the agent that says what it is
# Of what an oracle knows, as a mean over the runs. The scripted writer words its rules as the oracle does: of 43 honest
# entries on three tracks the closest has 0.88, and 22 of 23 lines in a single run. If one has all, the owner admits it.
MAX_OF_ORACLE = 0.96
LEAST = 0.1  # of the letters of a text, for another one to be looked at
HEAD = 8  # letters, first and last ones, that a piece is found by
MAX_OF_OTHERS = 0.9  # of the letters of two contexts that are in lines of both, as a mean over the runs


Run = tuple[int, int]  # an entry, and the number of a run in it


def copied(document: Mapping[str, Any], track: Track, db: "Database") -> str:
    """Whose contexts a document has, or "": an earlier entry in ``db`` that is neither flagged nor rejected."""
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
    out = [row[0] for row in db.execute(f"SELECT id FROM ({LATEST}) e WHERE level IN ('flagged', 'rejected')")]
    starts = {run["domain"]: pieces(family.load(run["domain"]).seed_context) for run in document["runs"]}
    for run in document["runs"]:
        domain, start = run["domain"], starts[run["domain"]]
        own = _without(squeeze(best_context(run, document)), start)
        if own.strip("|"):  # who found nothing better than the start has copied nothing
            share, entry = _closest(own, domain, start, document["team"]["name"], db, out)
            shares.append(share)
            sources[entry] += 1
    if not shares or mean(shares) < MAX_OF_OTHERS:
        return ""
    return f"its contexts are those of entry {sources.most_common(1)[0][0]}, of another team"


def _closest(
    own: str, domain: str, start: set[str], team: str, db: "Database", out: Sequence[int]
) -> tuple[float, int]:
    """The largest share of letters that a squeezed text has in common with a run of another team, and the entry.

    What every run starts with is left out. A run of which less than half is there counts as nothing, and one that makes
    less than a tenth of the text: lines that everybody has lead to everybody.
    """
    found: dict[Run, list[str]] = {}
    for entry, run, piece in _begun(own, domain, team, db, out):
        if piece not in start and piece in own:
            found.setdefault((entry, run), []).append(piece)
    least = LEAST * (len(own) - own.count("|"))
    shared = {place: there for place, there in found.items() if sum(map(len, there)) >= least}
    letters = _letters(shared, domain, start, db)
    best = (0.0, 0)
    for place, there in shared.items():
        both, whole = sum(map(len, there)), letters[place]
        if 2 * both > whole:
            rest = _without(own, there)  # what is there twice counts once
            best = max(best, (both / (whole + len(rest) - rest.count("|")), -place[0]))  # of equals the earliest
    return best[0], -best[1]


def _begun(own: str, domain: str, team: str, db: "Database", out: Sequence[int]) -> Iterable[tuple[int, int, str]]:
    """The pieces of other teams' runs that begin and end as something in a text does, found by an index."""
    parts = {own[at : at + length] for length in range(1, HEAD + 1) for at in range(len(own) - length + 1)}
    query = f"""WITH parts AS MATERIALIZED (SELECT value FROM json_each(?))
                SELECT p.entry, p.run, p.piece FROM pieces p JOIN entries e ON e.id = p.entry
                WHERE p.domain = ? AND substr(p.piece, 1, {HEAD}) IN parts AND substr(p.piece, -{HEAD}) IN parts
                AND e.team <> ? AND e.id NOT IN (SELECT value FROM json_each(?))"""
    return db.execute(query, [json.dumps([*parts]), domain, team, json.dumps(out)])


def _letters(runs: Iterable[Run], domain: str, start: set[str], db: "Database") -> dict[Run, int]:
    """How many letters runs have on a domain, but for what every run starts with."""
    query = """SELECT p.entry, p.run, SUM(LENGTH(p.piece)) FROM json_each(?) wanted
               CROSS JOIN pieces p ON p.domain = ? AND p.entry = json_extract(wanted.value, '$[0]')
                 AND p.run = json_extract(wanted.value, '$[1]')
               WHERE p.piece NOT IN (SELECT value FROM json_each(?)) GROUP BY p.entry, p.run"""
    found = db.execute(query, [json.dumps([*runs]), domain, json.dumps([*start])])
    return {(entry, run): letters for entry, run, letters in found}


def _without(text: str, parts: Iterable[str]) -> str:
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "|")
    return text
