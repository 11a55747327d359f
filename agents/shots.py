"""Worked examples that reports bring, and how sets of them are drawn: what agents share that show examples."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lse_gym.envs.report import Problem, Report, report_of
from lse_gym.envs.text import clean

MAX_SHOT_CHARS = 4000  # of one example; a longer one would leave no room for others


class Shot(NamedTuple):
    """A worked example: its text in a context, what sets are balanced by, and whether the model was right by itself."""

    text: str
    label: str
    right: bool


def shots_of(report: Report) -> list[Shot]:
    """The examples in a report: every problem with a gold, and what the model got right where golds are hidden."""
    told = [(problem, _solution(problem)) for problem in report.problems]
    shots = [Shot(_text(problem, gold, report.answer), gold, problem.right) for problem, gold in told if gold]
    return [shot for shot in shots if len(shot.text) <= MAX_SHOT_CHARS]


def _solution(problem: Problem) -> str:
    return problem.gold or problem.gold_changes or (problem.answer if problem.right else "")


def _text(problem: Problem, gold: str, answer: str) -> str:
    """In the form of the family's own questions where it has one, else as people write examples."""
    if problem.example:
        return problem.example
    name = answer if answer.isupper() else answer.capitalize()
    lines = [f"Q: {problem.question}", *([f"Evidence: {problem.evidence}"] if problem.evidence else [])]
    if problem.right:  # then what led there is worth showing: a bootstrapped demonstration
        lines += [f"{turn.role}: {turn.content}" for turn in problem.transcript]
    return "\n".join([*lines, f"{name}: {gold}"])


def pool_of(memory: dict[str, Any]) -> list[Shot]:
    """The examples that an agent remembers."""
    return [Shot(*fields) for fields in memory.get("pool", ())]


def remember(memory: dict[str, Any], feedback: str) -> None:
    """Add the examples of a report to what an agent remembers."""
    memory["pool"] = [[*shot] for shot in merged(pool_of(memory), shots_of(report_of(feedback)))]


def merged(pool: Sequence[Shot], more: Sequence[Shot]) -> list[Shot]:
    """``pool`` with new examples behind it, each once; one that was ever right stays so."""
    found = {shot.text: shot for shot in pool}
    for shot in more:
        before = found.get(shot.text)
        found[shot.text] = shot._replace(right=shot.right or bool(before and before.right))
    return [*found.values()]


def drawn(
    pool: Sequence[Shot], among: Sequence[int], count: int, rng: np.random.Generator, balanced: bool
) -> list[int]:
    """``count`` of the examples ``among`` the pool by number, in random order; ``balanced``: of each label in turn."""
    shuffled = [among[int(i)] for i in rng.permutation(len(among))]
    if balanced:
        seen: dict[str, int] = {}
        turns = []
        for index in shuffled:
            seen[pool[index].label] = turn = seen.get(pool[index].label, -1) + 1
            turns.append((turn, index))
        shuffled = [index for _, index in sorted(turns, key=lambda pair: pair[0])]
    chosen = shuffled[:count]
    return [chosen[int(i)] for i in rng.permutation(len(chosen))]


def with_shots(instructions: str, texts: Sequence[str], max_chars: int) -> str:
    """Instructions with examples behind them, blank lines between; of these, whole ones only, as many as fit."""
    parts, size = [instructions], len(instructions)
    for text in texts:
        size += len(text) + 2
        if size > max_chars:
            break
        parts.append(text)
    return clean("\n\n".join(filter(None, parts)), max_chars)[0]
