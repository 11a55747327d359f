"""Landlock: which files a process and all that comes of it may read and change; the kernel's own, for anyone.

https://docs.kernel.org/userspace-api/landlock.html
"""

import os
import struct
from collections.abc import Iterable
from contextlib import suppress

from lse_gym.envs.sandbox.kernel import LIBC, syscall

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls, alike on all machines
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_FILE = 1 << 4, 1 << 5, 1 << 7, 1 << 8
MAKE_DEVICES = 1 << 6 | 1 << 11
MAKE_SOCKET, MAKE_PIPE, MAKE_LINK = 1 << 9, 1 << 10, 1 << 12
REFER, TRUNCATE, IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
OF_FIRST, EVERYTHING = (1 << 13) - 1, (1 << 16) - 1
SINCE = {2: REFER, 3: TRUNCATE, 5: IOCTL_DEVICE}  # version -> right that it added
READ = READ_FILE | READ_DIR
MAKE = MAKE_DIR | MAKE_FILE | MAKE_SOCKET | MAKE_PIPE | MAKE_LINK
WRITE = WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE | REFER | TRUNCATE
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEVICE
TCP = 0b11  # bind and connect, from version 4 on
SCOPES = 0b11  # abstract Unix sockets and signals of others, from version 6 on
SCOPES_SINCE = 6
TRUNCATES_SINCE = 3


def version() -> int:
    """Which version the kernel has; 0 is none."""
    return max(LIBC.syscall(CREATE_RULESET, None, 0, 1), 0)


def restrict(
    readable: Iterable[str], writable: Iterable[str], listed: Iterable[str] = (), governed: int = EVERYTHING
) -> None:
    """From now on this thread, and what it starts, reads below ``readable`` only and changes below ``writable`` only.

    Nothing can be executed, no TCP connection be made, no process outside be signalled, as far as the kernel's version
    knows of it. Paths that do not exist are passed over. Another call restricts further.

    Args:
        readable: files and folders.
        writable: files and folders, which are readable too.
        listed: folders below which it sees names.
        governed: the rights that are taken where they are not given; others stay as they are.

    Raises:
        OSError: the kernel refuses.
    """
    abi = version()
    known = governed & (OF_FIRST | sum(right for since, right in SINCE.items() if abi >= since))
    attributes = struct.pack("QQQ", known, TCP if abi >= 4 else 0, SCOPES if abi >= SCOPES_SINCE else 0)
    size = 24 if abi >= SCOPES_SINCE else 16 if abi >= 4 else 8
    rules = syscall(CREATE_RULESET, attributes[:size], size, 0, what="landlock_create_ruleset")
    try:
        for path in writable:
            _allow(rules, path, (READ | WRITE) & known)
        for path in readable:
            _allow(rules, path, READ & known)
        for path in listed:
            _allow(rules, path, READ_DIR & known)
        _allow(rules, os.devnull, (READ_FILE | WRITE_FILE | TRUNCATE) & known)
        syscall(RESTRICT_SELF, rules, 0, what="landlock_restrict_self")
    finally:
        os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not os.path.isdir(path):
                rights &= OF_FILES
            rule = struct.pack("=Qi", rights, place)
            if rights:
                syscall(ADD_RULE, rules, 1, rule, 0, what=f"landlock_add_rule {path}")
        finally:
            os.close(place)
