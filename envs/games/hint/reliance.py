"""How much right answers rely on a hint: by the reasoner's log-probabilities, or by what comes out without them."""

import json
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from lse_gym.envs.domain import Domain, Question
from lse_gym.envs.games.hill import RIGHT, mean_reliance, outcome_reliance, reliance
from lse_gym.envs.games.hint.prompt import hinted
from lse_gym.envs.metered import MeteredModel
from lse_gym.envs.models.base import Request
from lse_gym.envs.report import Turn

Source = Literal["", "log-probabilities", "outcomes of a twin", "outcomes"]
Asks = Callable[[Question, str], list[Request]]
"""the rollouts that a question, with or without a hint, is asked by"""


class Reliance(NamedTuple):
    """The mean reliance of the right answers, None where none is right, and what tells it ("" if nothing did)."""

    mean: float | None
    source: Source = ""


def measure(
    metered: MeteredModel | None,
    asks: Asks,
    domain: Domain,
    question: Question,
    hint: str,
    texts: Sequence[str],
    scores: Sequence[float],
    twin: Question | None,
) -> Reliance:
    """Measure the reliance of a hinted group of an all-wrong question.

    Where the model has no log-probabilities, a twin of the question is asked with the hint and without it; where it has
    no twin, or nobody knows the model, the group itself is compared with the all-wrong one.

    Args:
        metered: the reasoner's model; None where an outside policy reasons.
        asks: makes the rollouts.
        domain: of the question.
        question: what was answered.
        hint: with this.
        texts: the responses.
        scores: of the responses.
        twin: a question that takes the same steps, or None.

    Raises:
        BudgetExhausted: it cannot be paid.
    """
    right = [text for text, score in zip(texts, scores, strict=True) if score >= RIGHT]
    if not right:
        return Reliance(None)
    if metered is not None:
        mean = _by_logprobs(metered, asks(question, "")[0], hint, right)
        if mean is not None:
            return Reliance(mean, "log-probabilities")
        if twin is not None:
            counts = [_right(metered, asks(twin, one), domain, twin) for one in ("", hint)]
            return Reliance(outcome_reliance(*counts, len(scores)), "outcomes of a twin")
    return Reliance(outcome_reliance(0, len(right), len(scores)), "outcomes")


def _by_logprobs(metered: MeteredModel, plain: Request, hint: str, right: Sequence[str]) -> float | None:
    """The mean reliance of the right answers; None where the model cannot tell how likely one of them is."""
    given = plain._replace(user=hinted(plain.user, hint))
    asked = [(request, Turn("assistant", text)) for text in right for request in (plain, given)]
    answers = metered.complete([request._replace(max_tokens=0, turns=(turn,)) for request, turn in asked])
    told = [json.loads(answer.text) for answer in answers]
    if None in told:
        return None
    each = [reliance(*pair) for pair in zip(told[::2], told[1::2], strict=True)]
    return mean_reliance(each, [1.0] * len(each))


def _right(metered: MeteredModel, requests: list[Request], domain: Domain, question: Question) -> int:
    texts = [response.text for response in metered.complete(requests)]
    return sum(outcome.score >= RIGHT for outcome in domain.score([question] * len(texts), texts))
