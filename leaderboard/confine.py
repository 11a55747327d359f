"""Started as a process of its own by :mod:`lse_gym.leaderboard.isolation`: gives up its rights, then does a job.

Nothing but the standard library is imported before the limits hold. What the machine does not offer is told in the
answer. The job comes as JSON on stdin; the answer is two lines of JSON on what was stdout: what holds, and the result.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_MOUNT, NEW_USER, NEW_PID, NEW_NET, NEW_IPC = 0x00020000, 0x10000000, 0x20000000, 0x40000000, 0x08000000
PARENT_DEATH_SIGNAL, NO_NEW_PRIVS = 1, 38
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 2, 4, 8, 16384, 1 << 18
SYSTEM = (
    *("/usr", "/lib", "/lib32", "/lib64", "/bin", "/opt", "/nix", "/etc", "/sys"),
    *("/dev/zero", "/dev/random", "/dev/urandom"),
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys", "/proc/filesystems"),
)  # where libraries and facts of the machine are
SANDBOX = Path(__file__).parents[1] / "envs" / "sandbox"


def main() -> None:
    """Read the job, confine this process, do the job, answer."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no answer
    job = json.loads(sys.stdin.buffer.read())
    held = _namespaces(job["scratch_bytes"], answers)
    held = _landlock(job["readable"]) | held
    held |= _limits(job, counted="processes" in held)
    with os.fdopen(answers, "w", encoding="utf-8") as out:
        out.write(json.dumps(held) + "\n")
        out.flush()
        out.write(json.dumps(_answer(job)) + "\n")


def _answer(job: dict) -> dict:
    try:
        module, _, name = job["function"].partition(":")
        return {"result": getattr(import_module(module), name)(job["job"])}
    except MemoryError:
        return {"problem": f"it needs more than {job['memory_bytes']:,} bytes of memory"}
    except Exception as error:
        return {"problem": f"{type(error).__name__}: {error}"[:500]}


def _limits(job: dict, counted: bool) -> dict[str, str]:
    """Limits that children inherit; one that the machine does not know is told."""
    held = {}
    limits = {
        "RLIMIT_AS": job["memory_bytes"],
        "RLIMIT_CPU": int(job["cpu_s"]) + 1,
        "RLIMIT_FSIZE": job["scratch_bytes"],
        "RLIMIT_NOFILE": job["files"],
        "RLIMIT_CORE": 0,
    } | ({"RLIMIT_NPROC": job["processes"]} if counted else {})
    for name, value in limits.items():
        kind = getattr(resource, name)
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (value, value))
        except (OSError, ValueError):
            held[name] = "not limited"
    return held


def _namespaces(scratch_bytes: int, answers: int) -> dict[str, str]:
    """A user of its own without rights elsewhere, no network, no other processes, a scratch directory in memory."""
    if not hasattr(LIBC, "unshare"):
        return {}
    user, group = os.geteuid(), os.getegid()
    if LIBC.unshare(NEW_USER | NEW_NET | NEW_PID | NEW_IPC | NEW_MOUNT) != 0:
        _prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
        return {}
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with suppress(OSError), open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
    held = {"network": "cut", "processes": "its own", "scratch": "a directory"}
    LIBC.mount(None, b"/", None, MS_REC | MS_PRIVATE, None)
    size = f"size={scratch_bytes},nr_inodes=10000,mode=700".encode()
    if LIBC.mount(b"scratch", os.getcwdb(), b"tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, size) == 0:
        os.chdir(os.getcwd())  # into what is mounted over it
        held["scratch"] = "in memory"
    _prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
    inner = os.fork()  # the first process of the namespace: when it ends, or this one, so do all others
    if inner:
        os.close(answers)
        _, status = os.waitpid(inner, 0)
        code = os.waitstatus_to_exitcode(status)
        os._exit(code if code >= 0 else 128 - code)
    _prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
    return held


def _landlock(readable: list[str]) -> dict[str, str]:
    """Files are changed below the working directory only, and read there and where code is; no TCP connection is made.

    What is not readable: boards and their salts, homes with their keys, the environments of other processes.
    """
    if not sys.platform.startswith("linux"):
        return {"network": "not cut"}
    sys.path.insert(0, str(SANDBOX))
    start = import_module("start")
    del sys.path[0]
    start.stand_in()  # the package itself is imported when the limits hold
    landlock = import_module("lse_gym.envs.sandbox.landlock")
    start.stand_back()
    version = landlock.version()
    if version < 1:
        return {"network": "not cut"}
    governed = landlock.WRITE | landlock.READ_FILE | landlock.MAKE_DEVICES
    _prctl(NO_NEW_PRIVS, 1)
    try:
        landlock.restrict([*SYSTEM, *readable], ["."], governed=governed)
    except OSError:
        return {"network": "not cut"}
    held = {"writes": "in its scratch directory only", "reads": "there, and code and libraries"}
    return held | {"network": "no TCP" if version >= 4 else "not cut"}


def _prctl(option: int, value: int) -> None:
    if hasattr(LIBC, "prctl"):
        LIBC.prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
