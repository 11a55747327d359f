"""GRPO alone, GRPO with fixed hints and HiLL, from the same models, for the same calls.

    python -m lse_gym.agents.hill.warm_start --out start
    python -m lse_gym.agents.hill.compare start --seeds 3 --calls 6000 --out hill

Writes a training in ``hill/CONDITION-SEED`` each, a line a run in ``hill/results.jsonl``, and ``hill/hill.svg``. Runs
that are there are not repeated; what was interrupted goes on where it was.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from lse_gym.agents.files import write_text
from lse_gym.agents.hill.learner import HillLearner
from lse_gym.agents.hill.player import ModelPlayer
from lse_gym.agents.hill.settings import BASELINES, CONDITIONS, Condition, HillArgs
from lse_gym.agents.hill.workings import Workings, word_problems
from lse_gym.agents.pictures.panels import Panel, panels_svg
from lse_gym.envs.evaluation import student95
from lse_gym.envs.games.problems.family import LEVELS, Difficulty
from lse_gym.envs.models.huggingface import HuggingFaceModel

DOMAINS = ("bakery-0", "garden-0", "harbour-0", "museum-0")
SEALED = 30  # questions of each domain
SMOOTH = 3  # steps
NAMES = {"grpo": "GRPO alone", "fixed": "GRPO, fixed hints", "hill": "HiLL"}
NUMBERS = {
    "accuracy": "right without hints, sealed",
    "all_wrong": "all-wrong groups",
    "reliance": "reliance, nats a token",
}


def run(
    start: Path,
    out: Path,
    args: HillArgs,
    difficulty: Difficulty | None = "medium",
    secret: int = 1,
    sealed: int = SEALED,
) -> dict[str, float]:
    """One training on word problems; returns the last measurement.

    Args:
        start: what :mod:`lse_gym.agents.hill.warm_start` wrote.
        out: the directory of the training.
        args: the settings.
        difficulty: of the questions.
        secret: draws the sealed questions.
        sealed: questions of each domain to measure on.
    """
    reasoner, hinter = (
        ModelPlayer(HuggingFaceModel(str(start / name), name), args.policy(lr), args.clip_high)
        for name, lr in (("reasoner", args.lr), ("hinter", args.hinter_lr))
    )
    asked, kept = word_problems(DOMAINS, difficulty), word_problems(DOMAINS, difficulty, secret, sealed)
    return HillLearner(reasoner, hinter, Workings(), asked, kept, out, args, resume=True).learn()


def read_runs(folder: Path) -> dict[Condition, list[list[dict[str, float]]]]:
    """The metrics of the runs in a folder, by condition."""
    found: dict[Condition, list[list[dict[str, float]]]] = {}
    for condition in CONDITIONS:
        for path in sorted(folder.glob(f"{condition}-*/metrics.jsonl")):
            found.setdefault(condition, []).append(_rows(path))
    return found


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def figure(runs: dict[Condition, list[list[dict[str, float]]]]) -> str:
    """The picture of the runs; what is measured each step is averaged over ``SMOOTH`` steps."""
    panels = []
    for number, name in NUMBERS.items():
        lines = {
            NAMES[condition]: [_line(rows, number, 1 if number == "accuracy" else SMOOTH) for rows in ones]
            for condition, ones in runs.items()
        }
        values = [value for ones in lines.values() for line in ones for _, value in line]
        low = min([0.0, *values]) if number == "reliance" else 0.0
        high = max([0.0, *values]) if number == "reliance" else 1.0
        panels.append(Panel(name, {k: v for k, v in lines.items() if any(v)}, low, high if high > low else low + 1.0))
    return panels_svg(panels, title="Word problems at the size of nano", place="calls")


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """The results as a table: means over seeds with Student's 95 % intervals, and differences in pairs of a seed.

    Args:
        results: the lines of ``results.jsonl``.
    """
    found: dict[str, dict[int, float]] = {}
    for row in results:
        found.setdefault(row["condition"], {})[row["seed"]] = row["accuracy"]
    lines = ["| condition | seeds | right without hints | less GRPO alone |", "| --- | --- | --- | --- |"]
    for condition, scores in found.items():
        alone = found.get("grpo", {})
        pairs = [scores[seed] - alone[seed] for seed in scores if seed in alone]
        against = _interval(pairs) if pairs and condition != "grpo" else ""
        lines.append(f"| {NAMES[condition]} | {len(scores)} | {_interval([*scores.values()])} | {against} |")
    return "\n".join(lines) + "\n"


def _interval(values: Sequence[float]) -> str:
    n, mean = len(values), fmean(values)
    if n == 1:
        return f"{mean:.3f}"
    half = student95(n - 1) * stdev(values) / sqrt(n)
    zero = " ≈" if mean - half <= 0 <= mean + half else ""
    return f"{mean:.3f} ({mean - half:.3f} to {mean + half:.3f}){zero}"


def _line(rows: Sequence[dict[str, float]], number: str, smooth: int) -> list[tuple[float, float]]:
    points = [(row["calls"], row[number]) for row in rows if number in row]
    chunks = [points[i : i + smooth] for i in range(0, len(points), smooth)]
    return [tuple(sum(part) / len(chunk) for part in zip(*chunk, strict=True)) for chunk in chunks]


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("start", type=Path, help="what warm_start wrote")
    parser.add_argument("--out", type=Path, default=Path("hill"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=[*CONDITIONS])
    parser.add_argument("--difficulty", choices=[*LEVELS], default="medium")
    parser.add_argument("--sealed", type=int, default=SEALED, help="sealed questions of each domain")
    parser.add_argument("--baseline", choices=BASELINES, default="group")
    numbers = ("calls", "questions", "samples", "hint_samples", "hints", "transfer_temperature")
    numbers = (*numbers, "lr", "hinter_lr", "evaluate_every")
    defaults = {field.name: field.default for field in fields(HillArgs)}
    for name in numbers:
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(defaults[name] or 0), default=defaults[name])
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    shared = {name: getattr(given, name) for name in (*numbers, "baseline")}
    results = given.out / "results.jsonl"
    done = {(row["condition"], row["seed"]) for row in _rows(results)}
    for seed in range(given.seeds):
        for condition in given.conditions:
            if (condition, seed) in done:
                continue
            folder = given.out / f"{condition}-{seed}"
            args = HillArgs(condition=condition, seed=seed, **shared)
            last = run(given.start, folder, args, given.difficulty, sealed=given.sealed)
            line = json.dumps({"condition": condition, "seed": seed, **last})
            with results.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    write_text(given.out / "hill.svg", figure(read_runs(given.out)))
    sys.stdout.write(table(_rows(results)))


if __name__ == "__main__":
    main()
