"""The result of one run as one line of data: everything that tables, figures and statistics are made from."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import gymnasium as gym

from lse_gym.agents.bench.contestant import Contestant
from lse_gym.agents.diversity import diversity
from lse_gym.agents.files import read_object, read_objects, write_text
from lse_gym.agents.settings import Settings
from lse_gym.agents.tree import merit
from lse_gym.envs.errors import DataError
from lse_gym.envs.evaluation import core_env, evaluate_context
from lse_gym.envs.registration import is_remote
from lse_gym.envs.retention import retained

OVERLAP_WORDS = 5  # words in a row that count as taken over from a question


class Result(NamedTuple):
    """One run of one contestant.

    Scores are means in [0, 1]; ``test_scores_*`` one a test question, of the seed context and of the context
    that did best on the held-out questions. ``curve`` has ``(calls spent, best held-out score so far)`` a round.
    ``copied`` is the share of the feedback questions that stand word for word in the best context, ``overlap`` the
    share of its runs of five words that also stand in one of them. ``transfer`` has the mean test scores of seed and
    best context with other task models, ``unseen`` those on another domain.

    ``diversity`` is that of all visited contexts. ``retention``, ``backward_transfer`` and ``without_context`` are what
    the best one retains, see :class:`lse_gym.envs.retention.Retained`; None where nothing was shown before it. Files of
    earlier versions do not tell what has a default.
    """

    label: str
    env: str
    domain: str
    seed: int
    agent: str
    task_model: str
    editor: str | None
    budget_calls: float | None
    rounds: int
    calls: float
    tokens: float
    usd: float
    held_out_seed: float
    held_out_best: float
    test_scores_seed: list[float]
    test_scores_best: list[float]
    curve: list[list[float]]
    context: str
    context_tokens: int
    copied: float
    overlap: float
    transfer: dict[str, list[float]]
    diversity: float | None = None
    retention: float | None = None
    backward_transfer: float | None = None
    without_context: float | None = None
    unseen: dict[str, list[float]] | None = None

    @property
    def gain(self) -> float:
        """Mean test score of the best context minus that of the seed context."""
        return self.best - self.start

    @property
    def start(self) -> float:
        """Mean test score of the seed context."""
        return sum(self.test_scores_seed) / len(self.test_scores_seed)

    @property
    def best(self) -> float:
        """Mean test score of the best context."""
        return sum(self.test_scores_best) / len(self.test_scores_best)


def measure(
    contestant: Contestant, settings: Settings, folder: Path, others: Sequence[str] = (), unseen: Sequence[str] = ()
) -> Result:
    """The result of a finished run, of whose budget nothing is spent.

    Args:
        contestant: who ran.
        settings: of the run.
        folder: its directory.
        others: task models to score its contexts with as well.
        unseen: domains of the same env to score them on as well.
    """
    summary, rows = read_object(folder / "summary.json"), read_objects(folder / "trajectory.jsonl")
    play = str(folder / "responses.jsonl") if is_remote(settings.env) else None  # the run's own; nothing else is added
    env = settings.config().make_env(record=play)
    core = core_env(env)
    domain = core.family.load(core.domain_name)
    curve, best = [], 0.0
    for row in rows:
        best = max(best, row["performance"])
        curve.append([row["spent"]["calls"], best])
    seed_context, context = rows[0]["context"], (folder / "best_context.txt").read_text(encoding="utf-8")
    (asked,) = core.session.run([core.session.feedback_questions(domain, seed_context)])
    copied, overlap = overlaps(context, [question.text for question in asked])
    kept = None if core.remote else retained(env, rows[: max(rows, key=merit)["id"] + 1])

    def test(env: gym.Env, domain: str | None = None) -> list[float]:
        return [evaluate_context(env, text, "test", domain).mean for text in (seed_context, context)]

    return Result(
        label=contestant.label,
        env=settings.env,
        domain=core.domain_name,
        seed=settings.seed,
        agent=settings.agent,
        task_model=settings.config().task_model,
        editor=summary["editor"],
        budget_calls=settings.budget_calls,
        rounds=summary["rounds"],
        calls=summary["calls"],
        tokens=summary["tokens"],
        usd=summary["usd"],
        held_out_seed=summary["seed_score"],
        held_out_best=summary["best_held_out_score"],
        test_scores_seed=summary["test_scores_seed"],
        test_scores_best=summary["test_scores_best"],
        curve=curve,
        context=context,
        context_tokens=core.model.count_tokens(context),
        copied=copied,
        overlap=overlap,
        transfer={name: test(replace(settings, task_model=name).config().make_env()) for name in others},
        diversity=diversity([row["context"] for row in rows]),
        retention=kept.retention if kept else None,
        backward_transfer=kept.backward_transfer if kept else None,
        without_context=kept.without_context if kept else None,
        unseen={name: test(env, name) for name in unseen},
    )


def overlaps(context: str, questions: Sequence[str]) -> tuple[float, float]:
    """How much of the questions stands in a context: share of whole questions, share of the context's word runs."""
    words = [_words(question) for question in questions]
    text = _words(context)
    runs = {run for question in words for run in _runs(question)}
    own = [*_runs(text)]
    joined = f" {' '.join(text)} "
    whole = sum(f" {' '.join(question)} " in joined for question in words)
    return whole / max(1, len(questions)), sum(run in runs for run in own) / max(1, len(own))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _runs(words: Sequence[str]) -> Iterable[tuple[str, ...]]:
    return zip(*(words[i:] for i in range(OVERLAP_WORDS)), strict=False)


class Source(NamedTuple):
    """Where results come from: the command that made them, and the commit of this package that ran it."""

    command: str
    commit: str


def this_source() -> Source:
    """The command line of this process, and the commit of the package, or its version where it is no checkout."""
    told = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        commit = subprocess.run(told, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        commit = f"lse-gym {metadata.version('lse-gym')}"
    return Source(shlex.join(["lse-gym", *sys.argv[1:]]), commit)


def write_results(path: str | os.PathLike[str], results: Iterable[Result], source: Source | None = None) -> None:
    """Write results as JSON lines, atomically; where they come from, if it is told, is the first line."""
    rows = [*([source] if source else []), *results]
    write_text(path, "".join(json.dumps(row._asdict(), ensure_ascii=False) + "\n" for row in rows))


def read_sources(path: str | os.PathLike[str]) -> list[Source]:
    """The commands and commits that a file of results holds: several where files were put together, or none."""
    with Path(path).open(encoding="utf-8") as file:
        return [Source(**row) for row in map(json.loads, file) if row.keys() == set(Source._fields)]


def read_results(path: str | os.PathLike[str]) -> list[Result]:
    """Read what :func:`write_results` wrote.

    Raises:
        DataError: the file cannot be read, or a line is no result.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
        rows = [json.loads(line) for line in lines if line.strip()]
        if odd := {name for row in rows for name in row} - {*Result._fields, *Source._fields}:
            raise ValueError(f"no result has {', '.join(map(repr, sorted(odd)))}")
        results = [Result(**row) for row in rows if set(row) != set(Source._fields)]
        if any(not r.test_scores_best or len(r.test_scores_best) != len(r.test_scores_seed) for r in results):
            raise ValueError("scores of seed and best context that are not of the same questions")
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            f"{os.fspath(path)!r} is no file of results: {error}. `lse-gym bench` writes results.jsonl."
        ) from None
    if not results:
        raise DataError(f"{os.fspath(path)!r} holds no results.")
    return results
