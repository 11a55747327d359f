"""The task model of a host: one for all runs, and for each run a record of what it was answered."""

import threading
from collections.abc import Sequence
from typing import Any

from lse_gym.envs.errors import ProviderError
from lse_gym.envs.models.base import Request, Response, TaskModel
from lse_gym.envs.models.stored import checked


class _Job:
    def __init__(self, requests: Sequence[Request]):
        self.requests = list(requests)
        self.responses: list[Response] | None = None
        self.error: Exception | None = None


class SharedModel(TaskModel):
    """A model that any number of threads ask at once: what waits while it answers is its next batch, all together.

    Args:
        model: who answers.
    """

    def __init__(self, model: TaskModel):
        self.model = model
        self.name, self.revision, self.position_weights = model.name, model.revision, model.position_weights
        self._waiting: list[_Job] = []
        self._guard, self._turn = threading.Lock(), threading.Lock()

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        """Answer, in one batch with whatever else waits by then."""
        job = _Job(requests)
        with self._guard:
            self._waiting.append(job)
        with self._turn:  # whoever has it answers all who wait
            if job.responses is None and job.error is None:
                with self._guard:
                    jobs, self._waiting = self._waiting, []
                self._answer(jobs)
        if job.error is not None:
            raise job.error
        assert job.responses is not None
        return job.responses

    def _answer(self, jobs: Sequence[_Job]) -> None:
        batch = list(dict.fromkeys(request for job in jobs for request in job.requests))
        try:
            found = dict(zip(batch, self.model.complete(batch), strict=True))
        except ProviderError as error:
            found, failure = dict(error.answered), error
        except Exception as error:  # a bug of the model's; it must not be left to one of those who wait
            found, failure = {}, ProviderError(f"{self.name!r} broke down ({type(error).__name__}: {error}).")
        else:
            failure = None
        for job in jobs:
            mine = {request: found[request] for request in job.requests if request in found}
            if all(request in mine for request in job.requests):
                job.responses = [mine[request] for request in job.requests]
            else:
                job.error = type(failure)(str(failure), mine) if failure else ProviderError("no answer came.")

    def count_tokens(self, text: str) -> int:
        """As the model counts."""
        return self.model.count_tokens(text)

    def price(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
        """As the model is priced."""
        return self.model.price(prompt_tokens, completion_tokens, cached_tokens)


class Recorder(TaskModel):
    """Keeps what a run is answered in one step, or answers what was kept of it.

    Args:
        model: who answers what was not kept.
    """

    def __init__(self, model: TaskModel):
        self.model = model
        self.name, self.revision, self.position_weights = model.name, model.revision, model.position_weights
        self._kept: list[list[Response]] | None = None
        self._new: list[list[Response]] = []

    def begin(self, kept: Sequence[Sequence[Sequence[Any]]] | None = None) -> None:
        """Begin a step: one that is new, or one whose batches of responses were kept."""
        self._new = []
        self._kept = None if kept is None else [[checked(*fields) for fields in batch] for batch in kept]

    def taken(self) -> list[list[Response]]:
        """The batches of this step, in order; of a kept one what is left of them."""
        return self._new if self._kept is None else self._kept

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        """Answer and keep it, or answer from what was kept."""
        if self._kept is None:
            self._new.append(self.model.complete(requests))
            return self._new[-1]
        if not self._kept or len(self._kept[0]) != len(requests):
            raise ProviderError("the record of this run does not fit what it asks now.")
        return self._kept.pop(0)

    def count_tokens(self, text: str) -> int:
        """As the model counts."""
        return self.model.count_tokens(text)

    def price(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
        """As the model is priced."""
        return self.model.price(prompt_tokens, completion_tokens, cached_tokens)
