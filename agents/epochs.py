"""What a step of a training learns from."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def epoch_batch(items: Sequence[T], size: int, step: int, seed: int) -> list[T]:
    """The items of a step: epochs in a new random order each, cut into batches that may span two of them.

    >>> [epoch_batch("abc", 2, step, seed=0) for step in range(3)]
    [['c', 'a'], ['b', 'c'], ['a', 'b']]
    """
    places, n = range(step * size, (step + 1) * size), len(items)
    orders = {epoch: np.random.default_rng((seed, epoch)).permutation(n) for epoch in {p // n for p in places}}
    return [items[int(orders[p // n][p % n])] for p in places]
