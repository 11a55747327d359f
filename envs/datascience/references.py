"""Reference outputs of instruction-following questions: made in the sandbox, as they depend on library versions.

They are not part of the benchmark's data. Beside them ``references.json`` records the versions of the libraries: where
others are installed it is told.
"""

import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from lse_gym.envs.datascience.executor import CORES, Settings
from lse_gym.envs.datascience.layout import load_tasks
from lse_gym.envs.datascience.scoring import grade, make_truth
from lse_gym.envs.datascience.task import FOLLOWING, REFERENCE, Task
from lse_gym.envs.errors import ArgumentError, DataError
from lse_gym.envs.sandbox import Sandbox

RECORD = "references.json"
LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas")
PIPELINE = "lse_gym.envs.datascience.pipeline:reference"
CLEAN, FILTERED = "clean.csv", "filtered.csv"
ANY_WRITES = 0o222  # the bits of a mode that let somebody write
KEYS = (
    "target",
    "expected_ranges",
    "selected_features",
    "column_type_inference",
    "imputer_type",
    "model_type",
    "random_state",
    "save_file_type",
)  # of a question that can be run


class Made(NamedTuple):
    """What came of one question.

    Attributes:
        task: the question.
        model: the scikit-learn model of the reference run, "" where the question does not say.
        problem: why there is no output, or "".
        unlike_text: where doing what the question's text says gives other predictions, in what they differ; or "".
        before: "new", "same", or in what the output differs from the one that was there.
    """

    task: Task
    model: str = ""
    problem: str = ""
    unlike_text: str = ""
    before: str = "new"


def make_references(
    data_dir: str | os.PathLike[str], out: Path | None = None, check: bool = False, run_s: float = 200.0
) -> Iterator[Made]:
    """Run the reference pipeline of every instruction-following question, and write the outputs.

    Args:
        data_dir: directory in DARE-bench's layout.
        out: folder to write to; None writes where the benchmark's own scripts do, beside the data.
        check: compare with what is there, and write nothing.
        run_s: longest run of a pipeline, in seconds.

    Raises:
        DataError: the directory cannot be used.
        ArgumentError: it cannot be written to.
        SandboxError: foreign data cannot be handled safely here.
    """
    given = None if out is None or not out.is_dir() else out
    tasks = [task for task in load_tasks(data_dir, given)[0] if task.family in FOLLOWING]
    if not tasks:
        raise DataError(f"{os.fspath(data_dir)!r} has no instruction-following questions, that is no question_v1.")
    places = {task.id: _place(task, out) for task in tasks}
    if not check:
        _check_writable([*places.values(), *{_record_path(task, out) for task in tasks}], data_dir, out)
    preload = ("lse_gym.envs.datascience.pipeline", "pyarrow.parquet")
    with Sandbox(preload, limits=Settings(run_s).limits()) as place, ThreadPoolExecutor(CORES) as pool:
        runs = pool.map(lambda task: _run(task, place), tasks)
        for task, (made, text) in zip(tasks, runs, strict=True):
            before = task.truth.read_text(encoding="utf-8") if task.truth is not None else None
            if text is not None and before is not None:
                made = made._replace(before=_difference(task, text, before) or "same")
            if text is not None and not check:
                _write(places[task.id], text, _record_path(task, out), task)
            yield made


def stale(tasks: Sequence[Task]) -> str:
    """The versions that the reference outputs of tasks were made with, where they are not those installed; or ""."""
    found = dict.fromkeys(_made_with(task) for task in tasks if task.truth is not None)
    return "; ".join(filter(None, found))


def versions() -> dict[str, str]:
    """What reference outputs depend on: Python, the machine, and the libraries as installed."""
    return {"python": platform.python_version(), "machine": platform.machine()} | {
        name: told for name in LIBRARIES if (told := _version(name))
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _made_with(task: Task) -> str:
    assert task.truth is not None
    out = None if task.truth.parent.name == "verify" else task.truth.parents[1]
    record = _read(_record_path(task, out)).get(task.dataset)
    if record is None:
        return "unknown versions"
    here = versions()
    return ", ".join(f"{name} {told}" for name, told in record.items() if name in LIBRARIES and here.get(name) != told)


def _place(task: Task, out: Path | None) -> Path:
    return (task.folder / "verify" if out is None else out / task.dataset) / REFERENCE


def _record_path(task: Task, out: Path | None) -> Path:
    return (task.folder.parents[1] if out is None else out) / RECORD


def _check_writable(places: Iterable[Path], data_dir: str | os.PathLike[str], out: Path | None) -> None:
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    elif not all(_writable(place.parent) for place in places):
        raise ArgumentError(f"{os.fspath(data_dir)!r} cannot be written to. Pass --out a folder for the outputs.")


def _writable(folder: Path) -> bool:
    """Whether a folder may be written to: one that is marked read-only is left alone, also by root, who could."""
    return os.access(folder, os.W_OK) and bool(folder.stat().st_mode & ANY_WRITES)


def _inputs(task: Task, suffix: str) -> dict[str, Path]:
    names = (f"train_v1_no_err.{suffix}", f"train_v1.{suffix}", f"val_v1.{suffix}")
    return {name: task.folder / "source" / name for name in names}


def _question(task: Task) -> Mapping[str, Any]:
    """What the pipeline has to know. Raises DataError where the metadata does not say."""
    told = json.loads((task.folder / "verify" / "all_metadata.json").read_text(encoding="utf-8-sig"))["question"]
    if lacking := [key for key in KEYS if key not in told]:
        raise DataError(f"verify/all_metadata.json does not tell {', '.join(lacking)}")
    lacking = [name for name, path in _inputs(task, told["save_file_type"]).items() if not path.is_file()]
    if lacking:
        raise DataError(f"source/ has no {', '.join(lacking)}")
    return {key: told[key] for key in KEYS}


def _run(task: Task, place: Sandbox) -> tuple[Made, str | None]:
    """Run the pipeline of a question in a box; the output, or None with the problem told."""
    try:
        question = _question(task)
    except DataError as error:
        return Made(task, problem=str(error)), None
    box = place.open(_inputs(task, question["save_file_type"]))
    try:
        result = box.call(PIPELINE, {"question": question}).result()
        outputs = [box.file(name) for name in (CLEAN, FILTERED)]
    finally:
        box.close()
    made = Made(task, str(question["model_type"]))
    if result.failure or None in outputs:
        last = result.message.strip().rpartition("\n")[2]
        return made._replace(problem=f"the pipeline failed: {last or result.failure}"), None
    clean, filtered = (output.decode() for output in outputs if output is not None)
    return made._replace(unlike_text=_difference(task, filtered, clean)), clean


def _difference(task: Task, text: str, reference: str) -> str:
    """In what predictions differ from a reference, as they are scored; "" where they do not."""
    found = grade(text, make_truth(task.family, reference, task.targets))
    return "" if found.score == 1 else found.problem


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["made_with"]
        usable = all(isinstance(record, dict) for record in found.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return found if usable else {}


def _write(place: Path, text: str, record_path: Path, task: Task) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    made_with = _read(record_path) | {task.dataset: versions()}
    record_path.write_text(
        json.dumps({"made_with": dict(sorted(made_with.items()))}, indent=1) + "\n", encoding="utf-8"
    )
