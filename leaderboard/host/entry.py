"""A finished play as an entry of the board: what the host executed itself, so there is nothing left to verify."""

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lse_gym
from lse_gym.leaderboard.board import Board, facts
from lse_gym.leaderboard.checks import length_problems
from lse_gym.leaderboard.document import check_schema, check_text
from lse_gym.leaderboard.errors import SubmissionError
from lse_gym.leaderboard.host.run import Step, measured
from lse_gym.leaderboard.host.secret import public_names
from lse_gym.leaderboard.host.store import Play, PlayStore, Team
from lse_gym.leaderboard.statistics import interval, mean, summarize
from lse_gym.leaderboard.store import now
from lse_gym.leaderboard.submission import FORMAT, SCHEMA_VERSION, SPENT, best_context, chain, digest, text_digest
from lse_gym.leaderboard.track import Track

LEVEL = "played"
ABOUT: Mapping[str, str] = {
    "kind": "unknown",
    "version": "",
    "url": "",
    "commit": "",
    "description": "",
    "editor": "",
    "training_data": "not told",
    "external_data": "not told",
    "licence": "CC-BY-4.0",
}


def enter(board_path: Path, store: PlayStore, track: Track, play: Play, team: Team) -> int:
    """Enter a play whose runs have all ended; returns the number of its entry. Entering it again returns the same.

    Raises:
        SubmissionError: a submission like it would not be accepted.
    """
    document, details = entry_of(store, track, play, team)
    _check(document, track)
    row = {
        "sha256": document["sha256"],
        "track": track.id,
        "team": team.name,
        "agent": document["agent"]["name"],
        "submitted": now(),
        "facts": json.dumps(facts(document, track), ensure_ascii=False),
    }
    with Board(board_path) as board:
        with board.store.writing():
            number = board.store.find(row["sha256"])
            if number is None:
                number = board.store.add_entry(row, json.dumps(document, ensure_ascii=False).encode(), [])
                board.store.log(number, "submitted", row["sha256"])
        details["plays_begun"] = store.begun(play.team, track.id, board.rules.since())
        (there,) = board.store.entries("e.id = ?", [number])
        if there["verified"] is None:
            board.store.add_verification(number, LEVEL, "", details)
    return number


def _check(document: Mapping[str, Any], track: Track) -> None:
    """What of a submission is left to check where the host executed every step."""
    check_schema(document)
    for text in document["contexts"].values():
        check_text(text)
    model = track.core("reader").model
    bests = {run["domain"]: best_context(run, document) for run in document["runs"]}
    long = [f"{name}: {told}" for name, best in bests.items() for told in length_problems(best, track, model)]
    if long:
        raise SubmissionError(long)


def entry_of(store: PlayStore, track: Track, play: Play, team: Team) -> tuple[dict[str, Any], dict[str, Any]]:
    """The document of a play, in the form of a submission, and what a verification would have found."""
    about = {**ABOUT, "name": play.name, **json.loads(play.about)}
    contexts: dict[str, str] = {}
    names = [f"{name}-{play.id[:8]}" for name in public_names(track)]  # no two plays share a domain
    runs, ends = [], []
    for run, name in enumerate(names):
        steps = [step for step, _ in store.steps(play.id, run)]
        runs.append(_run(steps, track, name, run // len(track.domains), about["kind"], contexts))
        ends.append(steps[-1].answer)
    document = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "track": track.id,
        "suite_sha256": track.suite_sha256,
        "team": {"name": team.name, "contact": ""},
        "agent": {name: about[name] for name in ("name", "kind", "version", "url", "commit", "description")}
        | {"editor": about["editor"] or None},
        "contexts": contexts,
        "runs": runs,
        "environment": {
            "lse_gym": lse_gym.__version__,
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.machine()}",
            "packages": {},
        },
        "declarations": {"saw_test": False}
        | {name: about[name] for name in ("training_data", "external_data", "licence")},
    }
    return document | {"sha256": digest(document)}, _details(dict(zip(names, ends, strict=True)))


def _run(
    steps: Sequence[Step], track: Track, name: str, seed: int, agent: str, contexts: dict[str, str]
) -> dict[str, Any]:
    rows, end = _rows(steps, contexts), steps[-1]
    scored = [step for step in steps if step.kind != "finish"]
    spent = dict(zip(SPENT, scored[-1].answer["spent"], strict=False))
    editor = end.request["editor"]
    chosen = text_digest(end.answer["context"])
    made = {
        "domain": name,
        "seed": seed,
        "config": {
            "env": track.env,
            "agent": agent,
            "task_model": track.task_model,
            "domain": name,
            "rounds": len(rows) - 1,
            "seed": seed,
            "split_seed": 0,
            **{name: value for name, value in track.settings.items() if name != "env_args"},
        },
        "trajectory": rows,
        "best": max(row["id"] for row in rows if row["context"] == chosen),
        "ledger": {
            **{what: spent[what] + editor[what] for what in ("calls", "tokens", "usd")},
            **{f"editor_{what}": editor[what] for what in ("calls", "tokens", "usd")},
        },
        "claimed": {"test_scores_seed": end.answer["seed_scores"], "test_scores_best": end.answer["best_scores"]},
    }
    for row, link in zip(rows, chain(made), strict=True):
        row["hash"] = link
    return made


def _rows(steps: Sequence[Step], contexts: dict[str, str]) -> list[dict[str, Any]]:
    """The visited contexts: a step leads from one to another, a jump to one that was visited or to a new one."""
    rows: list[dict[str, Any]] = []
    at: dict[str, int] = {}  # where a context was visited last
    here = 0
    for step in steps:
        score = measured(step.kind, step.answer)
        if score is None:
            continue
        answer, text = step.answer, step.answer["context"]
        if step.kind == "step" or text not in at:
            key = text_digest(text)
            contexts[key] = text
            rows.append(
                {
                    "id": len(rows),
                    "parent_id": here if rows else None,
                    "round_idx": len(rows),
                    "context": key,
                    "performance": score,
                    "feedback_score": answer.get("feedback_score", 0.0),
                    "batch": int(answer["info"]["batch"]) if "info" in answer else 0,
                    "spent": dict(zip(SPENT, answer["spent"], strict=False)),
                }
            )
            at[text] = len(rows) - 1
        here = at[text] if step.kind != "evaluate" else here
    return rows


def _details(ends: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What a verification tells of an entry, by what the runs ended with."""
    scores = {name: [end["best_scores"]] for name, end in ends.items()}
    summary = summarize(scores, drawn=True)
    told = all("unseen" in end for end in ends.values())  # hosts of earlier versions measured less
    others = [*next(iter(ends.values()))["transfer"]] if told else []
    retained = [end["retention"] for end in ends.values() if end.get("retention") is not None]
    return {
        "schema_version": SCHEMA_VERSION,
        "drawn": True,
        "score": summary.mean,
        "ci95": interval(summary),
        "seed": mean([mean(end["seed_scores"]) for end in ends.values()]),
        "items": sum(len(items) for items in summary.items.values()),
        "domains": {name: mean(of) for name, (of,) in scores.items()},
        "scores": scores,
        "transfer": {name: _elsewhere([end["transfer"][name] for end in ends.values()]) for name in others},
        "unseen": _elsewhere([end["unseen"] for end in ends.values()]) if told else None,
        "retention": mean(retained) if retained else None,
        "shuffled": mean([end["shuffled"] for end in ends.values()]),
        "failures": [],
    }


def _elsewhere(runs: Sequence[Sequence[Sequence[float]]]) -> dict[str, Any]:
    """Of the first and the best contexts of runs, scored elsewhere: mean of these, its interval, and mean of those."""
    first, best = ({str(n): [pair[i]] for n, pair in enumerate(runs)} for i in (0, 1))
    summary = summarize(best, drawn=True)
    return {"score": summary.mean, "ci95": interval(summary), "seed": summarize(first).mean}
