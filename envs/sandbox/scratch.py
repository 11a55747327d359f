"""Scratch directories: made, filled, read and removed from outside, never through a link that a box has put there."""

import os
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from lse_gym.envs.sandbox import kernel
from lse_gym.envs.sandbox.frames import Message

MAX_FILES = 4096
COPY_BYTES = 1 << 22


class Scratch:
    """A directory that holds so many bytes: in memory where it can be mounted, else on disk and watched."""

    def __init__(self, path: str, max_bytes: int, memory: bool):
        self.path = path
        self._max_bytes, self._memory = max_bytes, memory
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
        """Whether it holds too much; a file system in memory cannot."""
        return not self._memory and _size(self._directory) > self._max_bytes

    def remove(self) -> None:
        """Remove it with all that is in it."""
        os.close(self._directory)
        if self._memory:
            kernel.unmount(self.path)
        shutil.rmtree(self.path, ignore_errors=True)


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


def _size(directory: int) -> int:
    """Bytes on disk, a block for each entry; more than can be held once there are too many entries."""
    total = entries = 0
    for _, folders, names, here in os.fwalk(dir_fd=directory):
        entries += len(folders) + len(names)
        if entries > MAX_FILES:
            return 1 << 62
        for name in names:
            with suppress(OSError):
                total += os.stat(name, dir_fd=here, follow_symlinks=False).st_blocks * 512
    return total


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
