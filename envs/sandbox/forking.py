"""The warm process as its supervisor sees it: it stands still but for the moments in which it forks a box."""

import json
import os
import signal
import socket
from contextlib import suppress
from typing import Any

from lse_gym.envs.sandbox import seccomp, warm
from lse_gym.envs.sandbox.processes import children
from lse_gym.envs.sandbox.ward import Ward


class Confined:
    """Said by the warm process before it runs anything foreign: from then on it is asked before it forks."""


class Warm:
    """From outside. Foreign code may have been set up in it: it is asked and checked, never believed."""

    def __init__(self, job: dict[str, Any]):
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            _be_warm(theirs, job)
        theirs.close()
        self.process = os.pidfd_open(self.pid)
        self.forks = -1  # a descriptor: before each fork the kernel asks here
        self._may_fork = False
        self._ready = False

    def fork(self, ward: Ward) -> None:
        """Have it fork a box; it answers with the number of its process."""
        assert ward.scratch
        self._may_fork = True
        os.kill(self.pid, signal.SIGCONT)
        with suppress(OSError):  # it has ended: its descriptor tells
            socket.send_fds(self.link, [ward.scratch.path.encode()], [ward.theirs.fileno(), ward.prints])
        ward.hand_over()

    def allow(self) -> None:
        """Answer the kernel: one fork for each that was asked for, of the thread that was asked."""
        with suppress(OSError):
            seccomp.answer_fork(self.forks, self._allowed)

    def _allowed(self, thread: int) -> bool:
        allowed, self._may_fork = self._may_fork and thread == self.pid, False
        return allowed

    def listen(self) -> "Confined | str | int | None":
        """What it says: first that it is confined, then what went wrong or "", then numbers of processes.

        None is nonsense.
        """
        try:
            said, files, _, _ = socket.recv_fds(self.link, 1 << 16, 1)
            if files and self.forks < 0:
                self.forks = files[0]
                return Confined()
            for file in files:
                os.close(file)
            told = json.loads(said)["pid" if self._ready else "problem"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        if not isinstance(told, int if self._ready else str):
            return None
        self._ready = True
        self._stop()
        return told

    def has_ended(self) -> bool:
        """Whether its process has."""
        with suppress(OSError):
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return True

    def _stop(self) -> None:
        """Until a box is to be forked; what a set-up has left in it stands still."""
        with suppress(OSError):
            os.kill(self.pid, signal.SIGSTOP)
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def end(self) -> None:
        """Kill it, and what it has forked."""
        self._stop()
        for process in [*children(self.pid), self.pid]:
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)
        with suppress(OSError):
            os.waitpid(self.pid, 0)
        self.link.close()
        for descriptor in (self.process, self.forks):
            if descriptor >= 0:
                os.close(descriptor)


def _be_warm(link: socket.socket, job: dict[str, Any]) -> None:
    """In the new process: keep nothing of the supervisor's, never come back."""
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nothing, number)
        kept = os.dup2(link.fileno(), 3)
        os.closerange(4, 1 << 16)
        warm.run(socket.socket(fileno=kept), job)
    finally:
        os._exit(1)
