"""Agent World Model's eight JSONL files: which lines belong to which scenario. Never more than a line in memory."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lse_gym.envs.errors import DataError, MissingArgumentError
from lse_gym.envs.text import clean, has_halves, one_line

# What a file is called here -> its name in the data set, and the key that names the scenario of a row.
FILES = {
    "scenario": ("gen_scenario.jsonl", "name"),
    "tasks": ("gen_tasks.jsonl", "scenario"),
    "db": ("gen_db.jsonl", "scenario"),
    "sample": ("gen_sample.jsonl", "scenario"),
    "spec": ("gen_spec.jsonl", "scenario"),
    "envs": ("gen_envs.jsonl", "scenario"),
    "verifier": ("gen_verifier.jsonl", "scenario"),
    "pure_code": ("gen_verifier.pure_code.jsonl", "scenario"),
}
NEEDED = ("tasks", "db", "spec", "envs")  # a verifier file too, but either will do
VERIFIERS = ("pure_code", "verifier")  # in order of preference; a row a task
MAX_LINE_BYTES = 32 << 20  # the longest line of AgentWorldModel-1K is below 1 MB
HEAD_BYTES = 4096  # of a line, in which the fast path finds the name
MAX_SHOWN = 10  # faults that a text spells out

HELP = """\
Download AgentWorldModel-1K (Snowflake, CC BY 4.0, about 520 MB) and pass its folder:
  hf download Snowflake/AgentWorldModel-1K --repo-type dataset --local-dir path/to/awm
Expected in it: gen_tasks.jsonl, gen_db.jsonl, gen_spec.jsonl, gen_envs.jsonl, and gen_verifier.pure_code.jsonl or
gen_verifier.jsonl or both; besides, gen_sample.jsonl (the rows of the databases) and gen_scenario.jsonl (descriptions).
Then: gym.make("LSE/AWM-v0", data_dir="path/to/awm")"""


class Place(NamedTuple):
    """Where a row is: a file of ``FILES``, and the offset and length of its line in bytes."""

    file: str
    offset: int
    length: int


class Index:
    """Which lines of a directory belong to which scenario; built by reading each file once, a line at a time.

    Args:
        data_dir: the directory.

    Attributes:
        root: its path.
        places: by normalised name of a scenario and then by file, where its rows are, in the order of the file.
        faults: lines that cannot be used, a sentence each.

    Raises:
        DataError: there is no such directory, or files are missing in it; the message says what to download.
    """

    def __init__(self, data_dir: str | os.PathLike[str] | None):
        self.root = _root(data_dir)
        self.faults: list[str] = []
        self.places: dict[str, dict[str, list[Place]]] = {}
        for kind, (name, key) in FILES.items():
            if (self.root / name).is_file():
                self._read(kind, self.root / name, key)

    def rows(self, scenario: str, kind: str) -> list[dict[str, Any]]:
        """The rows of one scenario in one file, parsed now.

        Raises:
            ValueError: a row is no JSON object.
        """
        places = self.places[scenario].get(kind, ())
        if not places:
            return []
        rows = []
        with (self.root / FILES[kind][0]).open("rb") as file:
            for place in places:
                file.seek(place.offset)
                rows.append(_row(file.read(place.length)))
        return rows

    def whole(self) -> list[str]:
        """The scenarios that every needed file knows, by name."""
        return sorted(name for name, files in self.places.items() if not lacking(files))

    def partial(self) -> dict[str, list[str]]:
        """The other scenarios, by name, with the files that lack them."""
        return {name: lacks for name, files in sorted(self.places.items()) if (lacks := lacking(files))}

    def _read(self, kind: str, path: Path, key: str) -> None:
        for number, offset, line in _lines(path):
            try:
                given = _name(line, key)
            except (ValueError, KeyError, RecursionError) as error:
                self.faults.append(f"{path.name} line {number} {_why(error, key)}")
                continue
            files = self.places.setdefault(normalised(given), {})
            if kind in files and kind not in VERIFIERS:
                self.faults.append(f"{path.name} line {number} repeats {given!r}; the first one counts")
                continue
            files.setdefault(kind, []).append(Place(kind, offset, len(line)))


def normalised(name: str) -> str:
    """A scenario's name as every file means it: some rows write it as people do.

    >>> normalised("Drive (Delivery & Tracking)")
    'drive_delivery_tracking'
    """
    return re.sub("_+", "_", re.sub("[^a-z0-9_]", "_", name.lower())).strip("_")


def lacking(files: Iterable[str]) -> list[str]:
    """The files that a scenario should be in but is not, by their names on disk."""
    known = set(files)
    names = [FILES[kind][0] for kind in NEEDED if kind not in known]
    return names if known.intersection(VERIFIERS) else [*names, FILES[VERIFIERS[0]][0]]


def told(faults: Sequence[str], most: int = MAX_SHOWN) -> str:
    """Faults as one text: the first ones, and how many more.

    >>> told(["a", "b", "c"], 2)
    'a; b; and 1 more'
    """
    return "; ".join([*faults[:most], *([f"and {len(faults) - most} more"] if len(faults) > most else [])])


def plain(text: str, max_chars: int) -> str:
    """Foreign text as it may stand in a message or on a terminal: on one line, printable, cut."""
    return one_line(clean(text, max_chars + 1)[0], max_chars)


def _root(data_dir: str | os.PathLike[str] | None) -> Path:
    if data_dir is None or not os.fspath(data_dir):
        raise MissingArgumentError(f"no data: data_dir names no directory.\n{HELP}")
    root = Path(os.path.expanduser(data_dir)).absolute()
    if not root.is_dir():
        raise DataError(f"data_dir={os.fspath(data_dir)!r} is not a directory.\n{HELP}")
    missing = lacking(kind for kind, (name, _) in FILES.items() if (root / name).is_file())
    if missing:
        raise DataError(f"data_dir={os.fspath(data_dir)!r} lacks {', '.join(missing)}.\n{HELP}")
    return root


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Number (from 1), offset and bytes of every line that is not blank; one that is too long comes as b""."""
    offset, number = 0, 0
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES):
            start, number, offset = offset, number + 1, offset + len(line)
            if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
                while rest := file.readline(MAX_LINE_BYTES):
                    offset += len(rest)
                    if rest.endswith(b"\n"):
                        break
                yield number, start, b""
            elif line.strip():
                yield number, start, line


def _name(line: bytes, key: str) -> str:
    """The scenario that a line is about; parsed as a whole only where the name does not come first."""
    head = re.match(rb'\s*\{\s*"%s"\s*:\s*("(?:[^"\\]|\\.)*")' % key.encode(), line[:HEAD_BYTES])
    name = json.loads(head[1]) if head else _row(line)[key]
    if not isinstance(name, str) or not normalised(name):
        raise ValueError(f"has {key}={str(name)[:60]!r}, expected a name")
    return name


def _row(line: bytes) -> dict[str, Any]:
    if not line:
        raise ValueError(f"is longer than {MAX_LINE_BYTES >> 20} MiB")
    row = json.loads(line)
    if not isinstance(row, dict):
        raise ValueError(f"is a {type(row).__name__}, expected an object")
    if b"\\ud" in line.lower() and has_halves(json.dumps(row, ensure_ascii=False)):
        raise ValueError("holds half of a character")
    return row


def _why(error: Exception, key: str) -> str:
    if isinstance(error, KeyError):
        return f"lacks {key!r}"
    if isinstance(error, ValueError) and not isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
        return str(error)
    return f"is no JSON ({error})"
