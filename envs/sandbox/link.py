"""The host's end of a sandbox: starts its supervisor, and waits in one thread for what it tells."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from lse_gym.envs.errors import SandboxError
from lse_gym.envs.sandbox import confinement, landlock, scratch
from lse_gym.envs.sandbox.confinement import Code, Confinement
from lse_gym.envs.sandbox.frames import FILES, Message, Reader, send
from lse_gym.envs.sandbox.limits import Result

END_S = 5.0  # for a supervisor to leave
TOLD_CHARS = 300  # of what a supervisor says on its end
CLOSED = Result(None, "died", "it was closed")


def closed() -> Future[Result]:
    """What a call on something closed gives."""
    future: Future[Result] = Future()
    future.set_result(CLOSED)
    return future


class Link:
    """One supervisor's process, and the futures of what it was asked."""

    def __init__(self, chosen: Confinement, code: Code):
        self.confinement = chosen
        self._base = chosen.base()
        self._code = code
        self._paths = _paths(self._base, [*code.libraries, *code.trusted, *sys.path])
        self._owner = os.getpid()
        self._closing = False
        self.is_warm = True
        self._told = ""
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[Future[Any], Callable[[Message], Any]]] = {}
        self._link, theirs = socket.socketpair()
        own = os.pidfd_open(self._owner)
        try:
            self._process = subprocess.Popen(
                [*chosen.command(code), str(theirs.fileno()), str(own)],
                env=confinement.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd="/",
                pass_fds=(theirs.fileno(), own),
                start_new_session=True,
            )
        except OSError:
            self._link.close()
            scratch.remove(self._base)
            raise
        finally:
            theirs.close()
            os.close(own)
        self._listener = threading.Thread(target=self._listen, name="sandbox", daemon=True)
        self._listener.start()

    def confined(self) -> dict[str, Any]:
        """What a supervisor has to know of the confinement."""
        found = landlock.version()
        return {
            "base": self._base,
            "memory": self.confinement.kind == confinement.BUBBLEWRAP,
            "landlock": found > 0,
            "signals": found >= landlock.SCOPES_SINCE,
            "readable": self._code.readable,
            "untrusted": self._code.untrusted(),
            "trusted": self._code.trusted,
        }

    def start(self, job: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """Have the warm process started; what went wrong is in the answer.

        Raises:
            TimeoutError: it takes longer.
            SandboxError: the supervisor ended.
        """
        return self._send(0, {"do": "start"} | job, b"", lambda message: message.head).result(timeout_s)

    def file(self, number: int, box: int, name: str) -> bytes | None:
        """A file that a box left, or None.

        Raises:
            SandboxError: it is asked for where it would be waited for without end, or the sandbox is closed.
        """
        if threading.current_thread() is self._listener:
            raise SandboxError("A callback of a call cannot wait for a file: ask for it in another thread.")

        def read(message: Message) -> bytes | None:
            return message.body if message.head.get("found") else None

        return self._send(number, {"do": "file", "box": box, "name": name}, b"", read).result()

    def call(self, number: int, head: dict[str, Any], body: bytes) -> Future[Result]:
        """Have a box called; one that answers what is no JSON is ended."""

        def read(message: Message) -> Result:
            result = self._result(message)
            if result.failure == "died" and not message.head["failure"]:
                end = {"do": "end", "box": head["box"], "message": result.message}
                threading.Thread(target=self._say, args=(end,), daemon=True).start()  # this one has to go on reading
            return result

        return self._send(number, head, body, read)

    def open(self, number: int, files: Mapping[str, str | Path | bytes], most: int) -> None:
        """Have a box opened, with copies of files."""
        with ExitStack() as opened:
            names, bodies, descriptors, total = [], [], [], 0
            for name, content in files.items():
                if isinstance(content, bytes):
                    size = len(content)
                    bodies.append(content)
                    names.append((name, size))
                else:
                    file = opened.enter_context(open(content, "rb"))
                    size = os.fstat(file.fileno()).st_size
                    descriptors.append(file.fileno())
                    names.append((name, -1))
                total += size
            if total > most:
                raise ValueError(
                    f"The files have {total:,} bytes, a scratch directory holds {most:,}. Raise scratch_bytes."
                )
            if len(descriptors) > FILES:
                raise ValueError(f"{len(descriptors)} files: a box is opened with at most {FILES} paths; pass bytes.")
            self.tell({"do": "open", "box": number, "names": names}, b"".join(bodies), descriptors)

    def tell(self, head: dict[str, Any], body: bytes = b"", files: Sequence[int] = ()) -> None:
        """Say something.

        Raises:
            SandboxError: the sandbox is closed, has ended, or belongs to another process.
        """
        if os.getpid() != self._owner:
            raise SandboxError("The sandbox belongs to the process that this one was forked from. Make one here.")
        try:
            with self._lock:
                send(self._link, head, body, files)
        except OSError as error:
            raise SandboxError("The sandbox is closed." if self._closing else self._ended()) from error

    def close(self) -> None:
        """End the supervisor and all boxes; in a forked process only let go of it."""
        if self._closing or os.getpid() != self._owner:
            return
        self._closing = True
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stderr
        self._process.stderr.close()
        if self.confinement.kind == confinement.LANDLOCK:
            scratch.remove(self._base)  # what a supervisor that was killed has left

    def redact(self, text: str) -> str:
        """Without the machine's paths: those of scratch directories are relative, those of code begin at a package."""
        return self._paths.sub(lambda match: "" if match[0].endswith("/") else ".", text)

    def _say(self, head: dict[str, Any]) -> None:
        with suppress(SandboxError):
            self.tell(head)

    def _send(self, number: int, head: dict[str, Any], body: bytes, read: Callable[[Message], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        self._waiting[number] = future, read
        try:
            self.tell(head | {"number": number}, body)
        except SandboxError:
            self._waiting.pop(number, None)
            raise
        return future

    def _listen(self) -> None:
        reader = Reader(self._link)
        with suppress(OSError):
            while (messages := reader.read()) is not None:
                for message in messages:
                    self._hear(message)
        self.is_warm = False
        self._link.close()
        waiting, self._waiting = self._waiting, {}
        for future, read in waiting.values():
            if self._closing:
                future.set_result(read(Message({"failure": "died", "message": CLOSED.message, "printed": ""}, b"", [])))
            else:
                future.set_exception(SandboxError(self._ended()))

    def _hear(self, message: Message) -> None:
        future, read = self._waiting.pop(message.head["number"], (None, None))
        if future and read:
            future.set_result(read(message))
        elif message.head["number"] == 0:  # told without being asked
            self.is_warm = False

    def _result(self, message: Message) -> Result:
        head = message.head
        told, printed = self.redact(head["message"]), self.redact(head["printed"])
        if head["failure"]:
            return Result(None, head["failure"], told, printed)
        try:
            return Result(_value(message.body), "", "", printed)
        except (ValueError, RecursionError):
            return Result(None, "died", "what it answered is no JSON", printed)

    def _ended(self) -> str:
        assert self._process.stderr
        with self._lock, suppress(subprocess.TimeoutExpired, ValueError):
            self._process.wait(END_S)
            self._told += self._process.stderr.read().decode(errors="replace")
        last = self._told.strip().rpartition("\n")[2][-TOLD_CHARS:]
        return f"The sandbox ended with status {self._process.returncode}: {last}"


def _paths(base: str, folders: Iterable[str]) -> re.Pattern[str]:
    """Matches the beginnings of paths that are the machine's own, and scratch directories as a whole."""
    own = sorted((re.escape(path) for path in {*folders} if path.count("/") > 1), key=len, reverse=True)
    return re.compile(rf"(?<![\w./-])(?:{re.escape(base)}/\d+(?:/|\b)|(?:{'|'.join(own)})/)")


def _value(text: bytes) -> Any:
    """JSON as the standard has it: no NaN, no half characters."""
    value = json.loads(text.decode(), parse_constant=_refused)
    if b"\\ud" in text.lower():
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
