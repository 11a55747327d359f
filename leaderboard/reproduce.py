"""Runs executed again from their seeds: the highest level of trust, open to the agents of the package.

Nothing of a submission but what :mod:`lse_gym.leaderboard.settings` allows is used, and that in a confined process.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from lse_gym.agents.parallel import Engine, side_by_side
from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Settings
from lse_gym.leaderboard.isolation import Limits, Outcome, call
from lse_gym.leaderboard.settings import allowed
from lse_gym.leaderboard.submission import SPENT, find_runs, text_digest
from lse_gym.leaderboard.track import Track

MAX_REASON_CHARS = 1500
COMPARED = ("parent_id", "performance", "feedback_score", "batch")


class Again(NamedTuple):
    """A run to execute, and how long it may take."""

    place: str
    settings: Settings
    rows: list[Mapping[str, Any]]
    limits: Limits


class Reproduction(NamedTuple):
    """Whether every round of every run came out the same, what to say of it, and what was run under which limits."""

    same: bool
    reason: str
    details: dict[str, Any]

    @property
    def decided(self) -> bool:
        """Whether it says anything about the entry: one that ran out of time, or that nobody executed, does not."""
        return self.same or bool(self.details.get("differs"))


def obstacle(document: Mapping[str, Any], track: Track) -> str:
    """Why an entry cannot be executed again here, or ""."""
    if not track.offline:
        return f"{', '.join(track.models)} do not all come with the package"
    for run in document["runs"]:
        reasons = allowed(run["config"], track).reasons
        if reasons:
            return f"{run['domain']}, seed {run['seed']}: {'; '.join(reasons)}"
    return ""


def reproduce(document: Mapping[str, Any], track: Track, workers: int | Engine = 1) -> Reproduction:
    """Execute the runs of a document and compare every round; the first difference ends it.

    Args:
        document: a submission that the checks have accepted.
        track: its track.
        workers: processes, >= 1, or an engine (:func:`lse_gym.agents.parallel.make_engine`).
    """
    hindrance = obstacle(document, track)
    if hindrance:
        return Reproduction(False, f"not executed again: {hindrance}."[:MAX_REASON_CHARS], {})
    limits = Limits(seconds=track.max_seconds, cpu_s=track.max_seconds * 4)
    jobs = [
        Again(f"{run['domain']}, seed {run['seed']}", settings, run["trajectory"], limits)
        for run in document["runs"]
        if (settings := allowed(run["config"], track).settings)
    ]
    deadline = time.monotonic() + track.max_seconds * track.seeds * len(track.domains)
    held: dict[str, str] = {}
    details: dict[str, Any] = {
        "settings": [asdict(job.settings) for job in jobs],
        "limits": asdict(limits),
        "held": held,
    }
    for job, outcome, error in side_by_side(_again, jobs, workers):
        if error is not None:
            raise error
        held |= outcome.held
        problem = outcome.problem
        if not problem:
            problem = details["differs"] = _difference(outcome.result, job.rows)
        if time.monotonic() > deadline:
            problem = problem or "all runs together take longer than the track has time for"
        if problem:
            return Reproduction(False, f"executed again, and {job.place}: {problem}."[:MAX_REASON_CHARS], details)
    reason = "executed again from its seeds: every round of every run is the same."
    network = held.get("network")
    return Reproduction(True, reason if network == "cut" else f"{reason} Network: {network}.", details)


def execute(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Execute one run in the working directory; the rows of its trajectory, as a submission has them.

    What :func:`reproduce` calls in a confined process.
    """
    folder = Path("run")
    evolve(Settings(**job).config(), folder)
    (made,) = find_runs(folder)
    return [_row(row, text_digest(row["context"])) for row in made.rows]


def _again(job: Again) -> Outcome:
    return call(f"{__name__}:{execute.__name__}", asdict(job.settings), job.limits)


def _row(row: Mapping[str, Any], context: str) -> dict[str, Any]:
    spent = {name: row["spent"][name] for name in SPENT}
    return {name: row[name] for name in COMPARED} | {"context": context, "spent": spent}


def _difference(rows: list[Any], claimed: list[Mapping[str, Any]]) -> str:
    if len(rows) != len(claimed):
        return f"{len(rows) - 1} rounds instead of {len(claimed) - 1}"
    for number, (now, then) in enumerate(zip(rows, claimed, strict=True)):
        if now != _row(then, then["context"]):
            return f"round {number} comes out otherwise"
    return ""
