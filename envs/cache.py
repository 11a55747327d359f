"""Where generated files live between runs."""

import os
import tempfile
from functools import cache
from pathlib import Path


@cache
def cache_dir() -> Path:
    """A writable folder: ``$LSE_GYM_CACHE``, else the user's cache folder, else a temporary one.

    Everything in it can be made again, so it may be deleted at any time between runs.
    """
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    for candidate in (os.environ.get("LSE_GYM_CACHE"), os.path.join(home, "lse-gym")):
        if candidate:
            try:
                path = Path(candidate)
                path.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=path):
                    return path
            except OSError:
                continue
    return Path(tempfile.mkdtemp(prefix="lse-gym-"))
