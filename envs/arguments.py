"""What an argument may be, declared where it is: its type, and beside it the range of a number.

>>> check("population", Annotated[int, Range(1, 100)], 10)
>>> check("population", Annotated[int, Range(1, 100)], 0)
Traceback (most recent call last):
    ...
lse_gym.envs.errors.ArgumentError: population=0 is not an int in [1, 100].
"""

from collections.abc import Callable, Mapping
from functools import cache, wraps
from inspect import Parameter, signature
from math import inf, isfinite
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    ParamSpec,
    TypeVar,
    Union,
    Unpack,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np

from lse_gym.envs.errors import ArgumentError, unknown

P = ParamSpec("P")
T = TypeVar("T")
NUMBERS = {bool: (bool, np.bool_), int: (int, np.integer), float: (int, float, np.integer, np.floating)}
NAMES = {bool: "a bool", int: "an int", float: "a finite number", str: "a str", NoneType: "None"}


class Range(NamedTuple):
    """Where a number may be, both ends included."""

    low: float
    high: float = inf


Count = Annotated[int, Range(1)]
Seed = Annotated[int, Range(0)]


@cache
def hints(owner: type | Callable[..., Any]) -> Mapping[str, Any]:
    """The declared types of a dataclass or function, with their ranges."""
    return get_type_hints(owner, include_extras=True)


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """A function whose arguments are checked before it runs, with those that an ``**options: Unpack[...]`` names.

    Raises, when it is called:
        UnknownNameError: there is no such argument, or no such choice.
        ArgumentError: one is not what is declared; see :func:`check`.
    """
    parameters = signature(function).parameters
    names = [name for name, one in parameters.items() if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]

    @wraps(function)
    def called(*args: P.args, **options: P.kwargs) -> T:
        declared, is_closed = _declared(function)
        for name, value in [*zip(names, args, strict=False), *options.items()]:
            if name in declared:
                try:
                    check(name, declared[name], value)
                except ArgumentError as error:
                    is_needed = name in parameters and parameters[name].default is Parameter.empty
                    raise (error if is_needed else ArgumentError(f"{error} Leave it out for its default.")) from None
            elif is_closed and name not in parameters:
                raise unknown("argument", name, declared)
        return function(*args, **options)

    return called


@cache
def _declared(function: Callable[..., Any]) -> tuple[Mapping[str, Any], bool]:
    """The types of a function's arguments, and whether there are no others."""
    declared, is_closed = {**hints(function)}, True
    declared.pop("return", None)
    for name, parameter in signature(function).parameters.items():
        if parameter.kind is Parameter.VAR_KEYWORD:
            hint = declared.pop(name, Any)
            is_closed = get_origin(hint) is Unpack
            declared = {**hints(get_args(hint)[0]), **declared} if is_closed else declared
    return declared, is_closed


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
    raise ArgumentError(f"{name}={value!r:.200} is not {' or '.join(map(_told, options))}.")


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
    if bare is Any:
        return True
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
