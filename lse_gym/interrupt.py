"""Ctrl-C while the command line is still importing ends it in one word, as it does later.

The package is imported before its ``main``, so this is the first thing that it does. What comes before, some 20 ms of
Python's own start, nobody can catch.
"""

import os
import signal
import sys


def is_command() -> bool:
    """Whether this process is ``lse-gym``, or ``python -m lse_gym``, whose name is ``-m`` until it runs."""
    program = os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else ""
    return program in ("lse-gym", "lse-gym.exe") or (program == "-m" and "lse_gym" in sys.orig_argv)


def end_at_once() -> None:
    """Until :func:`raise_again`, Ctrl-C ends the process where it stands; a process that ignores it goes on to."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: _end())


def raise_again() -> None:
    """Ctrl-C is a ``KeyboardInterrupt`` again."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end() -> None:
    os.write(2, b"Interrupted.\n")
    os._exit(130)
