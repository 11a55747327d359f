"""What an argument may be, declared where it is: its type, and beside it the range of a number.

>>> check("population", Annotated[int, Range(1, 100)], 10)
>>> check("population", Annotated[int, Range(1, 100)], 0)
Traceback (most recent call last):
    ...
lse_gym.envs.errors.ArgumentError: population=0 is not an int in [1, 100].
"""

from collections.abc import Mapping
from functools import cache
from math import inf, isfinite
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import numpy as np

from lse_gym.envs.errors import ArgumentError, unknown

NUMBERS = {bool: (bool, np.bool_), int: (int, np.integer), float: (int, float, np.integer, np.floating)}
NAMES = {bool: "a bool", int: "an int", float: "a finite number", str: "a str", NoneType: "None"}


class Range(NamedTuple):
    """Where a number may be, both ends included."""

    low: float
    high: float = inf


@cache
def hints(owner: type) -> Mapping[str, Any]:
    """The declared types of a dataclass, with their ranges."""
    return get_type_hints(owner, include_extras=True)


def check(name: str, hint: Any, value: object) -> None:
    """Check a value against a declared type.

    Raises:
        UnknownNameError: it is not one of the names of a ``Literal``.
        ArgumentError: it is of another type, not finite, or out of range.
    """
    options = _options(hint)
    if any(_fits(option, value) for option in options):
        return
    names = [choice for option in options if get_origin(option) is Literal for choice in get_args(option)]
    if names:
        raise unknown(name, value, names)
    raise ArgumentError(f"{name}={value!r} is not {' or '.join(map(_told, options))}.")


def is_free_text(hint: Any) -> bool:
    """Whether a declared type takes any text, or is no plain value: it could name a file, a model or an address."""
    plain = (bool, int, float, NoneType)
    return any(_bare(option) not in plain and get_origin(option) is not Literal for option in _options(hint))


def _options(hint: Any) -> list[Any]:
    """The members of a union; of anything else it alone."""
    return [*get_args(hint)] if get_origin(hint) in (Union, UnionType) else [hint]


def _bare(option: Any) -> Any:
    return get_args(option)[0] if get_origin(option) is Annotated else option


def _range(option: Any) -> Range | None:
    return next((mark for mark in get_args(option)[1:] if isinstance(mark, Range)), None)


def _fits(option: Any, value: Any) -> bool:
    bare, within = _bare(option), _range(option)
    if get_origin(bare) is Literal:
        return any(type(value) is type(choice) and value == choice for choice in get_args(bare))
    if bare in NUMBERS:
        if not isinstance(value, NUMBERS[bare]) or (bare is not bool and isinstance(value, (bool, np.bool_))):
            return False
        return (bare is int or isfinite(value)) and (within is None or within.low <= value <= within.high)
    return isinstance(value, get_origin(bare) or bare)


def _told(option: Any) -> str:
    bare, within = _bare(option), _range(option)
    name = NAMES.get(bare, f"a {getattr(get_origin(bare) or bare, '__name__', bare)}")
    if within is None:
        return name
    if within.high == inf:
        return f"{name} >= {within.low:,.16g}"
    return f"{name} in [{within.low:,.16g}, {within.high:,.16g}]"
