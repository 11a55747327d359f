"""Rows of JSON, added as they happen. A run that is executed again meets its rows, and adds those that are to come."""

import json
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from lse_gym.agents.files import read_objects
from lse_gym.envs.errors import RunDirectoryError


class Journal:
    """A file of rows. Use as a context manager.

    Args:
        path: the file; made when missing.
    """

    def __init__(self, path: str):
        self.path = path
        self._earlier: list[bytes] = []  # rows of an earlier process, to be met again
        self._number = 0
        self._file: IO[bytes]

    def __enter__(self) -> Self:
        self._file = Path(self.path).open("a+b")
        try:
            self._file.seek(0)
            self._earlier = [line for line in self._file if line.endswith(b"\n")]
            self._file.truncate(sum(map(len, self._earlier)))  # a row cut short by a kill
            read_objects(self.path)
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, row: dict[str, Any]) -> None:
        """Append a row, or compare it with the one that an earlier process wrote in its place.

        Raises:
            RunDirectoryError: that is another one.
        """
        line, number = json.dumps(row).encode() + b"\n", self._number
        self._number += 1
        if number >= len(self._earlier):
            self._file.write(line)
            self._file.flush()
        elif self._earlier[number] != line:
            raise RunDirectoryError(
                f"round {number} of {str(Path(self.path).parent)!r} comes out otherwise now: code, model or questions "
                "have changed since. Start a new run with another --out."
            )
