"""What many episodes of the game of hints come to: how often hints are needed, given, refused, and of use."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lse_gym.envs.evaluation import wilson


class Rate(NamedTuple):
    """A share in [0, 1], its 95 % interval (Wilson), and what it is a share of."""

    mean: float
    ci95: tuple[float, float]
    n: int


class Summary(NamedTuple):
    """Rates over episodes.

    ``hard``: of all questions, those whose answers were all wrong. Of the hard ones: ``recovered``, those with a hint
    whose group replaced theirs; ``leaked``, those whose best hint in the last round told the answer; ``gated``, those
    whose best hint failed any gate. ``reliance`` is the mean over the recovered, 0.0 of none, and ``hinter`` the mean
    reward of the hinter over the hard ones.
    """

    hard: Rate
    recovered: Rate
    leaked: Rate
    gated: Rate
    reliance: float
    hinter: float


def summary(infos: Sequence[Mapping[str, Any]], rewards: Sequence[float]) -> Summary:
    """Sum up episodes.

    Args:
        infos: the last info of each, of either player.
        rewards: what the hinter earned in each.
    """
    hard = [info for info in infos if info["hard"]]
    recovered = [info for info in hard if info["replaced"]]
    earned = [reward for info, reward in zip(infos, rewards, strict=True) if info["hard"]]
    return Summary(
        hard=_rate(len(hard), len(infos)),
        recovered=_rate(len(recovered), len(hard)),
        leaked=_rate(sum(info["gate"] == "leak" for info in hard), len(hard)),
        gated=_rate(sum(bool(info["gate"]) for info in hard), len(hard)),
        reliance=sum(info["reliance"] for info in recovered) / max(1, len(recovered)),
        hinter=sum(earned) / max(1, len(earned)),
    )


def _rate(count: int, n: int) -> Rate:
    mean = count / n if n else 0.0
    return Rate(mean, wilson(mean, n), n)
