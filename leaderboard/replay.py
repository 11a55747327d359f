"""Scores of submitted contexts, computed here: the only numbers that rank. What was computed once is kept."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from lse_gym.agents.parallel import Engine, side_by_side
from lse_gym.envs.domain import Domain
from lse_gym.envs.errors import LSEGymError
from lse_gym.envs.models.base import TaskModel
from lse_gym.leaderboard.errors import BoardError
from lse_gym.leaderboard.store import Store
from lse_gym.leaderboard.track import Track, canonical

Questions = Literal["sealed", "test", "held_out"]
AT_ONCE = 4  # contexts in one model batch, and at most lost by a kill


class Unit(NamedTuple):
    """One context on one set of questions with one task model; sealed ones have no split seed."""

    domain: str
    split_seed: int
    model: str
    questions: Questions
    context: str


class Failure(NamedTuple):
    """What failed. ``error`` is for the owner's eyes: a server may repeat sealed questions, or its address, in it."""

    place: str
    error: str

    def __str__(self) -> str:
        return f"{self.place}: {self.error}"


class Job(NamedTuple):
    """Units of one domain, split seed and model, for one process; ``backend`` is what serves the model."""

    track: Track
    secret: int
    backend: str
    units: Sequence[Unit]


def replay(
    store: Store,
    track: Track,
    secret: int,
    units: Iterable[Unit],
    *,
    workers: int | Engine = 1,
    backends: Mapping[str, str] | None = None,
    on_done: Callable[[int, int], None] | None = None,
) -> tuple[dict[Unit, dict[str, Any]], list[Failure]]:
    """Score units, each from the store where it was scored before.

    Args:
        store: keeps every score as soon as it is there.
        track: the track.
        secret: what the sealed questions are drawn from.
        units: what to score.
        workers: processes, >= 1, or an engine (:func:`lse_gym.agents.parallel.make_engine`).
        backends: another name to serve a model of the track by, e.g. ``{"hf:ID@REVISION": "openai:ID"}``.
        on_done: called with how many are done, and how many there are.

    Returns:
        By unit ``scores`` (a list, one a question) and, of sealed questions, ``shuffled``; and what failed. A unit
        whose model failed is missing.
    """
    backends = backends or {}
    keys = {unit: _key(track, secret, unit, backends) for unit in units}
    known = store.scores([*keys.values()])
    missing = [unit for unit in keys if keys[unit] not in known]
    together: dict[tuple[str, int, str], list[Unit]] = {}
    for unit in missing:
        together.setdefault((unit.domain, unit.split_seed, unit.model), []).append(unit)
    jobs = [
        Job(track, secret, backends.get(model, model), group[start : start + AT_ONCE])
        for (_, _, model), group in together.items()
        for start in range(0, len(group), AT_ONCE)
    ]
    failures: list[Failure] = []
    done = len(keys) - len(missing)
    for job, results, error in side_by_side(score_job, jobs, workers):
        if error is not None:
            if not isinstance(error, LSEGymError):
                raise error
            failures.append(Failure(f"{job.backend} on {job.units[0].domain}: {type(error).__name__}", str(error)))
        else:
            fresh = {keys[unit]: result for unit, result in zip(job.units, results, strict=True)}
            store.keep_scores(fresh)
            known |= fresh
        done += len(job.units)
        if on_done:
            on_done(done, len(keys))
    return {unit: known[key] for unit, key in keys.items() if key in known}, failures


def score_job(job: Job) -> list[dict[str, Any]]:
    """Score the units of a job in one model batch.

    Raises:
        ProviderError: the model failed; nothing of the job counts.
        BoardError: the model here is of another revision than the track's.
    """
    core = job.track.core(job.backend, job.units[0].split_seed)
    _check_revision(core.model, job.track, job.units[0].model)
    session = core.session.isolated()
    public = core.family.load(job.units[0].domain)
    sealed = core.family.sealed(public.name, job.secret, job.track.sealed_items)
    places = [(sealed, "test") if u.questions == "sealed" else (public, u.questions) for u in job.units]
    asked = [domain.splits[split] for domain, split in places]
    tasks = [
        session.evaluate(domain, unit.context, questions)
        for unit, (domain, _), questions in zip(job.units, places, asked, strict=True)
    ]
    results = []
    for unit, questions, found in zip(job.units, asked, session.run(tasks), strict=True):
        result: dict[str, Any] = {"scores": found.scores.tolist()}
        if unit.questions == "sealed":
            result["shuffled"] = shuffled(sealed, questions, found.responses)
        results.append(result)
    return results


def shuffled(domain: Domain, questions: Sequence[Any], responses: Sequence[str]) -> float:
    """How much the responses, each given to the next question, score above a guess, in [0, 1].

    High where the same answer is right everywhere.
    """
    moved = [*responses[-1:], *responses[:-1]]
    return max(0.0, sum(outcome.score for outcome in domain.score(questions, moved)) / len(questions) - domain.guess)


def _check_revision(model: TaskModel, track: Track, name: str) -> None:
    wanted = track.models[name]
    if not model.name.startswith("openai:") and not model.revision.startswith(wanted):  # a server does not tell
        raise BoardError(f"{model.name!r} is of revision {model.revision!r} here; {track.id} has {wanted!r}.")


def _key(track: Track, secret: int, unit: Unit, backends: Mapping[str, str]) -> str:
    questions = [secret, track.sealed_items] if unit.questions == "sealed" else []
    model = [unit.model, track.models[unit.model], backends.get(unit.model, "")]
    return sha256(canonical([track.id, track.suite_sha256, model, questions, *unit])).hexdigest()
