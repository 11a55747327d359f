"""What runs inside the sandbox: one script, in a process of its own that has the libraries imported."""

import errno
import linecache
import os
import sys
import traceback
import types
import warnings
from typing import Any

# Imported once, in the process that all runs are forked from; what a script imports beyond costs it the time.
PRELOAD = (
    "lse_gym.envs.datascience.inside",
    "sqlite3",
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "scipy.stats",
    "sklearn.cluster",
    "sklearn.compose",
    "sklearn.decomposition",
    "sklearn.ensemble",
    "sklearn.feature_selection",
    "sklearn.impute",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.model_selection",
    "sklearn.multioutput",
    "sklearn.naive_bayes",
    "sklearn.neighbors",
    "sklearn.neural_network",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "sklearn.svm",
    "sklearn.tree",
    "lse_gym.envs.datascience.rehearsal",
)
SCRIPT = "script.py"
MAX_TRACEBACK_CHARS = 2000
FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)  # no room for what is written


def run(argument: dict[str, Any]) -> dict[str, str]:
    """Run ``code`` as a program.

    Returns:
        ``error``: the end of the traceback, or "" where it ran to its end; ``limit``: what it was short of, or "".
    """
    code = argument["code"]
    folders = sorted({os.getcwd(), *filter(os.path.isabs, sys.path)}, key=len, reverse=True)
    _prepare(code)
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    try:
        exec(compile(code, SCRIPT, "exec"), main.__dict__)  # noqa: S102 - that is what the sandbox is for
    except SystemExit as end:
        return _ended("" if end.code in (None, 0) else f"SystemExit: {end.code}"[:MAX_TRACEBACK_CHARS])
    except BaseException as error:  # whatever foreign code raises is its result
        short = "memory" if isinstance(error, MemoryError) else ""
        short = "disk space" if isinstance(error, OSError) and error.errno in FULL else short
        return _ended(_traceback(error, folders), short)
    return _ended()


def _ended(error: str = "", limit: str = "") -> dict[str, str]:
    sys.stdout.flush()
    sys.stderr.flush()
    return {"error": error, "limit": limit}


def _prepare(code: str) -> None:
    """Threads where joblib would start processes, warnings without paths, and the lines of the script in tracebacks."""
    import joblib

    joblib.parallel_config(backend="threading")  # holds from now on; a box starts no processes
    linecache.cache[SCRIPT] = (len(code), None, code.splitlines(keepends=True), SCRIPT)
    setattr(warnings, "formatwarning", _warning)  # noqa: B010 - type checkers take it for a constant
    sys.argv = [SCRIPT]
    sys.path.insert(0, os.getcwd())


def _warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> str:
    return f"{category.__name__}: {message}\n"


def _traceback(error: BaseException, folders: list[str]) -> str:
    """The end of the traceback, without the frames of this module, and with paths from a package on."""
    try:
        frames = error.__traceback__.tb_next if error.__traceback__ else None
        text = "".join(traceback.format_exception(type(error), error, frames))
    except BaseException:  # an exception whose own text cannot be made
        text = type(error).__name__
    for folder in folders:
        text = text.replace(folder + os.sep, "")
    return text[-MAX_TRACEBACK_CHARS:]
