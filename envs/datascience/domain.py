"""Questions about datasets, answered by code: the prompt, the loop of runs, the scores and the report."""

import json
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from lse_gym.envs.datascience.executor import FAILURES, INSTRUCTIONS, TOKENS, Bench, Ending, Settings, python_executor
from lse_gym.envs.datascience.scoring import Grade, Truth, grade, truth_of
from lse_gym.envs.datascience.task import FOLLOWING, PREDICTION, Task
from lse_gym.envs.domain import SPLITS, Attempt, Outcome, Prompt, Question, Split
from lse_gym.envs.errors import unknown
from lse_gym.envs.report import Problem, Report, Turn
from lse_gym.envs.text import one_line
from lse_gym.envs.tools.domain import ToolDomain

Scoring = Literal["benchmark", "strict", "paper"]
SCORINGS: tuple[Scoring, ...] = ("benchmark", "strict", "paper")
FILE_REWARD = 0.1  # for a prediction file, whatever is in it (arXiv 2602.24288, reward of its reinforcement learning)

OVERVIEW = (
    "You are a data analyst. Solve the task with Python scripts; what counts is the file that they save under the name "
    "that the task gives."
)
SEED_CONTEXT = "Write Python scripts that do what the question asks for, and save the predictions."
TURNS = 5  # of the benchmark's standard setting: 5 turns, 200 s a run
MAX_SHOWN_CHARS = 4000  # of a question or a turn in a report
MAX_ERROR_CHARS = 1000
MAX_GRADED = 1000  # predictions kept in memory


class DataScienceDomain(ToolDomain):
    """Questions about datasets.

    Args:
        name: name of the domain.
        splits: the questions; each has a truth.
        settings: limits of a run.
        scoring: "benchmark" is the benchmark's score; "strict" is 0 where rows are missing and others are there twice,
            which the benchmark does not see; "paper" is the reward of the paper's reinforcement learning divided by
            1.1, so that it lies in [0, 1]: 0.1 for a prediction file, and the benchmark's score.
        seed_context: the context that a search starts from.
        oracle_context: everything there is to know, or None.
    """

    max_turns = TURNS

    def __init__(
        self,
        name: str,
        splits: Mapping[Split, Sequence[Task]],
        settings: Settings = Settings(),  # noqa: B008 - immutable
        scoring: Scoring = "benchmark",
        seed_context: str = SEED_CONTEXT,
        oracle_context: str | None = None,
    ):
        if scoring not in SCORINGS:
            raise unknown("scoring", scoring, SCORINGS)
        self.name, self.settings, self.scoring = name, settings, scoring
        self.seed_context, self.oracle_context = seed_context, oracle_context
        self.tasks = {task.id: task for split in SPLITS for task in splits[split]}
        self.splits = {split: tuple(map(_question, splits[split])) for split in SPLITS}
        self.overview, self.tools = OVERVIEW, [python_executor(settings, self.max_turns)]
        self._graded: dict[tuple[str, str], tuple[Ending, Grade]] = {}

    def open(self, question: Question) -> Bench:
        """A bench with the files of the question."""
        return Bench(self.files(question), self.settings, self.truth(question).max_bytes)

    def files(self, question: Question) -> Mapping[str, Path | bytes]:
        """What scripts may load, by name: where it is, or what is in it."""
        return self.tasks[question.id].files

    def truth(self, question: Question) -> Truth:
        """What a prediction is compared with."""
        return truth_of(self.tasks[question.id])

    def grade(self, question: Question, prediction: str | None) -> Grade:
        """Score the text of a prediction; None where there is none."""
        return grade(prediction, self.truth(question), strict=self.scoring == "strict")

    def attempt(self, context: str, question: Question) -> Generator[Prompt | Future, Any, str]:
        """As every domain with tools; an attempt whose last message was cut off fails for that."""
        inner, got, text = super().attempt(context, question), None, ""
        try:
            while True:
                asked = inner.send(got)
                got = yield asked
                text = got if isinstance(asked, Prompt) else text
        except StopIteration as end:
            cut = Ending.read(end.value).prediction is None and is_cut(text)
            return Ending(None, TOKENS, "the last message was cut off or empty").json() if cut else end.value
        finally:
            inner.close()

    def score(self, questions: Sequence[Question], responses: Sequence[str]) -> list[Outcome]:
        """The benchmark's score of each prediction; the class of failure where one is to be told."""
        return [self._outcome(question, response) for question, response in zip(questions, responses, strict=True)]

    def report(self, attempts: Sequence[Attempt]) -> Report:
        """The fixed prompt, then per problem the scripts, what they returned, the score and how the attempt failed."""
        mean = sum(attempt.outcome.score for attempt in attempts) / max(1, len(attempts))
        classes = Counter(attempt.outcome.error.partition(":")[0] for attempt in attempts)
        failed = ", ".join(f"{classes[name]} {name}" for name in FAILURES if classes[name])
        told = f"{len(attempts)} problems, mean score {mean:.3g}." + (f" Failures: {failed}." if failed else "")
        return Report(f"The model's fixed prompt:\n{self.frozen}{told}", tuple(map(self._problem, attempts)))

    def fingerprint(self) -> str:
        """SHA-256 of the questions, of every file that may be loaded, of the truths, and of the limits."""
        return self._fingerprint

    def gold_response(self, question: Question) -> str:
        """How an attempt ends that predicts the truth."""
        truth = self.tasks[question.id].truth
        assert truth is not None
        return Ending(truth.read_text(encoding="utf-8")).json()

    @cached_property
    def _fingerprint(self) -> str:
        digest = sha256(json.dumps([self.scoring, *self.settings], default=str).encode())
        for split in SPLITS:
            for question in self.splits[split]:
                task = self.tasks[question.id]
                digest.update(json.dumps([split, *question, task.family, *task.targets], ensure_ascii=True).encode())
                for path in (*task.files.values(), task.truth):
                    assert path is not None
                    digest.update(sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def _grade(self, question: Question, response: str) -> tuple[Ending, Grade]:
        key = question.id, response
        if key not in self._graded:
            ending = Ending.read(response)
            self._graded[key] = ending, self.grade(question, ending.prediction)
        found = self._graded[key]
        while len(self._graded) > MAX_GRADED:
            del self._graded[next(iter(self._graded))]
        return found

    def _outcome(self, question: Question, response: str) -> Outcome:
        ending, found = self._grade(question, response)
        if ending.prediction is None:
            return Outcome(0.0, "", f"{ending.failure}: {ending.message}")
        score = paper_reward(found.score) / paper_reward(1.0) if self.scoring == "paper" else found.score
        answer = f"{PREDICTION}, score {found.score:.3g}" + (f" ({_each(found)})" if len(found.targets) > 1 else "")
        return Outcome(score, answer, f"{INSTRUCTIONS}: {found.problem}" if found.problem else "")

    def _problem(self, attempt: Attempt) -> Problem:
        question, response, outcome, transcript = attempt
        difference = self._grade(question, response)[1].difference
        return Problem(
            question=one_line(question.text, MAX_SHOWN_CHARS),
            answer=outcome.answer,
            gold=question.gold,
            score=outcome.score,
            error=one_line(outcome.error, MAX_ERROR_CHARS),
            explanation=f"First differing row: {one_line(difference, MAX_ERROR_CHARS)}" if difference else "",
            transcript=tuple(Turn(turn.role, turn.content[:MAX_SHOWN_CHARS]) for turn in transcript),
        )


def paper_reward(score: float) -> float:
    """The reward of the paper's reinforcement learning for a prediction file: 0.1 + score, 1.1 for an exact match."""
    return FILE_REWARD + score


def is_cut(text: str) -> bool:
    """Whether a message ends inside a call or a thought, or before it said anything, as one does that was cut off."""
    return not text.strip() or any(text.rfind(f"<{tag}>") > text.rfind(f"</{tag}>") for tag in ("tool_call", "think"))


def _question(task: Task) -> Question:
    truth = truth_of(task)
    columns = ", ".join([*truth.ids, *truth.targets])
    right = "the reference run's" if task.family in FOLLOWING else "the true"
    return Question(task.id, task.question, f"{PREDICTION} with {columns}: {right} {len(truth.table)} rows")


def _each(found: Grade) -> str:
    return ", ".join(f"{target} {score:.3g}" for target, score in found.targets.items())
