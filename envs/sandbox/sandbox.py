"""Sandboxes and boxes, as the program that uses them sees them."""

import itertools
import json
import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from lse_gym.envs.errors import SandboxError, SetupError
from lse_gym.envs.sandbox import confinement
from lse_gym.envs.sandbox.limits import Limits, Result
from lse_gym.envs.sandbox.link import Link, closed
from lse_gym.envs.sandbox.scratch import checked_names

START_S = 120.0  # for the preloaded modules and the set-up


def check() -> str:
    """What would confine foreign code here.

    Raises:
        SandboxError: nothing would; the message says what to install.
    """
    return confinement.choose().description


class Sandbox:
    """A confined fork server: one warm process, from which a box for foreign code is forked in milliseconds.

    What is preloaded and set up is paid once. Foreign code cannot reach files but those of its box, code and libraries;
    no network, no other process, no key; see the README of the environments for what holds under which confinement.

    Args:
        preload: modules that the warm process imports; those whose functions are called must be among them.
        setup: ``module:function`` and its argument (JSON), called once in the warm process behind the
            confinement; it may run foreign code.
        limits: of each box.
        readable: further files and folders that boxes may read.

    Raises:
        SandboxError: nothing can confine it here; the message says what to install.
        SetupError: a module cannot be imported, or the set-up raised or took too long.
    """

    def __init__(
        self,
        preload: Sequence[str] = (),
        *,
        setup: tuple[str, Any] | None = None,
        limits: Limits | None = None,
        readable: Sequence[str | Path] = (),
    ):
        self.limits = limits or Limits()
        self._modules = [*preload, *([setup[0].partition(":")[0]] if setup else [])]
        self._confinement = confinement.choose()
        self._code = confinement.code_of(self._modules, [os.path.abspath(path) for path in readable])
        self._setup = setup
        self._numbers = itertools.count(1)
        self._ends: list[weakref.finalize] = []
        self._lock = threading.Lock()
        self._link = self._start()

    def _start(self) -> Link:
        """A warm process that is ready."""
        link = Link(self._confinement, self._code)
        end = weakref.finalize(self, link.close)
        job = {
            "preload": self._modules,
            "setup": self._setup,
            "limits": self.limits._asdict(),
            **link.confined(),
        }
        try:
            started = link.start(job, START_S)
        except TimeoutError:
            started = {"failure": "setup", "message": f"it took longer than {START_S:g} seconds"}
        except BaseException:
            end()
            raise
        if started["failure"]:
            end()
            error = SetupError if started["failure"] == "setup" else SandboxError
            raise error(f"The sandbox did not start: {link.redact(started['message'])}")
        self._ends.append(end)
        return link

    def _warm(self) -> Link:
        """The warm process; another one where it has ended, whose boxes then live on beside."""
        with self._lock:
            if not self._link.is_warm and self._ends[-1].alive:
                self._link = self._start()
            return self._link

    @property
    def description(self) -> str:
        """What confines it."""
        return self._confinement.description

    def open(self, files: Mapping[str, str | Path | bytes] | None = None) -> "Box":
        """Fork a box, of a new warm process where the one before was ended.

        Args:
            files: copied into its scratch directory, by relative name: a path, or the bytes themselves.

        Raises:
            ValueError: a name that is not inside, or more than a scratch directory holds.
            OSError: a file that cannot be read.
            SandboxError: the sandbox is closed, or belongs to another process, or does not start any more.
        """
        number, link = next(self._numbers), self._warm()
        link.open(number, checked_names(files or {}), self.limits.scratch_bytes)
        return Box(self, number, link)

    def close(self) -> None:
        """End it and all its boxes; calls that are not answered are answered "died"."""
        for end in self._ends:
            end()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Box:
    """A confined process with a scratch directory of its own; made by :meth:`Sandbox.open`."""

    def __init__(self, sandbox: Sandbox, number: int, link: Link):
        self._sandbox, self._number, self._link = sandbox, number, link
        self._closed = False

    def call(self, function: str, argument: Any = None, wall_s: float | None = None) -> Future[Result]:
        """Call a function in the box, after all earlier calls.

        Args:
            function: ``module:function`` of a module that was preloaded or set up.
            argument: its only one, anything that JSON can say.
            wall_s: seconds by the clock, instead of the limits' ones.

        Raises:
            ValueError: the module was not preloaded.
            SandboxError: the sandbox is closed, or belongs to another process.
        """
        if function.partition(":")[0] not in self._sandbox._modules:
            raise ValueError(f"{function!r} is of no preloaded module. Add it to Sandbox(preload=…).")
        body = json.dumps({"function": function, "argument": argument}).encode()
        if self._closed:
            return closed()
        head = {"do": "call", "box": self._number, "wall_s": wall_s or self._sandbox.limits.wall_s}
        return self._link.call(next(self._sandbox._numbers), head, body)

    def file(self, name: str) -> bytes | None:
        """A regular file of its scratch directory, or None; after it died, too, but not after it was closed."""
        if self._closed:
            return None
        checked_names({name: b""})
        return self._link.file(next(self._sandbox._numbers), self._number, name)

    def close(self) -> None:
        """Kill it and remove its scratch directory."""
        if not self._closed:
            self._closed = True
            with suppress(SandboxError):
                self._link.tell({"do": "close", "box": self._number})

    def __enter__(self) -> "Box":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
