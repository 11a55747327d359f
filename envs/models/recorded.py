"""A model whose responses are kept in a file of JSON lines: the record of a run, which a kill -9 does not cost."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lse_gym.envs.errors import DataError
from lse_gym.envs.models.base import KeptResponse, Response, TaskModel
from lse_gym.envs.models.stored import StoredModel, checked, encode

SHORTEST_ROW = 5  # what is left out of a row where it says nothing comes after
LATEST = 10**11  # Unix time, in seconds
FIELDS = 1 + len(Response._fields)


class RecordedModel(StoredModel):
    """Keeps responses in a file of JSON lines: ``[key, text, prompt tokens, completion tokens, cached tokens]``.

    Where they say more, a line goes on with finish reason, thinking tokens, whether the counts are estimated, and the
    time at which an answer from the response cache was made.

    Before the first response of a model stands a line ``{"model": …, "revision": …}``, for ``replay:``. Whole lines are
    only ever appended, so several processes may share the file; a last line that a kill cut short is overwritten by the
    next response.

    Args:
        model: the model that answers what the file does not.
        path: the file; created with the first response.

    Raises:
        DataError: the file cannot be read, or a whole line of it is no recorded response.
    """

    def __init__(self, model: TaskModel, path: Path):
        super().__init__(model)
        self.path = path
        self.models: dict[tuple[str, str], None] = {}  # name and revision of those who answered
        self._known: dict[str, Response] = {}
        self._size = self._cut = 0  # bytes of the file as it was read, and of a last line cut short
        self._read()

    def _read(self) -> None:
        try:
            with self.path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    self._size += len(line)
                    if not line.endswith(b"\n"):
                        self._cut = len(line)
                        break
                    self._take(line, number)
        except FileNotFoundError:
            return
        except OSError as error:
            raise DataError(f"the record {str(self.path)!r} cannot be read: {error.strerror}.") from None

    def _take(self, line: bytes, number: int) -> None:
        try:
            row = json.loads(line)
            if isinstance(row, dict):
                self.models[str(row["model"]), str(row["revision"])] = None
            elif isinstance(row, list) and len(row) > 2 and isinstance(row[0], str):
                self._known[row[0]] = _response(row)
            else:
                raise ValueError("neither a model nor a response")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise DataError(
                f"line {number} of the record {str(self.path)!r} is damaged ({type(error).__name__}: "
                f"{str(error)[:200]}). Restore the file, or delete the line: what it answered is asked for again."
            ) from None

    def lookup(self, keys: Sequence[str]) -> Mapping[str, Response]:
        """The recorded responses among ``keys``."""
        return {key: self._known[key] for key in keys if key in self._known}

    def store(self, responses: Mapping[str, Response]) -> None:
        """Append responses, as whole lines."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = b"".join(encode(_row(key, response)) for key, response in responses.items())
        if (self.name, self.revision) not in self.models:
            lines = encode({"model": self.name, "revision": self.revision}) + lines
        with self.path.open("ab") as file:
            if self._cut and file.tell() == self._size:  # else another process has mended it
                file.truncate(self._size - self._cut)
            file.write(lines)
        self._cut = 0
        self.models[self.name, self.revision] = None
        self._known.update(responses)


def _row(key: str, response: Response) -> list[object]:
    row = [key, *response, response.made if isinstance(response, KeptResponse) else 0]
    while len(row) > SHORTEST_ROW and not row[-1]:
        row.pop()
    return row


def _response(row: list[Any]) -> Response:
    fields, made = row[1:FIELDS], row[FIELDS:]
    response = checked(*fields)
    if not made:
        return response
    if len(made) > 1 or not isinstance(made[0], int | float) or not 0 < made[0] < LATEST:
        raise ValueError(f"{str(made)[:50]} for the time it was made at")
    return KeptResponse.of(response, *made)
