"""What scripts gave, remembered: a run is a function of its script and its files, so the same one is not made again.

Contexts that differ in a line lead to the same script on most questions, and attempts that are replayed to the same on
all of them.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import NamedTuple

MAX_RUNS = 2000  # kept in memory
MAX_SAVED_BYTES = 32 << 10  # of a run that is kept, all files together
MAX_HASHED_BYTES = 1 << 20  # a larger file is known by its path, size and time


class Ran(NamedTuple):
    """How a run ended: what the task model is told, and where it failed the class of failure and its last line."""

    told: str
    failure: str = ""
    message: str = ""


class Run(NamedTuple):
    """How a run ended, and the files that it was asked for; None where it left no such file."""

    ran: Ran
    saved: Mapping[str, bytes | None]


class Runs:
    """The last runs of this process that are small, by all that they depend on."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Run] = {}
        self._lock = Lock()

    def get(self, key: bytes) -> Run | None:
        """The run, if it is kept."""
        with self._lock:
            return self._kept.get(key)

    def put(self, key: bytes, run: Run) -> None:
        """Keep a run that ended by itself; the oldest one makes room."""
        if sum(len(content or b"") for content in run.saved.values()) <= MAX_SAVED_BYTES:
            with self._lock:
                self._kept[key] = run
                while len(self._kept) > MAX_RUNS:
                    del self._kept[next(iter(self._kept))]


def key_of(limits: object, code: str, files: Mapping[str, Path | bytes], save: Sequence[str]) -> bytes:
    """A digest of all that a run depends on.

    Raises:
        OSError: a file cannot be read.
    """
    parts = [repr(limits), code, repr([*save]), *(f"{name}\0{_content(file)}" for name, file in sorted(files.items()))]
    return sha256("\0\0".join(parts).encode("utf-8", "surrogatepass")).digest()


def _content(file: Path | bytes) -> str:
    if isinstance(file, bytes):
        return sha256(file).hexdigest()
    status = file.stat()
    if status.st_size <= MAX_HASHED_BYTES:
        return sha256(file.read_bytes()).hexdigest()
    return f"{file}\0{status.st_size}\0{status.st_mtime_ns}"
