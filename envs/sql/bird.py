"""Questions and databases from a BIRD or Spider directory on disk, read without writing a byte to it.

**Layouts**, found by themselves in ``data_dir`` or up to two folders below it: BIRD (``dev.json`` or
``mini_dev_sqlite.json`` with ``dev_databases/``, ``train.json`` with ``train_databases/``) and Spider (``dev.json``,
``train_spider.json``, ``train_others.json`` with ``database/``); a database is ``<db_id>/<db_id>.sqlite``, the gold
query is ``SQL`` or ``query``. A question's id is its ``question_id``, else its index in the file; where several files
are loaded it is prefixed, ``dev/17``. Of several files, one without any of its databases is left out.

**Exclusion.** BIRD has wrong gold queries: 91 of Mini-Dev's 500 by the panel of AlibabaResearch/DAMO-ConvAI issue 39.
Name them in ``exclude``: one id per line with the reason after ``#``, or JSON (a list of ids, or an object of id to
reason). Without the argument, ``exclude.txt`` and ``exclude.json`` in ``data_dir`` and beside the question files are
used; an empty file as the argument uses none. Where one file is loaded, ``17`` and ``dev/17`` name the same question.
"""

import os
import re
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from lse_gym.envs.domain import Question
from lse_gym.envs.errors import DataError
from lse_gym.envs.faults import Faults, shown
from lse_gym.envs.sql import layout
from lse_gym.envs.sql.layout import HELP, relative

# What is never closed goes on to the end: to look for its end from every beginning would take quadratic time.
DDL_TOKEN = re.compile(
    r"""'[^']*'?|"[^"]*"?|`[^`]*`?|\[[^\]]*\]?|--[^\n]*|/\*.*?(?:\*/|\Z)|\s+|[^\s'"`\[/-]+|.""", re.DOTALL
)


class Database(NamedTuple):
    """One SQLite file and the questions about it, in the order of their file."""

    name: str
    path: Path
    questions: tuple[Question, ...]


@dataclass
class _File:
    """What one question file gave: ids met, questions (with these bare ids) and database files by database name."""

    path: Path
    faults: Faults
    ids: set[str] = field(default_factory=set)
    questions: dict[str, list[Question]] = field(default_factory=dict)
    databases: dict[str, Path] = field(default_factory=dict)


def load_directory(
    data_dir: str | os.PathLike[str] | None, *, exclude: str | os.PathLike[str] | None = None
) -> dict[str, Database]:
    """Load every question of a BIRD or Spider directory, by database name in alphabetical order.

    Args:
        data_dir: the directory, in one of the layouts above.
        exclude: file of question ids to leave out; None uses the directory's own, if any.

    Raises:
        DataError: naming everything that is wrong with the directory and the exclusion file, and what to download.
    """
    faults = Faults(f"data_dir={data_dir and os.fspath(data_dir)!r}")
    root = layout.data_root(data_dir, faults)
    files = [_read_file(path, root) for path in layout.find_question_files(root, faults)]
    if any(file.databases for file in files):
        files = [file for file in files if file.databases or not file.ids]
    for file in files:
        faults.take(file.faults)
    excluded = layout.read_exclusions(exclude, root, [file.path.parent for file in files], faults)
    databases = _gather(files, root, excluded, faults)
    faults.check(HELP)
    return databases


def schema_text(path: Path) -> str:
    """Return the CREATE statements of a database's tables and views, in creation order, with whitespace tidied.

    Names, literals and comments are kept as written; SQLite's internal tables are left out. The file is opened
    read-only and as immutable, so no journal appears beside it.

    Raises:
        DataError: the file is not a readable SQLite database.
    """
    query = "SELECT sql FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            statements = [row[0] for row in connection.execute(f"{query} ORDER BY rowid")]
    except sqlite3.Error as error:
        raise DataError(
            f"{str(path)!r} cannot be read as a SQLite database: {error}. Unpack it again from the downloaded archive."
        ) from error
    return "\n".join(map(_tidy, statements))


def _read_file(path: Path, root: Path) -> _File:
    """Read one question file and look up the databases it names; what is wrong is recorded, not raised."""
    name = relative(path, root)
    file = _File(path, Faults(name))
    records = layout.read_json(path, name, file.faults)
    if not isinstance(records, list) or not records:
        if records is not layout.UNREAD:
            file.faults.add("question files that are not a list of records", "", f"{name} holds {shown(records)}")
        return file
    with_ids = any(isinstance(record, dict) and "question_id" in record for record in records)
    named: Counter[str] = Counter()
    for index, record in enumerate(records):
        wrong = layout.record_faults(record, with_ids)
        for kind, fault in wrong:
            file.faults.add(f"{kind} in {name}", "", f"record {index} {fault}")
        id_ = layout.record_id(record, index, with_ids)
        if id_ in file.ids:
            file.faults.add(f"duplicate ids in {name}", "", f"record {index} repeats question_id {id_!r}")
        elif id_ is not None:
            file.ids.add(id_)
        if isinstance(record, dict) and layout.is_database_name(record.get("db_id")):
            named[record["db_id"]] += 1
        if not wrong and id_ is not None:
            file.questions.setdefault(record["db_id"], []).append(layout.to_question(id_, record))
    for database, count in named.items():
        _find_database(file, database, count, root)
    return file


def _find_database(file: _File, name: str, count: int, root: Path) -> None:
    """Look up one database of a question file and check its header."""
    path = layout.locate_database(file.path, name)
    if not os.path.lexists(path):
        folder = path.parent.parent
        archive = folder.with_name(f"{folder.name}.zip")
        hint = f"; {archive.name} is not unpacked" if archive.exists() and not folder.exists() else ""
        file.faults.add("missing databases", "", f"{relative(path, root)} ({count} questions{hint})")
        return
    file.databases[name] = path
    if fault := layout.database_fault(path):
        file.faults.add("unusable database files", "", f"{relative(path, root)} {fault}")


def _gather(files: Sequence[_File], root: Path, excluded: set[str], faults: Faults) -> dict[str, Database]:
    """Join the files' questions by database under their final ids, without the excluded ones."""
    found: dict[str, Database] = {}
    left = set(excluded)
    for file in files:
        stem = file.path.stem
        prefix = f"{stem}/" if len(files) > 1 else ""
        left -= {f"{stem}/{id_}" for id_ in file.ids} | {prefix + id_ for id_ in file.ids}
        for name, path in file.databases.items():
            before = found.get(name, Database(name, path, ()))
            if before.path != path:
                paths = f"{relative(before.path, root)} and {relative(path, root)}"
                faults.add("databases of the same name", paths, "keep one, or point data_dir at one folder")
            every = file.questions.get(name, ())
            kept = [q for q in every if excluded.isdisjoint((f"{stem}/{q.id}", prefix + q.id))]
            if kept:
                questions = (q._replace(id=prefix + q.id) for q in kept)
                found[name] = before._replace(questions=(*before.questions, *questions))
    if files and all(file.ids for file in files):  # next to a file that cannot be read, an id may only seem unknown
        for id_ in sorted(left):
            faults.add("excluded ids that no question has", "", shown(id_))
    if not found and not faults:
        faults.add("exclusions", "", "every question is excluded")
    return dict(sorted(found.items()))


def _tidy(statement: str) -> str:
    """Drop blank lines and runs of spaces from a CREATE statement, outside of names, literals and comments."""
    parts = []
    for token in DDL_TOKEN.findall(statement.strip()):
        if token.isspace():
            _, newline, indent = token.rpartition("\n")
            parts.append("\n    " if newline and indent else newline or " ")
        else:
            parts.append(token.rstrip() if token.startswith("--") else token)
    end = "\n;" if parts and parts[-1].startswith("--") else ";"
    return "".join(parts) + end
