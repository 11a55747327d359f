"""The board as a data set: a folder with a card that Hugging Face ``datasets`` loads, and a hub shows, as it is."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import lse_gym
from lse_gym.agents.bench.report import markdown
from lse_gym.agents.console import counted
from lse_gym.agents.files import write_text
from lse_gym.envs.errors import MissingExtraError
from lse_gym.envs.extras import require
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.ranking import Row, rank

CARD = "card.md.j2"
COLUMNS: Mapping[str, str] = {
    "id": "number of the entry",
    "group": "rank within the track; entries of one rank cannot be told apart from the first of them",
    "track": "env, domains, task model and budget of a run",
    "agent": "what was submitted",
    "team": "who submitted it",
    "kind": "the agent's name in the package, or its class",
    "editor": "model that writes the edits",
    "level": "how far it was verified: self-reported, replayed, reproduced, played; flagged and rejected do not rank",
    "reason": "why it was flagged or rejected",
    "score": "sealed score in [0, 1]: computed by the board, on questions that nobody has seen",
    "seed": "sealed score of the context that the runs start from",
    "area": "the best held-out score so far, averaged over the calls of the budget; a claim where replayed",
    "retention": "of played entries: score of the best context on the feedback questions shown before it",
    "claimed": "test score in [0, 1] that the submitter claims, on public questions",
    "context_tokens": "mean length of the contexts, in tokens of four characters",
    "calls": "most model calls of a run, editor included; a claim where replayed, empty where execution showed another",
    "tokens": "most tokens of a run, editor included; as calls",
    "usd": "most US dollars of a run, by the submitter's prices; as calls",
    "runs": "domains by seeds",
    "submitted": "time, UTC",
    "verified": "time of the last verification, UTC",
    "sha256": "digest of the submission",
    "label": "the agent's name, with the number of the entry where another one has it, and whether it differs executed",
    "low": "lower end of the 95 % interval of the sealed score",
    "high": "its upper end",
    "items": "sealed questions",
    "unseen": "of played entries: sealed score of the same contexts on other secret domains of their themes",
    "transfer": "JSON: sealed scores of the same contexts with other task models",
}
_DERIVED = ("low", "high", "items", "unseen", "transfer")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would execute


def table(board: Board) -> list[dict[str, Any]]:
    """One flat row an entry, in the order of the ranking."""
    return [dict(_flat(row)) for rows in rank(board).values() for row in rows]


def _flat(row: Row) -> Iterator[tuple[str, Any]]:
    yield from ((name, getattr(row, name)) for name in COLUMNS if name not in _DERIVED)
    ranks = row.score is not None
    yield from zip(("low", "high"), row.ci95 if ranks else (None, None), strict=True)
    yield "items", row.details.get("items") if ranks else None
    yield "unseen", row.unseen["score"] if row.unseen else None
    yield "transfer", json.dumps({model: found["score"] for model, found in row.transfer.items()})


def export(board: Board, out: Path) -> list[Path]:
    """Write ``entries.csv``, ``entries.parquet`` where ``datasets`` is installed, and the card, ``README.md``.

    Returns:
        What was written. ``datasets.load_dataset`` takes the folder, and so does a hub of data sets.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows, text = table(board), io.StringIO()
    writer = csv.DictWriter(text, fieldnames=[*COLUMNS], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    write_text(out / "entries.csv", text.getvalue())
    written = [out / "entries.csv"]
    try:
        datasets = require("datasets", "data", "A Hugging Face table")
        datasets.Dataset.from_list(rows).to_parquet(str(out / "entries.parquet"))
        written.append(out / "entries.parquet")
    except MissingExtraError:
        pass
    write_text(out / "README.md", card(board, rows, written[-1].name))
    return [*written, out / "README.md"]


def card(board: Board, rows: list[dict[str, Any]], data: str) -> str:
    """The card of the data set in the file ``data``; what submissions say does not stand in it."""
    import jinja2

    tracks = [board.tracks[name] for name in dict.fromkeys(row["track"] for row in rows) if name in board.tracks]
    source = (files("lse_gym.leaderboard") / CARD).read_text("utf-8")
    template = jinja2.Template(source, undefined=jinja2.StrictUndefined)
    return template.render(
        data=data,
        title=json.dumps(board.rules.title, ensure_ascii=False),
        heading=" ".join(board.rules.title.split()),
        count=counted(len(rows), "entry"),
        size=next(f"{size}" for most, size in SIZES if len(rows) < most),
        tracks=markdown(["track", "env", "task model"], [[one.id, one.env, one.task_model] for one in tracks]),
        columns=markdown(["column", ""], [[f"`{name}`", told] for name, told in COLUMNS.items()]),
        version=lse_gym.__version__,
        commitment=board.store.setting_or("salt_commitment", "none yet"),
    )


SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (float("inf"), "n>100K"))  # as hubs call it


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
