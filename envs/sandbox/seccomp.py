"""seccomp: which system calls a process may make, as a small program for the kernel.

https://docs.kernel.org/userspace-api/seccomp_filter.html; numbers of calls from the kernel's unistd.h, values of
arguments from its headers. What is refused fails with EPERM, so that a program goes on as on a poorer machine.
"""

import ctypes
import errno
import fcntl
import struct
from collections.abc import Callable, Iterable
from typing import NamedTuple

from lse_gym.envs.sandbox.kernel import MACHINE, syscall

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
LOAD, EQUAL, AT_LEAST, ANY_BIT, AND, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # where they are in what a program sees
ALLOW, FAIL, KILL = 0x7FFF0000, 0x00050000, 0x80000000
ASK = 0x7FC00000
SECCOMP = (317, 277)
SET_MODE_FILTER, ALL_THREADS, NEW_LISTENER, OR_FAIL = 1, 1, 8, 16
RECEIVE_NOTICE, SEND_ANSWER, GO_ON = 0xC0502100, 0xC0182101, 1
STEP = struct.Struct("HBBI")
X32 = 0x40000000
UNKNOWN_FROM = 450  # newer calls, alike on all machines, are answered as by a kernel that lacks them


def _calls(table: str) -> dict[str, tuple[int | None, int | None]]:
    """Read "name number number, …": the numbers on x86-64 and 64-bit ARM, a dash where there is no such call."""
    rows = (entry.split() for entry in table.split(", "))
    return {name: (None if x86 == "-" else int(x86), None if arm == "-" else int(arm)) for name, x86, arm in rows}


_REFUSED = _calls(
    # file systems and namespaces
    "mount 165 40, umount2 166 39, pivot_root 155 41, chroot 161 51, unshare 272 97, setns 308 268, "
    "open_tree 428 428, move_mount 429 429, fsopen 430 430, fsconfig 431 431, fsmount 432 432, fspick 433 433, "
    "mount_setattr 442 442, name_to_handle_at 303 264, open_by_handle_at 304 265, lookup_dcookie 212 18, "
    "mknod 133 -, mknodat 259 33, quotactl 179 60, quotactl_fd 443 443, fanotify_init 300 262, inotify_init 253 -, "
    "inotify_init1 294 26, acct 163 89, setxattr 188 5, lsetxattr 189 6, fsetxattr 190 7, removexattr 197 14, "
    "lremovexattr 198 15, fremovexattr 199 16, swapon 167 224, swapoff 168 225, "
    # sockets, but for pairs
    "socket 41 198, connect 42 203, bind 49 200, listen 50 201, accept 43 202, accept4 288 242, sendmsg 46 211, "
    "sendmmsg 307 269, "
    # other processes, their memory and their turns
    "ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271, kcmp 312 272, pidfd_open 434 434, "
    "pidfd_getfd 438 438, pidfd_send_signal 424 424, process_madvise 440 440, process_mrelease 448 448, "
    "perf_event_open 298 241, sched_setaffinity 203 122, sched_setscheduler 144 119, sched_setparam 142 118, "
    "sched_setattr 314 274, setpriority 141 140, ioprio_set 251 30, move_pages 279 239, migrate_pages 256 238, "
    "mbind 237 235, set_mempolicy 238 237, "
    # memory that no limit counts
    "memfd_create 319 279, memfd_secret 447 447, shmget 29 194, shmat 30 196, shmctl 31 195, semget 64 190, "
    "semop 65 193, semctl 66 191, semtimedop 220 192, msgget 68 186, msgsnd 69 189, msgrcv 70 188, msgctl 71 187, "
    "mq_open 240 180, mq_unlink 241 181, add_key 248 217, request_key 249 218, keyctl 250 219, "
    # the kernel and the machine
    "bpf 321 280, userfaultfd 323 282, io_uring_setup 425 425, io_uring_enter 426 426, io_uring_register 427 427, "
    "io_setup 206 0, io_submit 209 2, init_module 175 105, finit_module 313 273, delete_module 176 106, "
    "kexec_load 246 104, kexec_file_load 320 294, reboot 169 142, syslog 103 116, vhangup 153 58, "
    "settimeofday 164 170, clock_settime 227 112, adjtimex 159 171, clock_adjtime 305 266, sethostname 170 161, "
    "setdomainname 171 162, iopl 172 -, ioperm 173 -, modify_ldt 154 -, uselib 134 -, nfsservctl 180 42, "
    # other programs
    "execve 59 221, execveat 322 281"
)
_WITHOUT_EFFECT = _calls(
    # Landlock does not know of modes, owners and times
    "chmod 90 -, fchmod 91 52, fchmodat 268 53, chown 92 -, fchown 93 55, lchown 94 -, fchownat 260 54, utime 132 -, "
    "utimes 235 -, futimesat 261 -, utimensat 280 88"
)
_SIGNALS = _calls("kill 62 129, tkill 200 130, tgkill 234 131, rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240")
_FORKS = _calls("fork 57 -, vfork 58 -")
CLONE, CLONE3, SOCKETPAIR = (56, 220), (435, 435), (53, 199)
PRLIMIT, FCNTL, IOCTL, PRCTL = (302, 261), (72, 25), (16, 29), (157, 167)

NAMESPACES = 0x7E020080  # the bits of clone that ask for one
AS_THREAD = 0x00010000
OWNERS_OF_FILES = (8, 15, 0x400)  # F_SETOWN and F_SETOWN_EX, which send signals to anyone; F_SETLEASE
OWNERS_OF_DEVICES = (0x8901, 0x8902, 0x5412, 0x541C, 0x40086602, 0x401C5820)
# FIOSETOWN, SIOCSPGRP, TIOCSTI, TIOCLINUX, FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR
ATTRIBUTES = (35, 36, 0x59616D61)  # PR_SET_MM, PR_SET_CHILD_SUBREAPER, PR_SET_PTRACER
PDEATHSIG = 1


class Step(NamedTuple):
    """An instruction: what to do, with which number, and how many to skip where it holds and where not."""

    code: int
    value: int
    then: int = 0
    otherwise: int = 0


def supported() -> bool:
    """Whether this machine's calls are known here."""
    return MACHINE in ARCHITECTURES


def harmless(forks: bool, signals: bool) -> bytes:
    """The program that lets harmless calls pass.

    Args:
        forks: whether processes can be started (threads always can).
        signals: whether signals can be sent; where to, Landlock says.
    """
    return _packed(_program(forks, signals))


def restrict(program: bytes, flags: int = 0) -> int:
    """From now on all calls of this process, and of what it starts, have to pass a program, beside those before it.

    Raises:
        OSError: the kernel refuses.
    """
    buffer = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("HxxxxxxQ", len(program) // STEP.size, ctypes.addressof(buffer))
    return syscall(_here(SECCOMP), SET_MODE_FILTER, flags | ALL_THREADS | OR_FAIL, described, what="seccomp")


def ask_before_forks() -> int:
    """From now on processes are started by this one, and by those that it starts, when another one allows it.

    Returns:
        A descriptor on which :func:`answer_fork` is told of each.

    Raises:
        OSError: the kernel refuses.
    """
    forks = [number for number in map(_number, _FORKS.values()) if number]
    steps = [
        Step(LOAD, NUMBER),
        *(Step(EQUAL, number, len(forks) - index + 3) for index, number in enumerate(forks)),
        Step(EQUAL, _here(CLONE), 0, 2),
        _argument(0),
        Step(ANY_BIT, AS_THREAD, 0, 1),
        Step(RETURN, ALLOW),
        Step(RETURN, ASK),
    ]
    return restrict(_packed(steps), NEW_LISTENER)


def _packed(steps: list[Step]) -> bytes:
    return b"".join(STEP.pack(step.code, step.then, step.otherwise, step.value) for step in steps)


def answer_fork(listener: int, allowed: Callable[[int], bool]) -> None:
    """Answer one who asks, by the number of its thread.

    Raises:
        OSError: it asks no more.
    """
    notice = bytearray(80)  # struct seccomp_notif
    fcntl.ioctl(listener, RECEIVE_NOTICE, notice)
    cookie, thread = struct.unpack_from("QI", notice)
    answer = (0, GO_ON) if allowed(thread) else (-errno.EPERM, 0)
    fcntl.ioctl(listener, SEND_ANSWER, struct.pack("QqiI", cookie, 0, *answer))  # struct seccomp_notif_resp


def _program(forks: bool, signals: bool) -> list[Step]:
    refused = _REFUSED | ({} if signals else _SIGNALS) | ({} if forks else _FORKS)
    return [
        Step(LOAD, ARCHITECTURE),
        Step(EQUAL, ARCHITECTURES[MACHINE], 1, 0),
        Step(RETURN, KILL),
        Step(LOAD, NUMBER),
        Step(AT_LEAST, X32, 0, 1),
        Step(RETURN, KILL),
        Step(AT_LEAST, UNKNOWN_FROM, 0, 1),
        Step(RETURN, FAIL | errno.ENOSYS),
        *_answered(CLONE3, errno.ENOSYS),  # the C library then makes the call whose arguments can be seen
        *_clone(forks),
        *_pairs(),
        *_with(PRLIMIT, [Step(EQUAL, 0, 1, 0)]),
        *_with(FCNTL, _none_of(1, OWNERS_OF_FILES), argument=1),
        *_with(IOCTL, _none_of(1, OWNERS_OF_DEVICES), argument=1),
        *_attributes(),
        *(step for numbers in refused.values() for step in _answered(numbers, errno.EPERM)),
        *(step for numbers in _WITHOUT_EFFECT.values() for step in _answered(numbers, 0)),
        Step(RETURN, ALLOW),
    ]


def _answered(numbers: tuple[int | None, int | None], error: int) -> Iterable[Step]:
    number = _number(numbers)
    return () if number is None else (Step(EQUAL, number, 0, 1), Step(RETURN, FAIL | error))


def _with(numbers: tuple[int, int], checks: list[Step], argument: int = 0) -> list[Step]:
    """A call that is allowed where ``checks`` on one argument skip the refusal that follows them."""
    body = [_argument(argument), *checks, Step(RETURN, FAIL | errno.EPERM), Step(RETURN, ALLOW)]
    return [Step(EQUAL, _here(numbers), 0, len(body)), *body]


def _here(numbers: tuple[int, int]) -> int:
    return numbers[list(ARCHITECTURES).index(MACHINE)]


def _number(numbers: tuple[int | None, int | None]) -> int | None:
    return numbers[list(ARCHITECTURES).index(MACHINE)]


def _argument(index: int) -> Step:
    return Step(LOAD, ARGUMENTS + 8 * index)  # its lower half: all that is looked at are 32-bit numbers


def _none_of(refusal: int, values: tuple[int, ...]) -> list[Step]:
    """Skips ``refusal`` steps where the argument is none of the values."""
    last = len(values) - 1
    return [Step(EQUAL, value, last - index, 0 if index < last else refusal) for index, value in enumerate(values)]


def _clone(forks: bool) -> list[Step]:
    if forks:
        return _with(CLONE, [Step(ANY_BIT, NAMESPACES, 0, 1)])
    return _with(CLONE, [Step(ANY_BIT, NAMESPACES, 1, 0), Step(ANY_BIT, AS_THREAD, 1, 0)])


def _pairs() -> list[Step]:
    """Pairs of connected streams: what an event loop wakes itself with, and what reaches nobody else."""
    unix, stream = 1, 1
    checks = [Step(EQUAL, unix, 0, 3), _argument(1), Step(AND, 0xF), Step(EQUAL, stream, 1, 0)]
    return _with(SOCKETPAIR, checks)


def _attributes() -> list[Step]:
    """Of its own attributes a process changes none that keep others from it, or it from outliving its parent."""
    checks = [
        Step(EQUAL, PDEATHSIG, 0, 2),
        _argument(1),
        Step(EQUAL, 9, len(ATTRIBUTES) + 1, len(ATTRIBUTES)),
        *_none_of(1, ATTRIBUTES),
    ]
    return _with(PRCTL, checks)
