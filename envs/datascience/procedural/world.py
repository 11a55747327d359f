"""A world: one draw of the house style of a theme, that is of everything its questions do not say."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from lse_gym.envs.datascience.plan import Statistic
from lse_gym.envs.datascience.procedural.theme import Measure, Theme

SENTINELS = (-999, -1, 9999)  # outside the range of every measure
WEEKLY: tuple[Statistic, ...] = ("sum", "max", "min")
STATISTICS: tuple[Statistic, ...] = ("median", "max", "min")
P_LITERAL = 0.55  # chance that a convention is what anybody would assume
MIN_HIDDEN, MIN_KINDS = 8, 6


class World(NamedTuple):
    """One draw. What a mapping leaves out is as anybody would assume."""

    theme: Theme
    sentinels: Mapping[str, int]  # column -> number that stands for a missing one
    ranges: Mapping[str, tuple[int, int]]  # column -> what it can be; other rows are broken
    dropped: Mapping[str, str]  # column -> value of rows that do not count
    units: Mapping[str, int]  # target -> stored units that make one of reports
    steps: Mapping[str, float]  # target -> what predictions are rounded to a multiple of
    logs: frozenset[str]  # targets that are modelled by their logarithm
    leaks: frozenset[str]  # columns that are known only afterwards
    key: str  # by which the two tables belong together
    names: Mapping[str, str]  # target -> what its column of predictions is called
    first: frozenset[str]  # targets whose column comes before that of the rows' ids
    terms: Mapping[str, Statistic]  # term -> the statistic it means
    weekly: Statistic  # what a week of the daily series is


def draw_world(theme: Theme, rng: np.random.Generator) -> World:
    """Draw the conventions; again until at least 8 of 6 kinds differ from what anybody would assume."""
    while True:
        world = _draw(theme, rng)
        kinds = hidden_kinds(world)
        if len(kinds) >= MIN_HIDDEN and len(set(kinds)) >= MIN_KINDS:
            return world


def hidden_kinds(world: World) -> list[str]:
    """The kind of every convention that a literal reading gets wrong, one entry a convention."""
    return [
        *("missing value" for _ in world.sentinels),
        *("range" for _ in world.ranges),
        *("dropped rows" for _ in world.dropped),
        *("unit" for _ in world.units),
        *("rounding" for _ in world.steps),
        *("transform" for _ in world.logs),
        *("leakage" for _ in world.leaks),
        *(["merge key"] if world.key != world.theme.keys[0] else []),
        *("output" for _ in [*world.names, *world.first]),
        *("statistic" for statistic in world.terms.values() if statistic != "mean"),
        "resampling",
    ]


def _draw(theme: Theme, rng: np.random.Generator) -> World:
    def literal() -> bool:
        return bool(rng.random() < P_LITERAL)

    def pick(options):
        return options[int(rng.integers(len(options)))]

    def some(options):
        return [option for option in options if not literal()]

    marked, ranged, third = (theme.inputs[int(i)] for i in rng.permutation(3))
    blanks: list[Measure] = [marked, theme.extra, theme.series, *([third] if rng.random() < 0.5 else [])]
    states = {theme.state.column: theme.state.values[2:], theme.origin.column: theme.origin.values[1:]}
    transformed = pick(theme.targets)
    ordered = pick(theme.targets)
    return World(
        theme=theme,
        sentinels={measure.column: pick(SENTINELS) for measure in some(blanks)},
        ranges={measure.column: (measure.low, measure.high) for measure in some([ranged])},
        dropped={column: pick(values) for column, values in states.items() if not literal()},
        units={target.column: target.factor for target in some(theme.targets)},
        steps={target.column: pick(target.steps) for target in some(theme.targets)},
        logs=frozenset(target.column for target in some([transformed])),
        leaks=frozenset(some(theme.leaks)),
        key=pick(theme.keys) if literal() else theme.keys[1],
        names={target: pick(theme.names[target]) for target in some(theme.names)},
        first=frozenset(target.column for target in some([ordered])),
        terms={term: "mean" if literal() else pick(STATISTICS) for term in theme.terms},
        weekly=pick(WEEKLY),
    )
