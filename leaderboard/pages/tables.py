"""The table of a track: its columns, what each cell shows, and what it is sorted by."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from lse_gym.leaderboard.ranking import Row
from lse_gym.leaderboard.track import Track, base_name


class Column(NamedTuple):
    """A column: heading, explanation, what it sorts by (None stands last), and how that is shown."""

    name: str
    title: str
    value: Callable[[Row], Any]
    form: str = ""  # of a number
    shown: Callable[[Row], str] | None = None  # where the value itself is not what is shown

    @property
    def numeric(self) -> bool:
        """Whether it holds numbers."""
        return bool(self.form)

    def show(self, row: Row) -> str:
        """The text of a cell; "" where there is nothing to tell."""
        value = self.value(row)
        return "" if value is None else self.shown(row) if self.shown else format(value, self.form)


def columns(track: Track, rows: Sequence[Row] = ()) -> list[Column]:
    """The columns of a track's table: of entries, the rank and those in which one of them has something to tell."""
    rank, *others = _columns(track)
    return [rank, *(one for one in others if not rows or any(one.value(row) is not None for row in rows))]


def _columns(track: Track) -> list[Column]:
    transfer = [
        Column(
            f"on {base_name(model).rpartition('/')[2]}",
            f"transfer: sealed score of the same contexts where {model} answers",
            lambda row, model=model: row.transfer.get(model, {}).get("score"),
            ".3f",
        )
        for model in [*track.models][1:]
    ]
    return [
        Column("rank", "entries of one rank cannot be told apart from the first of them", lambda r: r.group, "d"),
        Column("agent", "what was submitted; leads to its page", lambda r: r.label),
        Column("editor", "model that writes the edits", lambda r: r.editor or ""),
        Column("team", "who submitted it", lambda r: r.team),
        Column("sealed score", "computed by the board, on questions that nobody has seen", lambda r: r.score, ".3f"),
        Column("95 % interval", "of the sealed score; sorted by its lower end", _low, ".3f", _interval),
        Column("gain", "sealed score less that of the seed context", _gain, "+.3f"),
        Column("area", "best held-out score so far, averaged over the calls of the budget", lambda r: r.area, ".3f"),
        *transfer,
        Column(
            "unseen",
            "sealed score of the same contexts on other secret domains of their themes, less that of the seed context",
            _unseen,
            "+.3f",
        ),
        Column(
            "retention",
            "score of the best context on the feedback questions that the run was shown before it",
            lambda r: r.retention,
            ".3f",
        ),
        Column("context", "mean length, in tokens of four characters", lambda r: r.context_tokens, ",.0f"),
        Column("calls", "most model calls of a run, editor included", lambda r: r.calls, ",.0f"),
        Column("tokens", "most tokens of a run, editor included", lambda r: r.tokens, ",.0f"),
        Column("runs", "domains by seeds", lambda r: r.runs, "d"),
        Column(
            "test score",
            "claimed: of the submitter's runs, on public questions",
            lambda r: None if r.level == "played" else r.claimed,
            ".3f",
        ),
        Column("level", "how far it was verified", lambda r: r.level),
        Column("submitted", "day, UTC", lambda r: r.submitted, "", lambda r: r.submitted[:10]),
    ]


def table_data(track: Track, rows: Sequence[Row]) -> dict[str, Any]:
    """What the script needs: columns, and of every row its entry, its cells and its sort keys."""
    found = columns(track, rows)
    return {
        "columns": [{"name": column.name, "numeric": column.numeric} for column in found],
        "rows": [
            {
                "id": row.id,
                "group": row.group or 0,
                "level": row.level,
                "cells": [column.show(row) for column in found],
                "keys": [_key(column.value(row)) for column in found],
            }
            for row in rows
        ],
    }


def _key(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value.lower() if isinstance(value, str) else value


def _low(row: Row) -> float | None:
    return row.ci95[0] if row.score is not None else None


def _interval(row: Row) -> str:
    return f"{row.ci95[0]:.3f} to {row.ci95[1]:.3f}"


def _unseen(row: Row) -> float | None:
    return _less(row.unseen["score"], row.unseen["seed"]) if row.unseen else None


def _gain(row: Row) -> float | None:
    return None if row.score is None or row.seed is None else _less(row.score, row.seed)


def _less(one: float, other: float) -> float:
    return round(one - other, 9) + 0.0  # never -0.000
