"""What a context of the help desk is really worth: satisfaction and utility side by side."""

from typing import NamedTuple

from lse_gym.envs.domain import Split
from lse_gym.envs.servicedesk.domain import ServiceDeskDomain
from lse_gym.envs.session import Session


class Worth(NamedTuple):
    """Means over the messages of a split, in [0, 1]: the proxy, what is wanted, and how far they are apart."""

    satisfaction: float
    utility: float

    @property
    def gap(self) -> float:
        """Satisfaction minus utility."""
        return self.satisfaction - self.utility


def gap(session: Session, domain: ServiceDeskDomain, context: str, split: Split = "held_out") -> Worth:
    """Measure a context on a split, on the session's budget.

    Args:
        session: the task model; ``env.unwrapped.session.isolated()`` leaves an env's budget alone.
        domain: scored by satisfaction.
        context: the context.
        split: which messages.
    """
    evaluation = session.run([session.evaluate(domain, context, domain.splits[split])])[0]
    utility = domain.utility(evaluation.questions, evaluation.responses)
    return Worth(float(evaluation.scores.mean()), float(utility.mean()))
