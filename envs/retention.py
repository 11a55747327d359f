"""What a context still knows of the feedback batches that were shown before it, and what is left without it.

Sources: backward transfer, Lopez-Paz and Ranzato, arXiv 1706.08840; no context over context, Memento No More,
arXiv 2502.01562; why contexts that grow forget, In-context Interference.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium as gym

from lse_gym.envs.domain import Domain
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.session import Session
from lse_gym.envs.state import feedback_batch


class Retained(NamedTuple):
    """Scores of a context on earlier batches, by their numbers, and those that they had when they were shown.

    ``held_out`` and ``bare`` are the held-out scores under the context and under none.
    """

    now: Mapping[int, float]
    shown: Mapping[int, float]
    held_out: float
    bare: float

    @property
    def retention(self) -> float:
        """Mean score on the earlier batches, in [0, 1]."""
        return sum(self.now.values()) / len(self.now)

    @property
    def backward_transfer(self) -> float:
        """That score less the one that each batch had when it was shown, in [-1, 1]."""
        return self.retention - sum(self.shown.values()) / len(self.shown)

    @property
    def without_context(self) -> float:
        """Held-out score under no context over that under this one; 1.0 where the context is not needed."""
        return self.bare / self.held_out if self.held_out else 1.0


def ask_again(
    session: Session, domain: Domain, context: str, shown: Mapping[int, float], size: int, held_out: float
) -> Retained:
    """Ask what was shown before again, under a context.

    Args:
        session: asks; one apart from that of a search, so that the search does not pay.
        domain: the domain.
        context: the context.
        shown: the numbers of earlier feedback batches, >= 1 of them, with their scores when they were shown.
        size: questions of a batch.
        held_out: the held-out score of the context.

    Raises:
        BudgetExhausted: the session cannot pay for it in full.
    """
    questions = [question for batch in shown for question in feedback_batch(domain, batch, size)]
    again, bare = session.run(
        [
            session.evaluate(domain, context, questions),
            session.evaluate(domain, "", domain.splits["held_out"]),  # asked once, then in the session's memory
        ]
    )
    scores = again.scores.reshape(len(shown), -1).mean(axis=1).tolist()
    return Retained(dict(zip(shown, scores, strict=True)), shown, held_out, float(bare.scores.mean()))


def retained(env: gym.Env, visited: Sequence[Mapping[str, Any]]) -> Retained | None:
    """What the last of visited contexts retains of the batches shown before it; None where they were none.

    The env's task model is asked; the env's budget and state are not touched.

    Args:
        env: an env as they were visited in, on its domain.
        visited: contexts in their order, as an evolution tree or a ``trajectory.jsonl`` holds them: ``context``,
            ``batch``, ``feedback_score``, ``performance``.
    """
    core, (*before, last) = core_env(env), visited
    shown: dict[int, float] = {}
    for one in before:
        shown.setdefault(int(one["batch"]), one["feedback_score"])
    shown.pop(int(last["batch"]), None)
    if not shown:
        return None
    session, domain = core.session.isolated(), core.family.load(core.domain_name)
    return ask_again(session, domain, last["context"], shown, core.feedback_size, last["performance"])
