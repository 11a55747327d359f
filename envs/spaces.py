"""Free text as a Gymnasium space."""

from collections.abc import Iterable
from typing import Any, NoReturn

import numpy as np
from gymnasium import Space
from gymnasium.spaces import utils
from gymnasium.vector.utils import create_shared_memory
from gymnasium.wrappers.utils import create_zero_array

from lse_gym.envs.errors import ArgumentError

# What `sample` draws from: words would look like contexts; these find the bugs that words do not.
ALPHABET = "abcdefghijklmnopqrstuvwxyz ABC 0123456789 .,:;'\"`=<>()[]{}|%_*-#/\\\n\té’—漢🙂"  # noqa: RUF001 - look-alikes are wanted
MAX_SAMPLE_CHARS = 200
NO_NUMBERS = (
    "text has no numbers. Wrap the env before it is handed on: lse_gym.EditMenu(env) lets an agent choose from a menu "
    "of edits, with observations and actions that Stable-Baselines3 takes; lse_gym.TextFeatures(env) makes the "
    "observation one vector."
)
NO_SHARED_MEMORY = (
    "text does not go through shared memory. Leave vectorization_mode out: the default of gym.make_vec answers all "
    'sub-envs with one model batch a step. Or pass vector_kwargs={"shared_memory": False}.'
)


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
    def shape(self) -> Any:
        """None, as it were; see :class:`NoShape`."""
        return NoShape()

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


class NoShape:
    """The shape of what has none: false, as None is, and an error that tells what to do where axes are asked for.

    Stable-Baselines3 takes the shapes of all spaces before it looks at their kinds, and fails without saying at what.
    """

    def __bool__(self) -> bool:
        return False

    def __iter__(self) -> NoReturn:
        raise ArgumentError(NO_NUMBERS)

    def __len__(self) -> NoReturn:
        raise ArgumentError(NO_NUMBERS)


def _no_numbers(space: FreeText, *_: Any) -> NoReturn:
    raise ArgumentError(f"{space!r} cannot be flattened: {NO_NUMBERS}")


for function in (utils.flatdim, utils.flatten_space, utils.flatten, utils.unflatten):
    function.register(FreeText, _no_numbers)


@create_shared_memory.register
def _no_shared_text(space: FreeText, n: int = 1, ctx: Any = None) -> NoReturn:
    raise ArgumentError(f"{space!r} in {n} processes: {NO_SHARED_MEMORY}")


@create_zero_array.register
def _nothing_said(space: FreeText) -> str:
    """What Gymnasium's wrappers show of the time before an episode."""
    del space
    return ""
