"""Scratch directories: made, filled, read and removed from outside, never through a link that a box has put there."""

import itertools
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from lse_gym.envs.sandbox import kernel
from lse_gym.envs.sandbox.frames import Message

MAX_FILES = 4096  # in memory
MAX_DEPTH = 32  # of folders on disk
BLOCK = 4096  # bytes that a name counts for, on disk
LEISURE = 10  # times as long as it took to look, until looking again
COPY_BYTES = 1 << 22
REMOVED = ".removed-"


class Scratch:
    """A directory that holds so many bytes: in memory where it can be mounted, else on disk and watched."""

    def __init__(self, path: str, max_bytes: int, memory: bool):
        self.path = path
        self._max_bytes, self._memory = max_bytes, memory
        self._next_look = 0.0
        os.mkdir(path, 0o700)
        if memory:
            kernel.mount_memory(path, max_bytes, MAX_FILES)
        self._directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)

    def fill(self, message: Message) -> None:
        """Write what came with a message: ``head["names"]`` are pairs of name and bytes, or -1 for an open file.

        Raises:
            OSError: it does not fit.
        """
        files, start = iter(message.files), 0
        for name, size in message.head["names"]:
            parts = PurePosixPath(name).parts
            with _Directory(self._directory, parts[:-1], make=True) as folder:
                target = os.open(parts[-1], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
            try:
                if size < 0:
                    _copy(next(files), target)
                else:
                    _write(target, message.body[start : start + size])
                    start += size
            finally:
                os.close(target)

    def read(self, name: str) -> bytes | None:
        """A regular file in it, or None."""
        parts = PurePosixPath(name).parts
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        with (
            suppress(OSError, ValueError),
            _Directory(self._directory, parts[:-1]) as folder,
            open(os.open(parts[-1], flags, dir_fd=folder), "rb") as file,
        ):
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file.read(self._max_bytes)
        return None

    def over(self) -> bool:
        """Whether it was found to hold too much; a file system in memory cannot, a folder is looked at now and then."""
        start = time.monotonic()
        if self._memory or start < self._next_look:
            return False
        found = _size(self._directory, self._max_bytes)
        self._next_look = start + LEISURE * (time.monotonic() - start)
        return found > self._max_bytes

    def remove(self) -> None:
        """Remove it with all that is in it."""
        os.close(self._directory)
        if self._memory:
            kernel.unmount(self.path)
        remove(self.path)


class _Directory:
    """A descriptor of a folder below another, no part of the way being a link."""

    def __init__(self, start: int, parts: tuple[str, ...], make: bool = False):
        self._start, self._parts, self._make = start, parts, make

    def __enter__(self) -> int:
        here = os.dup(self._start)
        for part in self._parts:
            try:
                if self._make:
                    with suppress(FileExistsError):
                        os.mkdir(part, 0o700, dir_fd=here)
                inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            finally:
                os.close(here)
            here = inner
        self._here = here
        return here

    def __exit__(self, *error: object) -> None:
        os.close(self._here)


def _copy(source: int, target: int) -> None:
    while os.sendfile(target, source, None, COPY_BYTES):
        pass


def _write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


def _size(directory: int, most: int, depth: int = MAX_DEPTH) -> int:
    """Bytes on disk of all that is in a folder, a block for each name; more than ``most`` if it is too deep."""
    total = 0
    with os.scandir(directory) as entries:
        for entry in entries:
            total += BLOCK
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    with _Directory(directory, (entry.name,)) as inner:
                        total += _size(inner, most - total, depth - 1) if depth else most
                else:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
            if total > most:
                break
    return total


def remove(path: str) -> None:
    """Remove a folder with all that is in it, however deep: what is in inner folders is moved up first."""
    with suppress(OSError):
        top, moved = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW), itertools.count()
        try:
            while names := os.listdir(top):
                for name in names:
                    _empty(top, name, moved)
        finally:
            os.close(top)
        os.rmdir(path)


def _empty(top: int, name: str, moved: Iterator[int]) -> None:
    """Remove a file, or a folder whose inner folders are moved to the top."""
    try:
        os.unlink(name, dir_fd=top)
    except IsADirectoryError:
        with _Directory(top, (name,)) as folder:
            for inner in os.listdir(folder):
                try:
                    os.unlink(inner, dir_fd=folder)
                except IsADirectoryError:
                    os.rename(inner, f"{REMOVED}{next(moved)}", src_dir_fd=folder, dst_dir_fd=top)
        os.rmdir(name, dir_fd=top)


def checked_names(files: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same, if all names stay inside.

    Raises:
        ValueError: one is absolute, empty or goes up.
    """
    for name in files:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\0" in name:
            raise ValueError(
                f"{name!r} is not a name inside of a scratch directory. Give a relative one, as 'data/a.csv'."
            )
    return files
