"""Models whose responses are kept: what was answered once is never asked again."""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from hashlib import blake2b

from lse_gym.envs.errors import ProviderError
from lse_gym.envs.models.base import Delegate, Request, Response, TaskModel, responses_of
from lse_gym.envs.models.tally import Tally

MAX_TOKENS = 10**9  # of one prompt or response, far beyond any window


def request_key(name: str, revision: str, request: Request) -> str:
    """Digest of everything that can change a response: the model, its revision, the prompt and the sampling.

    A request has the key that it had before there were fields that it leaves empty, so that records stay good.
    """
    *one_turn, turns, cue, stop = request
    given = {name: value for name, value in (("cue", cue), ("stop", stop)) if value}
    rest = [turns, given] if given else [turns] if turns else []
    return blake2b(encode([name, revision, *one_turn, *rest]), digest_size=16).hexdigest()


def encode(values: Sequence[object] | Mapping[str, object]) -> bytes:
    """``values`` as a line of JSON."""
    # Not escaped: a pair of lone surrogates would look like the one character that it spells in UTF-16.
    return json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def checked(text: object, *rest: object) -> Response:
    """A response as a store had it: a text, two or three counts of tokens, and what may follow them.

    Raises:
        ValueError: it is something else; an edited file must not pay back what was spent.
    """
    if not 2 <= len(rest) < len(Response._fields):
        raise ValueError(f"{len(rest)} fields beside the text, expected 2 to {len(Response._fields) - 1}")
    response = Response(text, *rest)  # ty: ignore[invalid-argument-type] - that is what is checked now
    prompt, completion, cached, reason, thinking, estimated = response[1:]
    for kind, value in ((str, text), (str, reason), (bool, estimated)):
        if not isinstance(value, kind):
            raise ValueError(f"a {type(value).__name__} for a {kind.__name__}")
    for count in (prompt, completion, cached, thinking):
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < MAX_TOKENS:
            raise ValueError(f"{str(count)[:20]} for a count of tokens, expected an int from 0 to {MAX_TOKENS - 1}")
    return response


class StoredModel(Delegate):
    """Answers from a store where it can, else asks ``model`` and adds to the store, failed batches included.

    Its tally counts what was handed out, whether it came from the store or not.

    Args:
        model: the model that answers what the store does not.
    """

    def __init__(self, model: TaskModel):
        super().__init__(model)
        self.tally = self._tally = Tally()

    @abstractmethod
    def lookup(self, keys: Sequence[str]) -> Mapping[str, Response]:
        """The stored responses among ``keys``."""

    @abstractmethod
    def store(self, responses: Mapping[str, Response]) -> None:
        """Add responses; one that is there already stays as it is."""

    def respond(self, requests: Sequence[Request]) -> list[Response]:
        """Answer from the store, and ask the model for the rest in one batch."""
        keys = {request: request_key(self.name, self.revision, request) for request in requests}
        known = dict(self.lookup([*keys.values()]))
        missing = [request for request in keys if keys[request] not in known]
        new: dict[Request, Response] = {}
        try:
            responses = responses_of(self.model, missing) if missing else []
            new = dict(zip(missing, responses, strict=True))
        except (ProviderError, KeyboardInterrupt) as error:  # what was answered is paid for, also where Ctrl-C ends it
            answered = getattr(error, "answered", {})
            new = {request: answered[request] for request in missing if request in answered}
            if isinstance(error, ProviderError):
                error.answered = new | {request: known[key] for request, key in keys.items() if key in known}
            raise
        finally:
            if new:
                known |= (fresh := {keys[request]: response for request, response in new.items()})
                self.store(fresh)
            self._tally.add(known)
        return [known[keys[request]] for request in requests]

    def logprobs_batch(self, asked: Sequence[tuple[Request, str]]) -> list[list[float]]:
        """As the model says; not stored."""
        return self.model.logprobs_batch(asked)

    def logprobs(self, request: Request, completion: str) -> list[float]:
        """As the model says; not stored."""
        return self.model.logprobs(request, completion)
