"""What has changed in a folder since it was looked at last, as data that brings another folder up to date."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from lse_gym.envs.cache import write_whole
from lse_gym.envs.errors import DataError

JOURNAL = "trajectory.jsonl"  # read first and written last: whatever it tells of is in the other files by then


class Change(NamedTuple):
    """The bytes of a file from ``offset`` on; None where the file is gone."""

    name: str
    offset: int
    data: bytes | None


class Watch:
    """A folder, and what was seen of it; files whose name begins with a dot are left out."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._seen: dict[str, tuple[int, int, int]] = {}  # inode, size and time of change

    def changes(self) -> list[Change]:
        """What has changed since the last call: of a file that grew, what was added."""
        found = []
        names = {p.relative_to(self.folder).as_posix() for p in self.folder.rglob("[!.]*") if _is_own(p)}
        for name in sorted(names, key=lambda name: (name != JOURNAL, name)):
            try:
                with (self.folder / name).open("rb") as file:
                    now, before = os.fstat(file.fileno()), self._seen.get(name)
                    if before == (now.st_ino, now.st_size, now.st_mtime_ns):
                        continue
                    grown = before and before[0] == now.st_ino and before[1] < now.st_size
                    offset = before[1] if before and grown else 0
                    file.seek(offset)
                    found.append(Change(name, offset, file.read(now.st_size - offset)))
            except FileNotFoundError:  # replaced or deleted at this moment: the next call tells
                continue
            self._seen[name] = (now.st_ino, now.st_size, now.st_mtime_ns)
        gone = self._seen.keys() - names
        for name in gone:
            del self._seen[name]
        return [*found, *(Change(name, 0, None) for name in sorted(gone))]


def _is_own(path: Path) -> bool:
    """Whether it is a file of the folder itself; a link may point at anything."""
    return path.is_file() and not path.is_symlink()


def apply(folder: Path, changes: Iterable[Change]) -> None:
    """Bring a folder up to date.

    Raises:
        DataError: a name leads out of it.
    """
    for name, offset, data in sorted(changes, key=lambda change: change.name == JOURNAL):
        path = folder / name
        if Path(name).is_absolute() or ".." in Path(name).parts or path.is_symlink():
            raise DataError(f"A worker sent the file {name!r}, which is not inside of its folder.")
        if data is None:
            path.unlink(missing_ok=True)
        elif offset == 0:
            write_whole(path, data)
        else:
            with path.open("r+b") as file:
                file.seek(offset)
                file.write(data)
