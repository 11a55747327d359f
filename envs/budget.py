"""The hard budget: one ledger that the task model and the editor are charged to alike."""

from collections.abc import Mapping
from math import inf
from typing import NamedTuple

import numpy as np

from lse_gym.envs.errors import ArgumentError, BudgetExhausted, unknown


class Usage(NamedTuple):
    """Amounts of every resource that a budget caps."""

    edits: float = 0.0
    calls: float = 0.0
    tokens: float = 0.0
    usd: float = 0.0

    def plus(self, other: "Usage") -> "Usage":
        """The sum, resource by resource."""
        return Usage(*(a + b for a, b in zip(self, other, strict=True)))


class Budget:
    """Caps on edits, model calls, tokens and US dollars, for the whole life of one env.

    No reset refills it. A call is *reserved* at its upper bound before it is made and settled to its real cost after, so
    no cap is ever exceeded, not even by one token.

    Args:
        caps: resource name to cap; a resource that is not named has none. None caps nothing.
    """

    def __init__(self, caps: Mapping[str, float] | None = None):
        caps = dict(caps or {})
        for name, cap in caps.items():
            if name not in Usage._fields:
                raise unknown("budget resource", name, Usage._fields, 'Pass e.g. budget={"calls": 5000}.')
            if isinstance(cap, bool) or not isinstance(cap, (int, float, np.number)) or not cap >= 0:
                raise ArgumentError(f"budget[{name!r}]={cap!r} is not a number >= 0. Leave the key out for no cap.")
        self.caps = Usage(**{name: float(caps.get(name, inf)) for name in Usage._fields})
        self.spent = Usage()

    def affords(self, cost: Usage) -> bool:
        """Whether ``cost`` can still be paid in full."""
        return all(spent + more <= cap for spent, more, cap in zip(self.spent, cost, self.caps, strict=True))

    def charge(self, cost: Usage) -> None:
        """Pay ``cost`` in full.

        Raises:
            BudgetExhausted: it cannot be paid; nothing was charged.
        """
        if not self.affords(cost):
            raise BudgetExhausted(f"{cost} does not fit into the budget: spent {self.spent} of {self.caps}.")
        self.spent = self.spent.plus(cost)

    def settle(self, reserved: Usage, actual: Usage) -> None:
        """Replace a reservation by what was really used."""
        self.spent = Usage(*(s - r + a for s, r, a in zip(self.spent, reserved, actual, strict=True)))

    @property
    def remaining(self) -> Usage:
        """What is left of each resource; ``inf`` where there is no cap."""
        return Usage(*(cap - spent for cap, spent in zip(self.caps, self.spent, strict=True)))

    def fractions(self) -> np.ndarray:
        """What is left of each resource as a fraction of its cap, float64 of shape (4,); 1.0 where there is no cap."""
        return np.array(
            [
                1.0 if cap == inf else 0.0 if cap == 0 else (cap - spent) / cap
                for cap, spent in zip(self.caps, self.spent, strict=True)
            ],
            dtype=np.float64,
        )
