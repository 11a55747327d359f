"""``python_executor``: scripts on the files of a question, each in a fresh box, as many at once as there are cores.

Interface and numbers of DARE-bench (github Snowflake-Labs/dare-bench, commit 0144714, ``tools/python_executor``; 5
turns of 200 s: arXiv 2602.24288, section 4.2): a run is stateless; it sees the files that are named and no others, and
leaves those that are named.
"""

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from lse_gym.envs.datascience.inside import PRELOAD
from lse_gym.envs.datascience.runs import Ran, Run, Runs, key_of
from lse_gym.envs.datascience.task import PREDICTION, is_file_name
from lse_gym.envs.extras import require_installed
from lse_gym.envs.sandbox import Box, Limits, Result, Sandbox, check, per_process
from lse_gym.envs.tools.domain import Workplace
from lse_gym.envs.tools.protocol import Tool

RUN = "lse_gym.envs.datascience.inside:run"
CORES = len(os.sched_getaffinity(0))
MAX_FILES = 20  # of one list of names
MAX_SAVED_BYTES = 200 << 20  # of an attempt, all files together; the benchmark allows as much for each
MAX_LOADED_BYTES = 400 << 20  # of a run
MAX_PRINTED_CHARS = 4000  # of a run, half from its beginning and half from its end
MAX_MESSAGE_CHARS = 500  # of why there is no prediction

INSTRUCTIONS, CODE, LIMIT, TOKENS = "instruction adherence", "code error", "execution limit", "token limit"
FAILURES = INSTRUCTIONS, CODE, LIMIT, TOKENS
"""why a question fails, in the classes of the benchmark's table 9"""


class Settings(NamedTuple):
    """Limits of a run: wall clock and processor time in seconds, memory in bytes."""

    run_s: float = 200.0
    memory_bytes: int = 4 << 30

    def limits(self) -> Limits:
        """The same for a box of the sandbox."""
        return Limits(
            cpu_s=self.run_s,
            wall_s=self.run_s,
            memory_bytes=self.memory_bytes,
            scratch_bytes=MAX_LOADED_BYTES + MAX_SAVED_BYTES,
            threads=64,
            files=256,
        )


def python_executor(settings: Settings, max_turns: int) -> Tool:
    """The tool as the task model sees it."""
    names = {"type": "array", "items": {"type": "string"}}
    return Tool(
        "python_executor",
        f"Run a Python script, for at most {settings.run_s:g} seconds. Each run starts anew: no variable and no file "
        "is left from the runs before, but what they saved. It returns everything printed, and the end of the "
        "traceback if it fails. pandas, numpy, scipy, scikit-learn and pyarrow are installed. At most "
        f"{max_turns} messages may call.",
        {
            "type": "object",
            "properties": {
                "code": {"type": "string", "description": "The script."},
                "files_to_load": names
                | {"description": "Names of files that the script reads: given ones, or saved by an earlier run."},
                "files_to_save": names | {"description": "Names of files that the script writes and that are kept."},
            },
            "required": ["code", "files_to_load", "files_to_save"],
        },
    )


class Bench(Workplace):
    """Where the scripts of one attempt run.

    Args:
        files: what may be loaded, by name; never changed, whatever a script does to its copy.
        settings: limits of a run.
        max_prediction_bytes: the longest prediction that is scored.
        runs: where runs are remembered, so that the same one is not made again; None for nowhere.

    Raises:
        MissingExtraError: a library is not installed.
        SandboxError: foreign code cannot be confined here.
    """

    def __init__(
        self,
        files: Mapping[str, Path | bytes],
        settings: Settings,
        max_prediction_bytes: int,
        runs: Runs | None = None,
    ):
        check_place()
        self._files, self._settings, self._max_bytes = dict(files), settings, max_prediction_bytes
        self._runs = runs
        self._saved = self._count = 0  # bytes and files
        self._folder: TemporaryDirectory | None = None
        self._last = Ran("")
        self._work: Future[str] | None = None
        self._box: Box | None = None
        self._closed = False

    def call(self, name: str, arguments: dict[str, Any]) -> str | Future[str]:
        """Run a script, after the checks that need none."""
        del name
        load, save = arguments["files_to_load"], arguments["files_to_save"]
        if problem := self._problem(load, save):
            self._last = Ran(problem, CODE, problem)
            return f"Error: {problem}"
        self._work = _workers().submit(self._run, sandbox(self._settings), arguments["code"], load, save)
        return self._work

    def finish(self, answer: str) -> str:
        """The prediction that was saved, as JSON; and where there is none, why."""
        path = self._files.get(PREDICTION)
        text, problem = _text(path, self._max_bytes) if isinstance(path, Path) else (None, "")
        if text is not None:
            return Ending(text).json()
        if problem:
            return Ending(None, INSTRUCTIONS, problem).json()
        if self._last.failure:
            return Ending(None, self._last.failure, self._last.message).json()
        if not answer:
            return Ending(None, LIMIT, f"the turns were used up without a {PREDICTION}").json()
        return Ending(None, INSTRUCTIONS, f"no {PREDICTION} was saved").json()

    def close(self) -> None:
        """Stop what still runs, and delete what was saved."""
        self._closed = True
        if self._work is not None:
            self._work.cancel()
        if self._box is not None:
            self._box.close()
        if self._folder is not None:
            self._folder.cleanup()

    def _problem(self, load: Sequence[str], save: Sequence[str]) -> str:
        """What is wrong with the lists of files."""
        for names, purpose in ((load, "files_to_load"), (save, "files_to_save")):
            if len(names) > MAX_FILES:
                return f"{purpose} names {len(names)} files, at most {MAX_FILES} are allowed"
            if wrong := [name for name in names if not is_file_name(name)]:
                return f"{wrong[0][:60]!r} in {purpose} is no name of a file, such as 'train.csv', without folders"
        if lacking := [name for name in load if name not in self._files]:
            return f"there is no file {lacking[0][:60]!r} to load; there are {', '.join(sorted(self._files))}"
        if sum(_size(self._files[name]) for name in {*load}) > MAX_LOADED_BYTES:
            return f"the files to load are larger than {MAX_LOADED_BYTES >> 20} MB"
        return ""

    def _run(self, place: Sandbox, code: str, load: Sequence[str], save: Sequence[str]) -> str:
        files = {name: self._files[name] for name in load}
        key = key_of(self._settings, code, files, save) if self._runs else b""
        remembered = self._runs.get(key) if self._runs else None
        run = remembered or self._fresh(place, code, files, save, key)
        kept = [self._keep(name, content) for name, content in run.saved.items()]
        self._last = run.ran
        return "\n".join(filter(None, [self._last.told, *kept])) or "(nothing was printed)"

    def _fresh(
        self, place: Sandbox, code: str, files: Mapping[str, Path | bytes], save: Sequence[str], key: bytes
    ) -> Run:
        """Run a script that is not remembered."""
        self._box = box = place.open(files)
        try:
            if self._closed:  # meanwhile
                box.close()
            result = box.call(RUN, {"code": code}).result()
            run = Run(_ran(result, self._settings), {name: box.file(name) for name in dict.fromkeys(save)})
        finally:
            box.close()
        if self._runs and not self._closed and not result.failure:  # a limit may be met on a busy machine alone
            self._runs.put(key, run)
        return run

    def _keep(self, name: str, content: bytes | None) -> str:
        """Keep a file of a run for later ones; returns what is told of it."""
        if content is None or self._closed:
            return f"{name} was not saved: the script left no such file."
        if self._saved + len(content) > MAX_SAVED_BYTES:
            return f"{name} was not saved: there is room for {MAX_SAVED_BYTES >> 20} MB in all."
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="lse-gym-")
        path = Path(self._folder.name, str(self._count))  # no name of foreign code's ever meets this file system
        path.write_bytes(content)
        self._saved, self._count = self._saved + len(content), self._count + 1
        self._files[name] = path
        return f"{name} was saved ({len(content):,} bytes)."


class Ending(NamedTuple):
    """What is scored: the text of the prediction, or None with the class of failure and why."""

    prediction: str | None
    failure: str = ""
    message: str = ""

    def json(self) -> str:
        """As canonical JSON."""
        return json.dumps(self._asdict(), sort_keys=True, separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> "Ending":
        """The inverse of :meth:`json`; any other text is an attempt that saved nothing."""
        try:
            found = cls(**json.loads(text))
        except (ValueError, TypeError, RecursionError):
            found = cls(None, INSTRUCTIONS, f"no {PREDICTION} was saved")
        fits = isinstance(found.prediction, str | None) and isinstance(found.failure, str)
        return found if fits and isinstance(found.message, str) else cls(None, INSTRUCTIONS, "unreadable")


def _ran(result: Result, settings: Settings) -> Ran:
    """How a run ended, in the words that the task model reads."""
    value = result.value if isinstance(result.value, dict) else {}
    error, limit = str(value.get("error", "")), str(value.get("limit", ""))
    if result.failure in ("time", "cpu"):
        error, failure = f"the script was stopped after {settings.run_s:g} seconds", LIMIT
    elif result.failure in ("memory", "output"):
        error, failure = f"the script was stopped: too much {result.failure}", LIMIT
    elif result.failure:
        error, failure = f"the script ended the interpreter. {result.message}".strip(), CODE
    else:
        failure = LIMIT if limit else CODE if error else ""
    error = error.rstrip()
    told = "\n".join(filter(None, [_shortened(result.printed.strip()), f"Error: {error}" if error else ""]))
    last = error.rpartition("\n")[2]
    return Ran(told, failure, (f"out of {limit}: " if limit else "") + last[:MAX_MESSAGE_CHARS])


def _shortened(text: str) -> str:
    if len(text) <= MAX_PRINTED_CHARS:
        return text
    half = MAX_PRINTED_CHARS // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters are left out …]\n{text[-half:]}"


def _size(file: Path | bytes) -> int:
    return len(file) if isinstance(file, bytes) else file.stat().st_size


def _text(path: Path, max_bytes: int) -> tuple[str | None, str]:
    """The text of a file of foreign origin, or None and what is wrong with it."""
    size = path.stat().st_size
    if size > max_bytes:
        return None, f"{PREDICTION} has {size:,} bytes, at most {max_bytes:,} are read"
    try:
        return path.read_bytes().decode(), ""
    except UnicodeDecodeError as error:
        return None, f"{PREDICTION} is no text in UTF-8: byte {error.start}"


@cache
def check_place() -> None:
    """Look whether scripts can run here, before anything is paid for; nothing is started.

    Raises:
        MissingExtraError: a library is not installed.
        SandboxError: foreign code cannot be confined here.
    """
    for module in ("pandas", "sklearn", "pyarrow"):
        require_installed(module, "ds", "Running data-science code")
    check()


@per_process
def sandbox(settings: Settings) -> Sandbox:
    """The sandbox with the libraries imported; one in this process for all attempts under the same limits."""
    return Sandbox(PRELOAD, limits=settings.limits())


@per_process
def _workers() -> ThreadPoolExecutor:
    """Threads that wait for boxes: one a core, as runs beyond would only slow each other down to their time limit."""
    return ThreadPoolExecutor(CORES, thread_name_prefix="lse-gym-python-executor")
