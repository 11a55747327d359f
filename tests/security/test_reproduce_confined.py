"""A job that is executed again is held back, whatever it tries: each attack is made, by a process that really runs."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from lse_gym.leaderboard import isolation
from lse_gym.leaderboard.isolation import Limits, Outcome, call
from tests.patience import STALL_S

HERE = "tests.security.confined"
SMALL = Limits(seconds=20, cpu_s=20, memory_bytes=2**30, scratch_bytes=2**24, result_bytes=2**20)
SHORT = Limits(seconds=1.5)


def attack(name: str, job: object = None, limits: Limits = SMALL) -> Outcome:
    return call(f"{HERE}:{name}", job, limits)


@pytest.fixture(scope="module")
def offered() -> dict[str, str]:
    """What this machine offers."""
    return attack("environment").held


@pytest.fixture(autouse=True)
def no_scratch_is_left(tmp_path, monkeypatch):
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield
    assert not [*place.iterdir()]


@pytest.fixture
def fallback(tmp_path, monkeypatch):
    """A machine that gives nobody a namespace of their own."""
    program = tmp_path / "fallback.py"
    program.write_text(
        f"import importlib.util as u\nspec = u.spec_from_file_location('confine', {str(isolation.PROGRAM)!r})\n"
        "module = u.module_from_spec(spec)\nspec.loader.exec_module(module)\n"
        "module.LIBC.unshare = lambda flags: -1\nmodule.main()\n"
    )
    monkeypatch.setattr(isolation, "PROGRAM", program)


class Listener:
    """A loopback server of every kind on one port, which counts who speaks to it."""

    def __init__(self) -> None:
        self.heard = 0
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind(f"\0lse-gym-{self.port}")
        self.unix.listen()
        for take in (self.tcp.accept, self.unix.accept, lambda: self.udp.recv(1)):
            threading.Thread(target=self._count, args=(take,), daemon=True).start()

    def _count(self, take) -> None:
        with suppress(OSError):
            take()
            self.heard += 1

    def close(self) -> None:
        for one in (self.tcp, self.udp, self.unix):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.fixture
def listener():
    listener = Listener()
    yield listener
    listener.close()


def test_nobody_is_spoken_to(listener, offered):
    if offered["network"] != "cut":
        pytest.skip("no network namespaces on this machine")
    assert attack("speak", listener.port).result == []
    assert listener.heard == 0


def test_without_namespaces_no_tcp_connection_is_made_and_that_is_told(listener, fallback):
    found = attack("speak", listener.port)
    assert found.held["network"] != "cut"
    if found.held["network"] == "no TCP":
        assert {"tcp", "far"}.isdisjoint(found.result)


def test_keys_proxies_and_the_owners_choices_stay_outside(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HF_TOKEN", "HTTPS_PROXY", "LSE_GYM_EDITOR", "LD_PRELOAD"):
        monkeypatch.setenv(name, "secret" if name != "LD_PRELOAD" else "")
    found = attack("environment").result
    assert "secret" not in found.values()
    assert set(found) <= {*isolation.KEPT, *isolation.ALWAYS, "HOME", "TMPDIR", "PYTHONPATH", "LC_CTYPE"}


@pytest.mark.parametrize("where", ["namespaces", "fallback"])
def test_other_processes_cannot_be_looked_into(offered, where, request):
    if "writes" not in offered:
        pytest.skip("no Landlock on this machine")
    if where == "fallback":
        request.getfixturevalue("fallback")
    found = attack("spy", os.getpid())
    assert (found.result, found.problem) == ([], "")


@pytest.mark.parametrize("where", ["namespaces", "fallback"])
def test_what_its_owner_keeps_cannot_be_read(tmp_path, offered, where, request):
    if "writes" not in offered:
        pytest.skip("no Landlock on this machine")
    if where == "fallback":
        request.getfixturevalue("fallback")
    (tmp_path / "salt").write_text("secret")
    found = attack("devour_file", str(tmp_path / "salt"))
    assert (found.result, found.held["reads"]) == (None, "there, and code and libraries")
    assert found.problem.startswith("PermissionError")


@pytest.mark.parametrize("where", ["namespaces", "fallback"])
def test_nothing_outside_the_scratch_directory_changes(tmp_path, offered, where, request):
    if "writes" not in offered:
        pytest.skip("no Landlock on this machine")
    if where == "fallback":
        request.getfixturevalue("fallback")
    folder = tmp_path / "board"
    folder.mkdir()
    salt = folder / "salt"
    salt.write_text("secret")
    found = attack("change", str(salt))
    assert (found.result, found.problem) == ([], "")
    assert [*folder.iterdir()] == [salt]
    assert salt.read_text() == "secret"


def test_a_mount_inside_is_not_seen_outside(tmp_path):
    (tmp_path / "there").write_text("x")
    attack("mount_over", str(tmp_path))
    assert (tmp_path / "there").exists()


@pytest.mark.parametrize("name", ["remember", "devour"])
def test_memory_is_bounded(name):
    assert "bytes of memory" in attack(name, None, replace(SMALL, memory_bytes=2**28)).problem


@pytest.mark.parametrize("name", ["fill", "fill_one"])
@pytest.mark.parametrize("where", ["namespaces", "fallback"])
def test_written_bytes_are_bounded(name, where, request):
    if where == "fallback":
        request.getfixturevalue("fallback")
    found = attack(name)
    assert found.result is None
    assert any(told in found.problem for told in ("No space left", "File too large", "writes more than"))


def test_time_is_bounded():
    for name, job in (("spin", None), ("wait_for", "fifo")):
        start = time.monotonic()
        assert attack(name, job, SHORT).problem == "it takes longer than 1.5 seconds"
        assert time.monotonic() - start < 10 + STALL_S


def test_processor_time_is_bounded():
    found = attack("spin", None, Limits(seconds=60, cpu_s=0.5))
    assert "ended with status 137" in found.problem or "ended with status -9" in found.problem


def running(mark: str) -> list[int]:
    """Processes that have ``mark`` on their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def gone(mark: str) -> bool:
    deadline = time.monotonic() + 10
    while running(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not running(mark)


@pytest.mark.parametrize(("name", "limits"), [("escape", SMALL), ("escape_and_wait", SHORT)])
def test_no_process_is_left(name, limits, offered):
    if "processes" not in offered:
        pytest.skip("no process namespaces on this machine")
    mark = f"mark-{name}-{os.getpid()}"
    assert attack(name, mark, limits).problem in ("", "it takes longer than 1.5 seconds")
    assert gone(mark)


def test_what_outlives_a_job_does_not_keep_its_caller_waiting(fallback):
    mark = f"mark-outlives-{os.getpid()}"
    start = time.monotonic()
    assert attack("escape", mark).result == "done"
    assert time.monotonic() - start < 10 + STALL_S
    for process in running(mark):
        os.kill(process, signal.SIGKILL)


def test_the_caller_cannot_be_killed_from_inside(offered):
    if "processes" not in offered:
        pytest.skip("no process namespaces on this machine")
    found = attack("kill_the_caller", os.getpid())
    assert found.result is None or "parent" not in found.result


def test_a_job_ends_with_its_caller(tmp_path):
    """The caller is killed by SIGKILL: nobody is there to enforce the time any more."""
    mark = f"mark-orphan-{os.getpid()}"
    code = f"from lse_gym.leaderboard.isolation import *\ncall('{HERE}:escape_and_wait', {mark!r}, Limits(seconds=600))"
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    while not running(mark):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert gone(mark)


def test_an_answer_is_bounded_and_cannot_be_forged_by_what_is_printed():
    assert attack("flood", 2**20 + 1).problem == "it answers more than 1,048,576 bytes"
    assert attack("chatter").result == "true"


def test_a_failure_is_told_in_one_plain_line():
    assert attack("fail", "bad\x1b[2J\nTraceback").problem == "RuntimeError: bad [2J Traceback"
    assert attack("leave", 3).problem == "its process ended with status 3:  ]0;owned last words"
    assert "ended with status" in attack("crash").problem
    assert "RecursionError" in attack("deep").problem
    assert "ModuleNotFoundError" in call("nothing.here:f", None, SMALL).problem
