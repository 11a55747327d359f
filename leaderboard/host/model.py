"""The task model of a host: one for all runs, and for each run a record of what it was answered."""

import threading
from collections.abc import Sequence
from typing import Any

from lse_gym.envs.errors import ProviderError, UnavailableError
from lse_gym.envs.models.base import Delegate, Request, Response, TaskModel
from lse_gym.envs.models.stored import checked, request_key


class _Job:
    def __init__(self, requests: Sequence[Request]):
        self.requests = list(requests)
        self.responses: list[Response] | None = None
        self.error: Exception | None = None


class SharedModel(Delegate):
    """A model that any number of threads ask at once: what waits while it answers is its next batch, all together.

    A batch that fails as a whole is asked again, what each of them wanted by itself.

    Args:
        model: who answers.
    """

    def __init__(self, model: TaskModel):
        super().__init__(model)
        self._waiting: list[_Job] = []
        self._guard, self._turn = threading.Lock(), threading.Lock()

    def respond(self, requests: Sequence[Request]) -> list[Response]:
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
            found = dict(zip(batch, self.model.respond(batch), strict=True))
        except ProviderError as error:
            found, failure = dict(error.answered), error
        except Exception as error:  # a bug of the model's; it must not be left to one of those who wait
            found, failure = {}, ProviderError(f"{self.name!r} broke down ({type(error).__name__}: {error}).")
        else:
            failure = None
        if failure and not found and len(jobs) > 1 and not isinstance(failure, UnavailableError):
            for job in jobs:  # one of them may have broken it for all
                self._answer([job])
            return
        for job in jobs:
            mine = {request: found[request] for request in job.requests if request in found}
            if all(request in mine for request in job.requests):
                job.responses = [mine[request] for request in job.requests]
            else:
                job.error = type(failure)(str(failure), mine) if failure else ProviderError("no answer came.")


class Recorder(Delegate):
    """Keeps what a run is answered in one step, or answers what was kept of it.

    Kept by request, not by turn: what a domain remembers for all of a process may be asked in one and not in another.

    Args:
        model: who answers what was not kept.
    """

    def __init__(self, model: TaskModel):
        super().__init__(model)
        self._known: dict[str, Response] = {}

    def begin(self, kept: Sequence[Sequence[Any]] = ()) -> None:
        """Begin a step: a new one, or one of which answers were kept as rows of :meth:`taken`."""
        self._known = {key: checked(*fields) for key, *fields in kept}

    def taken(self) -> list[list[Any]]:
        """A row for each answer of this step: the key of its request and its fields."""
        return [[key, *response] for key, response in self._known.items()]

    def respond(self, requests: Sequence[Request]) -> list[Response]:
        """Answer from what was kept, else ask and keep it."""
        keys = [request_key(self.name, self.revision, request) for request in requests]
        fresh = {key: request for key, request in zip(keys, requests, strict=True) if key not in self._known}
        if fresh:
            self._known |= zip(fresh, self.model.respond([*fresh.values()]), strict=True)
        return [self._known[key] for key in keys]
