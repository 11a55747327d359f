"""The arguments that every env shares, in constructors and in documentation, and the options of a reset."""

import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypedDict

import numpy as np

from lse_gym.envs.arguments import Count, Range, check
from lse_gym.envs.errors import ArgumentError, unknown
from lse_gym.envs.report import FeedbackMode

RESET_OPTIONS = ("context", "domain", "batch")


class CoreOptions(TypedDict, total=False):
    """Arguments that every env of the namespace shares; see :class:`lse_gym.envs.core.ContextEnv`."""

    max_edits: Count
    start: str | os.PathLike[str]
    feedback: FeedbackMode
    task_model: str
    samples: Count
    temperature: Annotated[float, Range(0)]
    max_tokens: Count
    budget: Mapping[str, float] | None
    feedback_size: Count
    gate: Annotated[int, Range(0)]
    max_chars: Count
    record: str | os.PathLike[str] | None
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


def check_known(options: Mapping[str, Any] | None, known: Sequence[str]) -> None:
    """Raise for options of ``reset`` that are no mapping, or that are none of those known."""
    check("options", Mapping | None, options)
    for name in options or {}:
        if name not in known:
            raise unknown("reset option", name, known)


def check_reset(options: Mapping[str, Any] | None) -> None:
    """Raise for an option of ``reset`` that does not exist or is of the wrong type."""
    check_known(options, RESET_OPTIONS)
    options = options or {}
    context, batch = options.get("context", ""), options.get("batch", 0)
    if not isinstance(context, str):
        raise ArgumentError(
            f"options['context'] is of type {type(context).__name__}, not str. Pass the text of a context."
        )
    if not isinstance(batch, (int, np.integer)) or not 0 <= batch < 2**53:  # exact in info['batch']
        raise ArgumentError(f"options['batch']={batch!r} is not an int >= 0. Pass int(info['batch']) of a step.")
