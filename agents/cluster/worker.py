"""What a worker of the cluster does: one job after the other, each in a folder of its own that is sent home."""

import os
import pickle
import tempfile
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, NamedTuple

import lse_gym
from lse_gym.agents.cluster.changes import Change, Watch, apply


class Ended(NamedTuple):
    """The last word on a job."""

    result: Any
    error: Exception | None


class Worker:
    """A process of the cluster: models that it has loaded stay loaded.

    Args:
        folder: the caller's working directory, taken where it exists here too.
        variables: environment variables of the caller that configure this package.
    """

    def __init__(self, folder: str, variables: Mapping[str, str]):
        if os.path.isdir(folder):
            os.chdir(folder)
        os.environ |= variables
        # One thread for all jobs: processes that end with the thread that started them, as sandboxes do, stay warm.
        self.thread = ThreadPoolExecutor(1)

    def ready(self) -> str:
        """The version of this package here."""
        return lse_gym.__version__

    def run(
        self, function: Callable[..., Any], job: Any, files: Sequence[Change] | None, every_s: float
    ) -> Generator[list[Change] | Ended]:
        """Do a job; yields what it has written, every so many seconds and at last, and then its end."""
        if files is None:
            yield _ended(self.thread.submit(function, job))
            return
        with tempfile.TemporaryDirectory(prefix="lse-gym-") as temporary:
            folder = Path(temporary) / "job"
            if files:
                folder.mkdir()
                apply(folder, files)
            watch = Watch(folder)
            watch.changes()
            running = self.thread.submit(function, job, folder)
            while wait([running], timeout=every_s).not_done:
                yield watch.changes()
            yield watch.changes()
            yield _ended(running)


def _ended(running: Future[Any]) -> Ended:
    error = running.exception()
    if error is None:
        return Ended(running.result(), None)
    if not isinstance(error, Exception):  # SystemExit and the like end a process, not what waits for this job
        return Ended(None, RuntimeError(f"{type(error).__name__}: {error}"))
    told = "".join(traceback.format_exception(error))  # which is not pickled with it
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own, just made
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(told)
    return Ended(None, error)


def own_variables() -> dict[str, str]:
    """The environment variables that configure this package; keys are no such, and stay where they are."""
    return {name: value for name, value in os.environ.items() if name.startswith("LSE_GYM_")}
