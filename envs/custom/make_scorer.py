"""Scorers from what a user gives: a name with options, a function, or where to import one from."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from inspect import Parameter, signature
from typing import Any

from lse_gym.envs.custom.latex import Latex
from lse_gym.envs.custom.numbers import BadAnswer
from lse_gym.envs.custom.scorers import (
    F1,
    SQL,
    Exact,
    Item,
    JSONEquality,
    MultipleChoice,
    Numeric,
    Regex,
    Scorer,
)
from lse_gym.envs.errors import ArgumentError, unknown
from lse_gym.envs.faults import shown
from lse_gym.envs.plugins import import_object


@dataclass(frozen=True)
class Function(Scorer):
    """A function of yours: ``f(answer, gold)`` or ``f(answer, gold, doc)``, to a number in [0, 1] or a bool.

    ``doc`` is the record of the question. An exception that it raises scores 0 and stands in the report.
    """

    function: Callable[..., float | bool]

    def score(self, answer: str, item: Item) -> float:
        """What the function says.

        Raises:
            ArgumentError: it returned something else than a number in [0, 1].
        """
        given = [answer, item.golds[0], item.doc][: self._arity]
        try:
            value = self.function(*given)
        except Exception as error:
            raise BadAnswer(f"the scorer raised {type(error).__name__}: {error}") from error
        try:
            score = float(value)
        except (TypeError, ValueError):
            score = math.nan
        if not 0 <= score <= 1:
            raise ArgumentError(
                f"the scorer {function_name(self.function)!r} returned {shown(value)} for the answer {shown(answer)} "
                f"where {shown(item.golds[0])} is right, expected a number in [0, 1] or a bool."
            )
        return score

    @property
    def _arity(self) -> int:
        return 3 if _positional(self.function) > 2 else 2


def _positional(function: Callable[..., Any]) -> int:
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError):  # of some built-ins nobody knows
        return 0
    return sum(p.kind in kinds and p.default is Parameter.empty for p in parameters)


def function_name(function: Callable[..., Any]) -> str:
    """``module:name`` of a function."""
    return f"{getattr(function, '__module__', '?')}:{getattr(function, '__qualname__', repr(type(function)))}"


SCORERS: Mapping[str, type[Scorer | SQL]] = {
    "exact": Exact,
    "exact_match": Exact,  # its name in lm-eval and in Hugging Face evaluate
    "numeric": Numeric,
    "latex": Latex,
    "multiple_choice": MultipleChoice,
    "regex": Regex,
    "f1": F1,
    "json": JSONEquality,
    "sql": SQL,
}


def make_scorer(scorer: str | Callable[..., float | bool]) -> Scorer | SQL:
    """The scorer that a name stands for, options and all, or one around a function.

    >>> make_scorer("numeric,tolerance=0.01")
    Numeric(tolerance=0.01, relative=0.0, units=False)

    Args:
        scorer: ``NAME``, ``NAME,option=value,…``, ``package.module:function``, or a function.

    Raises:
        UnknownNameError: there is no such scorer, or it has no such option.
        ArgumentError: an option is out of range, or the function cannot be imported.
    """
    if not isinstance(scorer, str):
        return _wrap(scorer, repr(scorer))
    if ":" in scorer:
        found = import_object(scorer, "scorer", "package.module:function")
        return found() if isinstance(found, type) and issubclass(found, Scorer) else _wrap(found, scorer)
    name, *pairs = (part.strip() for part in scorer.split(","))
    if name not in SCORERS:
        raise unknown("scorer", name, SCORERS, "One of your own is 'package.module:function'.")
    kind = SCORERS[name]
    known = [field.name for field in fields(kind)]
    options = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        if key not in known:
            raise unknown(f"option of scorer {name!r}", key, known, "Write e.g. 'numeric,tolerance=1'.")
        options[key] = _option(key, value, getattr(kind, key))
    return kind(**options)


def _option(key: str, value: str, default: object) -> Any:
    if isinstance(default, str):
        return value
    try:
        read = json.loads(value.lower())
    except ValueError:
        read = value
    if isinstance(default, bool) and not isinstance(read, bool):
        raise ArgumentError(f"{key}={value!r} is neither true nor false. Write {key}=true.")
    return read


def _wrap(function: Any, given: str) -> Function:
    if not callable(function) or _positional(function) not in (0, 2, 3):  # 0: (*args), or nobody knows
        raise ArgumentError(f"scorer={given!r} is no function f(answer, gold) or f(answer, gold, doc). Pass one.")
    return Function(function)
