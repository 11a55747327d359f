"""Where generated files live between runs, and how they are written and trusted."""

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any


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


def cached(
    kind: str, name: str, key: Sequence[object], make: Callable[[], Any], whole: Callable[[Any], bool] = lambda _: True
) -> Any:
    """What ``make`` returned for this key the first time, from a file; made again where the file is not whole.

    The file is named after the digest of ``key`` and starts with a digest of the key and its content. A damaged, cut,
    swapped or unreadable one is never believed; one that cannot be written is done without.

    Args:
        kind: folder below :func:`cache_dir`.
        name: how the file's name starts; for people.
        key: all that the value depends on, the version of the code included; told apart by ``repr``.
        make: makes the value, which JSON can hold.
        whole: whether a value that was read is still good, such as the files that it names; OSError is a no.

    Returns:
        The value as JSON gives it back: lists, not tuples.
    """
    exact = repr(tuple(key)).encode()
    path = cache_dir() / kind / f"{name}-{sha256(exact).hexdigest()[:16]}.json"
    with suppress(OSError):
        seal, _, body = path.read_bytes().partition(b"\n")
        if seal == _seal(exact, body) and whole(value := json.loads(body)):
            return value
    body = json.dumps(make(), ensure_ascii=False).encode()
    with suppress(OSError):
        write_whole(path, _seal(exact, body) + b"\n" + body)
    return json.loads(body)


def _seal(key: bytes, body: bytes) -> bytes:
    return sha256(key + b"\0" + body).hexdigest().encode()


def write_whole(path: Path, content: bytes, parents: bool = True) -> None:
    """Write a file at one stroke: who reads it meanwhile, or after a crash, sees the old one or the new one.

    Args:
        path: where to write.
        content: its bytes.
        parents: make the folders that are missing.

    Raises:
        OSError: it cannot be written; the error always names a file, and nothing is left behind.
    """
    temporary = beside(path)
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk is told of where it is written, without a name
        raise
    finally:
        temporary.unlink(missing_ok=True)


def beside(path: Path) -> Path:
    """A name beside ``path`` for what is moved there once it is whole: no process, thread or machine takes it twice."""
    return path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")


def source_digest(*paths: Path) -> str:
    """SHA-256 of Python files, and of those in folders: a cache key for what their code makes."""
    files = [file for path in paths for file in (sorted(path.glob("*.py")) if path.is_dir() else [path])]
    return sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
