"""What a box may use, and what comes of a call."""

from typing import Any, NamedTuple


class Limits(NamedTuple):
    """Of one box; the clocks of one call. A box that meets one of them is dead."""

    cpu_s: float = 20.0
    """processor time of one call, all threads together"""
    wall_s: float = 30.0
    """of one call"""
    memory_bytes: int = 512 << 20
    """address space beyond what the warm process has"""
    scratch_bytes: int = 64 << 20
    """all files of the box together"""
    threads: int = 32
    """at once; processes cannot be started"""
    files: int = 64
    """open at once"""
    output_bytes: int = 64 << 10
    """kept of what it prints in one call; the box ends at 1,024 times that"""
    result_bytes: int = 1 << 20
    """of the result's JSON"""


class Result(NamedTuple):
    """Of one call. Foreign code never makes a call raise; it can forge nothing but its own result."""

    value: Any
    """what the function returned, through JSON"""
    failure: str = ""
    """"" or "error" (it raised), "time", "cpu", "memory", "output" (too much of it), "died" (exit, signal, closed)"""
    message: str = ""
    """for people and models: the end of the traceback, or what happened; without paths of the machine"""
    printed: str = ""
    """standard output and error together, cut at the limit"""
