"""Which split a procedural question belongs to: a function of the question itself, which no seed can change."""

from hashlib import blake2b
from typing import Literal

from lse_gym.envs.domain import SPLITS, Split

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
