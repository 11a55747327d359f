"""The text of passages: the prompt, and the context, which lists passages by number in the order they are shown."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from lse_gym.envs.passages.bias import UNIT
from lse_gym.envs.prompt import OUTPUT_HEADER

OVERVIEW = "You answer a question from the passages below. Reply with one of the answers that the question offers."
OUTPUT = "Put the answer between <answer> and </answer>. Nothing else is read."
PASSAGES_HEADER = "### Passages"
EXPLANATION = (
    "The instructions are a list of passages, one line each. The model is shown these passages, in this order; lines "
    "may change places and may be left out, and nothing but the numbers in brackets counts."
)
NUMBER = re.compile(r"\[(\d{1,4})\]")
# How strongly an opening speaks for what follows, as log-odds in nats; "reported" has the strength of the source's
STRENGTHS = {"It is on record": 2.0, "It is reported": UNIT, "It is thought": 0.6}
CLAIM = re.compile(rf"({'|'.join(STRENGTHS)}) that (the [A-Z]\w+ [A-Z]\w+) ([^.]*)\.")
VALUE = re.compile(r"\d+")
OFFER = re.compile(r"(\w+) or (\w+)\?")


class Passage(NamedTuple):
    """One retrieved passage; ``score`` is the retriever's, in [0, 1]."""

    title: str
    text: str
    score: float


def render_order(order: Sequence[int], passages: Sequence[Passage]) -> str:
    """The context that shows passages, given by their indices from 0, in this order."""
    return "\n".join(f"[{p + 1}] {passages[p].title}" for p in order)


def read_order(context: str, count: int) -> list[int]:
    """The indices of the passages that a context shows, in its order; of a repeated number the first counts.

    >>> read_order("[2] An archive\\n[9]\\nthen [1], [2]", 3)
    [1, 0]
    """
    numbers = (int(number) - 1 for number in NUMBER.findall(context))
    return list(dict.fromkeys(number for number in numbers if 0 <= number < count))


def system_message(order: Sequence[int], passages: Sequence[Passage]) -> str:
    """The system message: the passages in order come last."""
    shown = "\n".join(_line(p, passages) for p in order)
    return f"{OVERVIEW}\n\n{OUTPUT_HEADER}\n{OUTPUT}\n\n{PASSAGES_HEADER}\n{shown}"


def render_passages(passages: Sequence[Passage]) -> str:
    """All passages with the scores of the retriever, as reports show them."""
    return "\n".join(f"{_line(p, passages)} (retriever score {one.score:.2f})" for p, one in enumerate(passages))


def _line(p: int, passages: Sequence[Passage]) -> str:
    return f"[{p + 1}] {passages[p].title}: {passages[p].text}"
