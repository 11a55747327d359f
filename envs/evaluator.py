"""The evaluator: context and questions in, scores out. It alone talks to models, owns the memory and pays the budget.

Work that needs a model is written as a generator which yields a list of requests and is sent their responses.
:func:`drive` runs any number of such tasks side by side and merges what they ask for into one batch, which is all that
the vector env is made of.
"""

from collections.abc import Generator, Iterable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from lse_gym.envs.budget import Budget, Usage
from lse_gym.envs.domain import Domain, Outcome, Question
from lse_gym.envs.errors import ProviderError
from lse_gym.envs.models.base import Request, Response, TaskModel

T = TypeVar("T")
Task = Generator[list[Request], dict[Request, Response] | None, T]

MAX_REMEMBERED = 200_000  # responses kept by one env: about 200 MB of text at 1 kB each


def drive(tasks: Iterable[Task[T]], model: TaskModel) -> list[T]:
    """Run tasks side by side, one model batch for all of them at a time; a request asked twice is sent once.

    Raises:
        ProviderError: the model failed; every task is abandoned with its state untouched.
    """
    waiting = dict(enumerate(tasks))
    results: dict[int, T] = {}
    answers: dict[Request, Response] | None = None  # a generator's first send must be None
    failure: Exception | None = None
    try:
        while waiting:
            wanted: dict[Request, None] = {}
            for index, task in list(waiting.items()):
                try:
                    wanted.update(dict.fromkeys(task.send(answers)))
                except StopIteration as stop:
                    results[index] = stop.value
                    del waiting[index]
                except Exception as error:  # the others still get their answers: what was answered is paid for
                    failure = failure or error
                    del waiting[index]
            if failure is not None:
                raise failure
            try:
                answers = _complete(model, list(wanted))
            except ProviderError as error:  # what was answered all the same is handed out before this is raised
                if not error.answered:
                    raise
                failure, answers = error, dict(error.answered)
    finally:
        for task in waiting.values():
            task.close()
    return [results[index] for index in sorted(results)]


def _complete(model: TaskModel, requests: list[Request]) -> dict[Request, Response]:
    responses = model.complete(requests) if requests else []
    if len(responses) != len(requests):
        raise ProviderError(f"{model.name!r} gave {len(responses)} responses to {len(requests)} requests.")
    return dict(zip(requests, responses, strict=True))


class MeteredModel:
    """A model behind a memory and a budget. What is in the memory has been paid for and is free.

    Args:
        model: the model that answers.
        budget: the ledger that pays; shared between the task model and an editor.
    """

    def __init__(self, model: TaskModel, budget: Budget):
        self.model = model
        self.budget = budget
        self.memory: dict[Request, Response] = {}
        self.spent = Usage()  # of the budget, by this model alone

    def ask(self, requests: Sequence[Request]) -> Task[tuple[list[Response], Usage]]:
        """Task: the responses in order, and what they cost now.

        Raises:
            BudgetExhausted: before any call, when the whole batch cannot be paid at its upper bound.
        """
        memory = self.memory
        fresh = [request for request in dict.fromkeys(requests) if request not in memory]
        usage = Usage()
        if fresh:
            reserved = self._upper_bound(fresh)
            self.budget.reserve(reserved)
            try:
                answers = (yield fresh) or {}
            except GeneratorExit:  # the model failed: nothing was answered, nothing is owed
                self.budget.settle(reserved, usage)
                raise
            answered = {request: answers[request] for request in fresh if request in answers}
            usage = self._cost([*answered.values()])
            self.budget.settle(reserved, usage)
            self.spent = self.spent.plus(usage)
            memory.update(answered)
            if len(answered) < len(fresh):
                raise ProviderError(f"{len(fresh) - len(answered)} of {len(fresh)} requests got no answer. Repeat it.")
        responses = [memory[request] for request in requests]
        while len(memory) > MAX_REMEMBERED:
            del memory[next(iter(memory))]
        return responses, usage

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        """Ask at once, outside of any env step: what an agent's editor uses."""
        return drive([self.ask(requests)], self.model)[0][0]

    def _upper_bound(self, requests: Sequence[Request]) -> Usage:
        caps = self.budget.caps
        if caps.tokens == caps.usd == float("inf"):  # counting costs more than it is worth where nothing is capped
            return Usage(calls=len(requests))
        count = self.model.count_tokens
        systems = {request.system: count(request.system) for request in requests}
        sizes = [(systems[r.system] + count(r.user), r.max_tokens) for r in requests]
        return Usage(
            calls=len(requests),
            tokens=sum(prompt + completion for prompt, completion in sizes),
            usd=sum(self.model.price(prompt, completion) for prompt, completion in sizes),
        )

    def _cost(self, responses: Sequence[Response]) -> Usage:
        prompt, completion, cached = (sum(r[field] for r in responses) for field in (1, 2, 3))
        return Usage(
            calls=len(responses),
            tokens=prompt + completion,
            usd=sum(self.model.price(*r[1:]) for r in responses),
            prompt_tokens=prompt,
            completion_tokens=completion,
            cached_tokens=cached,
        )


class Evaluation(NamedTuple):
    """Scores of one context on some questions.

    ``scores`` is float64 of shape (questions,), the mean over samples; ``outcomes`` and ``responses`` are those of the
    first sample of each question; ``usage`` is what was paid now.
    """

    scores: np.ndarray
    outcomes: list[Outcome]
    responses: list[str]
    usage: Usage


class Evaluator:
    """Scores contexts on questions with one task model.

    Args:
        metered: the task model with its memory and budget.
        samples: responses per question, >= 1; a score is their mean.
        temperature: sampling temperature, >= 0.
        max_tokens: longest response, in tokens.
        seed: seed of the sampling.
    """

    def __init__(
        self, metered: MeteredModel, *, samples: int = 1, temperature: float = 0.0, max_tokens: int = 512, seed: int = 0
    ):
        self.metered = metered
        self.samples, self.temperature, self.max_tokens, self.seed = samples, temperature, max_tokens, seed

    def evaluate(self, domain: Domain, context: str, questions: Sequence[Question]) -> Task[Evaluation]:
        """Task: evaluate ``context`` on ``questions``, all of them or none.

        Raises:
            BudgetExhausted: before any call, when it cannot be paid in full.
        """
        system, user, samples = domain.system(context), domain.user, range(self.samples)
        tail = self.max_tokens, self.temperature, self.seed
        requests = [Request(system, user(question), *tail, sample) for question in questions for sample in samples]
        responses, usage = yield from self.metered.ask(requests)
        texts = [response.text for response in responses]
        if self.samples == 1:
            outcomes = domain.score(questions, texts)
            return Evaluation(np.array([o.score for o in outcomes], dtype=np.float64), outcomes, texts, usage)
        outcomes = domain.score([question for question in questions for _ in samples], texts)
        scores = np.array([o.score for o in outcomes], dtype=np.float64).reshape(len(questions), -1).mean(axis=1)
        return Evaluation(scores, outcomes[:: self.samples], texts[:: self.samples], usage)
