"""The page of an entry: scores, contexts, how each came about, and the commands that make it again."""

import difflib
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from lse_gym.agents.pictures import tree_page
from lse_gym.agents.settings import Settings
from lse_gym.leaderboard.ranking import Row
from lse_gym.leaderboard.settings import allowed
from lse_gym.leaderboard.statistics import mean
from lse_gym.leaderboard.track import Track

MAX_DIFF_LINES = 400  # of a context: comparing takes their square
MAX_PATH = 100  # edits shown of a run
KINDS = {"+": "add", "-": "del", " ": ""}
OTHERWISE = {"start": "context"}  # settings that an option of another name sets
WITHOUT_OPTION = ("ucb_c",)  # what ``evolve`` takes by --set alone


def entry_parts(row: Row, document: Mapping[str, Any], track: Track) -> dict[str, Any]:
    """What the template of an entry shows."""
    runs = [_run_parts(row, number, run, document) for number, run in enumerate(document["runs"])]
    return {
        "row": row,
        "elsewhere": row.transfer | ({"unseen domains": row.unseen} if row.unseen else {}),
        "document": document,
        "runs": runs,
        "commands": [shlex.join(["lse-gym", *arguments]) for arguments in commands(document, track)],
    }


def _run_parts(row: Row, number: int, run: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    rows, contexts = run["trajectory"], document["contexts"]
    best = rows[run["best"]]
    chain = [best]
    while chain[-1]["parent_id"] is not None:
        chain.append(rows[chain[-1]["parent_id"]])
    return {
        "number": number,
        "domain": run["domain"],
        "seed": run["seed"],
        "held_out_seed": rows[0]["performance"],
        "held_out_best": best["performance"],
        "claimed": mean(run["claimed"]["test_scores_best"]),
        "sealed": _sealed(row, number, run, document),
        "edits": len(rows) - 1,
        "ledger": run["ledger"],
        "context": contexts[best["context"]],
        "steps": len(chain) - 1,
        "path": [_step(before, after, contexts) for before, after in pairwise(reversed(chain[: MAX_PATH + 1]))],
    }


def _sealed(row: Row, number: int, run: Mapping[str, Any], document: Mapping[str, Any]) -> float | None:
    place = sum(other["domain"] == run["domain"] for other in document["runs"][:number])
    scores = row.details.get("scores", {}).get(run["domain"])
    return mean(scores[place]) if scores and len(scores) > place else None


def _step(before: Mapping[str, Any], after: Mapping[str, Any], contexts: Mapping[str, str]) -> dict[str, Any]:
    """An edit, with the lines that it changed."""
    return {
        "round": after["round_idx"],
        "performance": after["performance"],
        "gain": after["performance"] - before["performance"],
        "lines": _changed(*(contexts[row["context"]].splitlines() for row in (before, after))),
    }


def _changed(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, str]]:
    if max(len(old), len(new)) > MAX_DIFF_LINES:
        return [("gap", f"{len(old)} lines before, {len(new)} after: too many to compare here")]
    lines = [line for line in difflib.unified_diff(old, new, n=1, lineterm="") if not line.startswith(("---", "+++"))]
    return [("gap", "…") if line.startswith("@@") else (KINDS[line[0]], line[1:]) for line in lines]


def run_page(row: Row, number: int, document: Mapping[str, Any]) -> str:
    """The tree of one run, as the page that ``evolve`` writes."""
    run = document["runs"][number]
    nodes: list[dict[str, Any]] = []
    for step in run["trajectory"]:
        parent = nodes[step["parent_id"]] if step["parent_id"] is not None else None
        node = {
            **step,
            "context": document["contexts"][step["context"]],
            "depth": parent["depth"] + 1 if parent else 0,
            "improvement": step["performance"] - parent["performance"] if parent else 0.0,
            "visits": 0,
        }
        if parent:
            parent["visits"] += 1
        nodes.append(node)
    claimed = run["claimed"]
    summary = {
        "env_id": run["config"].get("env"),
        "domain": run["domain"],
        "agent": row.agent,
        "task_model": run["config"].get("task_model"),
        "editor": row.editor,
        "seed": run["seed"],
        "rounds": len(nodes) - 1,
        "seed_score": nodes[0]["performance"],
        "best_held_out_score": nodes[run["best"]]["performance"],
        "test_score_seed": mean(claimed["test_scores_seed"]),
        "test_score_best": mean(claimed["test_scores_best"]),
        "test_n": len(claimed["test_scores_best"]),
        **run["ledger"],
    }
    title = f"Entry {row.id}: {row.agent} on {run['domain']}, seed {run['seed']}"
    return tree_page({"nodes": nodes}, summary, title=title)


def commands(document: Mapping[str, Any], track: Track) -> list[list[str]]:
    """Arguments of ``lse-gym`` that make the runs of a document again, submit and verify them.

    They are for visitors to copy, so they come from what :func:`lse_gym.leaderboard.settings.allowed` lets pass; there
    are none where one run has other settings.
    """
    found = []
    for number, run in enumerate(document["runs"]):
        settings, _ = allowed(run["config"], track)
        if settings is None:
            return []
        found.append(["evolve", *_flags(settings), "--out", f"again/{number}"])
    return [*found, ["leaderboard", "submit", "again", "--track", track.id], ["leaderboard", "verify"]]


def _flags(settings: Settings) -> Iterator[str]:
    defaults = asdict(Settings()) | {"domain": None}  # which depends on the env
    for name, value in asdict(settings).items():
        if name in ("agent_args", "env_args"):
            option = "--set" if name == "agent_args" else "--env-set"
            for key, own in value.items():
                yield from (option, f"{key}={own if isinstance(own, str) else json.dumps(own)}")
        elif value is None or value == defaults[name]:
            continue
        elif name in WITHOUT_OPTION:
            yield from ("--set", f"{name}={_text(value)}")
        else:
            yield from (f"--{OTHERWISE.get(name, name).replace('_', '-')}", _text(value))


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
