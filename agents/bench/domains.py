"""One context on many domains, side by side."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from lse_gym.agents.parallel import Engine, side_by_side
from lse_gym.agents.settings import Config
from lse_gym.envs.domain import Split
from lse_gym.envs.evaluation import Score, evaluate_context


class Place(NamedTuple):
    """A domain to score a context on."""

    config: Config
    context: str
    split: Split
    domain: str


def evaluate_domains(
    config: Config,
    context: str,
    domains: Sequence[str],
    split: Split = "test",
    *,
    workers: int | Engine = 1,
    on_score: Callable[[str, Score], None] | None = None,
) -> dict[str, Score]:
    """Score a context on a split of each domain; in the order of ``domains``.

    Args:
        config: names the env and its arguments, the domain aside.
        context: the context.
        domains: names of domains.
        split: "feedback", "held_out" or "test".
        workers: processes, >= 1, or an engine (:func:`lse_gym.agents.parallel.make_engine`).
        on_score: called with the name and the score of each domain as it is done.
    """
    scores = {}
    jobs = [Place(config, context, split, name) for name in domains]
    for place, score, error in side_by_side(_score, jobs, workers):
        if error is not None:
            raise error
        scores[place.domain] = score
        if on_score:
            on_score(place.domain, score)
    return {name: scores[name] for name in domains}


def _score(place: Place) -> Score:
    env = place.config.make_env()
    return evaluate_context(env, place.context, place.split, place.domain)
