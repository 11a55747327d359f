"""What a host measures of a finished run beside its sealed score: outside of its budget, and of no say in the rank."""

from collections.abc import Mapping, Sequence
from typing import Any

from lse_gym.envs.core import ContextEnv
from lse_gym.envs.domain import Domain
from lse_gym.envs.models.base import TaskModel
from lse_gym.envs.retention import retained
from lse_gym.envs.session import Session
from lse_gym.leaderboard.track import Track

ITEMS = 20  # sealed questions of a domain that are asked elsewhere


def also_measured(
    track: Track,
    env: ContextEnv,
    unseen: Domain,
    models: Mapping[str, TaskModel],
    visited: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Scores of the seed context and of the last of those visited, each of a question, elsewhere; and what it retains.

    Args:
        track: the track.
        env: of the run.
        unseen: another secret domain, which the run has not seen.
        models: the track's other task models.
        visited: see :func:`lse_gym.envs.retention.retained`.
    """
    domain, best, kept = env.family.load(env.domain_name), visited[-1]["context"], retained(env, visited)
    return {
        "transfer": {name: _both(_session(track, model), domain, best) for name, model in models.items()},
        "unseen": _both(env.session.isolated(), unseen, best),
        "retention": kept.retention if kept else None,
    }


def _session(track: Track, model: TaskModel) -> Session:
    session = track.core().session.isolated()
    session.metered.model = model
    return session


def _both(session: Session, domain: Domain, best: str) -> list[list[float]]:
    questions = domain.splits["test"][:ITEMS]
    tasks = [session.evaluate(domain, context, questions) for context in (domain.seed_context, best)]
    return [found.scores.tolist() for found in session.run(tasks)]
