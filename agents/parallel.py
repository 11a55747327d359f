"""Many jobs side by side: in processes of this machine, or on an engine that has its workers elsewhere."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any, Protocol, TypeVar

from lse_gym.envs.errors import ArgumentError, unknown

Job = TypeVar("Job")
ENGINES = ("processes", "ray")


class Engine(Protocol):
    """Where jobs are done: what :func:`side_by_side` is given."""

    def run(
        self, function: Callable[..., Any], jobs: Sequence[Job], folders: Sequence[Path] | None = None
    ) -> Iterator[tuple[Job, Any, Exception | None]]:
        """Yield each job with its result, or the exception that ended it, as it is done.

        Args:
            function: called with a job and, where there are folders, with the path of its folder; a function of a
                module, whose name is enough to find it.
            jobs: any number of them, pickled on their way to a worker.
            folders: a directory for each job, to read and to write, whether it is there yet or not. The function may be
                given another path, with the same files; what it changes there comes back into the folder named here.
        """
        ...


def make_engine(
    name: str = "processes",
    workers: int | None = None,
    *,
    address: str | None = None,
    cpus: float | None = None,
    gpus: float | None = None,
    otherwise: int = 1,
) -> Engine:
    """The engine of a name.

    Args:
        name: "processes" or "ray".
        workers: how many; by default ``otherwise`` processes, or as many as the Ray cluster has room for.
        address: of the Ray cluster; see :class:`lse_gym.agents.cluster.RayEngine`.
        cpus: processors that Ray reserves for each worker; 1 by default.
        gpus: GPUs that it reserves; none by default.
        otherwise: processes, where ``workers`` does not say.

    Raises:
        UnknownNameError: there is no such engine.
        ArgumentError: an argument that is Ray's alone, given to processes.
        MissingExtraError: Ray is not installed.
    """
    if name == "ray":
        from lse_gym.agents.cluster import RayEngine

        return RayEngine(workers, address, 1 if cpus is None else cpus, gpus or 0)
    if name != "processes":
        raise unknown("engine", name, ENGINES)
    for option, value in (("address", address), ("cpus_per_worker", cpus), ("gpus_per_worker", gpus)):
        if value is not None:
            raise ArgumentError(f"{option}={value!r} is for a Ray cluster. Pass engine='ray', or leave it out.")
    return Processes(otherwise if workers is None else workers)


def side_by_side(
    function: Callable[..., Any],
    jobs: Sequence[Job],
    workers: int | Engine = 1,
    folder: Callable[[Job], Path] | None = None,
) -> Iterator[tuple[Job, Any, Exception | None]]:
    """Yield each job with its result, or the exception that ended it, as it is done; see :meth:`Engine.run`.

    Args:
        function: a function of a module; called with each job and, where jobs have folders, with that path.
        jobs: any number of them.
        workers: processes, >= 1, or an engine.
        folder: names the directory of a job, if it has one.
    """
    engine = Processes(workers) if isinstance(workers, int) else workers
    return engine.run(function, jobs, [folder(job) for job in jobs] if folder else None)


@dataclass(frozen=True)
class Processes:
    """Processes of this machine, each with its share of the cores; with one, everything runs here, in order."""

    workers: int = 1

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ArgumentError(f"workers={self.workers} is not an int >= 1. Pass e.g. workers=2.")

    def run(
        self, function: Callable[..., Any], jobs: Sequence[Job], folders: Sequence[Path] | None = None
    ) -> Iterator[tuple[Job, Any, Exception | None]]:
        """As :meth:`Engine.run` says."""
        calls = [*zip(jobs, folders, strict=True)] if folders is not None else [(job,) for job in jobs]
        if self.workers == 1:
            for call in calls:
                try:
                    result, error = function(*call), None
                except Exception as caught:
                    result, error = None, caught
                yield call[0], result, error
            return
        threads = str(max(1, (os.cpu_count() or 1) // self.workers))
        with ProcessPoolExecutor(self.workers, get_context("spawn"), _begin, (threads,)) as pool:
            running = {pool.submit(function, *call): call[0] for call in calls}
            try:
                for done in as_completed(running):
                    error = done.exception()
                    if error is not None and not isinstance(error, Exception):
                        raise error
                    yield running[done], None if error else done.result(), error
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


def _begin(threads: str) -> None:
    os.environ["OMP_NUM_THREADS"] = threads  # read when torch is imported
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A pool whose owner was killed waits for work for ever otherwise."""
    parent = parent_process()
    if parent:
        parent.join()
        os._exit(1)
