"""Finding BIRD's and Spider's files in a directory, and saying everything that is wrong with it in one error.

Nothing here writes, and databases are judged by their first 100 bytes, because some of BIRD's are gigabytes.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeGuard

from lse_gym.envs.domain import Question
from lse_gym.envs.errors import MissingArgumentError
from lse_gym.envs.faults import Faults, shown

# Question file -> the folders beside it that may hold its databases, in order of preference.
QUESTION_FILES: dict[str, tuple[str, ...]] = {
    "dev.json": ("dev_databases", "databases", "database"),
    "mini_dev_sqlite.json": ("dev_databases", "databases", "database"),
    "train.json": ("train_databases", "databases", "database"),
    "train_spider.json": ("database", "databases", "train_databases"),
    "train_others.json": ("database", "databases", "train_databases"),
}
MAX_DEPTH = 2  # minidev.zip unpacks to minidev/MINIDEV/mini_dev_sqlite.json
EXCLUDE_FILES = ("exclude.txt", "exclude.json")
UNREAD = object()  # JSON has null, so None could be a file's content
SQLITE_MAGIC = b"SQLite format 3\0"
HEADER_BYTES = 100  # sqlite.org/fileformat2.html, section 1.3

HELP = """\
Download one of these, unpack it (and the dev_databases.zip or train_databases.zip inside it), and pass its folder:
  BIRD    https://bird-bench.github.io/            dev.zip, train.zip or minidev.zip
  Spider  https://yale-lily.github.io/spider       spider_data.zip
Expected, there or up to two folders further down, as in dev_20240627/ or minidev/MINIDEV/ (train.json goes with
train_databases/, mini_dev_sqlite.json with dev_databases/):
  BIRD                                       Spider
  path/to/dev/                               path/to/spider/
  ├── dev.json                               ├── dev.json, train_spider.json
  └── dev_databases/                         └── database/
      └── formula_1/                             └── concert_singer/
          └── formula_1.sqlite                       └── concert_singer.sqlite
Then: gym.make("LSE/BIRD-v0", data_dir="path/to/dev")"""


def data_root(data_dir: str | os.PathLike[str] | None, faults: Faults) -> Path:
    """The directory as an absolute path.

    Raises:
        MissingArgumentError: none is given.
        DataError: it is none.
    """
    if data_dir is None or not os.fspath(data_dir):
        raise MissingArgumentError(f"no data: data_dir names no directory.\n{HELP}")
    root = Path(os.path.expanduser(data_dir)).absolute()
    if not os.path.isdir(root):
        faults.add("no directory", "", f"{root} {'is not a directory' if os.path.lexists(root) else 'does not exist'}")
        faults.check(HELP)
    return root


def find_question_files(root: Path, faults: Faults) -> list[Path]:
    """The question files of the nearest level below ``root`` that has any, in the order of ``QUESTION_FILES``."""
    level = [root]
    for _ in range(MAX_DEPTH + 1):
        found = [folder / name for name in QUESTION_FILES for folder in level if os.path.isfile(folder / name)]
        if found:
            _report_ambiguous(root, found, faults)
            return found
        level = [child for folder in level for child in _subfolders(folder)]
    faults.add(
        "missing question files", "", f"none of {', '.join(QUESTION_FILES)} in {root} or {MAX_DEPTH} levels below"
    )
    return []


def _subfolders(folder: Path) -> list[Path]:
    """The folders inside ``folder`` worth looking into, by name; none where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return []
    return [folder / name for name in names if not name.startswith(".")]


def _report_ambiguous(root: Path, found: list[Path], faults: Faults) -> None:
    """Record files that would give two versions of the same questions."""
    by_name: dict[str, list[str]] = {}
    for path in found:
        # mini_dev_sqlite.json revises 500 questions of dev.json: both together would count them twice.
        name = "dev.json" if path.name == "mini_dev_sqlite.json" else path.name
        by_name.setdefault(name, []).append(relative(path, root))
    for paths in by_name.values():
        if len(paths) > 1:
            advice = "point data_dir at one folder, and keep one of dev.json and mini_dev_sqlite.json"
            faults.add("files of the same questions", ", ".join(paths), advice)


def relative(path: Path, root: Path) -> str:
    """A path below ``root`` as messages show it."""
    return path.relative_to(root).as_posix()


def _read_text(path: Path, name: str, faults: Faults) -> str | None:
    """The text of a file, or None with the fault recorded under its displayed ``name``."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        faults.add("unreadable files", name, f"byte {error.start} is not UTF-8")
    except OSError as error:
        faults.add("unreadable files", name, f"{error.strerror}")
    return None


def read_json(path: Path, name: str, faults: Faults) -> object:
    """The content of a JSON file, or `UNREAD` with the fault recorded under its displayed ``name``."""
    text = _read_text(path, name, faults)
    if text is None:
        return UNREAD
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        faults.add("unreadable files", f"{name}, line {error.lineno}, column {error.colno}", error.msg)
    except (RecursionError, ValueError) as error:  # nesting or a number beyond what Python's parser takes
        faults.add("unreadable files", name, f"{type(error).__name__}: {error}")
    return UNREAD


def record_faults(record: object, with_ids: bool) -> list[tuple[str, str]]:
    """What is wrong with one record, as pairs of the kind (a plural noun) and the fault."""
    if not isinstance(record, dict):
        return [("records of a wrong type", f"is {shown(record)}, expected an object")]
    gold = "SQL" if "SQL" in record else "query"
    required = ["db_id", "question", gold, *(["question_id"] if with_ids else [])]
    lacking = [repr(key) if key != "query" else "'SQL' (or 'query')" for key in required if key not in record]
    faults = [("records that lack keys", f"lacks {', '.join(lacking)}")] if lacking else []
    for key, optional in (("question", False), (gold, False), ("evidence", True), ("difficulty", True)):
        value = record.get(key)
        if key in record and not (_is_text(value, optional) or (optional and value is None)):
            expected = "text" if optional else "non-empty text"
            faults.append(("values of a wrong type", f"has {key}={shown(value)}, expected {expected}"))
    if with_ids and "question_id" in record and record_id(record, 0, with_ids) is None:
        given = shown(record["question_id"])
        faults.append(("values of a wrong type", f"has question_id={given}, expected an integer or a word without '#'"))
    if "db_id" in record and not is_database_name(record["db_id"]):
        faults.append(("invalid database names", f"has db_id={shown(record['db_id'])}, expected one plain folder name"))
    return faults


def record_id(record: object, index: int, with_ids: bool) -> str | None:
    """The id of a record: its ``question_id`` where the file has them, else its index; None where that is invalid."""
    value = index if not with_ids else record.get("question_id") if isinstance(record, dict) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    # An exclusion file names ids one a line, with comments after '#'.
    return value if _is_text(value, False) and re.fullmatch(r"[^\s#]+", value) else None


def to_question(id_: str, record: Mapping[str, str | None]) -> Question:
    """The question of a record without faults."""
    gold = record["SQL"] if "SQL" in record else record["query"]
    texts = record["question"], gold, record.get("evidence"), record.get("difficulty")
    return Question(id_, *((text or "").strip() for text in texts))


def _is_text(value: object, may_be_empty: bool) -> TypeGuard[str]:
    """Whether a value is text that can be written as UTF-8: JSON can smuggle in half a surrogate pair."""
    return isinstance(value, str) and bool(may_be_empty or value.strip()) and not re.search(r"[\ud800-\udfff]", value)


def read_exclusions(
    exclude: str | os.PathLike[str] | None, root: Path, folders: Iterable[Path], faults: Faults
) -> set[str]:
    """The excluded ids of the given file, or without one, of those that lie in the root or the folders."""
    if exclude is not None:
        return _read_ids(Path(os.path.expanduser(exclude)), os.fspath(exclude), faults)
    paths = [folder / name for folder in dict.fromkeys([root, *folders]) for name in EXCLUDE_FILES]
    return set().union(*(_read_ids(path, relative(path, root), faults) for path in paths if os.path.isfile(path)))


def _read_ids(path: Path, name: str, faults: Faults) -> set[str]:
    """The ids in an exclusion file: JSON by its suffix, else one a line."""
    if path.suffix.lower() != ".json":
        lines = (_read_text(path, name, faults) or "").splitlines()
        return {line.partition("#")[0].strip() for line in lines} - {""}
    ids = read_json(path, name, faults)
    if isinstance(ids, (list, dict)) and all(isinstance(i, (int, str)) and not isinstance(i, bool) for i in ids):
        return {str(i) for i in ids}
    if ids is not UNREAD:
        faults.add("exclusions", "", f"{name} holds {shown(ids)}, expected a list of ids, or an object of id to reason")
    return set()


def is_database_name(name: object) -> bool:
    """Whether a ``db_id`` is one plain folder name: letters, digits, ``_.-`` and single inner spaces, no ``..``."""
    return isinstance(name, str) and bool(re.fullmatch(r"(?!\.+$)[A-Za-z0-9_.\-]+( [A-Za-z0-9_.\-]+)*", name))


def locate_database(question_file: Path, name: str) -> Path:
    """Where the database of a question file lies, or the place where it was expected.

    ``name`` must be a plain folder name (`is_database_name`), so the path is below the directory. Links in it are
    followed wherever they lead, because people link large databases into place; `database_fault` then insists on a
    regular file with SQLite's header.
    """
    folders = [question_file.parent / folder for folder in QUESTION_FILES[question_file.name]]
    paths = [folder / name / f"{name}.sqlite" for folder in folders]
    present = [path for path in paths if os.path.lexists(path)]
    expected = [path for path, folder in zip(paths, folders, strict=True) if os.path.isdir(folder)]
    return (present or expected or paths)[0]


def database_fault(path: Path) -> str:
    """What is wrong with a database file, judged by its header alone; empty when nothing is."""
    if not os.path.isfile(path):
        return "is not a regular file"
    try:
        with path.open("rb") as file:
            header, size_bytes = file.read(HEADER_BYTES), os.fstat(file.fileno()).st_size
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not header:
        return "is empty"
    if not header.startswith(SQLITE_MAGIC):
        return "is not a SQLite database"
    # The page count counts only if the two change counters agree; SQLite itself calls a shorter file malformed.
    page_bytes = int.from_bytes(header[16:18]) if header[16:18] != b"\0\1" else 65_536
    expected_bytes = page_bytes * int.from_bytes(header[28:32]) if header[24:28] == header[92:96] else HEADER_BYTES
    return f"is cut short: {size_bytes:,} of {expected_bytes:,} bytes" if size_bytes < expected_bytes else ""
