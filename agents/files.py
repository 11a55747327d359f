"""Files that are whole or absent, whatever happens while they are written."""

import json
import os
import re
import tempfile
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from lse_gym.envs.cache import beside, write_whole
from lse_gym.envs.errors import DataError, RunDirectoryError

try:
    import fcntl
except ImportError:  # Windows: two processes in one directory, or two hosts of one board, are not noticed there
    fcntl = None

T = TypeVar("T")


def check_out(path: str | os.PathLike[str]) -> None:
    """Check that a directory can be made and written at ``path``, before any work is done for it; leaves nothing there.

    Raises:
        RunDirectoryError: it is a file or below one, on a disk that is full or only for reading, or not the user's.
    """
    path = Path(path)
    there = next(one for one in (path, *path.absolute().parents) if os.path.lexists(one))
    try:
        with tempfile.NamedTemporaryFile(dir=there, prefix=".lse-gym-") as file:
            file.write(b"\n" * 4096)
            file.flush()
    except OSError as error:
        why = f"{str(there)!r} is a file" if isinstance(error, NotADirectoryError) else error.strerror
        raise RunDirectoryError(f"out={str(path)!r} cannot be written: {why}. Pass another --out.") from None


def folder_name(name: str) -> str:
    """What a folder is called after an agent or a run, without what a system or a shell has another use for.

    >>> folder_name("my_agents: Mine"), folder_name("..")
    ('my_agents_Mine', '_')
    """
    return re.sub(r"[^\w=.,-]+|^\.+$", "_", name)[:100]


def own_folder(name: str) -> str:
    """The same of a name that a file or a host gives: where it is changed, a digest tells it from others.

    >>> own_folder("clinic-0"), own_folder("../..")
    ('clinic-0', '.._..-0cfd1c96')
    """
    plain = folder_name(name)
    return name if plain == name else f"{plain}-{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


@contextmanager
def held(folder: str | os.PathLike[str]) -> Generator[None]:
    """Hold a directory against other processes that would write a run there.

    Raises:
        RunDirectoryError: another process holds it.
    """
    told = RunDirectoryError(f"another process is writing to {os.fspath(folder)!r}. Wait for it.")
    with held_file(Path(folder) / ".lock", told):
        yield


@contextmanager
def held_file(path: Path, otherwise: Exception) -> Generator[None]:
    """Hold a file, made when missing, that one process holds at a time; raises ``otherwise`` where another does."""
    with open(path, "wb") as lock:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise otherwise from None
        yield


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text, line breaks as they are, at one stroke; into a folder that is there."""
    write_whole(Path(path), text.encode(), parents=False)


def write_rows(path: str | os.PathLike[str], rows: Iterable[NamedTuple]) -> None:
    """Write named tuples as JSON lines."""
    write_text(path, "".join(json.dumps(row._asdict()) + "\n" for row in rows))


def read_rows(
    path: str | os.PathLike[str], kind: type[T], wrong: Callable[[T], str], what: str, made_by: str
) -> list[T]:
    """Read what :func:`write_rows` wrote.

    Args:
        path: the file.
        kind: the named tuple.
        wrong: what is wrong with one, or "".
        what: what they are called, all together.
        made_by: the command that writes such a file.

    Raises:
        DataError: the file cannot be read, a line is none, or there is no line.
    """
    try:
        rows = [kind(**json.loads(line)) for line in Path(path).read_text(encoding="utf-8").split("\n") if line.strip()]
        problem = next(filter(None, map(wrong, rows)), "")
        if problem:
            raise ValueError(problem)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{os.fspath(path)!r} is no file of {what}: {error}. `{made_by}` writes one.") from None
    if not rows:
        raise DataError(f"{os.fspath(path)!r} holds no {what}.")
    return rows


def write_new(path: str | os.PathLike[str], data: bytes, mode: int = 0o666) -> bool:
    """Write a file that is not there yet, down to the disk, and move it into place; one that is there stays.

    Args:
        path: where to write.
        data: its bytes.
        mode: permissions, less the process's umask.

    Returns:
        Whether it was written.

    Raises:
        OSError: the disk is full, a limit was met, or the directory cannot be written; nothing is left behind.
    """
    path = Path(path)
    temporary = beside(path)
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return move_new(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def move_new(temporary: Path, path: Path) -> bool:
    """Move a finished file into place unless one is there already; returns whether it was moved."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    temporary.unlink()
    return True


def read_object(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The JSON object that a file of a run holds.

    Raises:
        RunDirectoryError: the file is not there, or damaged.
    """
    path = Path(path)
    try:
        return _object(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, error) from None


def read_objects(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The JSON objects that a file of a run holds, one a line.

    Raises:
        RunDirectoryError: the file is not there, or a line of it is damaged.
    """
    path, number = Path(path), 0
    try:
        rows = []
        for number, line in enumerate(path.read_bytes().split(b"\n"), 1):  # noqa: B007 - for the message
            rows += [_object(line)] if line.strip() else []
        return rows
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, error, f", line {number}" * bool(number)) from None


def _object(data: bytes) -> dict[str, Any]:
    value = json.loads(data)
    if not isinstance(value, dict):
        raise ValueError(f"it holds a {type(value).__name__}, expected an object")
    return value


def _damaged(path: Path, error: Exception, where: str = "") -> RunDirectoryError:
    return RunDirectoryError(
        f"{str(path)!r}{where} cannot be read as a file of a run: {error}. Restore it, or start a new run elsewhere."
    )
