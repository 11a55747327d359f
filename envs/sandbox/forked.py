"""What belongs to one process: a process that is forked from it can use neither its sandboxes nor its threads."""

import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

T = TypeVar("T")


def per_process(make: Callable[..., T]) -> "_lru_cache_wrapper[T]":
    """As ``functools.cache``, but a forked process forgets what its parent has made, and makes its own."""
    kept = cache(make)
    if hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(after_in_child=kept.cache_clear)
    return kept
