"""Start states: archives of visited contexts (JSON lines with ``domain`` and ``context``), or one context as text."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from lse_gym.envs.errors import ArgumentError, DataError
from lse_gym.envs.text import clean

ARCHIVE_SUFFIX = ".jsonl"  # any other file is text


class Start(NamedTuple):
    """A start state: the name of a domain, and a context to start from."""

    domain: str
    context: str


def read_context(data: bytes) -> str:
    """The context that a text file holds: UTF-8, without its byte-order mark and the line breaks at its end.

    Raises:
        ValueError: it is no UTF-8.
    """
    text = data.decode("utf-8-sig").rstrip("\r\n")
    return clean(text, len(text))[0]


def read_archive(path: Path, domains: Collection[str], max_chars: int) -> Sequence[Start]:
    """Read the start states of ``domains``, duplicates dropped, in the order of the file.

    The ``trajectory.jsonl`` of a run directory is such a file. A file that is no ``.jsonl`` is one context, for
    every domain.

    Raises:
        DataError: no such file, damaged lines, or no state of any of the domains.
        ArgumentError: a text is longer than ``max_chars``.
    """
    advice = "Pass start='seed', an archive (.jsonl), or a UTF-8 text file with a context."
    try:
        data = path.read_bytes()
        text = "" if path.suffix.lower() == ARCHIVE_SUFFIX else read_context(data)
    except (OSError, ValueError) as error:
        raise DataError(f"start={str(path)!r} cannot be read: {error}. {advice}") from None
    if len(text) > max_chars:
        raise ArgumentError(f"start={str(path)!r} has {len(text)} characters. Pass max_chars={len(text)} or more.")
    if path.suffix.lower() != ARCHIVE_SUFFIX:
        return [Start(domain, text) for domain in domains]
    lines = data.split(b"\n")
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
