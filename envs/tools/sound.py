"""JSON that others wrote, such as whatever comes next can take: finite, not too deep, encodable, and no key twice."""

import json
from collections.abc import Iterable
from typing import Any, NoReturn

MAX_DEPTH = 32
INTEGERS = range(-(2**63), 2**63)  # what a database and a 64-bit language can hold


class Unsound(ValueError):  # noqa: N818 - no error of ours: its words go to the task model
    """A text that is not JSON, or a value that no tool should see."""


def read_json(text: str) -> Any:
    """The value that ``text`` is.

    Raises:
        Unsound: it is none, or not a sound one; the message says why.
    """
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise Unsound(f"{error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise Unsound(f"it is nested more than {MAX_DEPTH} deep") from None
    except Unsound:
        raise
    except ValueError:  # digits beyond what Python turns into a number
        raise Unsound("a number is too large") from None
    check_sound(value)
    return value


def check_sound(value: Any, depth: int = 0) -> None:
    """Raise :class:`Unsound` for a value that is nested too deep, or holds a number or a text that is none."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Unsound("a text holds half of a character") from None
    elif isinstance(value, float):
        if not abs(value) < float("inf"):
            raise Unsound("a number is too large")
    elif isinstance(value, int):
        if value not in INTEGERS:
            raise Unsound("a number is too large")
    elif isinstance(value, dict | list):
        if depth == MAX_DEPTH:
            raise Unsound(f"it is nested more than {MAX_DEPTH} deep")
        parts: Iterable[Any] = (*value.keys(), *value.values()) if isinstance(value, dict) else value
        for part in parts:
            check_sound(part, depth + 1)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise Unsound(f"the key {key[:40]!r} is there twice")
        made[key] = value
    return made


def _constant(name: str) -> NoReturn:
    raise Unsound(f"{name} is not JSON")
