"""The supervisor of a sandbox: trusted, small, outside all boxes; it keeps the clocks and ends what is over a limit."""

import resource
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from lse_gym.envs.sandbox.forking import Confined, Warm
from lse_gym.envs.sandbox.frames import Message, Reader, send
from lse_gym.envs.sandbox.scratch import Scratch, remove
from lse_gym.envs.sandbox.ward import Answer, Call, Ward

TICK_S = 0.05  # between two looks at clocks, threads and files
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


def run(host: int, host_process: int) -> None:
    """Serve the host until it ends or has enough.

    Args:
        host: number of a socket.
        host_process: number of a descriptor that can be read when the host's process has ended.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    supervisor = Supervisor(socket.socket(fileno=host))
    supervisor.on(host_process, supervisor.stop)
    try:
        supervisor.serve()
    finally:
        supervisor.end()


class Supervisor:
    """One loop that waits for the host, the warm process and every box."""

    def __init__(self, host: socket.socket):
        self._host = host
        self._reader = Reader(host)
        self._selector = selectors.DefaultSelector()
        self._wards: dict[int, Ward] = {}
        self._opening: deque[tuple[Ward, Message]] = deque()
        self._forking: Ward | None = None
        self._fork_until = 0.0
        self._stopped = self._begun = False
        self._job: dict[str, Any] = {}
        self._warm: Warm | None = None
        self.on(host, self._hear)

    def on(self, what: int | socket.socket, action: Callable[[], object]) -> None:
        """Do something whenever it can be read."""
        self._selector.register(what, READ, action)

    def stop(self) -> None:
        """End after this round."""
        self._stopped = True

    def serve(self) -> None:
        """The loop."""
        while not self._stopped:
            running = [ward for ward in self._wards.values() if ward.running]
            for ward in running:
                self._selector.modify(
                    ward.link, READ | WRITE if ward.asking else READ, partial(self._with, ward, ward.talk)
                )
            for key, _ in self._selector.select(TICK_S if running or self._forking else None):
                now_watched = self._selector.get_map().get(key.fd)
                if now_watched and now_watched.data is key.data:  # not let go of in this round, nor another's by now
                    key.data()
            now = time.monotonic()
            for ward in running:
                self._with(ward, partial(ward.watch, now))
            if self._forking and now > self._fork_until:
                self._warm_ended()

    def end(self) -> None:
        """Kill all, leave nothing behind."""
        for number in [*self._wards]:
            self._let_go(number)
        if self._warm:
            self._warm.end()
        if self._job:
            remove(self._job["base"])

    def _hear(self) -> None:
        try:
            messages = self._reader.read()
        except OSError:
            messages = None
        if messages is None:
            self._stopped = True
        asked = {
            "start": self._start,
            "open": self._open,
            "call": self._call,
            "file": self._file,
            "end": self._end,
            "close": lambda message: self._let_go(message.head["box"]),
        }
        for message in messages or ():
            asked[message.head["do"]](message)

    def _tell(self, head: dict[str, Any], body: bytes = b"") -> None:
        try:
            send(self._host, head, body)
        except OSError:
            self._stopped = True

    def _answer(self, answer: Answer) -> None:
        if answer.failure and self._warm and self._warm.has_ended():  # boxes end with it, and may be heard of first
            self._check_warm()
        self._tell(answer._asdict() | {"value": None}, answer.value)

    # What the host asks for

    def _start(self, message: Message) -> None:
        self._job = message.head
        try:
            self._job["folder"] = self._scratch(0).path
        except OSError as error:
            self._tell({"number": 0, "failure": "confinement", "message": str(error)})
            self._stopped = True
            return
        self._warm = Warm(self._job)
        self.on(self._warm.link, self._warm_says)
        self.on(self._warm.process, self._warm_ended)

    def _open(self, message: Message) -> None:
        try:
            ward = self._wards[message.head["box"]] = Ward(self._job["limits"], self._answer)
        except OSError:  # too many are open: what it is asked is answered as by one that was closed
            return message.close()
        self.on(ward.link, partial(self._with, ward, ward.talk))
        self.on(ward.output, partial(self._with, ward, ward.read_output))
        self._opening.append((ward, message))
        return self._open_next()

    def _open_next(self) -> None:
        """Have a box forked, if none is; the warm process stands still while its scratch directory is filled."""
        while self._opening and not self._forking:
            ward, message = self._opening.popleft()
            self._fill(ward, message)
            message.close()
            if self._warm and not ward.dead:
                self._forking, self._fork_until = ward, time.monotonic() + self._job["limits"]["wall_s"]
                self._warm.fork(ward)
            else:
                ward.end("died", "the warm process has ended")

    def _fill(self, ward: Ward, message: Message) -> None:
        if ward.dead:
            return
        try:
            ward.scratch = self._scratch(message.head["box"])
            ward.scratch.fill(message)
        except OSError as error:
            ward.end("died", f"its files cannot be written: {error.strerror}")

    def _call(self, message: Message) -> None:
        head, ward = message.head, self._wards.get(message.head["box"])
        if ward:
            ward.ask(Call(head["number"], head["wall_s"], message.body))
        else:
            self._answer(Answer(head["number"], "died", "it was closed"))

    def _file(self, message: Message) -> None:
        ward = self._wards.get(message.head["box"])
        body = ward.scratch.read(message.head["name"]) if ward and ward.scratch else None
        self._tell({"number": message.head["number"], "found": body is not None}, body or b"")

    def _end(self, message: Message) -> None:
        ward = self._wards.get(message.head["box"])
        if ward:
            ward.end("died", message.head["message"])

    def _let_go(self, number: int) -> None:
        ward = self._wards.pop(number)
        self._forget(ward.link, ward.output, ward.process)
        ward.close()

    def _with(self, ward: Ward, action: Callable[[], object]) -> None:
        """Do something with a ward; what is dead is heard no more, and what has ended its output not either."""
        if action() is False:
            self._forget(ward.output)
        if ward.dead:
            self._forget(ward.link, ward.output, ward.process)

    def _forget(self, *watched: int | socket.socket) -> None:
        for what in watched:
            with suppress(KeyError, ValueError):
                self._selector.unregister(what)

    def _scratch(self, number: int) -> Scratch:
        job = self._job
        return Scratch(f"{job['base']}/{number}", job["limits"]["scratch_bytes"], job["memory"])

    # The warm process

    def _warm_says(self) -> None:
        assert self._warm
        told = self._warm.listen()
        if isinstance(told, Confined):
            self.on(self._warm.forks, self._warm.allow)
            return
        ward, self._forking = self._forking, None
        if isinstance(told, str):
            self._begun = not told
            self._tell({"number": 0, "failure": "setup" if told else "", "message": told})
        elif ward and told and not any(told == other.pid for other in self._wards.values()):
            ward.started(told, self._warm.pid)
            if ward.process >= 0:
                self.on(ward.process, partial(self._with, ward, ward.ended))
            self._open_next()
        else:
            self._warm_ended()

    def _check_warm(self) -> None:
        """Raise where the warm process has ended by no fault of foreign code: no box is to blame."""
        if self._begun and not self._job["setup"]:
            self._begun = False
            self._host.shutdown(socket.SHUT_RDWR)  # that its boxes end now is not to be told as theirs
            raise RuntimeError("its warm process ended; is there too little memory?")

    def _warm_ended(self) -> None:
        self._check_warm()
        warm_process, self._warm = self._warm, None
        if not warm_process:
            return
        self._forget(warm_process.link, warm_process.process, warm_process.forks)
        warm_process.end()
        self._tell({"number": 0, "failure": "setup", "message": "its process ended"})
        if self._forking:
            self._forking.end("died", "the warm process has ended")
            self._forking = None
        self._open_next()
