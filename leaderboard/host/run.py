"""A run in memory: its env, and where it stands. What is not in memory is made again from the record."""

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import gymnasium as gym

from lse_gym.envs.errors import ArgumentError, UnknownNameError
from lse_gym.envs.models.base import TaskModel
from lse_gym.envs.remote.questions import evaluated, told_of
from lse_gym.envs.remote.wire import packed
from lse_gym.envs.report import Report
from lse_gym.envs.state import TOLD
from lse_gym.leaderboard.errors import BoardError
from lse_gym.leaderboard.host.measure import also_measured
from lse_gym.leaderboard.host.model import Recorder
from lse_gym.leaderboard.host.secret import Draw, secret_env
from lse_gym.leaderboard.replay import shuffled
from lse_gym.leaderboard.track import Track


class Step(NamedTuple):
    """An executed request: what was asked, what was answered, and what the task model said meanwhile."""

    kind: str
    request: Mapping[str, Any]
    answer: Mapping[str, Any]
    responses: Sequence[Sequence[Any]]


def measured(kind: str, answer: Mapping[str, Any]) -> float | None:
    """The held-out score of the context that an answer tells of; None where not all of it was measured."""
    if kind == "evaluate":
        return answer["held_out_score"]
    return answer["info"]["held_out_score"] if kind != "finish" and answer["info"]["evaluated"] else None


class Refusal(Exception):  # noqa: N818 - no error of ours: it is told to the player
    """A request that is not executed. ``status`` is the one of HTTP.

    ``busy`` says that it may be sent again, ``closes`` that its connection has to end.
    """

    def __init__(self, status: int, told: str, busy: bool = False, closes: bool = False):
        super().__init__(told)
        self.status, self.told, self.busy, self.closes = status, told, busy, closes


class LiveRun:
    """One run. Whoever holds ``lock`` may step it.

    Args:
        track: the track.
        drawn: what it is about.
        name: the public name of its domain.
        models: the track's task models, which all runs share; the first one is played.
        unseen: another domain, that the best context is scored on in the end.
    """

    def __init__(self, track: Track, drawn: Draw, name: str, models: Mapping[str, TaskModel], unseen: Draw):
        self.track, self.lock = track, threading.Lock()
        self.env, self._seed = secret_env(track, drawn, name), drawn.domain.rpartition("-")[2]
        self._models, self._unseen = models, unseen
        self.recorder = Recorder(models[track.task_model])
        self.env.session.metered.model = self.recorder
        self.count = 0  # requests executed so far
        self.started: float | None = None  # Unix time of the first one
        self.finished = False
        self.visited: dict[str, float] = {}  # context to its held-out score
        self.best = ""  # the first context, then that of the best held-out score; of equals the latest
        self._reported: set[str] = set()  # feedback questions that reports have told of
        self._shown: list[dict[str, Any]] = []  # of the contexts visited by steps: context, score, feedback batch

    def go_through(self, steps: Iterable[Step]) -> None:
        """Execute what was executed before, with the responses that were kept.

        Raises:
            BoardError: something comes out otherwise: code, data or track are not what they were.
        """
        for step in steps:
            if step.kind == "finish":
                self._taken(step.kind, step.answer)
                continue
            self.recorder.begin(step.responses)
            answer = json.loads(json.dumps(self._act(step.kind, step.request)))
            if answer != step.answer:
                raise BoardError(f"step {self.count} comes out otherwise now: the package or the track has changed.")
            self._taken(step.kind, answer)

    def execute(self, kind: str, request: Mapping[str, Any]) -> Step:
        """Execute a new request; it counts from now on, so it has to be kept before anybody is told.

        Raises:
            Refusal: it cannot be executed; nothing has changed.
            ProviderError: the task model failed; this run has to be made again from the record.
            BoardError: the answer would tell the secret.
        """
        self.recorder.begin()
        try:
            answer = self._act(kind, request)
        except (ArgumentError, UnknownNameError, gym.error.ResetNeeded) as error:
            raise Refusal(400, str(error)) from None
        text = json.dumps(answer, allow_nan=False)
        self._check_secrecy(text)
        answer = json.loads(text)
        self._taken(kind, answer)
        return Step(kind, request, answer, self.recorder.taken() if kind != "finish" else [])

    def _act(self, kind: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if kind == "reset":
            options = {name: request[name] for name in ("context", "batch") if request[name] is not None}
            observation, info = self.env.reset(seed=request["seed"], options=options)
            return packed(self.env, (observation, 0.0, False, False, info))
        if kind == "step":
            return packed(self.env, self.env.step(request["action"]))
        if kind == "evaluate":
            if not self.count:
                raise Refusal(400, "a run begins with a reset.")
            return evaluated(self.env, request["context"], request["questions"])
        return self._sealed_scores(request["contexts"])

    def _taken(self, kind: str, answer: Mapping[str, Any]) -> None:
        self.count += 1
        self.finished = kind == "finish"
        if "report" in answer:
            self._reported |= {problem.question for problem in Report.from_json(answer["report"]).problems}
        score = measured(kind, answer)
        if score is not None:
            context = answer["context"]
            if not self.visited or score >= self.visited[self.best]:
                self.best = context
            self.visited[context] = score
            if kind != "evaluate":
                told = {"batch": answer["info"]["batch"], "feedback_score": answer["feedback_score"]}
                self._shown.append({"context": context, "performance": score} | told)

    def questions(self) -> list[dict[str, Any] | None]:
        """What a player may know of each feedback question: None until a report has told of it or the run is over.

        Raises:
            BoardError: it would tell the secret.
        """
        rows = [row if self.finished or asked in self._reported else None for asked, row in self._questions]
        self._check_secrecy(json.dumps(rows))
        return rows

    @cached_property
    def _questions(self) -> list[tuple[str, dict[str, Any] | None]]:
        """Each feedback question as reports ask it, and all there is to tell of it: nothing where golds are hidden."""
        domain = self.env.family.load(self.env.domain_name)
        rows = [told_of(domain, question) for question in domain.splits["feedback"]]
        shown = self.env.feedback_mode == "gold"
        return [(row["report"].problems[0].question, row if shown else None) for row in rows]

    def _check_secrecy(self, text: str) -> None:
        if self._seed in text:
            raise BoardError(f"{self.track.id} shows the secret seed of a domain: it cannot be played.")

    def _sealed_scores(self, contexts: Sequence[str]) -> dict[str, Any]:
        """Scores on the sealed questions, outside of the budget: the seed context's, and those asked for."""
        strange = [context for context in contexts if context not in self.visited]
        if strange or not self.visited:
            raise Refusal(400, "a run ends with contexts that it has visited and that were evaluated.")
        domain, session = self.env.family.load(self.env.domain_name), self.env.session.isolated()
        questions = domain.splits["test"]
        chosen = contexts[-1] if contexts else self.best
        wanted = [domain.seed_context, *contexts, chosen]
        found = {c: session.run([session.evaluate(domain, c, questions)])[0] for c in dict.fromkeys(wanted)}
        spent = session.budget.spent
        return {
            "scores": [found[context].scores.tolist() for context in contexts or [chosen]],
            "context": chosen,
            "seed_scores": found[domain.seed_context].scores.tolist(),
            "best_scores": found[chosen].scores.tolist(),
            "shuffled": shuffled(domain, questions, found[chosen].responses),
            "used": {name: getattr(spent, name) for name in TOLD},
            **self._also(chosen),
        }

    def _also(self, chosen: str) -> dict[str, Any]:
        elsewhere = secret_env(self.track, self._unseen, "unseen")
        others = {name: model for name, model in self._models.items() if name != self.track.task_model}
        last = max((place for place, one in enumerate(self._shown) if one["context"] == chosen), default=-1)
        evaluated_only = {"context": chosen, "performance": self.visited[chosen], "batch": -1}
        shown = self._shown[: last + 1] or [*self._shown, evaluated_only]
        return also_measured(self.track, self.env, elsewhere.family.load(elsewhere.domain_name), others, shown)
