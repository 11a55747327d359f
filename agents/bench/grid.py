"""Run every contestant on every domain and seed under one budget, side by side, resumable, and keep the results."""

import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from lse_gym.agents.bench.contestant import Contestant
from lse_gym.agents.bench.result import Result, Source, measure, read_results, write_results
from lse_gym.agents.files import check_out, folder_name, own_folder, write_text
from lse_gym.agents.parallel import Engine, side_by_side
from lse_gym.agents.run import check_goes_on, evolve, has_run, is_finished
from lse_gym.agents.settings import Settings
from lse_gym.envs.errors import ArgumentError, LSEGymError, UnknownNameError, Withheld
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.registration import default, is_remote
from lse_gym.envs.remote.notes import a_play

KEPT = "result.jsonl"  # in the directory of a run that is done
UNEXPECTED = ".error.txt"  # what follows the name of the directory, for what ended a run and is no error of ours


@dataclass(frozen=True)
class Grid:
    """What is compared on what.

    ``shared`` holds what is the same for all: task model, editor, rounds and budget, where a contestant does not
    set its own. ``domains`` are (env id, domain name). A seed is that of the run and of the questions drawn.
    """

    contestants: Sequence[Contestant]
    domains: Sequence[tuple[str, str]]
    seeds: Sequence[int]
    shared: Settings
    others: Sequence[str] = ()
    """task models that score the contexts found as well"""


class Job(NamedTuple):
    """One run."""

    contestant: Contestant
    settings: Settings
    folder: Path
    others: Sequence[str]
    unseen: Sequence[str]


OnResult = Callable[[Job, Result | None, Exception | None], None]


def jobs_of(grid: Grid, out: str | os.PathLike[str]) -> list[Job]:
    """The runs of a grid, in its order.

    Raises:
        ArgumentError: two contestants have one label.
    """
    labels = [contestant.label for contestant in grid.contestants]
    if len(set(labels)) < len(labels):
        raise ArgumentError(f"two contestants have the same label: {labels}. Write 'LABEL: AGENT,…'.")
    runs = Path(out) / "runs"
    return [
        Job(one, settings, folder, grid.others, unseen)
        for one in grid.contestants
        for env, domain in grid.domains
        for unseen in [_after(env, domain, grid.domains)]
        for seed in grid.seeds
        for folder in [runs / folder_name(one.label) / own_folder(f"{env.split('/')[-1]}-{domain}-{seed}")]
        for drawn in [0 if default(env, "split_seed") is None else seed]  # where none is taken, or a host draws
        for settings in [one.apply(replace(grid.shared, env=env, domain=domain, seed=seed, split_seed=drawn))]
    ]


def error_file(job: Job) -> Path:
    """Where the traceback of what ended a run is kept, beside its directory."""
    return job.folder.with_name(job.folder.name + UNEXPECTED)


def run_grid(
    grid: Grid,
    out: str | os.PathLike[str],
    *,
    workers: int | Engine = 1,
    on_result: OnResult | None = None,
    source: Source | None = None,
) -> list[Result]:
    """Run what is missing, and write ``out/results.jsonl``; returns the results in the order of the grid.

    Every run keeps its directory under ``out/runs``; the same call goes on where it stopped. A run that fails is told
    to ``on_result`` and left out, and where that was no error of ours :func:`error_file` has the traceback; calling
    again tries it again. At a host the runs of a contestant and a seed on all domains are one play, whose name is kept
    beside them.

    Args:
        grid: what to run.
        out: the directory to write.
        workers: processes, >= 1, or an engine (:func:`lse_gym.agents.parallel.make_engine`).
        on_result: called with the job and its result, or the exception that ended it.
        source: the command and commit that ``results.jsonl`` tells it comes from.

    Raises:
        ArgumentError: two contestants have one label, or an argument is wrong; told before anything runs.
        RunDirectoryError: a run in ``out`` is of another configuration; told before anything runs, too.
    """
    out = Path(out)
    check_out(out)
    jobs = jobs_of(grid, out)
    for contestant in grid.contestants:  # a wrong argument is told at once, not in the middle of the night
        first = next(job for job in jobs if job.contestant is contestant)
        config = first.settings.config()
        config.make_agent(config.make_env())
        for name in grid.others:
            replace(first.settings, task_model=name).config().make_env()
    jobs = [_in_its_play(job) for job in jobs]
    for job in jobs:
        check_goes_on(job.settings.config(), job.folder)
    ended = {job.folder: found for job in jobs if (found := _ended(job))}
    results = {folder: result for folder, (_, result, _) in ended.items() if result is not None}

    def found() -> list[Result]:
        return [results[job.folder] for job in jobs if job.folder in results]

    missing = [job for job in jobs if job.folder not in ended]
    for job, result, error in chain(ended.values(), _all(missing, workers)):
        if error is not None and not isinstance(error, LSEGymError):
            error_file(job).parent.mkdir(parents=True, exist_ok=True)
            write_text(error_file(job), "".join(traceback.format_exception(error)))
        else:
            error_file(job).unlink(missing_ok=True)
        if result is not None and job.folder not in results:
            results[job.folder] = result
            write_results(out / "results.jsonl", found(), source)
        if on_result:
            on_result(job, result, error)
    if results:
        write_results(out / "results.jsonl", found(), source)
    return found()


def _in_its_play(job: Job) -> Job:
    """The job under the name of its play, where it is played at a host."""
    settings = job.settings
    if not is_remote(settings.env):
        return job
    play = a_play(job.folder.parent / f"play-{settings.seed}.json")
    return job._replace(settings=replace(settings, env_args={**settings.env_args, "play": play}))


def _all(jobs: Sequence[Job], workers: int | Engine) -> Iterator[tuple[Job, Result | None, Exception | None]]:
    """Each job as it is done; those whose scores a host keeps until all of their play have ended come after these."""
    waiting = []
    for job, result, error in side_by_side(_run, jobs, workers, lambda job: job.folder):
        if isinstance(error, Withheld):
            waiting.append(job)
        else:
            yield job, result, error
    yield from side_by_side(_run, waiting, workers, lambda job: job.folder)


def _ended(job: Job) -> tuple[Job, Result | None, Exception | None] | None:
    """A job with the result that an earlier call has kept of the same configuration, or why that cannot be read."""
    path = job.folder / KEPT
    try:
        if not path.exists() or not is_finished(job.settings.config(), job.folder):
            return None
        (result,) = read_results(path)
    except LSEGymError as error:
        return job, None, error
    whole = result.unseen is not None and {*result.transfer, *result.unseen} >= {*job.others, *job.unseen}
    return (job, result, None) if whole else None


def _run(job: Job, folder: Path) -> Result:
    config = job.settings.config()
    if not is_finished(config, folder):
        found = evolve(config, folder, resume=has_run(folder))
        if "test_n" not in found:
            raise Withheld(
                f"the host tells the sealed score of {found['domain']!r} once all runs of its play have ended: those "
                "on every domain of the track. Leave --domains out."
            )
    result = measure(job.contestant, job.settings, folder, job.others, job.unseen)
    write_results(folder / KEPT, [result])
    return result


def _after(env: str, domain: str, domains: Sequence[tuple[str, str]]) -> list[str]:
    """The domain of the same env that follows in a grid, the first one after the last; none where it is alone."""
    names = [name for one, name in domains if one == env and not is_remote(env)]
    if not names:
        return []
    follows = names[(names.index(domain) + 1) % len(names)]
    return [follows] if follows != domain else []


def default_domains(env: str, shared: Settings, wanted: str | Sequence[str] | None = None) -> list[tuple[str, str]]:
    """The domains of an env to compare on: those wanted, or the group "test" where there is one, or all."""
    family = core_env(replace(shared, env=env, domain=None).config().make_env()).family
    if wanted is None:
        try:
            return [(env, name) for name in family.select("test")]
        except UnknownNameError:
            return [(env, name) for name in family.select(None)]
    return [(env, name) for name in family.select(wanted)]
