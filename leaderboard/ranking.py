"""The order of a board: verified numbers rank, groups tell what cannot be told apart."""

from collections import Counter
from typing import Any, NamedTuple

from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.statistics import Summary, groups, mean, summarize

ORDER = ("played", "reproduced", "replayed", "self-reported", "flagged", "rejected")
RANKED = ("played", "reproduced", "replayed")


class Row(NamedTuple):
    """One line of a track's table. ``group`` is None and scores are None where nothing was verified."""

    id: int
    group: int | None
    track: str
    agent: str
    team: str
    kind: str
    editor: str | None
    level: str
    reason: str
    score: float | None
    ci95: tuple[float, float]
    seed: float | None
    claimed: float
    context_tokens: float
    calls: float | None
    tokens: float | None
    usd: float | None
    runs: int
    transfer: dict[str, Any]
    submitted: str
    verified: str | None
    sha256: str
    details: dict[str, Any]
    summary: Summary | None
    area: float | None = None
    unseen: dict[str, Any] | None = None
    retention: float | None = None
    label: str = ""
    """the agent's name, with the number of the entry where others on the track have that name, and a word where the
    agent, executed again, does something else"""

    @property
    def differs(self) -> bool:
        """Whether the entry's agent, executed again, did something else than its ledger tells."""
        return self.level == "replayed" and bool(self.details.get("execution", {}).get("differs"))


def rank(board: Board) -> dict[str, list[Row]]:
    """The entries of every track in order: those that rank by score, those that wait, the flagged, the rejected.

    Raises:
        BoardError: the store is damaged.
    """
    by_track: dict[str, list[Row]] = {track: [] for track in board.tracks}
    for entry in board.store.each_entry("level <> 'withdrawn'"):
        try:
            by_track.setdefault(entry["track"], []).append(_row(entry))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise board.store.damaged(f"what was verified of entry {entry['id']}, {error!r}") from None
    return {track: _labelled(_ranked(rows)) for track, rows in by_track.items()}


def _row(entry: dict[str, Any]) -> Row:
    facts, details, ranks = entry["facts"], entry["details"], entry["level"] in RANKED
    taken = {name: facts[name] for name in Row._fields if name in facts}
    told = {name: entry[name] for name in Row._fields if name in entry}
    scores = details.get("scores") if ranks else None
    if scores:  # one for each run is enough beside the summary: a board of many entries has no room for each question
        told["details"] = details | {
            "scores": {domain: [[mean(run)] for run in runs] for domain, runs in scores.items()}
        }
    row = Row(
        **(taken | told),
        group=None,
        summary=summarize(details["scores"], details.get("drawn", False)) if ranks else None,
        score=float(details["score"]) if ranks else None,
        ci95=(float(details["ci95"][0]), float(details["ci95"][1])) if ranks else (0.0, 1.0),
        seed=float(details["seed"]) if ranks else None,
        **{name: details.get(name) for name in ("unseen", "retention") if ranks},
        transfer={model: {**found, "score": float(found["score"])} for model, found in details["transfer"].items()}
        if ranks
        else {},
    )
    return row._replace(calls=None, tokens=None, usd=None, area=None) if row.differs else row


def _labelled(rows: list[Row]) -> list[Row]:
    names = Counter(row.agent for row in rows)
    return [row._replace(label=_label(row, names[row.agent] > 1)) for row in rows]


def _label(row: Row, numbered: bool) -> str:
    name = f"{row.agent} #{row.id}" if numbered else row.agent
    return f"{name} (executed, it differs)" if row.differs else name


def _ranked(rows: list[Row]) -> list[Row]:
    ranked: list[Row] = []
    for played in (True, False):  # what was played on secret domains stands above what was shown on public ones
        ordered = [row for row in rows if row.score is not None and (row.level == "played") is played]
        ordered.sort(key=lambda row: (-(row.score or 0.0), row.context_tokens, row.id))  # of equals, the shorter one
        found, above = groups([row.summary for row in ordered if row.summary]), ranked[-1].group or 0 if ranked else 0
        ranked += [row._replace(group=above + group) for row, group in zip(ordered, found, strict=True)]
    others = [row for row in rows if row.score is None]
    return ranked + sorted(others, key=lambda row: (ORDER.index(row.level), -row.claimed, row.id))
