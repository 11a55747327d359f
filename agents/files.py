"""Files that are whole or absent, whatever happens while they are written."""

import os
from pathlib import Path


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text beside ``path`` and move it into place."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
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
