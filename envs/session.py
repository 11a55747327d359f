"""The session: how good is this context on these questions? Everything else is a thin layer around it."""

import json
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future
from itertools import cycle, islice, repeat
from typing import Any, NamedTuple, TypeVar

import numpy as np

from lse_gym.envs.budget import NOTHING, Budget, Usage
from lse_gym.envs.domain import Asked, Attempt, Domain, Likelihood, Outcome, Prompt, Question, outcomes_of
from lse_gym.envs.metered import MeteredModel, Task, drive
from lse_gym.envs.models.base import Request, Response, TaskModel
from lse_gym.envs.report import FeedbackMode, Report, Turn

T = TypeVar("T")


class Evaluation(NamedTuple):
    """Scores of one context on some questions.

    ``scores`` is float64 of shape (questions,), the mean over samples; ``responses``, ``outcomes`` and ``transcripts``
    are those of the first sample of each question; ``usage`` is what was paid now.
    """

    scores: np.ndarray
    questions: Sequence[Question]
    responses: list[str]
    outcomes: list[Outcome]
    transcripts: list[tuple[Turn, ...]]
    usage: Usage

    @property
    def attempts(self) -> list[Attempt]:
        """The first sample of each question."""
        return self.attempts_from(0)

    def attempts_from(self, first: int) -> list[Attempt]:
        """The attempts of the questions from number ``first`` on, >= 0."""
        parts = self.questions, self.responses, self.outcomes, self.transcripts
        return list(map(Attempt, *(part[first:] for part in parts)))


class Session:
    """A task model with its memory of paid responses, its budget and its sampling: what evaluates contexts.

    Args:
        model: the task model.
        budget: the ledger that pays; None for one without caps.
        samples: attempts per question, >= 1; a score is their mean.
        temperature: sampling temperature, >= 0.
        max_tokens: longest response, in tokens.
        seed: seed of the sampling.
    """

    def __init__(
        self,
        model: TaskModel,
        budget: Budget | None = None,
        *,
        samples: int = 1,
        temperature: float = 0.0,
        max_tokens: int = 512,
        seed: int = 0,
    ):
        self.metered = MeteredModel(model, budget or Budget(), is_task_model=True)
        self.samples, self.temperature, self.max_tokens, self.seed = samples, temperature, max_tokens, seed

    @property
    def model(self) -> TaskModel:
        """The task model."""
        return self.metered.model

    @property
    def budget(self) -> Budget:
        """The ledger that pays; an editor beside the task model is charged to it too."""
        return self.metered.budget

    @property
    def spent(self) -> Usage:
        """What the task model alone has used of the budget."""
        return self.metered.spent

    def affords(self, cost: Usage) -> bool:
        """Whether an evaluation of this cost can still be paid."""
        return self.budget.affords(cost)

    def isolated(self, budget: Budget | None = None, samples: int | None = None) -> "Session":
        """A session with the same model and sampling, and a memory and a budget of its own."""
        return Session(
            self.model,
            budget,
            samples=samples or self.samples,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            seed=self.seed,
        )

    def feedback_questions(self, domain: Domain, context: str) -> Task[Sequence[Question]]:
        """Task: the feedback questions of a domain, with their golds, for agents that train on them.

        They are free here. A host tells of a question what a report on it tells, so there ``context`` is evaluated on
        those of which none has told yet, which is paid.
        """
        del context
        return domain.splits["feedback"]
        yield  # a task that asks no model here

    def forget(self) -> None:
        """Forget the responses paid for so far."""
        self.metered.memory = {}

    def run(self, tasks: Iterable[Task[T]]) -> list[T]:
        """Run tasks side by side, with one model batch at a time for all of them.

        Raises:
            ProviderError: the model failed; what it had answered is kept and stays paid.
        """
        return drive(tasks, self.model)

    def evaluate(self, domain: Domain, context: str, questions: Sequence[Question]) -> Task[Evaluation]:
        """Task: evaluate ``context`` on ``questions``, all of them or none.

        All attempts advance together, one model batch a turn.

        Raises:
            BudgetExhausted: before any call, when it cannot be paid in full.
        """
        samples = range(self.samples)
        each = questions if self.samples == 1 else [question for question in questions for _ in samples]
        if _plain(domain):  # nobody needs a generator a question
            answers, usage = yield from self.metered.ask(self._requests(domain, domain.system(context), each))
            texts = [answer.text for answer in answers]
            transcripts: list[tuple[Turn, ...]] = [()] * len(answers)
        else:
            asked = [self._ask(domain, context, question, sample) for question in questions for sample in samples]
            usage = yield from self._converse(asked, domain)
            texts, transcripts = [one.response for one in asked], [one.transcript for one in asked]
        outcomes = outcomes_of(domain, each, texts)
        scores = np.array([outcome.score for outcome in outcomes], dtype=np.float64)
        if self.samples > 1:
            scores, first = scores.reshape(len(questions), -1).mean(axis=1), slice(None, None, self.samples)
            texts, outcomes, transcripts = texts[first], outcomes[first], transcripts[first]
        return Evaluation(scores, questions, texts, outcomes, transcripts, usage)

    def upper_bound(self, domain: Domain, context: str, questions: Sequence[Question]) -> Usage:
        """What :meth:`evaluate` costs at most."""
        tail = _Tail(self.max_tokens, self.temperature, self.seed, 0, self.samples)
        requests = [tail.request(domain.prompt(context, question)) for question in questions] * self.samples
        usage = self.metered.upper_bound(requests)
        if domain.max_turns > 1:
            usage = usage.plus(self.metered.upper_bound(requests, domain.max_turns - 1, domain.max_reply_bytes))
        return usage

    def report(self, domain: Domain, attempts: Sequence[Attempt], mode: FeedbackMode) -> Report:
        """What an editor is told of attempts."""
        return domain.report(attempts).in_mode(mode)

    def test(self, domain: Domain, contexts: Sequence[str]) -> list[np.ndarray]:
        """Scores of contexts on the test split, float64 of shape (questions,) each; for evaluation alone.

        Raises:
            BudgetExhausted: one of them cannot be paid in full.
        """
        tasks = (self.evaluate(domain, context, domain.splits["test"]) for context in contexts)
        return [self.run([task])[0].scores for task in tasks]

    def _requests(self, domain: Domain, system: str, questions: Iterable[Question]) -> list[Request]:
        """One request a question, the samples of a question side by side. Made in bulk: there are many."""
        sampling = repeat(self.max_tokens), repeat(self.temperature), repeat(self.seed), cycle(range(self.samples))
        rest = repeat(()), repeat(domain.cue), repeat(domain.stop)
        fields = zip(repeat(system), map(domain.user, questions), *sampling, *rest, strict=False)
        return list(
            map(tuple.__new__, repeat(Request), fields)
        )  # as Request._make, but for its call of Python a request

    def _ask(self, domain: Domain, context: str, question: Question, sample: int) -> "_Conversation":
        tail = _Tail(self.max_tokens, self.temperature, self.seed, sample, self.samples)
        return _Conversation(domain.attempt(context, question), tail, domain.max_turns)

    def _converse(self, conversations: Sequence["_Conversation"], domain: Domain) -> Task[Usage]:
        """Task: bring conversations to their end; what later turns may cost stays reserved between two batches."""
        usage = held = NOTHING
        try:
            while True:
                _advance(conversations, self.metered.memory)
                waiting = [one for one in conversations if one.requests]
                if not waiting:
                    break
                hold = NOTHING
                for left in {one.left for one in waiting if one.left}:
                    longest = [one.longest for one in waiting if one.left == left]
                    hold = hold.plus(self.metered.upper_bound(longest, left, domain.max_reply_bytes))
                before, held = held, NOTHING  # in the hands of ``ask``, which gives it back if it fails
                requests = [request for one in waiting for request in one.requests]
                answers, paid = yield from self.metered.ask(requests, before, hold)
                held, usage, each = hold, usage.plus(paid), iter(answers)
                for one in waiting:
                    one.answer([*islice(each, len(one.requests))])
        finally:
            self.budget.settle(held, NOTHING)
            for one in conversations:
                one.close()
        return usage


def _plain(domain: Domain) -> bool:
    """Whether each attempt is one request of the plain form."""
    kind = type(domain)
    return domain.max_turns == 1 and kind.attempt is Domain.attempt and kind.prompt is Domain.prompt


def _advance(conversations: Iterable["_Conversation"], memory: Mapping[Request, Response]) -> None:
    """Advance all as far as remembered responses go. What they run goes side by side: begun by all, then waited for."""
    busy = deque(conversations)
    while busy:
        one = busy.popleft()
        one.go_on(memory)
        if one.work:
            busy.append(one)


class _Tail(NamedTuple):
    """The sampling of an attempt, which is number ``sample`` of ``samples``."""

    max_tokens: int
    temperature: float
    seed: int
    sample: int
    samples: int

    def request(self, asked: Prompt | Likelihood) -> Request:
        """What the model is asked; samples of a prompt are apart from those of other attempts."""
        prompt, text = asked if isinstance(asked, Likelihood) else (asked, None)
        turns = tuple(Turn(*turn) for turn in prompt.turns)
        sampling = self.temperature, self.seed, self.sample + prompt.sample * self.samples
        if text is None:
            return Request(prompt.system, prompt.user, self.max_tokens, *sampling, turns, prompt.cue, prompt.stop)
        return Request(prompt.system, prompt.user, 0, *sampling, (*turns, Turn("assistant", text)), prompt.cue)


class _Conversation:
    """A running attempt: the requests or the work that it waits for, or what came of it."""

    def __init__(self, turns: Generator[Asked, Any, str], tail: _Tail, max_turns: int):
        self._turns, self._tail, self.left = turns, tail, max_turns
        self.response = ""
        self.transcript: tuple[Turn, ...] = ()
        self.requests: list[Request] = []
        self.work: Future | None = None
        self._begun = self._several = False

    def go_on(self, memory: Mapping[Request, Response]) -> None:
        """Advance as far as remembered responses go, or to the next work; work begun before is waited for."""
        if not self._begun:
            self._begun = True
            self._take(None)
        elif self.work:
            self._take(self.work.result())
        while self.requests and all(request in memory for request in self.requests):
            self.answer([memory[request] for request in self.requests])

    def answer(self, responses: Sequence[Response]) -> None:
        """Take the responses that were waited for."""
        (*_, request), (*_, response) = self.requests, responses
        if request.max_tokens and not self._several:
            self.response = response.text
            if request.turns:
                self.transcript = (*request.turns, Turn("assistant", response.text))
        told = [r.text if q.max_tokens else json.loads(r.text) for q, r in zip(self.requests, responses, strict=True)]
        self._take(told if self._several else told[0])

    @property
    def longest(self) -> Request:
        """The longest of the requests, as if a text were wanted: what a later one may cost is bounded by it."""
        longest = max(self.requests, key=lambda r: len(r.user) + sum(len(turn.content) for turn in r.turns))
        return longest._replace(max_tokens=self._tail.max_tokens)

    def close(self) -> None:
        """Let go of what the attempt holds, ended or not."""
        self._turns.close()

    def _take(self, got: Any) -> None:
        self.requests, self.work = [], None
        try:
            asked = self._turns.send(got)  # a generator's first send is None
            while asked == []:
                asked = self._turns.send([])
        except StopIteration as end:
            self.response = end.value
            return
        if isinstance(asked, Future):
            self.work = asked
            return
        self._several = isinstance(asked, list)
        each = asked if isinstance(asked, list) else [asked]
        if len(each) > self.left:  # its domain asks more often than it says: the last response is the answer
            self._turns.close()
            return
        self.left -= len(each)
        self.requests = [self._tail.request(one) for one in each]
