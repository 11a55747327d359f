"""Runs executed again from their seeds: the highest level of trust, open to the agents of the package."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lse_gym.agents import AGENTS
from lse_gym.agents.parallel import side_by_side
from lse_gym.agents.run import evolve, has_run
from lse_gym.envs.errors import LSEGymError
from lse_gym.envs.models import MODELS
from lse_gym.leaderboard.submission import SPENT, find_runs, run_config, text_digest
from lse_gym.leaderboard.track import Track

NEED_FILES = ("sb3",)  # agents with files of their own, which may execute code when they are loaded
COMPARED = ("parent_id", "performance", "feedback_score", "batch")


class Again(NamedTuple):
    """A run to execute, and where."""

    run: Mapping[str, Any]
    folder: Path


def obstacle(document: Mapping[str, Any], track: Track) -> str:
    """Why an entry cannot be executed again here, or "". Nothing that a stranger names is imported or loaded."""
    kind = document["agent"]["kind"]
    if kind not in AGENTS or kind in NEED_FILES:
        return f"the agent {kind!r} is not one that comes with the package as a whole"
    models = {run["config"].get(name) or "writer" for run in document["runs"] for name in ("task_model", "editor")}
    foreign = sorted(str(model) for model in models if model not in MODELS)
    if foreign or not track.offline:
        return f"{', '.join(foreign) or track.task_model} does not come with the package"
    files = [
        name for run in document["runs"] for name in ("data_dir", "exclude") if run["config"].get(name) is not None
    ]
    return f"it has {files[0]} of its own" if files else ""


def reproduce(document: Mapping[str, Any], folder: Path, workers: int = 1) -> list[str]:
    """Execute the runs of a document and compare every round.

    Args:
        document: a submission without an :func:`obstacle`.
        folder: where the runs are kept until all are done; a killed one goes on there.
        workers: processes, >= 1.

    Returns:
        What came out otherwise; empty when every round of every run is the same.
    """
    jobs = [Again(run, folder / str(index)) for index, run in enumerate(document["runs"])]
    found: list[str] = []
    for job, difference, error in side_by_side(_again, jobs, workers):
        if error is not None and not isinstance(error, LSEGymError):
            raise error
        told = f"{type(error).__name__}: {error}" if error else difference
        if told:
            found.append(f"{job.run['domain']}, seed {job.run['seed']}: {told}")
    shutil.rmtree(folder, ignore_errors=True)
    return found


def _again(job: Again) -> str:
    evolve(run_config(job.run), job.folder, resume=has_run(job.folder))
    (made,) = find_runs(job.folder)
    rows: Sequence[Mapping[str, Any]] = job.run["trajectory"]
    if len(made.rows) != len(rows):
        return f"{len(made.rows) - 1} rounds instead of {len(rows) - 1}"
    for now, then in zip(made.rows, rows, strict=True):
        same = all(now[name] == then[name] for name in COMPARED) and text_digest(now["context"]) == then["context"]
        if not same or any(now["spent"][name] != then["spent"][name] for name in SPENT):
            return f"round {now['id']} comes out otherwise"
    return ""
