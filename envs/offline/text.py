"""What the offline models share: a token count and a seeded chance, both pure functions of text."""

from hashlib import blake2b

from lse_gym.envs.models.base import Request, Response

CHARS_PER_TOKEN = 4  # the usual rule of thumb for English


def count_tokens(text: str) -> int:
    """Tokens of ``text``, taken as one per four characters, rounded up."""
    return -(-len(text) // CHARS_PER_TOKEN)


def chance(*parts: object) -> float:
    """A number in [0, 1) that depends on ``parts`` alone, alike in every process."""
    digest = blake2b(digest_size=7)
    for part in parts:
        digest.update(str(part).encode("utf-8", "replace") + b"\0")
    return int.from_bytes(digest.digest(), "big") / 2**56


def respond(request: Request, text: str) -> Response:
    """``text`` as a response of at most ``max_tokens`` tokens."""
    text = text[: request.max_tokens * CHARS_PER_TOKEN]
    return Response(text, count_tokens(request.system) + count_tokens(request.user), count_tokens(text))
