"""A world: one draw of the hidden conventions of a theme."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from lse_gym.envs.qa.procedural.theme import Theme

Mode = Literal["down", "up", "nearest"]
MODES: tuple[Mode, ...] = ("down", "up", "nearest")
STEPS = (5, 10, 20)  # numbers are rounded to a multiple of one of them
THRESHOLDS = range(35, 70, 5)  # of attributes, which lie in VALUES
VALUES = range(1, 100)
FACTORS = range(3, 16)
MIN_EXCEPTION = 15  # an exception that shifts a threshold shifts it as far as this
P_LITERAL = 0.2  # chance that a convention is what everybody would assume
MIN_HIDDEN, MIN_KINDS = 12, 6


class Definition(NamedTuple):
    """What an adjective means: an attribute of at least the threshold, or below it."""

    attribute: str
    at_least: bool
    threshold: int


class Measure(NamedTuple):
    """What a term of the trade means: an attribute, or the sum (sign 1) or difference (-1) of two."""

    first: str
    sign: int = 0
    second: str = ""


class Rounding(NamedTuple):
    """How a document enters numbers."""

    mode: Mode
    step: int


class World(NamedTuple):
    """One draw: every fact that the questions do not tell."""

    theme: Theme
    definitions: Mapping[str, Definition]  # by adjective
    exceptions: Mapping[str, tuple[str, Definition]]  # adjective -> kind of things, and what it means for them
    measures: Mapping[str, Measure]  # by term
    factors: Mapping[str, int]  # by larger unit
    occasional: Mapping[str, int]  # by larger unit, on the theme's occasion
    roundings: Mapping[str, Rounding]  # by document
    counts: Mapping[str, int]  # state -> as how many a thing in it is counted
    sources: tuple[str, ...]  # the most trusted first
    insider: tuple[str, str]  # kind of things, and the source to trust about them whatever the others say
    ranks: tuple[str, ...]  # the highest first


def draw_world(theme: Theme, rng: np.random.Generator) -> World:
    """Draw the conventions; again until at least 12 of 6 kinds differ from what everybody would assume."""
    while True:
        world = _draw(theme, rng)
        kinds = hidden_kinds(world)
        if len(kinds) >= MIN_HIDDEN and len(set(kinds)) >= MIN_KINDS:
            return world


def hidden_kinds(world: World) -> list[str]:
    """The kind of every convention that everyday knowledge gets wrong or does not know, one entry a convention."""
    theme = world.theme
    everyday = {a.adjective: a.name for a in theme.attributes}
    return [
        *("definition" for word, d in world.definitions.items() if d.attribute != everyday[word] or not d.at_least),
        *("exception" for _ in [*world.exceptions, *world.occasional, world.insider]),
        *("term" for _ in world.measures),
        *("unit" for unit in theme.units if world.factors[unit.large] != unit.factor),
        *("rounding" for _ in world.roundings),
        *("count" for factor in world.counts.values() if factor != 1),
        "source",
        "rank",
    ]


def _draw(theme: Theme, rng: np.random.Generator) -> World:
    def literal() -> bool:
        return bool(rng.random() < P_LITERAL)

    def pick(options):
        return options[int(rng.integers(len(options)))]

    names = [a.name for a in theme.attributes]
    described = [theme.attributes[int(i)] for i in sorted(rng.permutation(4)[:3])]

    def definition(everyday: str) -> Definition:
        threshold = pick(THRESHOLDS)
        return (
            Definition(everyday, True, threshold)
            if literal()
            else Definition(pick(names), pick((True, False)), threshold)
        )

    def measure() -> Measure:
        first, second = (names[int(i)] for i in rng.permutation(4)[:2])
        sign = pick((0, 1, -1))
        return Measure(first, sign, second) if sign else Measure(first)

    definitions = {a.adjective: definition(a.name) for a in described}
    excepted = pick([*definitions])
    usual = changed = definitions[excepted]
    while changed.at_least == usual.at_least and abs(changed.threshold - usual.threshold) < MIN_EXCEPTION:
        changed = Definition(usual.attribute, pick((True, False)), pick(THRESHOLDS))
    factors = {u.large: u.factor if literal() else pick([f for f in FACTORS if f != u.factor]) for u in theme.units}
    occasion = pick(theme.units).large
    sources = tuple(theme.sources[int(i)] for i in rng.permutation(3))
    return World(
        theme=theme,
        definitions=definitions,
        exceptions={excepted: (pick(theme.kinds), changed)},
        measures={term: measure() for term in theme.terms},
        factors=factors,
        occasional={occasion: pick([f for f in FACTORS if f != factors[occasion]])},
        roundings={document: Rounding(pick(MODES), pick(STEPS)) for document in theme.documents},
        counts={state: 1 if literal() else pick((0, 2)) for state in theme.states},
        sources=sources,
        insider=(pick(theme.kinds), pick(sources[1:])),
        ranks=tuple(theme.ranks[int(i)] for i in rng.permutation(5)),
    )
