"""The hard budget: one ledger that the task model and the editor are charged to alike."""

from collections.abc import Mapping
from math import inf
from typing import NamedTuple

import numpy as np

from lse_gym.envs.errors import ArgumentError, BudgetExhausted, unknown


class Usage(NamedTuple):
    """What was used: the four resources that a budget caps, then the parts of ``tokens``.

    ``cached_tokens`` are the prompt tokens that an engine had computed before and took from its cache.
    """

    edits: float = 0.0
    calls: float = 0.0
    tokens: float = 0.0
    usd: float = 0.0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    cached_tokens: float = 0.0

    def plus(self, other: "Usage") -> "Usage":
        """The sum, amount by amount."""
        return Usage(*(a + b for a, b in zip(self, other, strict=True)))

    def minus(self, other: "Usage") -> "Usage":
        """The difference, amount by amount."""
        return Usage(*(a - b for a, b in zip(self, other, strict=True)))


RESOURCES = Usage._fields[:4]


class Budget:
    """Caps on edits, model calls, tokens and US dollars, for the whole life of one env.

    No reset refills it. A call is *reserved* at its upper bound before it is made and settled to its real cost after,
    so no cap is ever exceeded, not even by one token.

    Args:
        caps: resource name to cap; a resource that is not named has none. None caps nothing.
    """

    def __init__(self, caps: Mapping[str, float] | None = None):
        caps = dict(caps or {})
        for name, cap in caps.items():
            if name not in RESOURCES:
                raise unknown("budget resource", name, RESOURCES, 'Pass e.g. budget={"calls": 5000}.')
            if isinstance(cap, bool) or not isinstance(cap, (int, float, np.number)) or not cap >= 0:
                raise ArgumentError(f"budget[{name!r}]={cap!r} is not a number >= 0. Leave the key out for no cap.")
        self.caps = Usage(**{name: float(caps.get(name, inf)) for name in Usage._fields})
        self.spent = Usage()
        self._reserved = Usage()  # apart from ``spent``, which a refund would leave with rounding errors

    def affords(self, cost: Usage) -> bool:
        """Whether ``cost`` can still be paid in full, beside what is reserved."""
        total = self.spent.plus(self._reserved).plus(cost)
        return all(amount <= cap for amount, cap in zip(total, self.caps, strict=True))

    def charge(self, cost: Usage) -> None:
        """Pay ``cost`` in full.

        Raises:
            BudgetExhausted: it cannot be paid; nothing was charged.
        """
        self.reserve(cost)
        self.settle(cost, cost)

    def reserve(self, cost: Usage) -> None:
        """Set ``cost`` aside until :meth:`settle`.

        Raises:
            BudgetExhausted: it cannot be paid; nothing was reserved.
        """
        if not self.affords(cost):
            raise BudgetExhausted(f"{cost} does not fit into the budget: spent {self.spent} of {self.caps}.")
        self._reserved = self._reserved.plus(cost)

    def settle(self, reserved: Usage, actual: Usage) -> None:
        """Replace a reservation by what was really used."""
        self._reserved = self._reserved.minus(reserved)
        self.spent = self.spent.plus(actual)

    @property
    def remaining(self) -> Usage:
        """What is left of each resource; ``inf`` where there is no cap."""
        return self.caps.minus(self.spent)

    def fractions(self) -> np.ndarray:
        """What is left of each resource as a fraction of its cap, float64 of shape (4,); 1.0 where there is no cap.

        A backend that uses more than its upper bound can overdraw a cap once; no less than 0.0 is left then.
        """
        return np.array(
            [
                1.0 if cap == inf else 0.0 if cap == 0 else max(0.0, (cap - spent) / cap)
                for cap, spent in list(zip(self.caps, self.spent, strict=True))[: len(RESOURCES)]
            ],
            dtype=np.float64,
        )
