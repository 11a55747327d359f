"""Finding DARE-bench's tasks in a directory, and saying everything that is wrong with it in one error.

A directory holds ``question_list.json`` beside ``databases/<file_path>/{source,verify}``; it is found by itself in
``data_dir`` or up to two folders below (``data/eval``, ``data/train``). Layout: github Snowflake-Labs/dare-bench,
commit 0144714. Nothing here writes, imports pandas or opens a database: files are judged by their first bytes.
"""

import csv
import os
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from lse_gym.envs.datascience.licences import read_licences
from lse_gym.envs.datascience.problems import HELP, Problems, read_json
from lse_gym.envs.datascience.task import FAMILIES, FOLLOWING, REFERENCE, VERSIONS, Task, is_file_name
from lse_gym.envs.errors import MissingArgumentError
from lse_gym.envs.faults import Faults, shown
from lse_gym.envs.text import has_halves

QUESTIONS = "question_list.json"
MAX_DEPTH = 2  # data/eval/question_list.json
KINDS = tuple(dict.fromkeys(kind for kind, _ in FAMILIES))
MAGIC: Mapping[str, bytes] = {".sqlite": b"SQLite format 3\0", ".parquet": b"PAR1"}
DESCRIPTION = "metadata.txt"  # of the columns; part of every task, whether a list names it or not


def load_tasks(
    data_dir: str | os.PathLike[str] | None,
    references: str | os.PathLike[str] | None = None,
    skip_broken: bool = False,
) -> tuple[list[Task], Problems]:
    """Every question of a directory, in the order of its files.

    Args:
        data_dir: the directory.
        references: folder of reference outputs that were not written beside the data.
        skip_broken: leave out datasets that are missing or broken, instead of refusing the directory.

    Returns:
        The tasks, and what is wrong with the datasets left out.

    Raises:
        DataError: naming everything that is wrong, and what to download.
    """
    problems = Problems(f"data_dir={data_dir and os.fspath(data_dir)!r}")
    root = _root(data_dir, problems)
    lists = [] if root is None else find_lists(root)
    if root is not None and not lists:
        problems.add("missing question lists", "", f"no {QUESTIONS} in {root} or {MAX_DEPTH} levels below")
    licences = {} if root is None else read_licences(root)
    made = None if references is None else Path(os.path.expanduser(references)).absolute()
    if made is not None and not made.is_dir():
        problems.add("missing references", "", f"references={shown(str(references))} is no directory")
    tasks: dict[str, list[Task]] = {}
    for path in lists:
        for record in _records(path, problems):
            _add(tasks, _tasks(record, path.parent, licences, made, problems), problems)
    found = [task for several in tasks.values() for task in several]
    if problems and not (skip_broken and found and problems.only_datasets):
        problems.check(HELP)
    return found, problems


def find_lists(root: Path) -> list[Path]:
    """The question lists of the nearest level below ``root`` that has any, by path."""
    level = [root]
    for _ in range(MAX_DEPTH + 1):
        found = [folder / QUESTIONS for folder in level if (folder / QUESTIONS).is_file()]
        if found:
            return found
        level = [child for folder in level for child in _folders(folder)]
    return []


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    except OSError:
        return []


def _root(data_dir: str | os.PathLike[str] | None, problems: Problems) -> Path | None:
    if data_dir is None or not os.fspath(data_dir):
        raise MissingArgumentError(f"no data: data_dir names no directory.\n{HELP}")
    root = Path(os.path.expanduser(data_dir)).absolute()
    if root.is_dir():
        return root
    problems.add("no directory", "", f"{root} {'is not a directory' if root.exists() else 'does not exist'}")
    return None


def _records(path: Path, problems: Problems) -> list[dict]:
    """The records of a question list whose shape is right."""
    content = read_json(path, problems)
    if content is None:
        return []
    if not isinstance(content, list) or not content:
        problems.add("question lists that are no list of records", "", str(path))
        return []
    for index, record in enumerate(content):
        if fault := _record_fault(record):
            problems.add(f"records of {path} that cannot be read", "", f"record {index} {fault}")
    return [record for record in content if not _record_fault(record)]


def _record_fault(record: object) -> str:
    if not isinstance(record, dict):
        return f"is {shown(record)}, expected an object"
    if not is_file_name(record.get("file_path")):
        return f"has file_path {shown(record.get('file_path'))}, expected the name of a folder"
    if record.get("task") not in KINDS:
        return f"has task {shown(record.get('task'))}, expected one of {', '.join(KINDS)}"
    asked = [version for version in VERSIONS if record.get(f"question_{version}")]
    if not asked or not all(isinstance(record[f"question_{version}"], str) for version in asked):
        return "has no text question_v1 or question_v2"
    if any(has_halves(record[f"question_{version}"]) for version in asked):
        return "has half of a character in a question"
    for version in asked:
        files = record.get(f"needed_files_{version}")
        if not isinstance(files, list) or not files or not all(map(is_file_name, files)):
            return f"has needed_files_{version} {shown(files)}, expected a list of file names"
    return ""


def _add(tasks: dict[str, list[Task]], new: list[Task], problems: Problems) -> None:
    for task in new[:1]:
        if task.dataset in tasks:
            where = f"{tasks[task.dataset][0].folder} and {task.folder}"
            problems.add("datasets of the same name", "", f"{task.dataset}: {where}; point data_dir at one of them")
        tasks[task.dataset] = new


def _tasks(
    record: Mapping[str, Any], root: Path, licences: Mapping[str, str], made: Path | None, problems: Problems
) -> list[Task]:
    """The questions of one record; none where anything about its dataset is wrong, which is recorded."""
    name, folder = record["file_path"], root / "databases" / record["file_path"]
    if not folder.is_dir():
        problems.add_dataset("missing datasets", name, "no such folder in databases/")
        return []
    known = Faults(name)
    metadata = _metadata(folder, record["task"], known)
    tasks = []
    for version in VERSIONS:
        if record.get(f"question_{version}"):
            family = FAMILIES[record["task"], version]
            names = dict.fromkeys([*record[f"needed_files_{version}"], DESCRIPTION])
            files = {file: folder / "source" / file for file in names}
            truth = _truth(folder, family, version, made)
            tasks.append(
                Task(
                    name,
                    family,
                    record[f"question_{version}"],
                    files,
                    truth,
                    tuple(metadata.get("target", ())),
                    folder,
                    licences.get(name) or metadata.get("licence", ""),
                )
            )
    for fault in dict.fromkeys(
        [*chain.from_iterable(known.found.values()), *(fault for task in tasks for fault in _faults(task))]
    ):
        problems.add_dataset("broken datasets", name, fault)
        tasks = []
    return tasks


def _metadata(folder: Path, kind: str, faults: Faults) -> dict[str, Any]:
    """The targets and the licence that ``all_metadata.json`` tells."""
    content = read_json(folder / "verify" / "all_metadata.json", faults, "verify/all_metadata.json")
    question = content.get("question") if isinstance(content, dict) else None
    if content is None:
        return {}
    if not isinstance(content, dict) or not isinstance(question, dict):
        faults.add("metadata", "", "verify/all_metadata.json has no object 'question'")
        return {}
    targets = question.get("target")
    targets = [targets] if isinstance(targets, str) else targets
    if not isinstance(targets, list) or not targets or not all(isinstance(one, str) and one for one in targets):
        faults.add("metadata", "", f"verify/all_metadata.json has target {shown(targets)}, expected names of columns")
        return {}
    if question.get("problem_type") != kind:
        told = shown(question.get("problem_type"))
        faults.add("metadata", "", f"verify/all_metadata.json says problem_type {told}, the question list {kind!r}")
    info = content.get("data_info")
    licence = info.get("licenseName") if isinstance(info, dict) else ""
    return {"target": targets, "licence": licence if isinstance(licence, str) else ""}


def _truth(folder: Path, family: str, version: str, made: Path | None) -> Path | None:
    """What predictions are compared with; None where it is a reference output that was never made."""
    verify = folder / "verify"
    if family in FOLLOWING:
        places = ([made / folder.name] if made else []) + [verify]
        return next((place / REFERENCE for place in places if (place / REFERENCE).is_file()), None)
    return verify / (f"ground_truth_{version}.csv" if family.startswith("ts_") else "ground_truth.csv")


def _faults(task: Task) -> Iterable[str]:
    """What is wrong with the files of a task."""
    for name, path in task.files.items():
        if fault := _file_fault(path):
            yield f"source/{name} {fault}"
    if task.truth is not None:
        name = f"{task.truth.parent.name}/{task.truth.name}"
        yield from (f"{name} {fault}" for fault in _table_faults(task.truth, task.targets))


def _file_fault(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    magic = MAGIC.get(path.suffix, b"")
    if not head:
        return "is empty"
    return "" if head.startswith(magic) else f"is no {path.suffix[1:]} file"


def _table_faults(path: Path, targets: Iterable[str]) -> list[str]:
    """What is wrong with a table of truths, by its first two rows."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            header, first = next(rows, []), next(rows, None)
    except (OSError, ValueError, csv.Error) as error:
        return [f"cannot be read: {getattr(error, 'strerror', None) or error}"]
    lacking = [f"has no column {target!r}" for target in targets if target not in header]
    return lacking or ([] if first is not None else ["has no rows"])
