"""What a process asks the kernel for itself, through ctypes: fewer rights, an end with its parent, a file system."""

import ctypes
import os
import struct

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
CAPABILITY_VERSION_3 = 0x20080522
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MNT_DETACH = 2
SIGKILL = 9
CAPSET = {"x86_64": 126, "aarch64": 91}
MACHINE = os.uname().machine


def checked(result: int, what: str) -> int:
    """The result of a call.

    Raises:
        OSError: it failed.
    """
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(number: int, *arguments: object, what: str) -> int:
    """A system call that the C library has no function for."""
    return checked(LIBC.syscall(number, *arguments), what)


def prctl(option: int, value: int, what: str) -> None:
    """Set an attribute of this process."""
    checked(LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0), what)


def end_with_parent() -> None:
    """Have this process killed when the thread that forked it ends."""
    prctl(PR_SET_PDEATHSIG, SIGKILL, "PR_SET_PDEATHSIG")


def give_up_rights() -> None:
    """No capability is left or can be gained, and nothing of this process is dumped or traced."""
    prctl(PR_SET_NO_NEW_PRIVS, 1, "PR_SET_NO_NEW_PRIVS")
    prctl(PR_SET_DUMPABLE, 0, "PR_SET_DUMPABLE")
    header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
    syscall(CAPSET[MACHINE], header, bytes(24), what="capset")


def mount_memory(folder: str, max_bytes: int, max_files: int) -> None:
    """Mount a file system in memory that holds so much and no more."""
    options = f"size={max_bytes},nr_inodes={max_files},mode=700".encode()
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    checked(LIBC.mount(b"scratch", folder.encode(), b"tmpfs", flags, options), f"mount {folder}")


def unmount(folder: str) -> None:
    """Let go of it, used or not."""
    checked(LIBC.umount2(folder.encode(), MNT_DETACH), f"umount {folder}")
