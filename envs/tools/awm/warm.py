"""The warm processes of this family: one with the libraries alone, and one for each scenario that is being played."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from threading import Lock
from typing import TypeVar

from lse_gym.envs.extras import require_installed
from lse_gym.envs.sandbox import Box, Limits, Sandbox, per_process

T = TypeVar("T")
U = TypeVar("U")

GUEST = "lse_gym.envs.tools.awm.guest"
LIBRARIES = ("fastapi", "sqlalchemy.orm", "pydantic", "time_machine")  # what services import
MODULES = (*LIBRARIES, *(f"{GUEST}.{name}" for name in ("database", "service", "verifier")))
LIMITS = Limits(memory_bytes=768 << 20, scratch_bytes=32 << 20)  # of a service
ROOMY = LIMITS._replace(scratch_bytes=160 << 20)  # where its files, a copy of them and the original are together
MAX_WARM = 8  # processes of scenarios, some 100 MB each


@per_process
def libraries() -> Sandbox:
    """The process that builds databases, tries services out and asks verifiers: a box each.

    Raises:
        MissingExtraError: the extra is not installed.
        SandboxError: nothing here can confine foreign code.
    """
    for module in ("fastapi", "sqlalchemy", "time_machine"):
        require_installed(module, "tools", "LSE/AWM-v0")
    return Sandbox(MODULES, limits=ROOMY)


class WarmServices:
    """The processes of services by key: started when first asked for, the least used closed when there are too many.

    One whose boxes are open is never closed, so there may be more for a while.
    """

    def __init__(self):
        self._lock = Lock()
        self._held: OrderedDict[str, Sandbox] = OrderedDict()
        self._boxes: dict[str, int] = {}

    def open(self, key: str, setup: Callable[[], Mapping[str, str]]) -> Box:
        """A box of a service; ``setup`` tells what to execute, where the service is not warm yet."""
        with self._lock:
            if key not in self._held:
                self._held[key] = Sandbox(MODULES, setup=(f"{GUEST}.service:start", {**setup()}), limits=LIMITS)
                self._boxes[key] = 0
            self._held.move_to_end(key)
            box = self._held[key].open()
            self._boxes[key] += 1
            self._close_idle()
        return box

    def close(self, key: str, box: Box) -> None:
        """Close a box."""
        box.close()
        with self._lock:
            self._boxes[key] -= 1
            self._close_idle()

    def _close_idle(self) -> None:
        idle = [key for key in self._held if not self._boxes[key]]
        for key in idle[: max(0, len(self._held) - MAX_WARM)]:
            self._held.pop(key).close()


@per_process
def services() -> WarmServices:
    """Those of this process."""
    return WarmServices()


def then(future: Future[T], make: Callable[[T], U]) -> Future[U]:
    """What becomes of a future's result."""
    made: Future[U] = Future()

    def done(finished: Future[T]) -> None:
        try:
            made.set_result(make(finished.result()))
        except BaseException as error:
            made.set_exception(error)

    future.add_done_callback(done)
    return made
