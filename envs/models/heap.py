"""Memory that a layer has freed stays with the process for the next one."""

import ctypes
import os

KEPT_BYTES = 2**28  # free at the end of the heap
MAPPED_BYTES = 2**25  # from which on an array has pages of its own; the most that glibc takes
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h; https://man7.org/linux/man-pages/man3/mallopt.3.html
GIVEN = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> None:
    """Keep up to 256 MiB that was freed instead of handing it back.

    Else a long prompt asks the system for the same pages at every layer, which takes longer than what is computed on
    them. Nothing changes where the C library is another than glibc or somebody has set its thresholds.
    """
    if any(name in os.environ for name in GIVEN):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES)
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
