"""The session of a remote env: the host evaluates, and what comes back is booked here as it was there."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from lse_gym.envs.budget import NOTHING, Budget, Usage
from lse_gym.envs.domain import SPLITS, Attempt, Domain, Family, Outcome, Question, Split
from lse_gym.envs.errors import ArgumentError, ProviderError
from lse_gym.envs.metered import Task
from lse_gym.envs.models.base import Request, Response, TaskModel, byte_bound
from lse_gym.envs.remote.client import odd
from lse_gym.envs.remote.questions import is_feedback, place
from lse_gym.envs.report import Report
from lse_gym.envs.session import Evaluation, Session

if TYPE_CHECKING:
    from lse_gym.envs.remote.env import RemoteEnv

AT_HOST = "is at the host, which keeps it to itself."


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


class Told(Sequence[Question]):
    """Feedback questions whose texts and golds the host is asked for when one of them is looked at.

    Args:
        domain: the domain.
        count: how many there are.
    """

    def __init__(self, domain: "RemoteDomain", count: int):
        self._domain, self._count = domain, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        return self._domain.told[index]


class RemoteDomain(Domain):
    """A domain whose questions stand here as places, without a text; of feedback questions more, if golds are shown.

    Args:
        name: its name at the host.
        track: what the host tells of the track.
        ask: gets the feedback questions from the host.
    """

    oracle_context = None

    seed_context = ""  # a reset tells it

    def __init__(self, name: str, track: Mapping[str, Any], ask: Callable[[], Sequence[Mapping[str, Any]]]):
        self.name, self.max_turns, self._ask = name, track["max_turns"], ask
        self._digest = sha256(f"{track['suite_sha256']}\0{name}".encode()).hexdigest()
        sizes = track["sizes"]
        places: dict[Split, Sequence[Question]]
        places = {split: tuple(Question(place(split, i), "", "") for i in range(sizes[split])) for split in SPLITS}
        if track["feedback"] == "gold":
            places["feedback"] = Told(self, sizes["feedback"])
        self.splits = places
        self._users: dict[str, str] = {}
        self._reports: dict[tuple[Attempt, ...], Report] = {}  # as the host made them

    @cached_property
    def told(self) -> list[Question]:
        """The feedback questions as the host tells of them."""
        rows = self._ask()
        try:
            questions = [Question(place("feedback", i), *map(str, row["question"])) for i, row in enumerate(rows)]
            for question, row in zip(questions, rows, strict=True):
                self._users[question.id] = str(row["user"])
                self.keep([self.gold_attempt(question)], Report.from_json(row["report"]))
        except (KeyError, TypeError, ValueError) as error:
            raise odd(error) from None
        return questions

    def keep(self, attempts: Sequence[Attempt], report: Report) -> None:
        """Keep the report that the host made of attempts."""
        self._reports[tuple(attempts)] = report

    def system(self, context: str) -> str:
        """Nothing is known of it but the context."""
        return context

    def user(self, question: Question) -> str:
        """What is asked, where the host tells; else the place of the question, which stands for it."""
        return self._users.get(question.id, question.id)

    def gold_attempt(self, question: Question) -> Attempt:
        """The attempt that the host's worked example is kept under."""
        return Attempt(question, "", Outcome(1.0, question.gold))

    def report(self, attempts: Sequence[Attempt]) -> Report:
        """What the host told of these attempts, in the track's feedback mode."""
        if tuple(attempts) not in self._reports:
            raise ArgumentError(f"a report on other attempts than those of one evaluation of {self.name!r} {AT_HOST}")
        return self._reports[tuple(attempts)]

    def score(self, questions: Sequence[Question], responses: Sequence[str]) -> list[Outcome]:
        """Refuse."""
        raise ArgumentError(f"the scorer of {self.name!r} {AT_HOST} Evaluate a context on questions instead.")

    def fingerprint(self) -> str:
        """A digest of the track and the name: the questions are another's."""
        return self._digest

    def verify(self) -> list[str]:
        """Nothing to verify here."""
        return []


class RemoteFamily(Family):
    """The domains of a track, as a host tells of them.

    Args:
        track: what it tells of the track.
        ask: gets the feedback questions of a domain.
    """

    def __init__(self, track: Mapping[str, Any], ask: Callable[[str], Sequence[Mapping[str, Any]]]):
        self.track, self.groups, self._ask = track, {"played": tuple(track["domains"])}, ask
        self._loaded: dict[str, RemoteDomain] = {}

    def load(self, name: str) -> RemoteDomain:
        """The places of a domain's questions, and what has been told of them so far."""
        self.check(name)
        if name not in self._loaded:
            self._loaded[name] = RemoteDomain(name, self.track, partial(self._ask, name))
        return self._loaded[name]


class RemoteSession(Session):
    """A session whose evaluations the host makes.

    Args:
        env: the env that stands for the run at the host.
        model: the host's task model.
        budget: the ledger that is kept here, of the player's own models too; it caps nothing.
        caps: the caps that the host enforces on its task model.
        sampling: as of :class:`lse_gym.envs.session.Session`.
    """

    def __init__(
        self,
        env: "RemoteEnv",
        model: RemoteModel,
        budget: Budget | None = None,
        caps: Mapping[str, float] | None = None,
        **sampling: Any,
    ):
        super().__init__(model, budget, **sampling)
        self._env, self._at_host = env, Budget(caps)

    def affords(self, cost: Usage) -> bool:
        """Whether the host can still be paid this."""
        return self._at_host.affords(cost)

    def isolated(self, budget: Budget | None = None, samples: int | None = None) -> "RemoteSession":
        """A session of the same run with a ledger of its own."""
        del samples
        sampling = {"samples": self.samples, "temperature": self.temperature, "max_tokens": self.max_tokens}
        return RemoteSession(self._env, self.model, budget, **sampling)  # ty: ignore[invalid-argument-type]

    def book(self, used: Usage) -> None:
        """Write down what the host has charged."""
        self._at_host.settle(NOTHING, used)
        by_model = used._replace(edits=0.0)
        self.budget.settle(NOTHING, by_model, by_task_model=True)
        self.budget.settle(NOTHING, used.minus(by_model))
        self.metered.spent = self.metered.spent.plus(by_model)

    def evaluate(self, domain: Domain, context: str, questions: Sequence[Question]) -> Task[Evaluation]:
        """Have the host evaluate feedback or held-out questions; of the latter only the scores come back."""
        if self is not self._env.session:
            raise ArgumentError(f"what an evaluation outside of the run could be paid with {AT_HOST}")
        found, report = self._env.evaluate(context, questions)
        cast("RemoteDomain", domain).keep([one for one in found.attempts if is_feedback(one.question)], report)
        return found
        yield  # a task that asks no model here

    def test(self, domain: Domain, contexts: Sequence[str]) -> list[np.ndarray]:
        """End the run: the host scores the contexts on sealed questions, the last one as what the run comes to."""
        del domain
        found, used = self._env.finish(contexts)
        self.book(used)
        return found
