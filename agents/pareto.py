"""Pareto selection over questions: a context that is best on some question is worth another edit.

Source: GEPA (Agrawal et al., arXiv 2507.19457, algorithm 2), as its package does it.
"""

import numpy as np


def wins(scores: np.ndarray) -> np.ndarray:
    """On how many questions each context is among the best, int of shape (contexts,); 0 for the dominated.

    A context is dominated where others that are not reach the best score on every question that it is best on; of
    two that dominate each other, the one with the lower mean goes, the earlier at equal means.

    >>> wins(np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]]))
    array([0, 2, 1])

    Args:
        scores: of shape (contexts, questions).
    """
    best = scores == scores.max(axis=0)
    kept = np.ones(len(scores), dtype=bool)
    for one in np.argsort(scores.mean(axis=1), kind="stable"):
        kept[one] = False
        if not best[kept][:, best[one]].any(axis=0).all():
            kept[one] = True
    return best.sum(axis=1) * kept
