"""Free text as a Gymnasium space."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from gymnasium import Space

# What `sample` draws from: words would look like contexts; these find the bugs that words do not.
ALPHABET = "abcdefghijklmnopqrstuvwxyz ABC 0123456789 .,:;'\"`=<>()[]{}|%_*-#/\\\n\té’—漢🙂"  # noqa: RUF001 - look-alikes are wanted
MAX_SAMPLE_CHARS = 200


class FreeText(Space[str]):
    """Any Unicode string of at most ``max_chars`` characters, the empty one included.

    Not a :class:`gymnasium.spaces.Text`: that space has a finite alphabet, checks every character in Python, and
    arrives garbled through ``AsyncVectorEnv`` with shared memory; this one is checked in O(1) and fails loudly there
    (pass ``shared_memory=False``).

    Args:
        max_chars: longest string, in characters; positive.
        seed: seed of ``sample``.
    """

    def __init__(self, max_chars: int, seed: int | np.random.Generator | None = None):
        if max_chars < 1:
            raise ValueError(f"max_chars={max_chars} is not positive. Pass the longest text in characters, e.g. 8000.")
        super().__init__(shape=None, dtype=None, seed=seed)
        self.max_chars = max_chars

    def sample(self, mask: None = None, probability: None = None) -> str:
        """Draw up to 200 characters of letters, punctuation, line breaks and non-ASCII signs."""
        if mask is not None or probability is not None:
            raise ValueError("FreeText.sample takes neither mask nor probability. Call sample() without arguments.")
        length = int(self.np_random.integers(0, min(self.max_chars, MAX_SAMPLE_CHARS) + 1))
        return "".join(ALPHABET[i] for i in self.np_random.integers(0, len(ALPHABET), length))

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is a string of at most ``max_chars`` characters."""
        return isinstance(x, str) and len(x) <= self.max_chars

    @property
    def is_np_flattenable(self) -> bool:
        """Text has no flat numeric form."""
        return False

    def to_jsonable(self, sample_n: Iterable[str]) -> list[str]:
        """Text is JSON already."""
        return list(sample_n)

    def from_jsonable(self, sample_n: list[Any]) -> list[str]:
        """Text is JSON already."""
        return [str(sample) for sample in sample_n]

    def __repr__(self) -> str:
        return f"FreeText({self.max_chars})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FreeText) and self.max_chars == other.max_chars

    def __hash__(self) -> int:
        return hash((FreeText, self.max_chars))
