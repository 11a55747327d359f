"""Verification: the submitted contexts are run again, on public questions to test the claim, on sealed ones to rank."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from lse_gym.agents.parallel import Engine
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.errors import SubmissionError
from lse_gym.leaderboard.leaks import find_leaks
from lse_gym.leaderboard.replay import Failure, Questions, Unit, replay
from lse_gym.leaderboard.reproduce import obstacle, reproduce
from lse_gym.leaderboard.statistics import Scores, apart, interval, mean, summarize
from lse_gym.leaderboard.submission import SCHEMA_VERSION, best_context
from lse_gym.leaderboard.track import Track

Z_REJECT = 3.2905  # 99.9 %: with hundreds of honest entries, 95 % would reject one in twenty
SPOTS = 3  # contexts of a trajectory, besides its first and best, whose held-out scores are computed again
MAX_SHUFFLED = 0.15  # of responses given to the next question; 0.01 to 0.04 are usual by chance
EXECUTED = ("reproduction", "execution")  # what is known of executing an entry again


class Verdict(NamedTuple):
    """What a verification found. ``level`` is "" where a model failed, and nothing was decided."""

    level: str
    reason: str
    details: dict[str, Any]


@dataclass(frozen=True)
class Options:
    """How to verify."""

    workers: int | Engine = 1
    """processes, or an engine"""
    reproduce: bool = False
    """execute the agents of the package again, too"""
    backends: Mapping[str, str] | None = None
    """see :func:`lse_gym.leaderboard.replay.replay`"""


def verify(board: Board, entry: int, options: Options, on_done: Callable[[int, int], None] | None = None) -> Verdict:
    """Verify an entry and record the verdict.

    Every score is kept as soon as it is there: a verification that is killed goes on where it was.

    Raises:
        BoardError: the board has no salt, or the package is not the one that the track needs.
    """
    document_bytes = board.store.document(entry)
    (before,) = board.store.entries("e.id = ?", [entry])
    if before["details"].get("drawn"):  # what a host has executed itself, on domains that are no more
        return Verdict("played", "there is nothing to verify", before["details"])
    try:
        document, track = board.check(document_bytes)
    except SubmissionError as error:
        return _record(board, entry, Verdict("rejected", " ".join(error.reasons), {}))
    secret = board.secret(track)
    reasons = [*_leaks(document, track, secret)]
    if reasons:
        return _record(board, entry, Verdict("rejected", " ".join(reasons), {}))
    wanted = _units(document, track, secret)
    found, failures = replay(
        board.store, track, secret, wanted, workers=options.workers, backends=options.backends, on_done=on_done
    )
    own = [unit for unit in wanted if unit.model == track.task_model]
    if any(unit not in found for unit in own):
        with board.store.writing():
            board.store.log(entry, "postponed", "; ".join(failure.place for failure in failures)[:2000])
        return Verdict("", "; ".join(map(str, failures)), {})  # on record is the place alone
    reasons = [*_mismatches(document, track, found)]
    details = _details(document, track, found, failures) | {"backends": dict(options.backends or {})}
    if reasons:
        return _record(board, entry, Verdict("rejected", " ".join(reasons), details))
    level = "replayed"
    if not obstacle(document, track):  # a replay does not take away what is known of its execution
        level = "reproduced" if before["level"] == "reproduced" else level
        details |= {name: before["details"][name] for name in EXECUTED if name in before["details"]}
    if options.reproduce and level == "replayed":
        again = reproduce(document, track, options.workers)
        level = "reproduced" if again.same else level
        if again.decided or "execution" not in details:  # nor does one that did not come to an end
            details |= {"reproduction": again.reason, "execution": again.details}
    return _record(board, entry, Verdict(level, "", details))


def pending(board: Board, again: bool = False) -> list[int]:
    """The entries that wait for verification; with ``again`` all but what cannot rank."""
    skipped = ("rejected", "flagged", "withdrawn", "played", *(() if again else ("replayed", "reproduced")))
    return board.store.ids("level NOT IN (SELECT value FROM json_each(?))", [json.dumps(skipped)])


def _record(board: Board, entry: int, verdict: Verdict) -> Verdict:
    board.store.add_verification(entry, verdict.level, verdict.reason, verdict.details)
    return verdict


def _first(run: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    return document["contexts"][run["trajectory"][0]["context"]]


def _unit(run: Mapping[str, Any], model: str, questions: Questions, context: str) -> Unit:
    split_seed = 0 if questions == "sealed" else run["config"]["split_seed"]  # sealed ones are the same for all
    return Unit(run["domain"], split_seed, model, questions, context)


def _leaks(document: Mapping[str, Any], track: Track, secret: int) -> Iterator[str]:
    sealed = track.core("reader").family.sealed
    for run in document["runs"]:
        public = track.core("reader", run["config"]["split_seed"]).family.load(run["domain"])
        hidden = sealed(run["domain"], secret, track.sealed_items)
        problem = find_leaks(best_context(run, document), [public, hidden]).problem()
        if problem:  # told without the questions: they are sealed
            yield f"The best context of {run['domain']}, seed {run['seed']} {problem}."


def _units(document: Mapping[str, Any], track: Track, secret: int) -> list[Unit]:
    units: dict[Unit, None] = {}

    def add(run: Mapping[str, Any], model: str, questions: Questions, context: str) -> None:
        units[_unit(run, model, questions, context)] = None

    for number, run in enumerate(document["runs"]):
        first, best, rows = _first(run, document), best_context(run, document), run["trajectory"]
        for context in (first, best):
            add(run, track.task_model, "sealed", context)
            add(run, track.task_model, "test", context)
        spots = np.random.default_rng([secret, number]).integers(len(rows), size=SPOTS).tolist()
        for index in {0, run["best"], *spots}:
            add(run, track.task_model, "held_out", document["contexts"][rows[index]["context"]])
        for model in [*track.models][1:]:
            add(run, model, "sealed", first)
            add(run, model, "sealed", best)
    return [*units]


def _mismatches(document: Mapping[str, Any], track: Track, found: Mapping[Unit, dict[str, Any]]) -> Iterator[str]:
    for run in document["runs"]:
        where = f"{run['domain']}, seed {run['seed']}"

        def scores(questions: Questions, context: str, run: Mapping[str, Any] = run) -> list[float]:
            return found[_unit(run, track.task_model, questions, context)]["scores"]

        contexts = {"test_scores_seed": _first(run, document), "test_scores_best": best_context(run, document)}
        for name, context in contexts.items():
            claimed, again = run["claimed"][name], scores("test", context)
            other = sum(abs(one - two) > 1e-6 for one, two in zip(claimed, again, strict=True))
            if other > track.tolerance * len(claimed):
                yield (
                    f"{where}: of the claimed {name}, {other} of {len(claimed)} items come out otherwise: "
                    f"claimed {mean(claimed):.3f}, replayed {mean(again):.3f}."
                )
        for row in run["trajectory"]:
            unit = _unit(run, track.task_model, "held_out", document["contexts"][row["context"]])
            if unit in found:
                again = mean(found[unit]["scores"])
                if abs(again - row["performance"]) > track.tolerance + 1e-6:
                    yield f"{where}: round {row['id']} claims {row['performance']:.3f} held-out, replayed {again:.3f}."
                    break
        best = found[_unit(run, track.task_model, "sealed", best_context(run, document))]
        if best["shuffled"] > MAX_SHUFFLED:
            yield f"{where}: {best['shuffled']:.0%} of its answers are right for the next question as well."
    claimed, sealed = _by_item(document, track, found)
    if mean(claimed) > mean(sealed) and apart(claimed, sealed, Z_REJECT):
        yield (
            f"the claim of {mean(claimed):.3f} on {len(claimed)} public test questions is beyond the interval of "
            f"{mean(sealed):.3f} on {len(sealed)} sealed ones: it holds for the questions that everybody can read only."
        )


def _by_item(
    document: Mapping[str, Any], track: Track, found: Mapping[Unit, dict[str, Any]]
) -> tuple[list[float], list[float]]:
    """Claimed and sealed scores of each question, means over the seeds: seeds answer the same questions."""
    claimed: list[float] = []
    sealed: list[float] = []
    for domain in track.domains:
        runs = [run for run in document["runs"] if run["domain"] == domain]
        bests = [_unit(run, track.task_model, "sealed", best_context(run, document)) for run in runs]
        replayed = [found[unit]["scores"] for unit in bests]
        claimed += [mean(each) for each in zip(*(run["claimed"]["test_scores_best"] for run in runs), strict=True)]
        sealed += [mean(each) for each in zip(*replayed, strict=True)]
    return claimed, sealed


def _details(
    document: Mapping[str, Any], track: Track, found: Mapping[Unit, dict[str, Any]], failures: Sequence[Failure]
) -> dict[str, Any]:
    def table(model: str, context: Callable[[Any, Any], str]) -> Scores | None:
        scores: dict[str, list[list[float]]] = {domain: [] for domain in track.domains}
        for run in document["runs"]:
            unit = _unit(run, model, "sealed", context(run, document))
            if unit not in found:
                return None
            scores[run["domain"]].append(found[unit]["scores"])
        return scores

    best = table(track.task_model, best_context)
    first = table(track.task_model, _first)
    assert best is not None
    assert first is not None
    summary = summarize(best)
    transfer: dict[str, Any] = {}
    for model in [*track.models][1:]:
        there, before = table(model, best_context), table(model, _first)
        if there is not None and before is not None:
            other = summarize(there)
            transfer[model] = {"score": other.mean, "ci95": interval(other), "seed": summarize(before).mean}
    runs = document["runs"]
    bests = [_unit(run, track.task_model, "sealed", best_context(run, document)) for run in runs]
    return {
        "schema_version": SCHEMA_VERSION,
        "score": summary.mean,
        "ci95": interval(summary),
        "seed": summarize(first).mean,
        "items": sum(len(items) for items in summary.items.values()),
        "domains": {domain: float(items.mean()) for domain, items in summary.items.items()},
        "scores": best,
        "transfer": transfer,
        "shuffled": mean([found[unit]["shuffled"] for unit in bests]),
        "failures": [failure.place for failure in failures],
    }
