"""The space of questions of a theme: which filters and operations there are, and how often each is drawn."""

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np

from lse_gym.envs.sql.procedural.forms import Filter, Form, Op
from lse_gym.envs.sql.procedural.theme import Role, Theme
from lse_gym.envs.sql.procedural.world import FIRST_DAY

REACHABLE: dict[Role, tuple[Role, ...]] = {
    "event": ("event", "thing", "person", "place"),
    "person": ("person", "place"),
    "thing": ("thing",),
}
# What is listed n times is drawn n times as often.
MAINS: tuple[Role, ...] = ("event", "event", "event", "person", "thing")
NUMBERS = 4 * [0] + 25 * [1] + 16 * [2] + 5 * [3]  # of filters
AGGREGATES: tuple[Op, ...] = ("average", "total", "highest", "top")
KINDS = ("open", "code", "adjective", "year", "above", "name")  # the order in which a form lists its filters
YEARS, STEPS = range(6), range(20, 70)  # after the first day; in hundredths of a measure's range


class Ask(NamedTuple):
    """What is asked of rows: the operation, its measure, and what it groups by."""

    op: Op
    measure: str = ""
    by: Role | None = None


class Space:
    """Forms of one theme: a table, what is asked of its rows, and up to three filters on them.

    Args:
        theme: what there is to ask about.
        keep: the filters that may occur; all of them by default.
        fits: what may be asked of which table; everything by default.
    """

    def __init__(
        self,
        theme: Theme,
        keep: Callable[[Filter], bool] = lambda _: True,
        fits: Callable[[Role, Ask], bool] = lambda *_: True,
    ):
        self._asks = {main: [ask for ask in _asks(theme, main) if fits(main, ask)] for main in REACHABLE}
        self._mains = [main for main in MAINS if self._asks[main]]
        self._filters: dict[Role, list[list[Filter]]] = {}  # of a main table: those of every table, if there are any
        for main, roles in REACHABLE.items():
            tables = ([(list(filter(keep, kind)), n) for kind, n in _filters(theme, role, main)] for role in roles)
            found = ([f for kind, n in kinds for f in kind * n] for kinds in tables)
            self._filters[main] = [filters for filters in found if filters]
        order = {(role, kind): i for i, (role, kind) in enumerate(product(REACHABLE["event"], KINDS))}
        self._order = {f: order[f.role, f.kind] for f in self.filters()}

    def filters(self) -> set[Filter]:
        """Every filter that a form may have."""
        return {f for tables in self._filters.values() for filters in tables for f in filters}

    def draw(self, rng: np.random.Generator) -> Form | None:
        """Draw a form, of whose filters no two are of one kind on one table; None if nothing may be asked."""
        if not self._mains:
            return None
        first, second, third, *numbers = rng.random(9).tolist()
        main = self._mains[int(first * len(self._mains))]
        asks, tables = self._asks[main], self._filters[main]
        op, measure, by = asks[int(second * len(asks))]
        filters: dict[tuple[Role, str], Filter] = {}
        for i in range(NUMBERS[int(third * len(NUMBERS))] if tables else 0):
            options = tables[int(numbers[2 * i] * len(tables))]
            drawn = options[int(numbers[2 * i + 1] * len(options))]
            if drawn.role != by:
                filters[drawn.role, drawn.kind] = drawn
        return Form(op, main, tuple(sorted(filters.values(), key=self._order.__getitem__)), measure, by)


def _asks(theme: Theme, main: Role) -> list[Ask]:
    """What may be asked of a table: every operation as often as the others, but counts twice."""
    measures = [m.word for m in theme.measures if m.role == main]
    unit = 6  # copies of an operation, so that up to three measures or tables share them
    found = [Ask("count")] * (2 * unit) + [Ask("list")] * unit
    found += [Ask(op, measure) for op in AGGREGATES for measure in measures] * (unit // max(1, len(measures)))
    groups: list[Ask] = [Ask("group", by=by) for by in REACHABLE[main][1:]]
    return found + groups * (unit // max(1, len(groups)))


def _filters(theme: Theme, role: Role, main: Role) -> list[tuple[list[Filter], int]]:
    """The filters on a table in questions about ``main``, kind by kind, and how many copies each one gets."""
    code = 50  # the years of a date share the weight of three codes, the amounts of a measure the weight of one
    found = [([Filter(role, "code", term) for c in theme.codes if c.role == role for term in c.terms], code)]
    found.append(([Filter(role, "adjective", a.word) for a in theme.adjectives if a.role == role], 2 * code))
    if role == "event":
        found.append(([Filter(role, "open", theme.open_word)], 3 * code))
    if role == "place":
        found.append(([Filter(role, "name", "", name) for name in theme.place_names], code))
    for d in theme.dates:
        if d.role == role:
            years = [str(FIRST_DAY.year + n) for n in YEARS]
            found.append(([Filter(role, "year", d.column, year) for year in years], 3 * code // len(YEARS)))
    for m in theme.measures:
        if m.role == role == main:
            amounts = [str(m.low + (m.high - m.low) * step // 100) for step in STEPS]
            found.append(([Filter(role, "above", m.word, amount) for amount in amounts], code // len(STEPS)))
    return found
