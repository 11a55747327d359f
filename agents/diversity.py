"""How different contexts are, by their words.

What feeds on its own output loses diversity: the Lock-in Hypothesis, arXiv 2506.06166. The distance is Jaccard's, its
mean over pairs Rao's quadratic entropy (Theoretical Population Biology 21, 1982), less the pairs of one with itself.
"""

import re
from collections.abc import Sequence
from itertools import combinations, starmap
from statistics import fmean


def diversity(contexts: Sequence[str]) -> float:
    """Mean of one less the words in common, over all pairs, in [0, 1]; 0.0 for fewer than two contexts.

    It is 0.0 where a search stays with the same words, and 1.0 where no two contexts share one. Copies count as pairs,
    so that who repeats a context loses diversity; words without sense count as well, so read it beside the score.

    >>> round(diversity(["Count rows.", "Count rows.", "Sum rows.", "List all."]), 3)
    0.722
    """
    if len(contexts) < 2:
        return 0.0
    return 1.0 - fmean(starmap(_common, combinations(map(_words, contexts), 2)))


def common_words(one: str, other: str) -> float:
    """Words of two texts in common, as a share of all their words (Jaccard), in [0, 1].

    >>> common_words("Count the rows.", "count the ROWS twice"), common_words("", "")
    (0.75, 1.0)
    """
    return _common(_words(one), _words(other))


def _words(text: str) -> set[str]:
    return {*re.findall(r"\w+", text.lower())}


def _common(first: set[str], second: set[str]) -> float:
    return len(first & second) / len(first | second) if first | second else 1.0
