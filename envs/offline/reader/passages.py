"""Answers from passages: what they claim, weighed by where they stand.

The bias is the one that was measured on GPT-3.5-Turbo, see :mod:`lse_gym.envs.passages.bias`.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from lse_gym.envs.offline.reader.prompt import Prompt
from lse_gym.envs.offline.stand_in import chance, in_tags
from lse_gym.envs.passages.bias import logit, position_weights
from lse_gym.envs.passages.prompt import CLAIM, OFFER, PASSAGES_HEADER, STRENGTHS, VALUE


class Claim(NamedTuple):
    """What a passage says: a value of a subject, with a weight that is its strength times that of its position."""

    subject: str
    value: str
    weight: float


def recognises(prompt: Prompt) -> bool:
    """Whether there are passages to answer from."""
    return f"\n{PASSAGES_HEADER}\n" in prompt.frozen


@in_tags
def answer(prompt: Prompt) -> str:
    """One of the two answers that the question offers, "" where it offers none.

    A logit choice: the log-odds of the first against the second are the difference of what speaks for them, plus
    logistic noise that a digest of the question decides (and at a temperature, of seed and sample).
    """
    offered = OFFER.search(prompt.question)
    if not offered:
        return ""
    first, second = offered.groups()
    support = {first: 0.0, second: 0.0}
    for claim in _claims(prompt.frozen):
        if claim.value in support and claim.subject in prompt.question:
            support[claim.value] += claim.weight
    doubt = min(max(chance("doubt", prompt.question, *prompt.luck), 1e-12), 1 - 1e-12)
    return first if support[first] - support[second] > logit(doubt) else second


@lru_cache(maxsize=256)
def _claims(frozen: str) -> Sequence[Claim]:
    lines = [line for line in frozen.partition(f"\n{PASSAGES_HEADER}\n")[2].split("\n") if line]
    claims = []
    for line, weight in zip(lines, position_weights(len(lines)), strict=True):
        if found := CLAIM.search(line):
            opening, subject, said = found.groups()
            claims += [Claim(subject, value, STRENGTHS[opening] * weight) for value in VALUE.findall(said)]
    return claims
