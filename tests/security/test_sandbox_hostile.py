"""Hostile programs: nothing outside changes or is read, each ends within its limits, the next box is unharmed."""

import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import lse_gym.envs.errors
from lse_gym.envs.sandbox import Limits, Result, SetupError, confinement, processes, seccomp
from tests.sandbox.started import descendants, living, run, start, why_not
from tests.security.hostile_programs import PROGRAMS, SETUPS, value

LIMITS = Limits(cpu_s=0.3, memory_bytes=64 << 20, scratch_bytes=4 << 20, output_bytes=1 << 10, result_bytes=1 << 18)
SECRET = "the secret of the host"
SIDE_BY_SIDE = 6
PATIENCE_S = 15  # on a machine with other work


class Host:
    """What is to stay as it is: files, a process, servers that nobody comes to."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "secret").write_text(SECRET)
        (folder / "inner").mkdir()
        sqlite3.connect(folder / "base.sqlite").execute("CREATE TABLE t (x)").connection.close()
        self.visitors = []
        self.servers = [
            socket.create_server(("127.0.0.1", 0)),
            socket.socket(socket.AF_UNIX),
            socket.socket(socket.AF_UNIX),
        ]
        self.port = self.servers[0].getsockname()[1]
        self.unix, self.abstract = str(folder / "socket"), f"lse-gym-hostile-{os.getpid()}"
        self.servers[1].bind(self.unix)
        self.servers[2].bind("\0" + self.abstract)
        for server in self.servers:
            server.listen()
            threading.Thread(target=self._greet, args=(server,), daemon=True).start()
        self.process = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(1000)"])
        self.before = self.state()

    def _greet(self, server):
        with_whom = server.getsockname()
        while True:
            try:
                server.accept()[0].close()
            except OSError:
                return
            self.visitors.append(with_whom)

    def state(self):
        """All that could be changed, with times and modes."""
        found = [self.folder, *sorted(self.folder.rglob("*"))]
        return [(str(p), p.stat().st_mode, p.stat().st_mtime_ns, p.is_file() and p.read_bytes()) for p in found]

    def unharmed(self):
        """Whether all is as it was, the process neither killed nor stopped."""
        state = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return self.state() == self.before and not self.visitors and state in "SR" and self.process.poll() is None

    def close(self):
        self.process.kill()
        self.process.wait()
        for server in self.servers:
            server.shutdown(socket.SHUT_RDWR)
            server.close()


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    host = Host(tmp_path_factory.mktemp("host"))
    yield host
    host.close()


@pytest.fixture(scope="module", params=[*confinement.KINDS])
def kind(request):
    if problem := why_not(request.param):
        pytest.skip(problem)
    return request.param


@pytest.fixture(scope="module")
def names(host):
    refused = [number for number in map(seccomp._number, seccomp._REFUSED.values()) if number is not None]
    return {
        "secret": str(host.folder / "secret"),
        "folder": str(host.folder),
        "package": lse_gym.envs.errors.__file__,
        "pid": host.process.pid,
        "port": host.port,
        "unix": host.unix,
        "abstract": host.abstract,
        "clone": seccomp._here(seccomp.CLONE),
        "refused": refused,
    }


def test_hostile_programs_harm_nobody(kind, host, names, monkeypatch):
    """They run side by side, with a box of another beside them, and after each there is a next one."""
    monkeypatch.setenv("LSE_GYM_HOSTILE_KEY", "a secret key")
    with start(kind, limits=LIMITS) as sandbox, sandbox.open({"private": b"private"}) as sibling:
        assert sibling.call("inside:count").result(PATIENCE_S) == Result(1)
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            found = pool.map(lambda name: attempt(sandbox, host, names, *PROGRAMS[name]), PROGRAMS)
            wrong = {name: problem for name, problem in zip(PROGRAMS, found, strict=True) if problem}
        assert not wrong
        assert sibling.call("inside:count").result(PATIENCE_S) == Result(2)
        assert sibling.file("private") == b"private"


def attempt(sandbox, host, names, source, expected):
    """What is wrong with what came of a program, or nothing."""
    with sandbox.open() as box:
        result = run(box, source.format(**names), wall_s=1 if "time" in expected else PATIENCE_S)
        after = box.call("inside:echo", "alive").result(PATIENCE_S)
        files = [box.file(name) for name in ("link", "up", "mine")]
    with sandbox.open() as following:
        unharmed = following.call("inside:count").result(PATIENCE_S) == Result(1)
    if isinstance(expected, value):
        came = (result.failure, result.value) == ("", expected.expected)
    else:
        came = result.failure in ([expected] if isinstance(expected, str) else expected)
    checks = {
        "as expected": came,
        "the next box": unharmed,
        "the host": host.unharmed(),
        "the secret": SECRET not in repr(result) and files == [None] * 3,
        "bounded": len(result.printed) <= LIMITS.output_bytes and len(result.message) <= 20_000,
        "dead": result.failure in ("", "error") or after.failure == "died",
    }
    wrong = [name for name, good in checks.items() if not good]
    return f"{', '.join(wrong)}: {result}" if wrong else ""


@pytest.mark.parametrize("name", SETUPS)
def test_a_hostile_set_up_harms_nobody(kind, host, names, name):
    source, refusal, failure = SETUPS[name]
    setup, limits = ("inside:run", source.format(**names)), LIMITS._replace(wall_s=2)
    before = {*descendants(os.getpid())}
    if refusal:
        with pytest.raises(SetupError, match=refusal):
            start(kind, limits=limits, setup=setup)
    else:
        with start(kind, limits=limits, setup=setup) as sandbox:
            box = sandbox.open()
            called = box.call("inside:echo", 1)
            time.sleep(0.1)
            started = {*descendants(os.getpid())} - before
            assert called.result(PATIENCE_S).failure == failure
        assert started
        assert not living(started)
    assert host.unharmed()


def test_a_set_up_that_takes_too_long_is_ended(kind, monkeypatch):
    monkeypatch.setattr("lse_gym.envs.sandbox.sandbox.START_S", 0.5)
    with pytest.raises(SetupError, match="took longer"):
        start(kind, setup=("inside:run", "while True: pass"))


def test_what_is_left_stands_still(kind):
    """Threads of the warm process and of a box use no processor time while nothing is asked."""
    others = {*descendants(os.getpid())}
    loop = "import threading\ndef loop():\n    while True: pass\nthreading.Thread(target=loop).start()"
    with start(kind, setup=("inside:run", loop)) as sandbox, sandbox.open() as box:
        assert run(box, loop).failure == ""
        own = {*descendants(os.getpid())} - others
        inside = [process for process in own if processes.threads(process) == 2]
        assert len(inside) == 2
        before = [*map(processes.cpu_s, inside)]
        time.sleep(0.3)
        assert [*map(processes.cpu_s, inside)] == pytest.approx(before, abs=0.01)
