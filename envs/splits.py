"""Which split a procedural question belongs to: a function of the question itself, which no seed can change."""

from hashlib import blake2b
from typing import Literal

from lse_gym.envs.domain import SPLITS, Split
from lse_gym.envs.errors import ArgumentError

Class = Split | Literal["sealed"]
CLASSES: tuple[Class, ...] = (*SPLITS, "sealed")


def class_of(domain: str, key: str) -> Class:
    """The one split that may ever hold a question, a quarter of all questions each.

    Whatever the split seed and whatever the secret: a question of one class is never drawn for another. So no public
    question is a sealed one, and no test or held-out question of one split seed is in the feedback of another.

    Args:
        domain: name of the domain.
        key: what makes two wordings the same question; case and white space do not count.
    """
    normal = " ".join(key.casefold().split())
    return CLASSES[blake2b(f"{domain}\0{normal}".encode(), digest_size=1).digest()[0] % len(CLASSES)]


def check_draw(secret: int, count: int) -> None:
    """Raise :class:`ArgumentError` unless these are what sealed questions can be drawn by; the secret is not told."""
    if isinstance(secret, bool) or not isinstance(secret, int) or secret < 0:
        raise ArgumentError("secret= is not an int >= 0. Pass e.g. secret=secrets.randbits(128).")
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ArgumentError(f"count={count!r} is not an int >= 1. Pass e.g. count=100.")
