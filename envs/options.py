"""The arguments that every env shares, and the checks that turn a wrong one into a helpful error."""

from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np

from lse_gym.envs.errors import ArgumentError, unknown
from lse_gym.envs.report import FEEDBACK_MODES, FeedbackMode

RESET_OPTIONS = ("context", "domain", "batch")


class CoreOptions(TypedDict, total=False):
    """Arguments that every env of the namespace shares; see :class:`lse_gym.envs.core.ContextEnv`."""

    max_edits: int
    start: str
    feedback: FeedbackMode
    task_model: str
    samples: int
    temperature: float
    max_tokens: int
    budget: dict[str, float] | None
    feedback_size: int
    gate: int
    max_chars: int
    record: str | None
    render_mode: str | None


def argument_rows(doc: str | None) -> list[list[str]]:
    """The cells of the table under *Arguments* in the documentation of an env: name, type, default, unit, effect."""
    section = (doc or "").partition("## Arguments")[2].strip().split("\n\n")[0]
    lines = [line.strip() for line in section.splitlines()]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def with_shared_arguments(doc: str, base: str) -> str:
    """An env's documentation with every shared argument in its table: those that it doesn't tell are as in ``base``."""
    own = argument_rows(doc)
    told = {row[0] for row in own}
    rows = [row for row in argument_rows(base) if row[0] in CoreOptions.__annotations__ and row[0] not in told]
    head, mark, rest = doc.partition("## Arguments")
    table, gap, tail = rest.lstrip("\n").partition("\n\n")
    indent = table[: len(table) - len(table.lstrip())]
    lines = "".join(f"\n{indent}| {' | '.join(row)} |" for row in rows)
    return f"{head}{mark}\n{table}{lines}{gap}{tail}" if own else doc


def check_names(options: Mapping[str, object], *own: str) -> None:
    """Raise :class:`UnknownNameError` for an argument that is neither shared nor one of an env's ``own``."""
    for name in options:
        if name not in CoreOptions.__annotations__:
            raise unknown("argument", name, [*CoreOptions.__annotations__, *own])


def check_ranges(feedback: str, temperature: float, gate: int, **counts: int) -> None:
    """Raise for a feedback mode that does not exist, a negative temperature or gate, or a count below 1."""
    if feedback not in FEEDBACK_MODES:
        raise unknown("feedback mode", feedback, FEEDBACK_MODES)
    check_counts(**counts)
    if not isinstance(gate, (int, np.integer)) or isinstance(gate, bool) or gate < 0:
        raise ArgumentError(f"gate={gate!r} is not an int >= 0. Pass e.g. gate=2, or 0 for none.")
    if not isinstance(temperature, (int, float, np.number)) or not 0 <= temperature < np.inf:
        raise ArgumentError(f"temperature={temperature!r} is not a number >= 0. Pass e.g. temperature=0.7.")


def check_counts(**counts: int) -> None:
    """Raise :class:`ArgumentError` for a count that is no int, or below 1."""
    for name, value in counts.items():
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
            raise ArgumentError(f"{name}={value!r} is not an int >= 1. Pass e.g. {name}=10.")


def check_reset(options: Mapping[str, Any]) -> None:
    """Raise for an option of ``reset`` that does not exist or is of the wrong type."""
    for name in options:
        if name not in RESET_OPTIONS:
            raise unknown("reset option", name, RESET_OPTIONS)
    context, batch = options.get("context", ""), options.get("batch", 0)
    if not isinstance(context, str):
        raise ArgumentError(
            f"options['context'] is of type {type(context).__name__}, not str. Pass the text of a context."
        )
    if not isinstance(batch, (int, np.integer)) or not 0 <= batch < 2**53:  # exact in info['batch']
        raise ArgumentError(f"options['batch']={batch!r} is not an int >= 0. Pass int(info['batch']) of a step.")
