"""One step of HiLL before anything is learned: who answers what, with which hint, and what that was worth."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np

from lse_gym.agents.hill.player import Player
from lse_gym.agents.hill.settings import HillArgs
from lse_gym.agents.hill.task import Exercise, Task
from lse_gym.envs.games import hill
from lse_gym.envs.models.base import Request


class Group(NamedTuple):
    """Answers to one prompt: their token ids, their rewards, and the hint that was in the prompt."""

    request: Request
    rows: list[list[int]]
    rewards: list[float]
    hint: str = ""


class Tried(NamedTuple):
    """A hint and what came of it; a hint that fails a gate is not tried."""

    gate: hill.Gate
    reward: float
    group: Group | None = None
    term: float = 0.0
    reliance: float | None = None


class Round(NamedTuple):
    """What both players learn from, and what is told of it.

    Attributes:
        first: the group of each question without a hint.
        mixed: the same, all-wrong groups replaced where a hint helped.
        hinter: a group of hints for each hard question.
        tried: the hints of each hard question.
        calls: answers, and answers scored for reliance.
    """

    first: list[Group]
    mixed: list[Group]
    hinter: list[Group]
    tried: list[list[Tried]]
    calls: int


Hints = Callable[[Sequence[Exercise], Sequence[Request]], list[list[list[int]]]]
"""the hints of each hard question, as token ids"""


def play_round(
    task: Task, reasoner: Player, hinter: Player, exercises: Sequence[Exercise], args: HillArgs, seed: int, hints: Hints
) -> Round:
    """Let both play on questions.

    Args:
        task: the texts of both.
        reasoner: answers.
        hinter: reads what ``hints`` wrote.
        exercises: the questions.
        args: the settings.
        seed: of all sampling, >= 0.
        hints: writes the hints.
    """
    first = _answers(task, reasoner, exercises, [""] * len(exercises), args, args.samples, 2 * seed)
    calls = len(exercises) * args.samples
    hard = [i for i, group in enumerate(first) if hill.is_hard(group.rewards)] if args.condition != "grpo" else []
    if not hard:
        return Round(first, first, [], [], calls)
    rng = np.random.default_rng((seed, 1))
    attempts = [reasoner.text(first[i].rows[int(rng.integers(args.samples))]) for i in hard]
    asked = [
        task.tell(exercises[i], attempt)._replace(temperature=args.temperature, seed=2 * seed + 1)
        for i, attempt in zip(hard, attempts, strict=True)
    ]
    written = hints([exercises[i] for i in hard], asked)
    texts = [[hill.hint_in(hinter.text(row)) for row in rows] for rows in written]
    tried = _try(task, reasoner, [exercises[i] for i in hard], texts, args, 2 * seed + 1)
    mixed = [*first]
    for i, ones in zip(hard, tried, strict=True):
        best = hill.best_hint([one.reward for one in ones], [one.term for one in ones])
        mixed[i] = (ones[best].group if best is not None else None) or first[i]
    groups = [
        Group(request, rows, [one.reward for one in ones])
        for request, rows, ones in zip(asked, written, tried, strict=True)
    ]
    calls += sum(_cost(one, args) for ones in tried for one in ones)
    return Round(first, mixed, groups, tried, calls)


def _answers(
    task: Task, reasoner: Player, exercises: Sequence[Exercise], hints: Sequence[str], args: HillArgs, n: int, seed: int
) -> list[Group]:
    """A group of ``n`` answers to each question, with its hint."""
    requests = [
        task.ask(exercise, hint)._replace(temperature=args.temperature, seed=seed * 100_003 + i)
        for i, (exercise, hint) in enumerate(zip(exercises, hints, strict=True))
    ]
    rows = reasoner.write([request._replace(sample=k) for request in requests for k in range(n)])
    groups = [rows[i * n : (i + 1) * n] for i in range(len(requests))]
    return [
        Group(request, group, task.score(exercise, [reasoner.text(row) for row in group]), hint)
        for request, group, exercise, hint in zip(requests, groups, exercises, hints, strict=True)
    ]


def _try(
    task: Task,
    reasoner: Player,
    exercises: Sequence[Exercise],
    texts: Sequence[Sequence[str]],
    args: HillArgs,
    seed: int,
) -> list[list[Tried]]:
    """The gates, then answers with each hint that passes them, all together."""
    gates = [
        [_gate(task, reasoner, exercise, hint, args) for hint in hints]
        for exercise, hints in zip(exercises, texts, strict=True)
    ]
    places = [(i, k) for i, row in enumerate(gates) for k, gate in enumerate(row) if not gate]
    asked, given = [exercises[i] for i, _ in places], [texts[i][k] for i, k in places]
    groups = _answers(task, reasoner, asked, given, args, args.hint_samples or args.samples, seed)
    answered: Mapping[tuple[int, int], Group] = dict(zip(places, groups, strict=True))
    return [
        [
            _measured(task, reasoner, exercises[i], answered[i, k], args) if not gate else Tried(gate, hill.GATE_REWARD)
            for k, gate in enumerate(row)
        ]
        for i, row in enumerate(gates)
    ]


def _gate(task: Task, reasoner: Player, exercise: Exercise, hint: str, args: HillArgs) -> hill.Gate:
    tokens = len(reasoner.prompt_ids(task.ask(exercise, hint))) if hint else 0
    return hill.gate_of(hint, exercise.gold, tokens, args.max_prompt_tokens)


def _measured(task: Task, reasoner: Player, exercise: Exercise, group: Group, args: HillArgs) -> Tried:
    """What a tried hint is worth; only HiLL's hinter learns from it, so only there reliance is measured."""
    p, n = hill.success(group.rewards), len(group.rows)
    right = [row for row, score in zip(group.rows, group.rewards, strict=True) if score >= hill.RIGHT]
    mean = None
    if right and args.condition == "hill":
        without, given = (reasoner.row_logprobs(task.ask(exercise, hint), right) for hint in ("", group.hint))
        mean = fmean(hill.reliance(*pair) for pair in zip(without, given, strict=True))
    reward = hill.hint_reward(p, n, mean, kind=args.kind, temperature=args.transfer_temperature)
    return Tried("", reward, group, hill.prob_term(p, n, args.kind), mean)


def _cost(one: Tried, args: HillArgs) -> int:
    """Calls of a hint: its answers, and each right one scored with it and without."""
    if one.group is None:
        return 0
    scored = 2 * sum(score >= hill.RIGHT for score in one.group.rewards) if args.condition == "hill" else 0
    return len(one.group.rows) + scored
