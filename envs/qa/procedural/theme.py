"""What a theme is: the words of a small invented trade, without any of its hidden conventions.

Every word that a convention is about has an everyday reading or none at all, so the words alone settle no question.
"""

from typing import NamedTuple


class Attribute(NamedTuple):
    """A number that things have, and the adjective that everyday language hangs on it."""

    name: str
    adjective: str


class Unit(NamedTuple):
    """Two units, the larger first; ``factor`` is how many of the smaller one everybody thinks it has."""

    large: str
    small: str
    factor: int


class Theme(NamedTuple):
    """A trade: the words that its questions use."""

    name: str
    thing: str  # what is dealt in; its plural has an s
    place: str  # where things are kept
    kinds: tuple[str, str, str]  # of things
    names: tuple[str, ...]  # of single things
    attributes: tuple[Attribute, Attribute, Attribute, Attribute]
    terms: tuple[str, str]  # words of the trade for a measure; nobody else knows them
    units: tuple[Unit, Unit]
    occasion: str  # in whose units there may be more or less
    documents: tuple[str, str]  # that numbers are entered into
    states: tuple[str, str, str]  # that things may be in when they are counted
    sources: tuple[str, str, str]  # that say different things
    ranks: tuple[str, str, str, str, str]  # of people
