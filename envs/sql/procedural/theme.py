"""What a theme is: the words and columns of a small business, without any of its hidden conventions.

Every theme has four tables: *events* (many) point at a *person*, a *thing* and a *place*; a person has a home place.
The schema shows column names only, so each fact that a question needs has at least two readings.
"""

from typing import Literal, NamedTuple

Role = Literal["event", "person", "thing", "place"]
ROLES: tuple[Role, ...] = ("event", "person", "thing", "place")


class Entity(NamedTuple):
    """A table: its name (a plural), the noun for one row, its label column and the word for that label."""

    table: str
    noun: str
    label: str
    labels: str
    other: str  # a synonym, in the plural, that no column or table name contains


class Code(NamedTuple):
    """A categorical column, and the adjectives that stand for its values."""

    role: Role
    column: str
    terms: tuple[str, ...]


class Measure(NamedTuple):
    """A numeric word and the columns it may mean (the first is the literal reading); values in [low, high]."""

    role: Role
    word: str
    columns: tuple[str, ...]
    low: int
    high: int
    unit: str = ""  # the unit that questions ask in
    factors: tuple[int, ...] = (1,)  # what the column may be stored in, as parts of that unit
    sentinels: tuple[int, ...] = ()  # values that may stand for "unknown"


class Adjective(NamedTuple):
    """A word for rows whose measure exceeds a threshold; ``column`` is the measured column."""

    role: Role
    word: str
    column: str


class Dated(NamedTuple):
    """A date column and the words that lead to it, as in "loans *taken out* in 2021"."""

    role: Role
    column: str
    verb: str


class Theme(NamedTuple):
    """A business: four tables and the words that questions use."""

    name: str
    event: Entity
    person: Entity
    thing: Entity
    place: Entity
    person_word: str  # preposition before the person of an event
    thing_word: str
    place_word: str
    codes: tuple[Code, ...]
    measures: tuple[Measure, ...]
    adjectives: tuple[Adjective, ...]
    dates: tuple[Dated, ...]
    open_word: str  # events that are not finished
    open_column: str
    flag_column: str  # marks rows that do not count
    place_names: tuple[str, ...]
    thing_words: tuple[tuple[str, ...], tuple[str, ...]]  # first and second word of a thing's label

    def entity(self, role: Role) -> Entity:
        """The table that plays ``role``."""
        return getattr(self, role)
