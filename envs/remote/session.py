"""The session of a remote env: the host evaluates, and what comes back is booked here as it was there."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from lse_gym.envs.budget import NOTHING, Budget, Usage
from lse_gym.envs.domain import SPLITS, Domain, Family, Outcome, Question, Split
from lse_gym.envs.errors import ArgumentError, ProviderError
from lse_gym.envs.metered import Task
from lse_gym.envs.models.base import Request, Response, TaskModel, byte_bound
from lse_gym.envs.session import Evaluation, Session

if TYPE_CHECKING:
    from lse_gym.envs.remote.env import RemoteEnv

AT_HOST = "is at the host, which keeps it to itself. Step the env, or play with an agent that needs no more than that."


class RemoteModel(TaskModel):
    """The host's task model, by name: it answers the host alone."""

    def __init__(self, name: str, revision: str):
        self.name, self.revision = name, revision

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        """Refuse."""
        raise ProviderError(f"the task model {self.name!r} {AT_HOST}")

    def count_tokens(self, text: str) -> int:
        """The bytes of a text, which are more than its tokens."""
        return byte_bound(text)


class RemoteDomain(Domain):
    """A domain of which only the number of questions is known; they stand here as places, without a text."""

    oracle_context = None

    seed_context = ""  # a reset tells it

    def __init__(self, name: str, sizes: Mapping[Split, int], max_turns: int, digest: str):
        self.name, self.max_turns, self._digest = name, max_turns, digest
        places = {split: range(sizes[split]) for split in SPLITS}
        self.splits = {split: tuple(Question(f"{split}-{i}", "", "") for i in of) for split, of in places.items()}

    def system(self, context: str) -> str:
        """Nothing is known of it but the context."""
        return context

    def user(self, question: Question) -> str:
        """Nothing is known of it."""
        return question.text

    def score(self, questions: Sequence[Question], responses: Sequence[str]) -> list[Outcome]:
        """Refuse."""
        raise ArgumentError(f"what the domain {self.name!r} asks {AT_HOST}")

    def fingerprint(self) -> str:
        """A digest of the track and the name: the questions are another's."""
        return self._digest

    def verify(self) -> list[str]:
        """Nothing to verify here."""
        return []


class RemoteFamily(Family):
    """The domains of a track, as a host tells of them."""

    def __init__(self, track: Mapping[str, Any]):
        self.track, self.groups = track, {"played": tuple(track["domains"])}

    def load(self, name: str) -> RemoteDomain:
        """The places of a domain's questions."""
        self.check(name)
        track, digest = self.track, sha256(f"{self.track['suite_sha256']}\0{name}".encode()).hexdigest()
        return RemoteDomain(name, track["sizes"], track["max_turns"], digest)


class RemoteSession(Session):
    """A session whose evaluations the host makes.

    Args:
        env: the env that stands for the run at the host.
        model: the host's task model.
        budget: the ledger that is kept here.
        sampling: as of :class:`lse_gym.envs.session.Session`.
    """

    def __init__(self, env: "RemoteEnv", model: RemoteModel, budget: Budget | None = None, **sampling: Any):
        super().__init__(model, budget, **sampling)
        self._env = env

    def isolated(self, budget: Budget | None = None, samples: int | None = None) -> "RemoteSession":
        """A session of the same run with a ledger of its own."""
        del samples
        sampling = {"samples": self.samples, "temperature": self.temperature, "max_tokens": self.max_tokens}
        return RemoteSession(self._env, self.model, budget, **sampling)  # ty: ignore[invalid-argument-type]

    def book(self, used: Usage) -> None:
        """Write down what the host has charged."""
        by_model = used._replace(edits=0.0)
        self.budget.settle(NOTHING, by_model, by_task_model=True)
        self.budget.settle(NOTHING, used.minus(by_model))
        self.metered.spent = self.metered.spent.plus(by_model)

    def evaluate(self, domain: Domain, context: str, questions: Sequence[Question]) -> Task[Evaluation]:
        """Refuse: single questions are not for a player."""
        raise ArgumentError(f"what the domain {domain.name!r} asks {AT_HOST}")

    def test(self, domain: Domain, contexts: Sequence[str]) -> list[np.ndarray]:
        """End the run: the host scores the contexts on sealed questions, the last one as what the run comes to."""
        del domain
        found, used = self._env.finish(contexts)
        self.book(used)
        return found
