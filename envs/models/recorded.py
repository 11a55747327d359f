"""A model whose responses are kept in a file: what was answered once is never asked again, not even after a kill -9."""

import json
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from lse_gym.envs.errors import ProviderError
from lse_gym.envs.models.base import Request, Response, TaskModel


def request_key(model: TaskModel, request: Request) -> str:
    """Digest of everything that can change a response: the model, its revision, the prompt and the sampling."""
    return blake2b(_line([model.name, model.revision, *request]), digest_size=16).hexdigest()


def _line(values: Sequence[object]) -> bytes:
    # Not escaped: a pair of lone surrogates would look like the one character that it spells in UTF-16.
    return json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


class RecordedModel(TaskModel):
    """Answers from a file of JSON lines where it can, else asks ``model`` and appends.

    Whole lines are only ever appended, so several processes may share the file; a last line that a kill cut short is
    overwritten by the next response.

    Args:
        model: the model that answers what the file does not.
        path: the file; created with the first response.
    """

    def __init__(self, model: TaskModel, path: Path):
        self.model, self.path = model, path
        self.name, self.revision = model.name, model.revision
        self._known: dict[str, Response] = {}
        self._size = self._cut = 0  # bytes of the file as it was read, and of a last line cut short
        self._read()

    def _read(self) -> None:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for line in file:
                self._size += len(line)
                if not line.endswith(b"\n"):
                    self._cut = len(line)
                    break
                with suppress(ValueError, TypeError):
                    key, *fields = json.loads(line)
                    self._known[key] = Response(*fields)

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        """Answer from the file, and ask the model for the rest in one batch."""
        keys = [request_key(self.model, request) for request in requests]
        missing = {key: request for key, request in zip(keys, requests, strict=True) if key not in self._known}
        if missing:
            try:
                responses = self.model.complete(list(missing.values()))
            except ProviderError as error:
                answered = {key: error.answered[r] for key, r in missing.items() if r in error.answered}
                if answered:
                    self._append(answered)
                known = {r: self._known[k] for k, r in zip(keys, requests, strict=True) if k in self._known}
                error.answered = known
                raise
            if len(responses) != len(missing):
                raise ProviderError(f"{self.name!r} gave {len(responses)} responses to {len(missing)} requests.")
            self._append(dict(zip(missing, responses, strict=True)))
        return [self._known[key] for key in keys]

    def _append(self, responses: dict[str, Response]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = b"".join(_line([key, *response]) for key, response in responses.items())
        with self.path.open("ab") as file:
            if self._cut and file.tell() == self._size:  # else another process has mended it
                file.truncate(self._size - self._cut)
            file.write(lines)
        self._cut = 0
        self._known.update(responses)

    def count_tokens(self, text: str) -> int:
        """As the model counts."""
        return self.model.count_tokens(text)

    def price(self, prompt_tokens: int, completion_tokens: int) -> float:
        """As the model is priced."""
        return self.model.price(prompt_tokens, completion_tokens)

    def logprob(self, request: Request, completion: str) -> float:
        """As the model says; not recorded."""
        return self.model.logprob(request, completion)
