"""The hard budget: one ledger that the task model and the editor are charged to alike."""

import threading
from collections.abc import Mapping
from math import inf
from operator import add, le, sub
from typing import Any, NamedTuple, Self
from uuid import uuid4

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
        return tuple.__new__(Usage, map(add, self, other))  # as ``_make``, in half the time: a step adds up often

    def minus(self, other: "Usage") -> "Usage":
        """The difference, amount by amount."""
        return tuple.__new__(Usage, map(sub, self, other))


RESOURCES = Usage._fields[:4]
NOTHING = Usage()


class Budget:
    """Caps on edits, model calls, tokens and US dollars, for the whole life of one env.

    No reset refills it. A call is *reserved* at its upper bound before it is made and settled to its real cost after,
    so no cap is ever exceeded, not even by one token. Threads may share a ledger. Copies do: a shallow or deep copy, or
    a pickle loaded in the same process, is the same ledger. A pickle loaded in another process starts with what was
    left when it was made; between processes nothing is shared.

    Args:
        caps: resource name to cap; a resource that is not named has none. None caps nothing.
    """

    def __init__(self, caps: Mapping[str, float] | None = None):
        if caps is not None and not isinstance(caps, Mapping):
            raise ArgumentError(f'budget={caps!r} is not a dict. Pass caps by name, e.g. budget={{"calls": 5000}}.')
        caps = dict(caps or {})
        for name, cap in caps.items():
            if name not in RESOURCES:
                raise unknown("budget resource", name, RESOURCES, 'Pass e.g. budget={"calls": 5000}.')
            if isinstance(cap, bool) or not isinstance(cap, (int, float, np.number)) or not cap >= 0:
                raise ArgumentError(f"budget[{name!r}]={cap!r} is not a number >= 0. Leave the key out for no cap.")
        self.caps = Usage(**{name: float(caps.get(name, inf)) for name in Usage._fields})
        self.spent = Usage()
        self.by_task_model = Usage()  # of ``spent``; the rest is an agent's
        self._reserved = Usage()  # apart from ``spent``, which a refund would leave with rounding errors
        self._lock = threading.Lock()

    def affords(self, cost: Usage) -> bool:
        """Whether ``cost`` can still be paid in full, beside what is reserved."""
        return self._fits(self._reserved.plus(cost))

    def _fits(self, more: Usage) -> bool:
        return all(map(le, map(add, self.spent, more), self.caps))

    def charge(self, cost: Usage) -> None:
        """Pay ``cost`` in full.

        Raises:
            BudgetExhausted: it cannot be paid; nothing was charged.
        """
        with self._lock:
            if not self.affords(cost):
                raise BudgetExhausted(self._missing(cost))
            self.spent = self.spent.plus(cost)

    def reserve(self, cost: Usage, instead_of: Usage = NOTHING) -> None:
        """Set ``cost`` aside until :meth:`settle`, and give an earlier reservation back, both or neither.

        Raises:
            BudgetExhausted: it cannot be paid; nothing was reserved, and nothing given back.
        """
        with self._lock:
            reserved = self._reserved.minus(instead_of).plus(cost)
            if not self._fits(reserved):
                raise BudgetExhausted(self._missing(cost))
            self._reserved = reserved

    def _missing(self, cost: Usage) -> str:
        left = self.caps.minus(self.spent).minus(self._reserved)
        short = [name for name in RESOURCES if getattr(cost, name) > getattr(left, name)]
        needed = ", ".join(f"{getattr(cost, name):,.10g} {name}" for name in short)
        there = ", ".join(f"{max(0.0, getattr(left, name)):,.10g}" for name in short)
        whole = ", ".join(f"{getattr(self.caps, name):,.10g} {name}" for name in short)
        return f"{needed} do not fit into the budget: {there} left of {whole}. Raise the cap."

    def settle(self, reserved: Usage, actual: Usage, by_task_model: bool = False) -> None:
        """Replace a reservation by what was really used."""
        with self._lock:
            self._reserved = self._reserved.minus(reserved)
            self.spent = self.spent.plus(actual)
            if by_task_model:
                self.by_task_model = self.by_task_model.plus(actual)

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
                for cap, spent in zip(self.caps[: len(RESOURCES)], self.spent, strict=False)
            ],
            dtype=np.float64,
        )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if not hasattr(self, "_name"):
            self._name = uuid4().hex
            PICKLED[self._name] = self
        return unpickle, (self._name, self.caps, self.spent.plus(self._reserved), self.by_task_model)


PICKLED: dict[str, Budget] = {}  # the ledgers that have pickles, kept for good: one that was spent does not come back


def unpickle(name: str, caps: Usage, spent: Usage, by_task_model: Usage) -> Budget:
    """The ledger that was pickled, where it lives in this process; else one with what was left of it."""
    budget = PICKLED.get(name)
    if budget is None:
        budget = PICKLED[name] = Budget()
        budget.caps, budget.spent, budget.by_task_model, budget._name = caps, spent, by_task_model, name
    return budget
