"""What the offline models share: a token count and a seeded chance, both pure functions of text."""

from hashlib import blake2b

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
