"""What is installed, what is missing, and what would work: the facts behind ``lse-gym doctor``."""

import platform
import shutil
import sqlite3
import sys
import tempfile
from importlib import metadata, util
from pathlib import Path
from typing import NamedTuple

from lse_gym.envs.cache import cache_dir
from lse_gym.envs.errors import LSEGymError
from lse_gym.envs.registration import ENVS

CORE = ("gymnasium", "numpy", "rich", "sqlglot", "sqlite-utils", "typer")
EXTRAS = {
    "hf": ("torch", "transformers"),
    "vllm": ("vllm",),
    "rl": ("stable-baselines3", "sb3-contrib", "pettingzoo"),
    "data": ("datasets",),
    "gepa": ("gepa",),
    "textgrad": ("textgrad",),
    "report": ("matplotlib",),
    "tensorboard": ("tensorboard",),
    "trl": ("trl", "peft", "accelerate"),
}
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
        *(_package(name) for name in CORE),
        _executor(),
        _cache(),
        Check("environments", True, ", ".join(ENVS)),
        *(_extra(name, packages) for name, packages in EXTRAS.items()),
    ]


def _package(name: str) -> Check:
    try:
        return Check(name, True, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, False, "missing: pip install lse-gym")


def _extra(name: str, packages: tuple[str, ...]) -> Check:
    missing = [package for package in packages if util.find_spec(package.replace("-", "_")) is None]
    if not missing:
        return Check(f"extra {name}", True, ", ".join(f"{p} {metadata.version(p)}" for p in packages))
    return Check(f"extra {name}", None, f"no {', '.join(missing)}: pip install 'lse-gym[{name}]'")


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


def _cache() -> Check:
    path = cache_dir()
    free = shutil.disk_usage(path).free // 2**20
    return Check("cache folder", free >= MIN_FREE_MB, f"{path} ({free} MB free)")
