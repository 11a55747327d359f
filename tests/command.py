"""``lse-gym``, or Python code, in a process of its own that has imported already what the package stands on.

Each is a fork of a process that did nothing but import, so that a test pays for what it is about and not for a second
or more of imports: those of Torch, above all. Arguments, directory, environment, streams, signals and exit status are
those of any process. How the command *starts* is not to be tested so; see tests/cli/test_start.py.
"""

import atexit
import multiprocessing
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.imports"])


class Command:
    """A command that runs; with ``code``, Python's text instead of the command's arguments."""

    def __init__(self, *arguments, cwd, stdin="", env=None, code=None):
        self.arguments = ["-c" if code else "lse-gym", *map(str, arguments)]
        self._folder = Path(tempfile.mkdtemp())
        streams = [self._folder / name for name in ("stdin", "stdout", "stderr")]
        for stream, text in zip(streams, (stdin, "", ""), strict=True):
            stream.write_text(text, encoding="utf-8")
        environment = {**os.environ, "COLUMNS": "120", **(env or {})}
        given = (self.arguments, str(cwd), environment, [str(stream) for stream in streams], code)
        self._process = _processes.Process(target=_be_the_command, args=given)
        self._process.start()
        self.kill, self.pid = self._process.kill, self._process.pid

    def poll(self):
        """The exit status, or None while it runs."""
        return self._process.exitcode

    def wait(self, timeout=120):
        """Wait for the end and return it as ``subprocess.run`` does."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            self.kill()
            raise subprocess.TimeoutExpired(self.arguments, timeout)
        told = [(self._folder / name).read_text(encoding="utf-8") for name in ("stdout", "stderr")]
        shutil.rmtree(self._folder)
        return subprocess.CompletedProcess(self.arguments, self._process.exitcode, *told)

    def wait_for(self, path):
        """Wait until ``path`` is there; the command must still run."""
        while not path.exists():
            assert self.poll() is None, self.wait()
            time.sleep(0.01)


def run(*arguments, timeout=120, **given):
    """``lse-gym`` with ``arguments``, to its end: exit status and what it printed."""
    return Command(*arguments, **given).wait(timeout)


def _be_the_command(arguments, cwd, environment, streams, code):
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(streams):
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND if number else os.O_RDONLY
        os.dup2(os.open(path, flags, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(n, "w" if n else "r", encoding="utf-8", closefd=False) for n in range(3)
    )
    sys.argv = arguments
    try:
        if code:
            sys.path.insert(0, "")
            sys.modules["__main__"] = types.ModuleType("__main__")
            exec(code, vars(sys.modules["__main__"]))  # noqa: S102 - the test's own
        else:
            runpy.run_module("lse_gym", run_name="__main__", alter_sys=True)
    except Exception:
        sys.excepthook(*sys.exc_info())
        sys.exit(1)
    finally:
        atexit._run_exitfuncs()  # a process of multiprocessing leaves them out
