"""HiLL's joint loop: a reasoner and a hinter both learn (arXiv 2604.00698).

A step: the reasoner answers questions; those with no right answer get hints; the best hint's answers replace the
all-wrong ones; the reasoner takes a GRPO step on the mixed batch, then the hinter one on its groups of hints.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from lse_gym.agents import checkpoint
from lse_gym.agents.epochs import epoch_batch
from lse_gym.agents.hill.baseline import Baseline, GroupBaseline, RoleBaseline
from lse_gym.agents.hill.player import Trainee
from lse_gym.agents.hill.rounds import Group, Round, play_round
from lse_gym.agents.hill.settings import BASELINES, CONDITIONS, HillArgs
from lse_gym.agents.hill.task import Exercise, Task
from lse_gym.envs.errors import ArgumentError, unknown
from lse_gym.envs.evaluation import wilson
from lse_gym.envs.games import hill
from lse_gym.envs.models.base import Request

Row = dict[str, float]
WHEN_TO_STOP = ("calls",)  # settings that may differ when a training goes on


class HillLearner:
    """Trains a reasoner, and under the condition "hill" a hinter, until the calls are spent.

    ``out`` holds ``config.json``, ``metrics.jsonl`` (a line a step), ``checkpoint.pt`` (resume continues to the
    identical result, on the same machine), and at the end ``reasoner`` and ``hinter``.

    Args:
        reasoner: its weights change.
        hinter: its weights change under the condition "hill"; unused under "grpo".
        task: the texts of both.
        exercises: what is trained on.
        sealed: what the reasoner is measured on without hints, greedily; may be empty.
        out: the directory to write.
        args: the settings.
        resume: continue the training that is there, if any; ``calls`` may differ.
    """

    def __init__(
        self,
        reasoner: Trainee,
        hinter: Trainee,
        task: Task,
        exercises: Sequence[Exercise],
        sealed: Sequence[Exercise],
        out: str | Path,
        args: HillArgs | None = None,
        *,
        resume: bool = False,
    ):
        self.args, self.task, self.out = args or HillArgs(), task, Path(out)
        self.exercises, self.sealed = [*exercises], [*sealed]
        for name, value, known in (
            ("condition", self.args.condition, CONDITIONS),
            ("baseline", self.args.baseline, BASELINES),
        ):
            if value not in known:
                raise unknown(name, value, known)
        if not self.exercises:
            raise ArgumentError("there are no questions to train on. Pass e.g. word_problems(['bakery-0'], None).")
        a = self.args
        self.reasoner, self.hinter = reasoner, hinter
        self._baselines = [RoleBaseline(a.decay) if a.baseline == "role" else GroupBaseline() for _ in range(2)]
        self._fixed: dict[tuple[str, str], list[int]] = {}  # the hint of each question, under "fixed"
        self.step_number = self.calls = 0
        facts = {"reasoner": reasoner.name, "hinter": hinter.name, "questions": len(self.exercises)}
        texts = [[(one.domain.name, *one[1:]) for one in part] for part in (self.exercises, self.sealed)]
        facts["data_sha256"] = checkpoint.digest(texts)
        checkpoint.claim(self.out, facts | asdict(a), resume, WHEN_TO_STOP)
        if kept := checkpoint.read(self.out):
            self._restore(kept)

    def learn(self, on_step: Callable[[Row], None] | None = None) -> Row:
        """Train until the calls are spent; returns the last measurement on the sealed questions."""
        while self.calls < self.args.calls:
            row: Row = {"step": self.step_number, "calls": self.calls}
            if self.step_number % self.args.evaluate_every == 0:
                row |= self.evaluate()
            row |= self._step()
            self._note(row)
            checkpoint.write(self.out, self._state())
            if on_step:
                on_step(row)
        last: Row = {"step": self.step_number, "calls": self.calls} | self.evaluate()
        self._note(last)
        for name, player in (("reasoner", self.reasoner), ("hinter", self.hinter)):
            checkpoint.write_folder(self.out / name, player.save)
        return last

    def _state(self) -> dict[str, Any]:
        return {
            "step": self.step_number,
            "calls": self.calls,
            "players": [self.reasoner.state(), self.hinter.state()],
            "baselines": [baseline.value for baseline in self._baselines],
            "fixed": [[*key, ids] for key, ids in self._fixed.items()],
        }

    def _restore(self, kept: dict[str, Any]) -> None:
        self.step_number, self.calls = kept["step"], kept["calls"]
        self._fixed = {(domain, question): ids for domain, question, ids in kept["fixed"]}
        for player, state in zip((self.reasoner, self.hinter), kept["players"], strict=True):
            player.restore(state)
        for baseline, value in zip(self._baselines, kept["baselines"], strict=True):
            baseline.value = value

    def evaluate(self) -> Row:
        """Share of the sealed questions that the reasoner answers right without a hint, greedily, with its interval."""
        if not self.sealed:
            return {}
        rows = self.reasoner.write([self.task.ask(exercise, "") for exercise in self.sealed])
        texts = [self.reasoner.text(row) for row in rows]
        scores = [self.task.score(exercise, [text])[0] for exercise, text in zip(self.sealed, texts, strict=True)]
        low, high = wilson(fmean(scores), len(scores))
        return {"accuracy": fmean(scores), "accuracy_low": low, "accuracy_high": high, "sealed": len(scores)}

    def _step(self) -> Row:
        seed = self.args.seed * 1_000_003 + self.step_number
        batch = epoch_batch(self.exercises, self.args.questions, self.step_number, self.args.seed)
        played = play_round(self.task, self.reasoner, self.hinter, batch, self.args, seed, self._hints)
        norms = {"grad_norm": descend(self.reasoner, self._baselines[0], played.mixed)}
        if self.args.condition == "hill" and played.hinter:
            norms["hinter_grad_norm"] = descend(self.hinter, self._baselines[1], played.hinter)
        self.step_number += 1
        self.calls += played.calls
        return told(played) | norms

    def _hints(self, exercises: Sequence[Exercise], asked: Sequence[Request]) -> list[list[list[int]]]:
        """``hints`` for each question, or under "fixed" the one that it has had since it was first hard."""
        if self.args.condition == "hill":
            m = self.args.hints
            rows = self.hinter.write([request._replace(sample=k) for request in asked for k in range(m)])
            self.calls += len(rows)
            return [rows[i : i + m] for i in range(0, len(rows), m)]
        keys = [(exercise.domain.name, exercise.question.id) for exercise in exercises]
        new = {key: request for key, request in zip(keys, asked, strict=True) if key not in self._fixed}
        self.calls += len(new)
        self._fixed |= dict(zip(new, self.hinter.write([*new.values()]), strict=True))
        return [[self._fixed[key]] for key in keys]

    def _note(self, row: Row) -> None:
        with (self.out / checkpoint.METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def descend(player: Trainee, baseline: Baseline, groups: Sequence[Group]) -> float:
    """Let a player learn from its groups; returns the norm of the gradient, 0.0 where all advantages are zero."""
    values = baseline.advantages([group.rewards for group in groups])
    learned = [i for i, value in enumerate(values) if value.any()]  # a group of zeros has no gradient
    if not learned:
        return 0.0
    chosen = [groups[i] for i in learned]
    total = sum(len(row) for group in groups for row in group.rows)
    own = sum(len(row) for group in chosen for row in group.rows)
    scaled = [values[i] * (own / total) for i in learned]  # the mean is over the tokens of the whole batch
    return player.descend([group.request for group in chosen], [group.rows for group in chosen], scaled)


def told(played: Round) -> Row:
    """What a step is told by; what nothing was measured for is left out."""
    row: Row = {
        "score": fmean(fmean(group.rewards) for group in played.first),
        "all_wrong": fmean(hill.is_hard(group.rewards) for group in played.first),
        "all_wrong_after": fmean(hill.is_hard(group.rewards) for group in played.mixed),
    }
    tried = [one for ones in played.tried for one in ones]
    if not tried:
        return row
    groups = [one.group for one in tried if one.group is not None]
    reliances = [one.reliance for one in tried if one.reliance is not None]
    row |= {"hint_reward": fmean(one.reward for one in tried), "failed_gates": fmean(bool(one.gate) for one in tried)}
    if groups:
        row["hinted_score"] = fmean(fmean(group.rewards) for group in groups)
    if reliances:
        row["reliance"] = fmean(reliances)
    return row
