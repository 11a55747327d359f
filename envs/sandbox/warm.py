"""The warm process: imports what is trusted, runs the set-up behind the confinement, then forks boxes when told to."""

import gc
import importlib
import json
import os
import resource
import signal
import socket
from contextlib import suppress
from typing import Any

from lse_gym.envs.sandbox import box, kernel, landlock, seccomp
from lse_gym.envs.sandbox.start import stand_back


def run(link: socket.socket, job: dict[str, Any]) -> None:
    """Be the warm process of a sandbox: answer once when ready, then once for each box.

    Args:
        link: to the supervisor, which sends a folder and two descriptors for each box.
        job: what to preload and to set up, where to read and write, ``limits``.
    """
    os.setsid()
    os.chdir(job["folder"])
    kernel.end_with_parent()
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("500")  # where memory is short, it ends here
    kernel.give_up_rights()
    if job["landlock"]:
        landlock.restrict([*job["readable"], *job["trusted"], *_facts(job)], [job["base"]])
    stand_back()  # what is preloaded may want the package itself
    problem = _prepare(link, job)
    gc.collect()
    gc.freeze()  # what is never collected is never copied
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the boxes
    link.send(json.dumps({"problem": problem[-box.TOLD_CHARS :]}).encode())
    if not problem:
        _serve(link, job)


def _prepare(link: socket.socket, job: dict[str, Any]) -> str:
    """What went wrong, or nothing."""
    try:
        for name in job["preload"]:
            importlib.import_module(name)
        _confine(link, job)
        if job["setup"]:
            function, argument = job["setup"]
            box.function(function)(argument)
    except BaseException as error:
        return box.told(error) or type(error).__name__
    return ""


def _confine(link: socket.socket, job: dict[str, Any]) -> None:
    limits = job["limits"]
    if job["landlock"]:
        landlock.restrict([*job["untrusted"], *_facts(job)], [job["base"]], listed=job["readable"])
    with open("/proc/self/statm", encoding="ascii") as file:
        pages = int(file.read().split()[0])
    memory = pages * resource.getpagesize() + limits["memory_bytes"]
    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, limits["scratch_bytes"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, max(limits["files"], 64)),
    ):
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    forks = seccomp.ask_before_forks()
    socket.send_fds(link, [b"forks"], [forks])
    os.close(forks)
    seccomp.restrict(seccomp.harmless(forks=True, signals=job["signals"]))


def _facts(job: dict[str, Any]) -> list[str]:
    """What boxes read of themselves it has to read of all processes; on the host's, no set-up may."""
    return [*box.ITSELF] if job["setup"] and not job["memory"] else ["/proc"]


def _serve(link: socket.socket, job: dict[str, Any]) -> None:
    harmless = seccomp.harmless(forks=False, signals=job["signals"])
    while True:
        folder, files, _, _ = socket.recv_fds(link, 4096, 2)
        if not folder:
            return
        pid = os.fork()
        if pid == 0:
            try:
                link.close()
                with socket.socket(fileno=files[0]) as own:
                    box.run(own, files[1], folder.decode(), job, harmless)
            finally:
                os._exit(1)
        for file in files:
            os.close(file)
        link.send(json.dumps({"pid": pid}).encode())
