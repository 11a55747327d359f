"""Many jobs side by side in processes, each with its share of the cores."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any, TypeVar

from lse_gym.envs.errors import ArgumentError

Job = TypeVar("Job")


def side_by_side(
    function: Callable[[Job], Any], jobs: Sequence[Job], workers: int
) -> Iterator[tuple[Job, Any, Exception | None]]:
    """Yield each job with its result, or the exception that ended it, as it is done.

    Args:
        function: called with each job; a function of a module, where there are several workers.
        jobs: any number of them.
        workers: processes, >= 1; with 1 everything runs here, in order.
    """
    if workers < 1:
        raise ArgumentError(f"workers={workers} is not an int >= 1. Pass e.g. workers=2.")
    if workers == 1:
        for job in jobs:
            try:
                result, error = function(job), None
            except Exception as caught:
                result, error = None, caught
            yield job, result, error
        return
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (threads,)) as pool:
        running = {pool.submit(function, job): job for job in jobs}
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
