"""A model behind a memory and a budget, and the driver that turns many tasks into one batch.

Work that needs a model is written as a generator which yields a list of requests and is sent their responses.
:func:`drive` runs any number of such tasks side by side and merges what they ask for into one batch, which is all that
the vector env is made of.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from lse_gym.envs.budget import NOTHING, Budget, Usage
from lse_gym.envs.errors import ProviderError
from lse_gym.envs.models.base import Request, Response, TaskModel

T = TypeVar("T")
Task = Generator[list[Request], Mapping[Request, Response] | None, T]

INTEGERS = (int, np.integer)
MAX_TOKENS = 10**9  # of one prompt or response, far beyond any window
MAX_REMEMBERED = 200_000  # responses kept by one session: about 200 MB of text at 1 kB each


def drive(tasks: Iterable[Task[T]], model: TaskModel) -> list[T]:
    """Run tasks side by side, one model batch for all of them at a time; a request asked twice is sent once.

    Raises:
        ProviderError: the model failed; every task is abandoned with its state untouched.
    """
    waiting = dict(enumerate(tasks))
    results: dict[int, T] = {}
    answers: Mapping[Request, Response] | None = None  # a generator's first send must be None
    failure: Exception | None = None
    try:
        while waiting:
            wanted: list[Request] = []
            for index, task in list(waiting.items()):
                try:
                    wanted += task.send(answers)
                except StopIteration as stop:
                    results[index] = stop.value
                    del waiting[index]
                except Exception as error:  # the others still get their answers: what was answered is paid for
                    failure = failure or error
                    del waiting[index]
            if failure is not None:
                raise failure
            try:
                answers = _complete(model, wanted if len(waiting) == 1 else list(dict.fromkeys(wanted)))
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
    found = dict(zip(requests, responses, strict=True))
    wrong = next((response for response in responses if not _sound(response)), None)
    if wrong is not None:  # it costs its own question; the others are kept and paid for
        sound = {request: response for request, response in found.items() if _sound(response)}
        raise ProviderError(
            f"{model.name!r} gave {str(wrong)[:200]!r}: expected a text and counts of tokens from 0 to {MAX_TOKENS:,}.",
            sound,
        )
    return found


def _sound(response: Response) -> bool:
    """Whether a response is one that a ledger can be charged with: a negative count would pay it back."""
    text, *counts = response[:4]
    if not isinstance(text, str) or not all(isinstance(count, INTEGERS) for count in counts):
        return False
    prompt, completion, cached = counts
    return 0 <= cached <= prompt <= MAX_TOKENS and 0 <= completion <= MAX_TOKENS


class MeteredModel:
    """A model behind a memory and a budget. What is in the memory has been paid for and is free.

    Args:
        model: the model that answers.
        budget: the ledger that pays; shared between the task model and an editor.
        is_task_model: whether this is the task model, whose costs the ledger tells apart.
    """

    def __init__(self, model: TaskModel, budget: Budget, is_task_model: bool = False):
        self.model, self.budget, self.is_task_model = model, budget, is_task_model
        self.memory: dict[Request, Response] = {}
        self.spent = NOTHING  # of the budget, by this model alone
        self._free = type(model).price is TaskModel.price

    def ask(
        self, requests: Sequence[Request], held: Usage = NOTHING, hold: Usage = NOTHING
    ) -> Task[tuple[list[Response], Usage]]:
        """Task: the responses in order, and what they cost now.

        Args:
            requests: what to ask; what is in the memory is not asked again.
            held: reserved before, for this batch among others: given back.
            hold: to stay reserved after it; given back if the batch fails.

        Raises:
            BudgetExhausted: before any call, when the whole batch cannot be paid at its upper bound.
        """
        memory, usage = self.memory, NOTHING
        fresh = [request for request in dict.fromkeys(requests) if request not in memory]
        reserved = self.upper_bound(fresh) if fresh else NOTHING
        if any(reserved) or any(hold) or any(held):
            self._reserve(reserved.plus(hold), held)
        if not fresh:
            return [memory[request] for request in requests], usage
        try:
            answers = (yield fresh) or {}
        except GeneratorExit:  # the model failed: nothing was answered, nothing is owed
            self.budget.settle(reserved.plus(hold), usage)
            raise
        got = list(map(answers.get, fresh))
        answered = [response for response in got if response is not None]
        whole = len(answered) == len(fresh)
        usage = self._cost(answered)
        self.budget.settle(reserved if whole else reserved.plus(hold), usage, self.is_task_model)
        self.spent = self.spent.plus(usage)
        if not whole:
            memory.update((request, response) for request, response in zip(fresh, got, strict=True) if response)
            raise ProviderError(f"{len(fresh) - len(answered)} of {len(fresh)} requests got no answer. Repeat it.")
        memory.update(zip(fresh, answered, strict=True))
        responses = answered if len(fresh) == len(requests) else [memory[request] for request in requests]
        while len(memory) > MAX_REMEMBERED:
            del memory[next(iter(memory))]
        return responses, usage

    def _reserve(self, cost: Usage, held: Usage) -> None:
        try:
            self.budget.reserve(cost, held)
        except BaseException:
            self.budget.settle(held, NOTHING)
            raise

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        """Ask at once, outside of any env step: what an agent's editor uses."""
        return drive([self.ask(requests)], self.model)[0][0]

    def upper_bound(self, requests: Sequence[Request], later: int = 0, reply_bytes: int = 0) -> Usage:
        """What requests can cost at most.

        Args:
            requests: the requests.
            later: turns that may follow each of them instead of it: the cost of those alone is told.
            reply_bytes: what is appended at most between two of these turns.
        """
        caps = self.budget.caps
        turns = range(1, later + 1) if later else (0,)
        if caps.tokens == caps.usd == float("inf"):  # counting costs more than it is worth where nothing is capped
            return Usage(calls=len(requests) * len(turns))
        count, price, tokens, usd = self.model.count_tokens, self.model.price, 0, 0.0
        systems = {request.system: count(request.system) for request in requests}
        for r in requests:
            start = systems[r.system] + count(r.user) + sum(count(text) for _, text in r.turns)
            for turn in turns:
                prompt = start + turn * (r.max_tokens + reply_bytes + 2 * FRAME_TOKENS)
                tokens += prompt + r.max_tokens
                usd += price(prompt, r.max_tokens)
        return Usage(calls=len(requests) * len(turns), tokens=tokens, usd=usd)

    def _cost(self, responses: Sequence[Response]) -> Usage:
        if not responses:
            return NOTHING
        columns = list(zip(*responses, strict=True))
        prompt, completion, cached = sum(columns[1]), sum(columns[2]), sum(columns[3])
        return Usage(
            calls=len(responses),
            tokens=prompt + completion,
            usd=0.0 if self._free else sum(map(self.model.price, *columns[1:4])),
            prompt_tokens=prompt,
            completion_tokens=completion,
            cached_tokens=cached,
        )


FRAME_TOKENS = 16  # around each message of a chat, at most
