"""Archives of visited contexts, as start states: JSON lines with at least ``domain`` and ``context``."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from lse_gym.envs.errors import DataError


class Start(NamedTuple):
    """A start state: the name of a domain, and a context to start from."""

    domain: str
    context: str


def read_archive(path: Path, domains: Collection[str]) -> Sequence[Start]:
    """Read the start states of ``domains``, duplicates dropped, in the order of the file.

    The ``trajectory.jsonl`` of a run directory is such a file.

    Raises:
        DataError: no such file, damaged lines, or no state of any of the domains.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except (OSError, ValueError) as error:
        raise DataError(f"start={str(path)!r} cannot be read: {error}. Pass start='seed' or an archive file.") from None
    starts, damaged = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            start = Start(row["domain"], row["context"])
        except (ValueError, KeyError, TypeError, RecursionError):
            start = None
        if start is not None and all(isinstance(text, str) for text in start):
            starts.append(start)
        elif number < len(lines):  # a last line that no line break ends may have been cut short by a kill
            damaged.append(number)
    if damaged:
        raise DataError(f"{str(path)!r} has no text fields 'domain' and 'context' in lines {damaged[:20]}. Mend them.")
    kept = [start for start in dict.fromkeys(starts) if start.domain in domains]
    if not kept:
        raise DataError(f"{str(path)!r} has {len(starts)} states, none of the domains {sorted(domains)[:20]}.")
    return kept
