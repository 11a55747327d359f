"""The session of a remote env: the host evaluates, and what comes back is booked here as it was there."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from lse_gym.envs.budget import NOTHING, Budget, Usage
from lse_gym.envs.domain import Domain, Question
from lse_gym.envs.errors import ArgumentError, ProviderError, Withheld
from lse_gym.envs.metered import Task
from lse_gym.envs.models.base import Request, Response, TaskModel, byte_bound
from lse_gym.envs.remote.domain import AT_HOST, RemoteDomain
from lse_gym.envs.remote.questions import is_feedback
from lse_gym.envs.session import Evaluation, Session

if TYPE_CHECKING:
    from lse_gym.envs.remote.env import RemoteEnv


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
            raise ArgumentError(
                "nothing is evaluated at the host beyond the budget of the run. Use env.unwrapped.session.evaluate, or "
                "end the run with env.unwrapped.finish, which scores the sealed questions."
            )
        found, report = self._env.evaluate(context, questions)
        cast(RemoteDomain, domain).keep([one for one in found.attempts if is_feedback(one.question)], report)
        return found
        yield  # a task that asks no model here

    def feedback_questions(self, domain: Domain, context: str) -> Task[Sequence[Question]]:
        """Task: the feedback questions as reports have told of them, ``context`` being evaluated on those left."""
        told = self._env.feedback_questions()
        left = [question for question in told if not question.text]
        if left and self._env.feedback_mode == "gold":
            yield from self.evaluate(domain, context, left)
            told = self._env.feedback_questions()
        return told

    def test(self, domain: Domain, contexts: Sequence[str]) -> list[np.ndarray]:
        """End the run: the host scores the contexts on sealed questions, the last one as what the run comes to.

        Raises:
            Withheld: other runs of the play have not ended; asked again when they have, the host tells.
        """
        found, used = self._env.finish(contexts)
        if found is None:
            raise Withheld(f"the host tells the sealed scores of {domain.name!r} once all runs of the play have ended.")
        self.book(used)
        return found
