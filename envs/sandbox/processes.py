"""What the kernel tells of processes: proc_pid_stat(5)."""

import os
import time


def numbers(process: int) -> list[int]:
    """Of a process, from its parent on.

    Raises:
        OSError: it has ended.
    """
    with open(f"/proc/{process}/stat", "rb") as file:
        return [*map(int, file.read().rpartition(b")")[2].split()[1:])]


def parent(process: int) -> int:
    """Who started it."""
    return numbers(process)[0]


def threads(process: int) -> int:
    """How many it has."""
    return numbers(process)[16]


def cpu_s(process: int) -> float:
    """Processor time of all its threads."""
    return time.clock_gettime(~process << 3 | 2)  # its clock, by its number: see clock_getcpuclockid(3)


def children(process: int) -> list[int]:
    """Processes that it has started and that are there."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdecimal() and parent(int(name)) == process:
                found.append(int(name))
        except (OSError, IndexError):
            continue
    return found
