"""What the stand-ins have in common: they answer each request by itself, from its text alone, by a seeded chance."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import wraps
from hashlib import blake2b
from typing import TypeVar

from lse_gym.envs.models.base import Request, Response, TaskModel

T = TypeVar("T")

UNREADABLE = (ValueError, ArithmeticError, RecursionError)
"""what a script raises on text that means harm, say a number of thousands of digits: a language model answers anyway"""
CHARS_PER_TOKEN = 4  # the usual rule of thumb for English


class StandIn(TaskModel):
    """A script in the place of a language model: a pure function from the text of a request to that of an answer."""

    @abstractmethod
    def answer(self, request: Request) -> str:
        """What it says to a request."""

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        """Answer each request by itself, in at most ``max_tokens`` tokens."""
        return [self._respond(request) for request in requests]

    def count_tokens(self, text: str) -> int:
        """One token per four characters, rounded up."""
        return -(-len(text) // CHARS_PER_TOKEN)

    def _respond(self, request: Request) -> Response:
        whole = self.answer(request)
        text = whole[: request.max_tokens * CHARS_PER_TOKEN]
        turns = (turn.content for turn in request.turns)
        prompt_tokens = sum(map(self.count_tokens, (request.system, request.user, *turns)))
        finish = "length" if len(text) < len(whole) else ""
        return Response(text, prompt_tokens, self.count_tokens(text), finish_reason=finish)


def in_tags(answer: Callable[[T], str]) -> Callable[[T], str]:
    """What ``answer`` returns, between answer tags."""

    @wraps(answer)
    def tagged(prompt: T) -> str:
        return f"<answer>{answer(prompt)}</answer>"

    return tagged


def chance(*parts: object) -> float:
    """A number in [0, 1) that depends on ``parts`` alone, alike in every process."""
    digest = blake2b(digest_size=7)
    for part in parts:
        digest.update(str(part).encode("utf-8", "replace") + b"\0")
    return int.from_bytes(digest.digest(), "big") / 2**56
