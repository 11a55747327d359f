"""Runs a task's verifier on two databases that it cannot change, in a box of its own."""

import inspect
import io
import json
import os
import re
import sqlite3
from contextlib import closing, redirect_stdout
from typing import Any

from lse_gym.envs.tools.awm.guest.clock import freeze
from lse_gym.envs.tools.awm.names import COMPLETE, FINAL, INITIAL, LEFT, OTHERS
from lse_gym.envs.tools.diff import canonical, difference, shortened, snapshot

FUNCTION = re.compile(r"^\s*(?:async\s+)?def\s+(verify_\w*)\s*\(", re.MULTILINE)
MAX_REASON_CHARS = 300
MAX_ROWS = (20, 5, 1)  # told of a table that were added, changed or removed; fewer where they are long
MAX_CHANGES_CHARS = 200_000


def settle(_: Any = None) -> dict[str, Any]:
    """Make ``final.db`` of what an attempt left, ``left.db`` and its journals, and tell what is different in it.

    Nothing foreign has run in this box yet. A few rows of each table are told.

    Raises:
        sqlite3.Error: what is left is no database.
    """
    with closing(sqlite3.connect(LEFT)) as left, closing(sqlite3.connect(FINAL)) as final:
        final.execute("PRAGMA synchronous = OFF")
        left.backup(final)
    with closing(sqlite3.connect(INITIAL)) as initial, closing(sqlite3.connect(FINAL)) as final:
        found = difference(snapshot(initial), snapshot(final))
    told = (shortened(found, most) for most in MAX_ROWS)
    return next((changes for changes in told if len(canonical(changes)) <= MAX_CHANGES_CHARS), {})


def verify(argument: dict[str, str]) -> dict[str, str]:
    """Execute the verifier ``code`` and ask it about ``initial.db``, ``final.db`` and the final ``answer``.

    Returns:
        ``result``, "complete" or "others", and ``reason``, what the verifier did wrong, or "".
    """
    freeze()
    for name in (INITIAL, FINAL):
        os.chmod(name, 0o444)
    try:
        with redirect_stdout(io.StringIO()):
            return _result(_ask(argument["code"], argument["answer"]))
    except Exception as error:  # foreign code: anything
        return _others(f"the verifier raised {type(error).__name__}: {error}")


def _ask(code: str, answer: str) -> Any:
    match = FUNCTION.search(code)
    if match is None:
        raise ValueError("it defines no function verify_…")
    namespace: dict[str, Any] = {"__name__": "verifier", "sqlite3": sqlite3, "json": json, "re": re}
    exec(compile(code, "verifier.py", "exec"), namespace)  # noqa: S102 - foreign: that is why it is here
    function = namespace[match[1]]
    given = {"initial_db_path": INITIAL, "final_db_path": FINAL, "final_answer": answer}
    parameters = inspect.signature(function).parameters
    if {"initial_db_path", "final_db_path"} <= parameters.keys():
        return function(**{name: value for name, value in given.items() if name in parameters})
    return function(*[*given.values()][: len(parameters)])


def _result(found: Any) -> dict[str, str]:
    """The verdict in plain strings. Only a real dict with a real string counts: others could act when they are read."""
    if type(found) is not dict:
        return _others(f"the verifier returned a {type(found).__name__}, expected a dict")
    result = found.get("result")
    if type(result) is not str or result not in (COMPLETE, OTHERS):
        told = repr(result) if type(result) is str else f"a {type(result).__name__}"
        return _others(f"the verifier's result is {told}, expected {COMPLETE!r} or {OTHERS!r}")
    return {"result": str(result), "reason": ""}


def _others(reason: str) -> dict[str, str]:
    return {"result": OTHERS, "reason": reason[:MAX_REASON_CHARS]}
