"""What is installed, what is missing, and what would work: the facts behind ``lse-gym doctor``."""

import platform
import shutil
import sqlite3
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from lse_gym.envs.cache import cache_dir
from lse_gym.envs.errors import LSEGymError
from lse_gym.envs.extras import PACKAGE, extras, missing
from lse_gym.envs.models.packaged import PACKAGES, installs, path_of
from lse_gym.envs.registration import ENVS

UNLISTED = ("test", "dev")  # extras of those who work on the package
MIN_FREE_MB = 200


class Check(NamedTuple):
    """One line of the report: ``ok`` is None for what is optional and absent."""

    name: str
    ok: bool | None
    detail: str


def checks() -> list[Check]:
    """Look at everything; nothing is imported that is not needed anyway, nothing leaves the machine."""
    return [
        Check("Python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.system()}"),
        *_packages(),
        _executor(),
        _sandbox(),
        *map(_model, PACKAGES),
        _cache(),
        Check("environments", True, ", ".join(ENVS)),
    ]


def _packages() -> list[Check]:
    """What the installation says that it needs, and the optional extras."""
    try:
        wanted = extras()
    except metadata.PackageNotFoundError:
        return [Check(PACKAGE, False, "can be imported, but is not installed: pip install -e .")]
    core = [Check(name, name not in missing(""), _version(name)) for name in wanted[""]]
    return core + [_extra(name, wanted[name]) for name in wanted if name and name not in UNLISTED]


def _extra(name: str, packages: list[str]) -> Check:
    absent = missing(name)
    if absent:
        return Check(f"extra {name}", None, f"no {', '.join(absent)}: pip install '{PACKAGE}[{name}]'")
    return Check(f"extra {name}", True, ", ".join(f"{package} {_version(package)}" for package in packages))


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return f"missing: pip install {PACKAGE}"


def _executor() -> Check:
    from lse_gym.envs.sql import execute

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probe.sqlite"
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE probe (x)")
        connection.commit()
        connection.close()
        try:
            reads = execute(path, "SELECT COUNT(*) FROM probe", timeout_s=10).rows == [(0,)]
            writes = not execute(path, "DROP TABLE probe", timeout_s=10).error
        except (LSEGymError, OSError) as error:
            return Check("SQL executor", False, str(error))
    detail = (
        f"SQLite {sqlite3.sqlite_version}, reads{'' if reads else ' fail'}, writes {'pass' if writes else 'refused'}"
    )
    return Check("SQL executor", reads and not writes, detail)


def _sandbox() -> Check:
    """What would confine foreign code: tool-use worlds of others and data science need it, nothing else does."""
    from lse_gym.envs.sandbox import SandboxError, check

    try:
        return Check("sandbox", True, check())
    except SandboxError as error:
        return Check("sandbox", None, str(error))


def _model(name: str) -> Check:
    """A language model that others pre-trained, and the line that uses it; optional, as it is a package of its own."""
    if missing("gguf") or path_of(name) is None:
        return Check(f"model {name}", None, f"a pre-trained language model: {' && '.join(installs(name))}")
    return Check(f"model {name}", True, f"lse-gym evolve --questions FILE --agent few-shot --task-model {name}")


def _cache() -> Check:
    path = cache_dir()
    free = shutil.disk_usage(path).free // 2**20
    return Check("cache folder", free >= MIN_FREE_MB, f"{path} ({free} MB free)")
