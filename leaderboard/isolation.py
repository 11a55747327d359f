"""A function of the package called in a process of its own: without network, keys or rights, and for so long only."""

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import lse_gym

KEPT = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "OMP_NUM_THREADS")  # no key, no proxy, no editor
ALWAYS = {
    "LSE_GYM_RESPONSE_CACHE": "off",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "CUDA_VISIBLE_DEVICES": "",  # the memory of a GPU has no limit
}
PROGRAM = Path(__file__).with_name("confine.py")
TOLD_CHARS = 300  # of what a process says on stderr
TICK_S = 0.25  # between two looks at the clock and at the scratch directory


@dataclass(frozen=True)
class Limits:
    """What a process may use."""

    seconds: float = 900.0
    """by the wall clock; then it is killed, and all that it started"""
    cpu_s: float = 3600.0
    """of processor time"""
    memory_bytes: int = 8 * 2**30
    """address space of each process (the transformers of the package take less than 2 GiB)"""
    scratch_bytes: int = 256 * 2**20
    """what it writes, in one file and in all"""
    result_bytes: int = 64 * 2**20
    """what it answers"""
    files: int = 512
    """open at once"""
    processes: int = 1024
    """processes and threads, where they can be counted apart from others; not for root"""


class Outcome(NamedTuple):
    """What came of a job: its ``result``, or the ``problem``; and what was ``held`` back from it."""

    result: Any
    problem: str
    held: dict[str, str]


def call(function: str, job: Any, limits: Limits) -> Outcome:
    """Call ``function`` with ``job`` in a confined process.

    Args:
        function: ``module:function`` of our own, never from outside.
        job: anything that JSON can say.
        limits: what it may use.

    Returns:
        The outcome. ``held`` says whether the network was cut, writes were confined, processes were its own; a
        machine that does not offer one of them lacks it there.
    """
    if os.name != "posix":
        return Outcome(None, "runs are executed again on Linux and macOS only: nothing can hold them back here", {})
    sent = json.dumps({"function": function, "job": job, "readable": _code(), **asdict(limits)}).encode()
    with _scratch() as scratch, _process(scratch) as process:
        assert process.stdin
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(sent)
        out, told, problem = _read(process, Path(scratch), limits)
    return _outcome(out, told, problem, process.returncode)


@contextmanager
def _scratch() -> Generator[str]:
    path = tempfile.mkdtemp(prefix="lse-gym-again-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _process(scratch: str) -> Generator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-s", str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=scratch,
        env=_environment(scratch),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()


def _code() -> list[str]:
    """Where the interpreter, its libraries and this package are, links resolved."""
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    places = [sys.prefix, sys.base_prefix, sys.exec_prefix, *libraries, *_packages()]
    folders = [path for path in places if os.path.isabs(path)]
    inner = [str(path.resolve()) for path in Path(lse_gym.__file__).parent.iterdir()]  # a checkout has links there
    return [*dict.fromkeys([*folders, *map(os.path.realpath, folders), *inner])]


def _packages() -> list[str]:
    return [str(Path(lse_gym.__file__).parents[1]), *(path for path in sys.path if os.path.isabs(path))]


def _environment(scratch: str) -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in KEPT if name in os.environ},
        **ALWAYS,
        "HOME": scratch,
        "TMPDIR": scratch,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(_packages())),
    }


def _read(process: "subprocess.Popen[bytes]", scratch: Path, limits: Limits) -> tuple[bytes, bytes, str]:
    """What a process answers and the end of what it tells, until it is done or one limit is met."""
    deadline, out, told = time.monotonic() + limits.seconds, bytearray(), b""
    answering = True
    with selectors.DefaultSelector() as waiting:
        for pipe in (process.stdout, process.stderr):
            assert pipe
            waiting.register(pipe, selectors.EVENT_READ)
        while answering or process.poll() is None:  # what it leaves behind may hold stderr open
            for key, _ in waiting.select(TICK_S) if waiting.get_map() else ():
                data = os.read(key.fd, 2**16)
                if not data:
                    waiting.unregister(key.fileobj)
                    answering = answering and key.fileobj is not process.stdout
                elif key.fileobj is process.stdout:
                    out += data
                else:
                    told = (told + data)[-4 * TOLD_CHARS :]
            if time.monotonic() > deadline:
                return bytes(out), told, f"it takes longer than {limits.seconds:g} seconds"
            if len(out) > limits.result_bytes:
                return b"", told, f"it answers more than {limits.result_bytes:,} bytes"
            if _size(scratch) > limits.scratch_bytes:
                return bytes(out), told, f"it writes more than {limits.scratch_bytes:,} bytes"
            if not waiting.get_map():
                time.sleep(0.01)
    return bytes(out), told, ""


def _size(folder: Path) -> int:
    total = 0
    for where, folders, names in os.walk(folder):
        for name in (*folders, *names):
            with suppress(OSError):
                total += os.lstat(os.path.join(where, name)).st_size
    return total


def _outcome(out: bytes, told: bytes, problem: str, code: int) -> Outcome:
    lines = out.split(b"\n")
    try:
        held = json.loads(lines[0]) if len(lines) > 1 else {}
        answer = json.loads(lines[1]) if len(lines) > 2 else {}
    except (ValueError, RecursionError):
        return Outcome(None, "it answers what is no JSON", {})
    if not problem and "result" in answer:
        return Outcome(answer["result"], "", held)
    last = told.decode(errors="replace").strip().rpartition("\n")[2][-TOLD_CHARS:]
    problem = problem or answer.get("problem") or f"its process ended with status {code}: {last}"
    return Outcome(None, "".join(char if char.isprintable() else " " for char in problem), held)
