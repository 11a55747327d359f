"""An engine whose workers are actors of a Ray cluster. No disk is shared: folders travel as data."""

import math
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any

import lse_gym
from lse_gym.agents.cluster.changes import Watch, apply
from lse_gym.agents.cluster.worker import Ended, Worker, own_variables
from lse_gym.agents.files import held
from lse_gym.agents.parallel import Job
from lse_gym.envs.errors import ArgumentError, EngineError
from lse_gym.envs.extras import require

TRIES = 3  # of a job that loses its worker again and again without having written anything
HOME_EVERY_S = 10.0  # what a job has written comes home; at most so much is lost with a worker, or with this process
REACH_S = 10.0  # that a cluster is waited for
END_S = 5.0  # that a job is waited for whose worker was ended
LOOK_EVERY_S = 0.5  # for a worker that has become free, while a new one waits for room


class RayEngine:
    """Workers on a Ray cluster; each does one job at a time, and keeps the models it has loaded until it is closed.

    A job whose worker is lost goes to another one, with all that came home of its folder. A folder is held while its
    job is away, and is brought up to date every few seconds, so that whoever ends this process loses no more.

    Args:
        workers: how many, at most; by default as many as the cluster has room for when the first jobs come.
        address: "auto" for the cluster that this machine is part of, "HOST:PORT" of its head, or "local"; by default
            what the environment variable RAY_ADDRESS says, else a cluster of this machine alone.
        cpus: processors that a worker reserves, >= 0; fractions are of Ray's making.
        gpus: GPUs that it reserves, >= 0, and sees.

    Raises:
        ArgumentError: an argument is out of its range.
        MissingExtraError: Ray is not installed.
    """

    def __init__(self, workers: int | None = None, address: str | None = None, cpus: float = 1, gpus: float = 0):
        if workers is not None and workers < 1:
            raise ArgumentError(f"workers={workers} is not an int >= 1. Pass e.g. workers=8.")
        for name, value in (("cpus_per_worker", cpus), ("gpus_per_worker", gpus)):
            if not 0 <= value < math.inf:
                raise ArgumentError(f"{name}={value} is no number >= 0. Pass e.g. {name}=1.")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster that starts here reports to nobody
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # Ray's new way, and no warning of the old
        self.ray = require("ray", "ray", "engine='ray'")
        self.workers, self.address, self.cpus, self.gpus = workers, address, cpus, gpus
        self._idle: SimpleQueue[Any] = SimpleQueue()
        self._all: list[Any] = []
        self._changing = Lock()

    def run(
        self, function: Callable[..., Any], jobs: Sequence[Job], folders: Sequence[Path] | None = None
    ) -> Iterator[tuple[Job, Any, Exception | None]]:
        """As :meth:`lse_gym.agents.parallel.Engine.run` says."""
        if not jobs:
            return
        self._connect()
        waiting, ended, stop = SimpleQueue[int](), SimpleQueue[tuple[int, Ended]](), Event()
        for number in range(len(jobs)):
            waiting.put(number)

        def work() -> None:
            with suppress(Empty):
                while not stop.is_set():
                    number = waiting.get_nowait()
                    try:
                        end = self._do(function, jobs[number], folders[number] if folders is not None else None, stop)
                    except Exception as error:
                        end = Ended(None, error)
                    ended.put((number, end))

        threads = [Thread(target=work, daemon=True) for _ in range(min(self.workers or self._room(), len(jobs)))]
        for thread in threads:
            thread.start()
        try:
            for _ in jobs:
                number, end = ended.get()
                yield jobs[number], *end
        except BaseException:
            stop.set()
            self.close()
            for thread in threads:  # none may ask for a worker once this is over
                thread.join(END_S)
            self.close()
            raise

    def close(self) -> None:
        """End all workers; the next jobs get new ones."""
        with self._changing:
            for worker in self._all:
                self.ray.kill(worker)
            self._all.clear()
            self._idle = SimpleQueue()

    def _connect(self) -> None:
        if self.ray.is_initialized():
            return
        where = self.address or os.environ.get("RAY_ADDRESS", "local")
        quiet = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": False}
        here = {"include_dashboard": False} if where == "local" else {}
        try:
            _reach(where)
            self.ray.init(self.address, **quiet, **here)
        except (OSError, ValueError, RuntimeError) as error:
            raise EngineError(f"address={where!r}: no Ray cluster can be used there: {error}") from None

    def _room(self) -> int:
        """How many workers the nodes have room for."""
        wanted = [(name, count) for name, count in (("CPU", self.cpus), ("GPU", self.gpus)) if count]
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        room = sum(int(min(node.get(name, 0) / count for name, count in wanted or [("CPU", 1)])) for node in nodes)
        if not room:
            told = ", ".join(f"{count:g} {name}" for name, count in wanted)
            raise ArgumentError(
                f"no node of the cluster has room for a worker of {told}. Reserve less, or pass workers=N to wait for "
                "nodes that have."
            )
        return room

    def _do(self, function: Callable[..., Any], job: Any, folder: Path | None, stop: Event) -> Ended:
        with ExitStack() as stack:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                stack.callback(_leave_no_trace, folder)
                stack.enter_context(held(folder))
            tries = 0
            while True:
                try:
                    worker = self._worker(stop)
                    for told in self._told(worker, function, job, folder):
                        if isinstance(told, Ended):
                            self._idle.put(worker)
                            return told
                        if folder is not None and told:
                            apply(folder, told)
                            tries = 0
                except self.ray.exceptions.RayTaskError as error:  # not of the job, whose errors are results
                    raise EngineError(f"a worker cannot take a job: {error}") from None
                except self.ray.exceptions.RayError as error:
                    tries += 1
                    if tries >= TRIES or stop.is_set():
                        raise EngineError(f"a job lost its worker {tries} times: {error}") from None

    def _told(self, worker: Any, function: Callable[..., Any], job: Any, folder: Path | None) -> Iterator[Any]:
        files = None if folder is None else Watch(folder).changes()
        for reference in worker.run.options(num_returns="streaming").remote(function, job, files, HOME_EVERY_S):
            yield self.ray.get(reference)

    def _worker(self, stop: Event) -> Any:
        """A worker that is free; a new one, unless another becomes free while it waits for room."""
        while not stop.is_set():
            with suppress(Empty, self.ray.exceptions.RayError):  # none is free, or it was lost meanwhile
                worker = self._idle.get_nowait()
                self.ray.get(worker.ready.remote())
                return worker
            resources = {"num_cpus": self.cpus, "num_gpus": self.gpus}
            worker = self.ray.remote(Worker).options(**resources).remote(os.getcwd(), own_variables())
            with self._changing:
                self._all.append(worker)
            ready = worker.ready.remote()
            while not self.ray.wait([ready], timeout=LOOK_EVERY_S)[0]:
                if not self._idle.empty():
                    self.ray.kill(worker)
                    break
            else:
                version = self.ray.get(ready)
                if version == lse_gym.__version__:
                    return worker
                raise EngineError(f"a worker has lse-gym {version}, this is {lse_gym.__version__}. Install it there.")
        raise EngineError("the engine was closed.")


def _reach(address: str) -> None:
    """Raise OSError where nobody listens at HOST:PORT: Ray would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=REACH_S).close()


def _leave_no_trace(folder: Path) -> None:
    """Delete the folder of a job that has written nothing there."""
    if {path.name for path in folder.iterdir()} <= {".lock"}:
        (folder / ".lock").unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
