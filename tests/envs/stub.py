"""A trivially cheap family, and a task model that keeps its own ledger and fails on request."""

from collections.abc import Sequence
from hashlib import blake2b
from unittest import mock

from lse_gym.envs.core import ContextEnv
from lse_gym.envs.domain import Domain, Family, Outcome, Question
from lse_gym.envs.errors import ProviderError, unknown
from lse_gym.envs.models.base import Request, Response, TaskModel
from lse_gym.envs.report import Report
from lse_gym.envs.vector import ContextVectorEnv

SIZES = {"feedback": 7, "held_out": 4, "test": 3}


def digest(*parts):
    return int.from_bytes(
        blake2b("\0".join(map(str, parts)).encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big"
    )


class StubDomain(Domain):
    oracle_context = None

    def __init__(self, name):
        self.name, self.seed_context = name, f"Seed of {name}."
        self.splits = {
            split: tuple(Question(f"{split}-{i}", f"{name} asks {split} {i}", f"gold {i}") for i in range(size))
            for split, size in SIZES.items()
        }

    def system(self, context):
        return f"Task.\n{context}"

    def user(self, question):
        return question.text

    def score(self, questions, responses):
        return [Outcome(float(response.endswith("right")), response) for response in responses]

    def fingerprint(self):
        return self.name

    def report(self, attempts):
        return Report("\n".join(f"{attempt.question.text}: {attempt.outcome.score}" for attempt in attempts))


class StubFamily(Family):
    groups = {"some": ("a", "b", "c"), "other": ("d",)}  # noqa: RUF012 - as short as a family gets

    def load(self, name):
        self.check(name)
        return StubDomain(name)


class Spy(TaskModel):
    """Right or wrong by a digest of the prompt; uses less than its upper bound, at a price that floats cannot hold."""

    name = "spy"
    revision = "1"

    def __init__(self, price=0.1, failures=0):
        self.unit_price, self.failures = price, failures
        self.batches: list[list[Request]] = []
        self.calls, self.tokens, self.usd = 0, 0, 0.0

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        if self.failures:
            self.failures -= 1
            raise ProviderError("the spy was told to fail.")
        self.batches.append(list(requests))
        responses = [self._respond(request) for request in requests]
        self.calls += len(responses)
        self.tokens += sum(r.prompt_tokens + r.completion_tokens for r in responses)
        self.usd += sum(self.price(r.prompt_tokens, r.completion_tokens) for r in responses)
        return responses

    def _respond(self, request):
        number = digest(request.system, request.user, request.sample, request.seed, *request.turns)
        text = "right" if number % 2 else "wrong"
        return Response(text, (len(request.system) + len(request.user)) // 3, number % (request.max_tokens + 1))

    def count_tokens(self, text):
        return -(-len(text) // 2)

    def price(self, prompt_tokens, completion_tokens, cached_tokens=0):
        return self.unit_price * prompt_tokens + 3 * self.unit_price * completion_tokens


class StubEnv(ContextEnv):
    def __init__(self, domain="a", **options):
        super().__init__(StubFamily(), domain=domain, **{"feedback_size": 3, **options})


class StubVectorEnv(ContextVectorEnv):
    env_class = StubEnv


def make(model=None, num_envs=None, **options):
    """A stub env, or a vector of them, with ``model`` or a new spy as its task model."""
    spy = model or Spy()

    def make_model(name, *, record=None):
        if name != "reader":
            raise unknown("model", name, ["reader"])
        return spy

    with mock.patch("lse_gym.envs.core.make_model", make_model):
        return StubEnv(**options) if num_envs is None else StubVectorEnv(num_envs, **options)
