"""A box as its supervisor sees it: a process to hold, and the calls that it answers one after the other."""

import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from lse_gym.envs.sandbox import box, processes
from lse_gym.envs.sandbox.scratch import Scratch

FLOOD = 1024  # times what is kept of its output, then it ends
READ_BYTES = 1 << 16
READS = 32  # at once: it may print faster than can be read


class Call(NamedTuple):
    """What a box is asked."""

    number: int
    wall_s: float
    request: bytes


class Answer(NamedTuple):
    """What is told of a call; ``value`` is JSON as the box wrote it, not looked at."""

    number: int
    failure: str = ""
    message: str = ""
    printed: str = ""
    value: bytes = b""


class Ward:
    """A box from outside; all that it says is taken as bytes, bounded, and only when it is asked."""

    def __init__(self, limits: dict[str, Any], answer: Callable[[Answer], None]):
        self.scratch: Scratch | None = None
        self.dead = ""  # why
        self.link, self.theirs = socket.socketpair()
        self.output, self.prints = os.pipe()
        self.link.setblocking(False)
        os.set_blocking(self.output, False)
        self.process = -1  # a descriptor
        self.running: Call | None = None
        self.pid = 0
        self._limits = limits
        self._answer = answer
        self._calls: deque[Call] = deque()
        self._said, self._asked = bytearray(), bytearray()
        self._printed, self._printed_bytes = bytearray(), 0
        self._deadline = self._cpu_until = 0.0

    def started(self, pid: int, parent: int) -> None:
        """Its process is there, or is not if the warm process tells untruths."""
        try:
            self.process = os.pidfd_open(pid)
            if processes.parent(pid) != parent:
                raise ProcessLookupError
        except (OSError, ValueError, IndexError):
            self.end("died", "it did not start")
            return
        if self.dead:  # it was closed meanwhile
            self._signal(signal.SIGKILL)
            os.close(self.process)
            self.process = -1
        else:
            self.pid = pid
            self.next()

    def hand_over(self) -> None:
        """The other ends are with the box now."""
        self.theirs.close()
        os.close(self.prints)
        self.prints = -1

    def ask(self, call: Call) -> None:
        """Call it when all earlier calls are answered."""
        self._calls.append(call)
        self.next()

    def next(self) -> None:
        """Begin with the next call, if it can be begun."""
        while self.dead and self._calls:
            self._answer(Answer(self._calls.popleft().number, "died", self.dead))
        if self.running or not self.pid or not self._calls:
            return
        self._drain()
        self._printed, self._printed_bytes = bytearray(), 0
        self.running = call = self._calls.popleft()
        self._asked += box.LENGTH.pack(len(call.request)) + call.request
        self._deadline = time.monotonic() + call.wall_s
        with suppress(OSError):
            self._cpu_until = self._cpu_s() + self._limits["cpu_s"]
        self._signal(signal.SIGCONT)
        self._write()

    @property
    def asking(self) -> bool:
        """Whether a part of a question is left to send."""
        return bool(self._asked)

    def talk(self) -> None:
        """Send and take what can be."""
        self._write()
        self._read()

    def ended(self) -> None:
        """Its process has."""
        while self._read():
            pass
        self.end("died", "its process ended")

    def _write(self) -> None:
        with suppress(OSError):
            while self._asked:
                del self._asked[: self.link.send(self._asked[:READ_BYTES])]

    def _read(self) -> bool:
        """Take what it says, a piece at a time; False when there is nothing more."""
        if self.dead:
            return False
        try:
            data = self.link.recv(READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        self._said += data
        if not data:
            self.end("died", "its process ended")
        elif not self.running:
            self.end("died", "it spoke without being asked")
        elif len(self._said) >= box.LENGTH.size:
            self._hear(box.LENGTH.unpack_from(self._said)[0])
        return bool(data)

    def _hear(self, length: int) -> None:
        missing = box.LENGTH.size + length - len(self._said)
        if length > self._limits["result_bytes"] + 1:
            self.end("output", f"its result has more than {self._limits['result_bytes']:,} bytes")
        elif missing < 0 or (missing == 0 and self._asked):
            self.end("died", "it spoke without being asked")
        elif missing == 0:
            self._answered()

    def _answered(self) -> None:
        kind, rest = bytes(self._said[box.LENGTH.size :][:1]), bytes(self._said[box.LENGTH.size + 1 :])
        self._said.clear()
        if kind == box.VALUE:
            self._done(value=rest)
        elif kind == box.ERROR:
            self._done("error", rest[: 4 * box.TOLD_CHARS].decode(errors="replace"))
        else:
            failure = {box.MEMORY: "memory", box.LARGE: "output"}.get(kind, "died")
            self.end(failure, rest[: 4 * box.TOLD_CHARS].decode(errors="replace"))

    def read_output(self) -> bool:
        """Take what it prints, keep the beginning; False when nothing can come any more."""
        more = self._drain()
        most = FLOOD * self._limits["output_bytes"]
        if self._printed_bytes > most:
            self.end("output", f"it printed more than {most:,} bytes")
        return more

    def _drain(self) -> bool:
        with suppress(BlockingIOError):
            for _ in range(READS):
                data = os.read(self.output, READ_BYTES)
                if not data:
                    return False
                self._printed_bytes += len(data)
                self._printed += data[: max(self._limits["output_bytes"] - len(self._printed), 0)]
        return True

    def watch(self, now: float) -> None:
        """Look at the clocks of a call and at its threads."""
        if not self.running:
            return
        try:
            if now > self._deadline:
                self.end("time", f"it took longer than {self.running.wall_s:g} seconds")
            elif self._cpu_s() > self._cpu_until:
                self.end("cpu", f"it used more than {self._limits['cpu_s']:g} seconds of processor time")
            elif processes.threads(self.pid) > self._limits["threads"]:
                self.end("died", f"it started more than {self._limits['threads']} threads")
            elif self.scratch and self.scratch.over():
                self.end("output", f"its files have more than {self._limits['scratch_bytes']:,} bytes")
        except (OSError, ValueError, IndexError):  # it ended meanwhile: its descriptor tells
            pass

    def end(self, failure: str, message: str) -> None:
        """Kill it, if it lives, and say so to all who wait."""
        if self.dead:
            return
        self._signal(signal.SIGKILL)
        self.dead = message
        if self.running:
            self._drain()
            self._done(failure, message)
        self.next()

    def close(self) -> None:
        """Kill it and let go of all that is held for it, the scratch directory too."""
        self.end("died", "it was closed")
        if self.scratch:
            self.scratch.remove()
        self.link.close()
        self.theirs.close()
        for descriptor in (self.output, self.prints, self.process):
            if descriptor >= 0:
                os.close(descriptor)
        self.output = self.prints = self.process = -1  # the numbers may soon be another's

    def _done(self, failure: str = "", message: str = "", value: bytes = b"") -> None:
        assert self.running
        if not self.dead:
            self._signal(signal.SIGSTOP)  # a thread that it left stands still until it is asked again
            self._drain()
        number, self.running = self.running.number, None
        self._answer(Answer(number, failure, message, self._printed.decode(errors="replace"), value))
        self.next()

    def _cpu_s(self) -> float:
        return processes.cpu_s(self.pid)

    def _signal(self, number: int) -> None:
        if self.process >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.process, number)
