"""A model behind a memory and a budget, and the driver that turns many tasks into one batch.

Work that needs a model is written as a generator which yields a list of requests and is sent their responses, in order.
:func:`drive` runs any number of such tasks side by side and merges what they ask for into one batch, which is all that
the vector env is made of.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from itertools import chain, filterfalse
from operator import le
from typing import TypeVar

import numpy as np

from lse_gym.envs.budget import NOTHING, Budget, Usage
from lse_gym.envs.errors import ProviderError
from lse_gym.envs.models.base import UNTOLD, Request, Response, TaskModel, responses_of

T = TypeVar("T")
Responses = Sequence[Response | None]  # None: the model failed at this one, and the error follows
Task = Generator[list[Request], Responses | None, T]

MAX_TOKENS = 10**9  # of one prompt or response, far beyond any window
MAX_REMEMBERED = 200_000  # responses kept by one session: about 200 MB of text at 1 kB each


def drive(tasks: Iterable[Task[T]], model: TaskModel) -> list[T]:
    """Run tasks side by side, one model batch for all of them at a time; a request asked twice is sent once.

    Raises:
        ProviderError: the model failed; every task is abandoned with its state untouched.
    """
    waiting = dict(enumerate(tasks))
    results: dict[int, T] = {}
    answers: Mapping[int, Responses] = {}  # a generator's first send must be None
    failure: Exception | None = None
    try:
        while waiting:
            wanted: dict[int, list[Request]] = {}
            for index, task in list(waiting.items()):
                try:
                    wanted[index] = task.send(answers.get(index))
                except StopIteration as stop:
                    results[index] = stop.value
                    del waiting[index]
                except Exception as error:  # the others still get their answers: what was answered is paid for
                    failure = failure or error
                    del waiting[index]
            if failure is not None:
                raise failure
            if not wanted:
                break
            try:
                answers = _answers(model, wanted)
            except ProviderError as error:  # what was answered all the same is handed out before this is raised
                if not error.answered:
                    raise
                failure = error
                answers = {index: list(map(error.answered.get, asked)) for index, asked in wanted.items()}
    finally:
        for task in waiting.values():
            task.close()
    return [results[index] for index in sorted(results)]


def _answers(model: TaskModel, wanted: Mapping[int, list[Request]]) -> dict[int, Responses]:
    if len(wanted) == 1:  # nothing to merge, and nothing to tell apart
        return {index: _complete(model, asked) for index, asked in wanted.items()}
    batch = list(dict.fromkeys(chain.from_iterable(wanted.values())))
    found = dict(zip(batch, _complete(model, batch), strict=True))
    return {index: [found[request] for request in asked] for index, asked in wanted.items()}


def _complete(model: TaskModel, requests: list[Request]) -> list[Response]:
    responses = responses_of(model, requests) if requests else []
    if not _sound(responses):  # what is wrong costs its own question; the others are kept and paid for
        good = {request: response for request, response in zip(requests, responses, strict=True) if _sound([response])}
        wrong = next(response for request, response in zip(requests, responses, strict=True) if request not in good)
        raise ProviderError(
            f"{model.name!r} gave {str(wrong)[:200]!r}: expected a text and counts of tokens from 0 to {MAX_TOKENS:,}.",
            good,
        )
    return responses


def _sound(responses: Sequence[Response]) -> bool:
    """Whether responses are such that a ledger can be charged with them: a negative count would pay it back."""
    if not responses:
        return True
    texts, prompt, completion, cached = list(zip(*responses, strict=True))[:4]
    counts = prompt + completion + cached
    try:
        whole = isinstance(sum(counts), (int, np.integer))  # a sum with a fraction or a nan in it is none
    except TypeError:
        return False
    if not whole or not all(issubclass(kind, str) for kind in set(map(type, texts))):
        return False
    return min(counts) >= 0 and max(counts) <= MAX_TOKENS and (not any(cached) or all(map(le, cached, prompt)))


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
        fresh = [*filterfalse(memory.__contains__, dict.fromkeys(requests))]
        reserved = self.upper_bound(fresh) if fresh else NOTHING
        if any(reserved) or any(hold) or any(held):
            self._reserve(reserved.plus(hold), held)
        if not fresh:
            return [memory[request] for request in requests], usage
        try:
            got = (yield fresh) or ()
        except GeneratorExit:  # the model failed: nothing was answered, nothing is owed
            self.budget.settle(reserved.plus(hold), usage)
            raise
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
            start += count(r.cue) if r.cue else 0
            for turn in turns:
                prompt = start + turn * (r.max_tokens + reply_bytes + 2 * FRAME_TOKENS)
                tokens += prompt + r.max_tokens
                usd += price(prompt, r.max_tokens)
        return Usage(calls=len(requests) * len(turns), tokens=tokens, usd=usd)

    def _cost(self, answered: Sequence[Response]) -> Usage:
        responses = [response for response in answered if response != UNTOLD]
        if not responses:
            return NOTHING
        prompts, completions, cached = list(zip(*responses, strict=True))[1:4]
        prompt, completion = sum(prompts), sum(completions)
        return Usage(
            calls=len(responses),
            tokens=prompt + completion,
            usd=0.0 if self._free else sum(map(self.model.price, prompts, completions, cached)),
            prompt_tokens=prompt,
            completion_tokens=completion,
            cached_tokens=sum(cached),
        )


FRAME_TOKENS = 16  # around each message of a chat, at most
