"""Words of English text, as all solvers take them."""

import re
from functools import lru_cache

REMEMBERED = 2**14  # words and short texts: those of a schema are read again with every question

WORD = re.compile(r"[A-Za-z][\w'-]*|\d+")
BULLET = re.compile(r"^\s*(?:[-*•+>]|#{1,6}|\(?\d+[.)])\s+")  # before a line of a list


@lru_cache(maxsize=REMEMBERED)
def stem(word: str) -> str:
    """A word without case, possessive or plural ending.

    >>> [stem(word) for word in ("Branches", "loans", "varieties", "glass")]
    ['branch', 'loan', 'variety', 'glass']
    """
    word = word.lower().removesuffix("'s").replace("_", " ")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if re.search(r"(ch|sh|x|ss|z)es$", word):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


@lru_cache(maxsize=REMEMBERED)
def stems(text: str) -> tuple[str, ...]:
    """The stems of the words of ``text``."""
    return tuple(stem(word) for word in WORD.findall(text))
