"""Inside a box: gives up what is left of its rights, then answers calls until its end. Everything foreign runs here."""

import json
import os
import random
import resource
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from lse_gym.envs.sandbox import kernel, landlock, seccomp

LENGTH = struct.Struct("!I")
VALUE, ERROR, MEMORY, EXIT, LARGE = b"V", b"E", b"M", b"X", b"L"  # what an answer begins with
TOLD_CHARS = 4000  # of a traceback
ITSELF = [f"/proc/self/{name}" for name in ("maps", "stat", "statm", "status")]  # libraries look at their process
FRAMES = 12  # of a traceback, at its end


def run(link: socket.socket, output: int, folder: str, confined: dict[str, Any], harmless: bytes) -> None:
    """Be a box from now on.

    Args:
        link: to the supervisor.
        output: takes what is printed.
        folder: its scratch directory.
        confined: ``readable`` paths, ``limits`` and whether there is ``landlock``, as the warm process was told.
        harmless: which system calls it may make.
    """
    kernel.end_with_parent()
    os.setsid()
    os.chdir(folder)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    _surroundings(folder)
    limits = confined["limits"]
    if confined["landlock"]:
        landlock.restrict([*confined["readable"], *ITSELF], [folder])
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits["files"], limits["files"]))
    seccomp.restrict(harmless)
    _serve(link, limits["result_bytes"])


def _surroundings(folder: str) -> None:
    for name in ("PYTHONPATH", "PWD", "LD_LIBRARY_PATH"):
        os.environ.pop(name, None)
    os.environ |= {"HOME": folder, "TMPDIR": folder, "TMP": folder, "TEMP": folder}
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for stream, number in (("stdout", 1), ("stderr", 2)):
        file = open(number, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115
        setattr(sys, stream, file)
        setattr(sys, f"__{stream}__", file)
    if "tempfile" in sys.modules:
        setattr(sys.modules["tempfile"], "tempdir", folder)  # noqa: B010 - unknown to type checkers as one of a module
    _seed()


def _seed() -> None:
    """Have two boxes draw the same, from generators that nobody seeds too: their seeds come from here."""
    chance, seed = random.Random(0), random.Random.seed
    for module, name in ((os, "urandom"), (random, "_urandom")):  # what uuid4, secrets and numpy draw from
        setattr(module, name, chance.randbytes)

    def seeded(self: random.Random, a: Any = None, version: int = 2) -> None:
        seed(self, chance.getrandbits(256) if a is None else a, version)

    setattr(random.Random, "seed", seeded)  # noqa: B010 - type checkers take it for a constant
    setattr(random, "seed", random._inst.seed)  # noqa: B010 - as above
    random.seed(0)
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed(0)


def _serve(link: socket.socket, result_bytes: int) -> None:
    while request := _receive(link):
        answer = _answer(json.loads(request))
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # it may be theirs
                stream.flush()
        if len(answer) > result_bytes + 1:
            answer = LARGE + f"its result has more than {result_bytes:,} bytes".encode()
        link.sendall(LENGTH.pack(len(answer)) + answer)


def _receive(link: socket.socket) -> bytes:
    head = link.recv(LENGTH.size, socket.MSG_WAITALL)
    return link.recv(LENGTH.unpack(head)[0], socket.MSG_WAITALL) if len(head) == LENGTH.size else b""


def _answer(request: dict[str, Any]) -> bytes:
    try:
        return VALUE + json.dumps(function(request["function"])(request["argument"]), allow_nan=False).encode()
    except MemoryError:
        return MEMORY + b"it needs more memory than it may have"
    except (SystemExit, KeyboardInterrupt) as error:
        return EXIT + f"it ended itself: {type(error).__name__} {error}"[:TOLD_CHARS].encode(errors="replace")
    except BaseException as error:
        return ERROR + told(error).encode(errors="replace")


def function(name: str) -> Callable[[Any], Any]:
    """The function that ``module:function`` names, of a module that is loaded."""
    module, _, attribute = name.partition(":")
    return getattr(sys.modules[module], attribute)


def told(error: BaseException) -> str:
    """The end of a traceback, without the frames of this folder."""
    try:
        frames = traceback.extract_tb(error.__traceback__)
        frames = [frame for frame in frames if frame.filename != __file__][-FRAMES:]
        lines = [*traceback.format_list(frames), *traceback.format_exception_only(error)]
        return "".join(["Traceback (most recent call last):\n" if frames else "", *lines]).rstrip()[-TOLD_CHARS:]
    except BaseException as another:  # an exception whose text cannot be had
        return f"{type(error).__name__}, and telling it raised {type(another).__name__}"
