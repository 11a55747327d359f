"""``replay:FILE``: the recorded responses of a run, and nothing else. No model, no key, no network."""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from lse_gym.envs.errors import DataError, ProviderError
from lse_gym.envs.models.base import Request, Response, TaskModel, byte_bound
from lse_gym.envs.models.recorded import RecordedModel
from lse_gym.envs.models.stored import request_key


class ReplayModel(TaskModel):
    """Answers what the file answers; anything else is a failed call, never an invented answer.

    Args:
        path: a file that ``record=`` has written, as ``responses.jsonl`` and ``edits.jsonl`` of a run directory.

    Raises:
        DataError: there is no such file, or nothing is recorded in it.
    """

    def __init__(self, path: str):
        self.name = f"replay:{path}"
        if not Path(path).is_file():
            raise DataError(f"{path!r} is not a file. Pass a record of responses, e.g. replay:RUN_DIR/responses.jsonl.")
        self.revision = blake2b(Path(path).read_bytes(), digest_size=8).hexdigest()
        self._record = RecordedModel(self, Path(path))
        if not self._record.models:
            raise DataError(f"{path!r} is not a record of responses: no line names the model that gave them.")

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        """Look the requests up.

        Raises:
            ProviderError: some are not recorded; the error holds the answers to the others.
        """
        answered: dict[Request, Response] = {}
        for name, revision in self._record.models:
            keys = {request_key(name, revision, request): request for request in requests}
            known = self._record.lookup([*keys])
            answered |= {keys[key]: response for key, response in known.items()}
        if missing := len({*requests} - {*answered}):
            raise ProviderError(
                f"{self.name!r} holds no answer to {missing} of {len(requests)} requests. Repeat the run with the "
                "arguments that it was recorded with.",
                answered,
            )
        return [answered[request] for request in requests]

    def respond(self, requests: Sequence[Request]) -> list[Response]:
        """As :meth:`complete`: log-probabilities are recorded as well."""
        return self.complete(requests)

    def count_tokens(self, text: str) -> int:
        """An upper bound: no tokenizer makes more tokens than there are UTF-8 bytes, and a few frame a message."""
        return byte_bound(text)
