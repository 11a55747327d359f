"""The subprocesses that run statements: handing out, hearing, and burying those that hang or die."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from lse_gym.envs.errors import ExecutorError
from lse_gym.envs.sql.result import Limits, Result, Status

MAX_SQL_CHARS = 1_000_000  # longer texts are not sent; the worker has the same limit
MAXWORKERS = 4
MIN_CHUNK, MAX_CHUNK = 16, 256  # statements per request: an exchange costs as much as five statements of 20 us
CHUNK_CHARS = 1_000_000
AGAIN = 75  # exit status of a worker that needs its memory back, as in worker.py
KILL_GRACE_S = 3.0  # silence beyond the time limit; the worker's own alarm comes after 1 s
START_S = 60.0
WORKER = Path(__file__).with_name("worker.py")
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")  # without them some interpreters cannot start


def _unblob(value: dict[str, str]) -> bytes:
    return bytes.fromhex(value["x"])


_decode = json.JSONDecoder(object_hook=_unblob).decode


class _Worker:
    """One subprocess and the state of the exchange with it."""

    def __init__(self) -> None:
        if os.name != "posix":
            raise ExecutorError(f"The SQL executor does not run on {sys.platform!r}: use Linux, macOS or WSL.")
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                cwd="/",
                env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
                start_new_session=True,  # out of reach of the terminal's Ctrl-C, and killed as a group
            )
        except (OSError, ValueError) as error:
            raise ExecutorError(f"sys.executable={sys.executable!r} cannot be started ({error}).") from error
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.input, self.output = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self.input, False)  # both ends may fill up: never wait for one alone
        self.ready = self.used = False
        self.asked = 0  # statements in the newest request
        self.alone = False  # whether a single statement is all it was asked
        self.waiting: deque[int] = deque()  # indices of the statements not yet answered, in order
        self.unsent = memoryview(b"")
        self.received = bytearray()
        self.heard_s = time.monotonic()

    def ask(self, indices: list[int], payload: bytes) -> None:
        self.alone, self.used = len(indices) == 1 and not self.waiting, True
        self.asked, self.heard_s = len(indices), time.monotonic()
        self.waiting.extend(indices)  # before the first byte goes out: from here on an interrupt costs this worker
        self.unsent = memoryview(payload)
        self.send()

    def send(self) -> None:
        try:
            self.unsent = self.unsent[os.write(self.input, self.unsent) :]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self.unsent = memoryview(b"")  # it died; reading will tell

    def receive(self) -> list | None:
        """Return the answers that have arrived, or None at the end of the worker's life."""
        data = os.read(self.output, 1 << 20)
        self.received += data
        self.heard_s = time.monotonic()
        if b"\n" not in data:
            return [] if data else None
        end = self.received.rindex(b"\n")
        text = self.received[:end].decode("ascii")
        del self.received[: end + 1]
        return _decode(f"[{text.replace(chr(10), ',')}]")

    def close(self) -> int:
        """End the process and everything it may have started; return its exit status."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        code = self.process.wait()
        self.forget()
        return code

    def forget(self) -> None:
        """Let go of the pipes: in a forked child, which must not keep its parent's worker alive."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        if self.process.returncode is None:
            self.process.returncode = 0  # not our child: nothing to wait for, and no warning about it


class Pool:
    """The workers of this process. One call at a time uses them; a call spreads over all of them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.workers: list[_Worker] = []

    def run(self, head: str, statements: Sequence[str], limits: Limits) -> list[Result]:
        """A result a statement; ``head`` is the beginning of every request, as JSON that is still open."""
        with self.lock, selectors.DefaultSelector() as selector:
            try:
                return _Batch(self, selector, head, statements, limits).run()
            finally:
                for worker in [worker for worker in self.workers if worker.waiting]:  # an interrupt, or our own bug
                    self.drop(worker)

    def drop(self, worker: _Worker) -> int:
        """End a worker; return its exit status."""
        self.workers.remove(worker)
        return worker.close()

    def close(self) -> None:
        """End all workers; the next call starts others."""
        while self.workers:
            self.drop(self.workers[-1])

    def after_fork(self) -> None:
        """In a process that was forked: the workers are its parent's."""
        for worker in self.workers:
            worker.forget()
        self.workers, self.lock = [], threading.Lock()


class _Batch:
    """One call: hands chunks of statements to the workers and gathers the answers."""

    def __init__(
        self, pool: Pool, selector: selectors.BaseSelector, head: str, statements: Sequence[str], limits: Limits
    ) -> None:
        self.pool, self.selector, self.head, self.statements, self.limits = pool, selector, head, statements, limits
        self.results = [_failed("too_large", f"the text is longer than {MAX_SQL_CHARS} characters")] * len(statements)
        self.todo = deque(self.chunks())
        self.crashed: set[int] = set()
        self.fresh: set[int] = set()  # to be the first that a worker runs
        self.careful = False  # after a hang or crash: no worker is sent more than one request
        self.watched: set[int] = set()

    def chunks(self) -> list[list[int]]:
        """Split what is short enough to be sent: large chunks first, small ones last, so that workers end together."""
        chunks: list[list[int]] = [[]]
        share, size, chars = 2 * _worker_count(), 0, 0
        least = max(1, min(MIN_CHUNK, len(self.statements) // share))
        for index, sql in enumerate(self.statements):
            if len(sql) > MAX_SQL_CHARS:
                continue
            if len(chunks[-1]) >= size or (chunks[-1] and chars + len(sql) > CHUNK_CHARS):
                size = max(least, min(MAX_CHUNK, (len(self.statements) - index) // share))
                chunks.append([])
                chars = 0
            chunks[-1].append(index)
            chars += len(sql)
        return [chunk for chunk in chunks if chunk]

    def run(self) -> list[Result]:
        workers = self.pool.workers
        while True:
            while len(workers) < min(_worker_count(), len(self.todo)):
                workers.append(_Worker())
            for worker in [*workers, *workers]:  # the second time round: the request after the one it works on
                if self.todo and self.has_room(worker):
                    self.ask(self.renewed(worker), self.todo.popleft())
            busy = [worker for worker in workers if worker.waiting]
            if not busy:
                return self.results
            now = time.monotonic()
            for key, _ in self.selector.select(max(0.0, min(self.deadline_s(worker) for worker in busy) - now)):
                if key.data in workers:  # not dropped by the event before this one
                    self.hear(key.data) if key.fd == key.data.output else self.send(key.data)
            now = time.monotonic()
            for worker in busy:
                if worker in workers and worker.waiting and now > self.deadline_s(worker):
                    self.bury(worker, "timeout")

    def has_room(self, worker: _Worker) -> bool:
        """Whether to send a worker the next chunk: when it is idle, or on its last one while there is plenty to do.

        Waking an idle process costs as much as several statements, so it should find its next request waiting.
        """
        if worker not in self.pool.workers:  # renewed
            return False
        if not worker.waiting:
            return True
        if self.todo[0][0] in self.fresh:
            return False
        plenty = len(self.todo) > len(self.pool.workers) and not self.careful
        return plenty and len(worker.waiting) <= worker.asked and not worker.unsent

    def renewed(self, worker: _Worker) -> _Worker:
        """A new worker for ``worker``, where the next statement must be the first that it runs."""
        if not (worker.used and self.todo[0][0] in self.fresh):
            return worker
        self.leave(worker)
        self.pool.workers.append(_Worker())
        return self.pool.workers[-1]

    def deadline_s(self, worker: _Worker) -> float:
        return worker.heard_s + (self.limits.timeout_s + KILL_GRACE_S if worker.ready else START_S)

    def ask(self, worker: _Worker, chunk: list[int]) -> None:
        payload = f'{self.head},"statements":{json.dumps([self.statements[index] for index in chunk])}}}\n'
        if worker.output not in self.watched:
            self.watched.add(worker.output)
            self.selector.register(worker.output, selectors.EVENT_READ, worker)
        worker.ask(chunk, payload.encode("ascii"))
        if worker.unsent:
            self.selector.register(worker.input, selectors.EVENT_WRITE, worker)

    def send(self, worker: _Worker) -> None:
        worker.send()
        if not worker.unsent:
            self.selector.unregister(worker.input)

    def hear(self, worker: _Worker) -> None:
        try:
            answers = worker.receive()
            if answers is None:
                return self.bury(worker, "")
            for status, error, columns, rows in answers:
                if status == "ready":
                    worker.ready = True
                else:
                    self.results[worker.waiting.popleft()] = Result(list(map(tuple, rows)), columns, error, status)
        except (ValueError, TypeError, IndexError):  # not the protocol: the worker's memory is not to be trusted
            self.bury(worker, "crash")
        return None

    def leave(self, worker: _Worker) -> int:
        """End a worker; return its exit status."""
        for fd in (worker.input, worker.output):
            with contextlib.suppress(KeyError):
                self.selector.unregister(fd)
        self.watched.discard(worker.output)
        return self.pool.drop(worker)

    def bury(self, worker: _Worker, verdict: str) -> None:
        """End a worker that hung or died, and decide about the statements it has not answered.

        Which of several was the culprit cannot be told, so each runs again alone. Alone, a hang is final and a crash is
        tried once more: it may have been the machine's memory, or someone's kill, rather than the statement.
        """
        unanswered = list(worker.waiting)
        code = self.leave(worker)
        if not worker.ready:
            raise ExecutorError(
                f"The SQL worker ended with status {code} before it was ready. Try: {sys.executable} -I -S {WORKER}"
            )
        if code == AGAIN and unanswered and unanswered[0] not in self.fresh:
            self.fresh.add(unanswered[0])
            self.todo.extend(chunk for chunk in (unanswered[:1], unanswered[1:]) if chunk)
            return
        hung = verdict == "timeout" or code == -signal.SIGALRM
        self.careful = True
        if not worker.alone or (not hung and unanswered[0] not in self.crashed):
            if worker.alone:
                self.crashed.update(unanswered)
            self.todo.extend([index] for index in unanswered)
        elif hung:
            self.results[unanswered[0]] = _failed("timeout", f"stopped after {self.limits.timeout_s:g} s")
        else:
            self.results[unanswered[0]] = _failed("crash", "the statement crashed SQLite")


def _failed(status: Status, error: str) -> Result:
    return Result([], [], error, status)


def _worker_count() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MAXWORKERS, cores)
