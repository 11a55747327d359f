"""The task-model contract: chat messages in, text out, in batches."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypedDict

import numpy as np

from lse_gym.envs.errors import ProviderError
from lse_gym.envs.report import Turn

if TYPE_CHECKING:
    from lse_gym.envs.models.tally import Tally


class Message(TypedDict):
    """One chat message, in the form every chat API takes."""

    role: str
    content: str


class Request(NamedTuple):
    """One call of a model: a system message, a user message, the sampling parameters, and the turns since.

    Two strings instead of a message list keep the shared prefix visible: every question of an evaluation has the same
    ``system`` object, so engines, token counters and cache keys handle it once. ``system`` may be empty. With
    ``max_tokens=0`` nothing is written: the last turn is weighed, see :meth:`TaskModel.respond`.

    Where a request is plain text or one message (see :mod:`lse_gym.envs.models.style`), ``cue`` is what the answer
    follows, such as "Label:", and the answer ends before the first of ``stop``.
    """

    system: str
    user: str
    max_tokens: int = 512
    temperature: float = 0.0
    seed: int = 0
    sample: int = 0
    turns: tuple[Turn, ...] = ()
    cue: str = ""
    stop: tuple[str, ...] = ()

    @property
    def messages(self) -> list[Message]:
        """The request as chat messages; a turn of a tool is a user's, which every server and template takes."""
        head: list[Message] = [{"role": "system", "content": self.system}] if self.system else []
        tail: list[Message] = [
            {"role": "user" if turn.role == "tool" else turn.role, "content": turn.content} for turn in self.turns
        ]
        return [*head, {"role": "user", "content": self.user}, *tail]


class Response(NamedTuple):
    """What a model answered, and what it cost.

    ``text`` is the answer alone; what the model thought before it is paid for, and gone. ``cached_tokens`` of the
    prompt were computed before, ``thinking_tokens`` of the completion are thoughts. ``finish_reason`` is the backend's
    word for why the answer ends: "stop", "length" where it was cut, …, "" where it does not tell. ``estimated`` says
    that the token counts are a guess.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    finish_reason: str = ""
    thinking_tokens: int = 0
    estimated: bool = False


UNTOLD = Response("null", 0, 0)
"""what a backend without log-probabilities says of them"""


class KeptResponse(Response):
    """A response from the response cache; ``made`` is the Unix time at which it was paid for, in seconds."""

    made: float = 0.0

    @classmethod
    def of(cls, response: Response, made: float) -> "KeptResponse":
        """``response`` as one from the cache."""
        kept = cls(*response)
        kept.made = made
        return kept


class TaskModel(ABC):
    """A model that turns a batch of requests into a batch of responses.

    Deterministic backends answer a request always alike, whatever the batch around it.

    Attributes:
        name: the string that :func:`lse_gym.envs.models.make_model` made this model from.
        revision: changes whenever the same request may get another response (weights, code or server version).
        position_weights: how much each of so many passages counts by its position, where that is known of a model
            exactly, see :mod:`lse_gym.envs.passages.bias`; else None.
        tally: what its answers were like; None where nobody counts.
    """

    name: str
    revision: str
    position_weights: Callable[[int], Sequence[float]] | None = None
    tally: "Tally | None" = None

    def check(self) -> None:  # noqa: B027 - most have nothing to look at
        """Look at what the model is set up with, before it is first asked; nothing is loaded or sent.

        Raises:
            ArgumentError: it cannot answer anything as it is.
        """

    @abstractmethod
    def complete(self, requests: Sequence[Request]) -> list[Response]:
        """Answer every request, in order; no answer has more than ``max_tokens`` tokens, or token caps would not hold.

        Raises:
            ProviderError: the backend failed; nothing of the batch was answered.
        """

    def respond(self, requests: Sequence[Request]) -> list[Response]:
        """Answer every request as :meth:`complete` does; one without tokens weighs its last turn instead.

        A request with ``max_tokens=0`` asks for what :meth:`logprobs` says of the text of its last turn, and gets it as
        JSON: a list of floats, or null, which costs nothing, where the backend cannot tell.
        """
        weighing = [*dict.fromkeys(request for request in requests if not request.max_tokens)]
        if not weighing:
            return self.complete(requests)
        asked = [request for request in requests if request.max_tokens]
        found = dict(zip(asked, self.complete(asked) if asked else [], strict=True))
        found |= zip(weighing, self._weigh(weighing), strict=True)
        return [found[request] for request in requests]

    def _weigh(self, requests: Sequence[Request]) -> list[Response]:
        asked = [(request._replace(turns=request.turns[:-1]), request.turns[-1].content) for request in requests]
        try:
            told = self.logprobs_batch(asked)
        except NotImplementedError:
            if len(requests) == 1:
                return [UNTOLD]
            return [response for request in requests for response in self._weigh([request])]  # it may tell of some
        texts = [[*filter(None, [r.cue]), *(message["content"] for message in r.messages)] for r in requests]
        tokens = {text: self.count_tokens(text) for text in {text for row in texts for text in row}}
        costs = [sum(tokens[text] for text in row) for row in texts]
        return [Response(json.dumps(one), cost, 0) for one, cost in zip(told, costs, strict=True)]

    @abstractmethod
    def count_tokens(self, text: str) -> int:
        """Upper bound on the tokens of ``text``, used to reserve budget before a call."""

    def price(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
        """US dollars for a call of these sizes; 0.0 for models that run here."""
        del prompt_tokens, completion_tokens, cached_tokens
        return 0.0

    def logprobs(self, request: Request, completion: str) -> list[float]:
        """Log-probability of each token of ``completion`` after ``request`` in nats, where the backend can tell.

        Raises:
            NotImplementedError: it cannot.
        """
        raise NotImplementedError(f"{self.name!r} has no log-probabilities.")

    def logprobs_batch(self, asked: Sequence[tuple[Request, str]]) -> list[list[float]]:
        """As :meth:`logprobs`, for many at once."""
        return [self.logprobs(request, completion) for request, completion in asked]


def responses_of(model: TaskModel, requests: Sequence[Request]) -> list[Response]:
    """What the model answers.

    Raises:
        ProviderError: it failed, or did not give one :class:`Response` a request; those that it gave are kept.
    """
    responses = model.respond(requests)
    if not isinstance(responses, Sequence) or len(responses) != len(requests):
        given = f"{len(responses)} responses" if isinstance(responses, Sequence) else f"a {type(responses).__name__}"
        raise ProviderError(f"{model.name!r} gave {given} to {len(requests)} requests.")
    if not all(issubclass(kind, Response) for kind in set(map(type, responses))):
        pairs = dict(zip(requests, responses, strict=True))
        good = {request: one for request, one in pairs.items() if isinstance(one, Response)}
        wrong = next(one for one in pairs.values() if not isinstance(one, Response))
        raise ProviderError(
            f"{model.name!r} gave {str(wrong)[:200]!r}, a {type(wrong).__name__}: expected a Response, with its text "
            "and the tokens of prompt and completion.",
            good,
        )
    return responses


class Delegate(TaskModel):
    """A model that stands before another: its name, revision, token counts and prices are that one's.

    A subclass says in :meth:`respond` what the other is asked, log-probabilities included.

    Args:
        model: the other.
    """

    def __init__(self, model: TaskModel):
        self.model = model
        self.name, self.revision, self.position_weights = model.name, model.revision, model.position_weights

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        """As :meth:`respond`."""
        return self.respond(requests)

    @abstractmethod
    def respond(self, requests: Sequence[Request]) -> list[Response]:
        """Answer every request, in order, also those without tokens."""

    def count_tokens(self, text: str) -> int:
        """As the model counts."""
        return self.model.count_tokens(text)

    def price(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
        """As the model is priced."""
        return self.model.price(prompt_tokens, completion_tokens, cached_tokens)


def byte_bound(text: str) -> int:
    """An upper bound on the tokens of a message by any tokenizer: its UTF-8 bytes, and a few that frame it."""
    return len(text.encode("utf-8", "replace")) + 16


def sampling_seed(request: Request) -> int:
    """The seed that an engine or a server is given for a request: 31 bits, unrelated for neighbours.

    It is no part of the key that a response is kept under, as ``seed`` and ``sample`` are.
    """
    words = (abs(request.seed), int(request.seed < 0), request.sample)
    return int(np.random.SeedSequence(words).generate_state(1)[0] >> 1)
