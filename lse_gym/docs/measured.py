"""Tables of what was measured, made from recorded files that hold the command and the commit they come from."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lse_gym.agents import AGENTS
from lse_gym.agents.bench.report import markdown, report
from lse_gym.agents.bench.result import Source, read_results, read_sources
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.ranking import rank

RESULTS = Path(__file__).parents[2] / "leaderboard" / "results"


def results(file: str, flag: str = "", reference: str | None = None) -> str:
    """The tables of a comparison: ``results FILE``, or ``results FILE --reference CONTESTANT``."""
    if flag not in ("", "--reference"):
        raise ValueError(f"{flag!r} is no option of a block `results`; write --reference CONTESTANT.")
    path = RESULTS / file
    return f"{report(read_results(path), reference)}\n{_commands(read_sources(path))}"


def recorded(file: str) -> str:
    """A small table, kept as JSON: ``columns``, ``rows``, and ``command`` and ``commit`` of all or as columns."""
    kept = json.loads((RESULTS / file).read_text(encoding="utf-8"))
    table = markdown(kept["columns"], kept["rows"])
    if set(Source._fields) <= set(kept["columns"]):
        return table
    return f"{table}\n{_commands([Source(kept['command'], kept['commit'])])}"


def board(folder: str, family: str = "") -> str:
    """Who is on a board, by its tracks: rank, score and interval; of the tracks whose ids begin with ``family``."""
    with Board(RESULTS.parent / folder) as opened:
        return board_table(opened, family)


def board_table(opened: Board, family: str = "") -> str:
    """The same, of a board that is open."""
    budget = {track.id: [*track.budget.values()] for track in opened.tracks.values()}
    found = {track: rows for track, rows in rank(opened).items() if rows and track.startswith(family)}
    ranking = {track: found[track] for track in sorted(found, key=lambda track: (budget[track], track))}
    order = {agent: place for place, agent in enumerate(AGENTS)}
    labels = {row.label: order.get(row.kind, len(order)) for rows in ranking.values() for row in rows}
    table = []
    for label in sorted(labels, key=lambda label: (labels[label], label)):
        rows = [next((row for row in rows if row.label == label), None) for rows in ranking.values()]
        cells = [f"{r.group}: {r.score:.3f} ({r.ci95[0]:.3f} to {r.ci95[1]:.3f})" if r else "" for r in rows]
        table.append([f"`{label}`", *cells])
    groups = [str(max(row.group or 0 for row in rows)) for rows in ranking.values()]
    return markdown(["agent", *(f"`{track}`" for track in ranking)], [*table, ["ranks", *groups]])


def elsewhere(folder: str, track: str) -> str:
    """What the contexts of a track's entries are worth elsewhere, and how soon they came, as its page tells too."""
    with Board(RESULTS.parent / folder) as opened:
        rows, models = rank(opened)[track], [*opened.tracks[track].models][1:]
    columns = ["agent", "score", *(f"on `{model}`" for model in models), "unseen", "retention", "area", "context"]
    table = []
    for row in rows:
        moved = [_gain(row.transfer.get(model)) for model in models]
        kept = ["" if value is None else f"{value:.2f}" for value in (row.retention, row.area)]
        table.append(
            [f"`{row.label}`", f"{row.score:.3f}", *moved, _gain(row.unseen), *kept, f"{row.context_tokens:.0f}"]
        )
    return markdown(columns, table)


def _gain(found: Mapping[str, Any] | None) -> str:
    """A score elsewhere, and by how much it is above that of the seed context there."""
    return f"{found['score']:.3f} ({found['score'] - found['seed']:+.3f})" if found else ""


def _commands(sources: Sequence[Source]) -> str:
    if not sources:
        raise ValueError("the file does not hold the command and the commit that it comes from")
    lines = (f"# at commit {source.commit}\n{source.command}" for source in sources)
    return "```bash\n{}\n```\n".format("\n".join(lines))
