"""A menu of hints, so that giving one is a Discrete action, and numbers about each for who reads no language."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from lse_gym.envs.games.problems.wording import FORMS

DEFAULT = tuple(f"Remember: {form.method}." for form in FORMS.values())
"""a hint for each kind of step of the embedded word problems"""
EACH = 4  # numbers about each hint
WORD = re.compile(r"[a-z]{4,}")


def features(menu: Sequence[str], seen: dict[str, Any], max_rounds: int) -> np.ndarray:
    """What an observation of the hinter says of each hint, as float32 of shape (1 + 4 hints,), each in [0, 1].

    First the share of the rounds that are over. Then, for each hint: the share of its words, of four letters and more,
    that are in the question, in the wrong attempt and in the reference solution, and whether it was given before.
    """
    texts = [_words(seen[name]) for name in ("question", "attempt", "solution")]
    numbers = [max(0.0, float(seen["round"]) - 1) / max_rounds]
    for hint in menu:
        own = _words(hint)
        shares = [len(own & text) / max(1, len(own)) for text in texts]
        numbers += [*shares, float(hint in seen["past_hints"].split("\n"))]
    return np.array(numbers, dtype=np.float32)


def _words(text: str) -> set[str]:
    return {*WORD.findall(text.lower())}
