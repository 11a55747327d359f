"""An event loop beside the program: a synchronous call through it can limit the time of all that it waits for."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")
PATIENCE_S = 4.0  # for its end


class LoopThread:
    """An event loop on a daemon thread. Whoever makes one calls :meth:`stop`, or has it called when they are gone."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._closing: list[Callable[[], Coroutine[Any, Any, object]]] = []
        self._thread = threading.Thread(target=_drive, args=(self._loop,), name="lse-gym-http", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it runs; it does not in a process that was forked from the one that made it."""
        return self._thread.is_alive()

    def at_end(self, close: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Await ``close()`` on the loop before it ends."""
        self._closing.append(close)

    def run(self, task: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for its result; cancelled where the wait is interrupted."""
        future = asyncio.run_coroutine_threadsafe(task, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """Close what is to be closed, and end; from any thread, its own too."""
        if not self.alive:
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        if threading.current_thread() is not self._thread:
            self._thread.join(PATIENCE_S)

    async def _end(self) -> None:
        for close in self._closing:
            with suppress(Exception):  # a connection that does not close ends with the process
                await close()
        self._loop.stop()


def _drive(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        loop.run_until_complete(_settle())
    finally:
        loop.close()


async def _settle() -> None:
    """Cancel what still runs, and let it and what was closed let go of their sockets."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.sleep(0)  # a transport that was closed lets go one round later
