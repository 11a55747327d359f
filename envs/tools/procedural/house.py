"""The rules of a house: one draw of what only experience with its tools teaches."""

from collections.abc import Mapping
from datetime import date
from typing import Literal, NamedTuple

import numpy as np

from lse_gym.envs.tools.procedural.theme import CONFIRMS, DEFAULTS, ENUMS, Enum, EnumName, Theme

Keyed = Literal["person", "thing", "record"]
KEYED: tuple[Keyed, ...] = ("person", "thing", "record")
Mode = Literal["down", "up", "nearest"]
MODES: tuple[Mode, ...] = ("down", "up", "nearest")
STEPS = (1, 2, 5)  # refunds are rounded to a multiple of one of them
PAGE_SIZES = (6, 8, 10)
# How a day is written: a format of strftime and what people call it. The first is what everybody would assume.
DATE_FORMATS = {
    "%Y-%m-%d": "YYYY-MM-DD",
    "%d.%m.%Y": "DD.MM.YYYY",
    "%m/%d/%Y": "MM/DD/YYYY",
    "%Y%m%d": "YYYYMMDD",
    "%d-%m-%y": "DD-MM-YY",
}
P_LITERAL = 0.25  # chance that a rule is what a literal reader assumes
MIN_HIDDEN, MIN_KINDS = 9, 7


class House(NamedTuple):
    """One draw: every rule that neither the tools nor the requests tell."""

    keys: Mapping[Keyed, str]  # whether tools take the "id" or the "number" of a row
    apart: frozenset[Keyed]  # whose numbers are no ids: the wrong one is an error, not another row
    first_page: int
    page_size: int
    codes: Mapping[EnumName, Mapping[str, str]]  # term -> as it is written
    strict: frozenset[EnumName]  # where another spelling is an error; else it is stored as it is
    money: int  # stored parts of what people say
    pack: int  # pieces in one that is stored
    length: int  # stored parts of what people say
    confirms: Mapping[str, str | None]  # value that confirms a destructive call, if any is wanted
    silent: frozenset[str]  # destructive calls that do nothing unconfirmed, without a word
    defaults: Mapping[str, str | None]  # value of an optional argument that is always wanted, if any
    begin: bool  # a record has to be opened before it is updated
    finish: bool  # an update is lost unless it is saved
    note: str | None  # text of the note that follows a cancellation
    guard: tuple[str, str] | None  # status of records that are not touched, and the reason of the case opened instead
    date: str  # key of DATE_FORMATS
    rounding: tuple[Mode, int] | None  # of refunds; None is to the exact hundredth


def literal(theme: Theme) -> House:
    """The house that a reader imagines who has no experience with any."""
    return House(
        keys={"person": "number", "thing": "id", "record": "number"},
        apart=frozenset(),
        first_page=1,
        page_size=PAGE_SIZES[0],
        codes={name: {term: term for term in theme.enum(name).terms} for name in ENUMS},
        strict=frozenset(),
        money=1,
        pack=1,
        length=1,
        confirms=dict.fromkeys(CONFIRMS),
        silent=frozenset(),
        defaults=dict.fromkeys(DEFAULTS),
        begin=False,
        finish=False,
        note=None,
        guard=None,
        date=next(iter(DATE_FORMATS)),
        rounding=None,
    )


def hidden_kinds(house: House, theme: Theme) -> list[str]:
    """The kind of every rule that a literal reader breaks, one entry a rule."""
    usual = literal(theme)
    return [
        *("lookup" for role in ("person", "record") if house.keys[role] != usual.keys[role]),
        *("which number" for role in ("thing",) if house.keys[role] != usual.keys[role]),
        *("pages" for _ in range(house.first_page != usual.first_page)),
        *("spelling" for name in ENUMS if house.codes[name] != usual.codes[name]),
        *("unit" for unit in ("money", "pack", "length") if getattr(house, unit) != 1),
        *("confirmation" for name in CONFIRMS if house.confirms[name]),
        *("default" for name in DEFAULTS if house.defaults[name]),
        *("order of calls" for wanted in (house.begin, house.finish) if wanted),
        *("follow-up" for _ in range(bool(house.note))),
        *("untouchable" for _ in range(bool(house.guard))),
        *("date" for _ in range(house.date != usual.date)),
        *("rounding" for _ in range(bool(house.rounding))),
    ]


def draw_house(theme: Theme, rng: np.random.Generator) -> House:
    """Draw the rules; again until at least 9 of 7 kinds are hidden."""
    while True:
        house = _draw(theme, rng)
        kinds = hidden_kinds(house, theme)
        if len(kinds) >= MIN_HIDDEN and len(set(kinds)) >= MIN_KINDS:
            return house


def _draw(theme: Theme, rng: np.random.Generator) -> House:
    usual = literal(theme)

    def hidden() -> bool:
        return bool(rng.random() >= P_LITERAL)

    def pick(options):
        return options[int(rng.integers(len(options)))]

    def some(options):
        return frozenset(option for option in options if rng.random() < 0.5)

    return House(
        keys={
            role: ("id" if usual.keys[role] == "number" else "number") if hidden() else usual.keys[role]
            for role in KEYED
        },
        apart=some(KEYED),
        first_page=0 if hidden() else 1,
        page_size=pick(PAGE_SIZES),
        codes={name: _codes(theme.enum(name), rng) if hidden() else usual.codes[name] for name in ENUMS},
        strict=some(ENUMS),
        money=theme.money.factors[0] if hidden() else 1,
        pack=pick(theme.pack.factors) if hidden() else 1,
        length=theme.length.factors[0] if hidden() else 1,
        confirms={name: pick(theme.confirm(name).values) if hidden() else None for name in CONFIRMS},
        silent=some(CONFIRMS),
        defaults={name: pick(theme.option(name).values) if hidden() else None for name in DEFAULTS},
        begin=hidden(),
        finish=hidden(),
        note=pick(theme.notes) if hidden() else None,
        guard=(pick(theme.status.terms), pick(theme.reason.terms)) if hidden() else None,
        date=pick([*DATE_FORMATS][1:]) if hidden() else usual.date,
        rounding=(pick(MODES), pick(STEPS)) if hidden() else None,
    )


def _codes(enum: Enum, rng: np.random.Generator) -> dict[str, str]:
    """Another way to write the terms of an enumeration: in capitals, with a prefix, as numbers or as letters."""
    order = [int(i) for i in rng.permutation(len(enum.terms))]
    system = int(rng.integers(4))
    if system == 0:
        written = [term.upper().replace(" ", "_").replace("-", "_") for term in enum.terms]
    elif system == 1:
        written = [f"{enum.column[:2].upper()}-{''.join(word[:3] for word in term.split())}" for term in enum.terms]
    elif system == 2:
        written = [str(10 * (i + 1)) for i in order]
    else:
        written = ["kmqz"[i] for i in order]
    return dict(zip(enum.terms, written, strict=True))


def written_day(house: House, day: str) -> str:
    """A day, given as YYYY-MM-DD, as the tools of the house take it."""
    return date.fromisoformat(day).strftime(house.date)


def stored_money(house: House, cents: int) -> int | float:
    """An amount as the tools of the house take it."""
    return whole(cents * house.money / 100)


def whole(number: float) -> int | float:
    """``number`` as an int where it is one, else to the hundredth."""
    return int(number) if number == int(number) else round(number, 2)


def refund(house: House, cents: int, percent: int) -> int:
    """A share of an amount in hundredths, as the house rounds it."""
    if house.rounding is None:
        return (cents * percent + 50) // 100
    mode, step = house.rounding
    size = 100 * 100 * step  # in hundredths of hundredths
    down, rest = divmod(cents * percent, size)
    return (down + {"down": 0, "up": int(rest > 0), "nearest": int(2 * rest >= size)}[mode]) * 100 * step
