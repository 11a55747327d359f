"""What shows only when a scenario's parts are run: done once in the sandbox when it is loaded, and kept in a file."""

import platform
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from lse_gym.envs.cache import cache_dir, cached, source_digest, write_whole
from lse_gym.envs.errors import DataError
from lse_gym.envs.sandbox import Result
from lse_gym.envs.tools.awm.files import plain
from lse_gym.envs.tools.awm.interface import Operations, sound
from lse_gym.envs.tools.awm.names import INITIAL
from lse_gym.envs.tools.awm.scenario import Scenario
from lse_gym.envs.tools.awm.verdict import Files, judge, left_in
from lse_gym.envs.tools.awm.warm import GUEST, libraries

FOLDER = "awm"  # below the cache folder
BUILD_S, INSPECT_S = 30.0, 30.0  # wall clock
MAX_REASON_CHARS = 300
AT_ONCE = 4  # verifiers asked side by side


class Examined(NamedTuple):
    """What came of running a scenario.

    Attributes:
        initial: the database, as every attempt finds it.
        untouched: the files of the database that is left where nothing was called; the service may have added to it.
        operations: what the service can do.
        faults: statements that failed: "table" or "row", how it begins, what SQLite said.
        verdicts: what each task's verifier says of the untouched database.
    """

    initial: bytes
    untouched: Files
    operations: Operations
    faults: Sequence[Sequence[str]]
    verdicts: Sequence[str]


def examine(scenario: Scenario) -> Examined:
    """Build the database, execute the service, ask each verifier about the database that nobody touched.

    Raises:
        DataError: the database or the service cannot be made.
        SandboxError: nothing here can confine foreign code.
    """
    key = (_versions(), fingerprint(scenario))
    record = cached(FOLDER, scenario.name, key, lambda: _record(_examine(scenario)), _whole)
    initial, untouched = _read(record["initial"]), {suffix: _read(name) for suffix, name in record["untouched"].items()}
    return Examined(initial, untouched, record["operations"], record["faults"], record["verdicts"])


def fingerprint(scenario: Scenario) -> str:
    """SHA-256, in hex, of all that the files say of a scenario."""
    return sha256(repr(scenario).encode()).hexdigest()


@cache
def _versions() -> tuple[str, ...]:
    """What else decides what comes of it: this code, and what it stands on."""
    here = Path(__file__).parent
    packages = (f"{name} {metadata.version(name)}" for name in ("fastapi", "sqlalchemy", "pydantic"))
    return source_digest(here, here / "guest"), platform.python_version(), *packages


def _examine(scenario: Scenario) -> Examined:
    with libraries().open() as box:
        statements = {"tables": scenario.tables, "rows": scenario.rows}
        faults = _value(scenario, "database", box.call(f"{GUEST}.database:build", statements, BUILD_S))
        initial = box.file(INITIAL)
    if initial is None:
        raise _unusable(scenario, "database", "there is none")
    with libraries().open() as box:
        source = {"code": scenario.code, "database": initial.hex()}
        operations = sound(_value(scenario, "service", box.call(f"{GUEST}.service:inspect", source, INSPECT_S)))
        untouched = left_in(box)
    return Examined(initial, untouched, operations, faults, _untouched(scenario, initial, untouched))


def _untouched(scenario: Scenario, initial: bytes, untouched: Files) -> list[str]:
    """What each verifier says of the database that nobody touched, and no answer."""
    verdicts: list[str] = []
    for first in range(0, len(scenario.tasks), AT_ONCE):
        some = scenario.tasks[first : first + AT_ONCE]
        verdicts += [asked.result().verdict for asked in [judge(initial, untouched, task.code, "") for task in some]]
    return verdicts


def _value(scenario: Scenario, what: str, future: Future[Result]) -> Any:
    result = future.result()
    if result.failure:
        raise _unusable(scenario, what, result.message or result.failure)
    return result.value


def _unusable(scenario: Scenario, what: str, why: str) -> DataError:
    reason = plain(why.strip().rpartition("\n")[2], MAX_REASON_CHARS)
    return DataError(f"scenario {scenario.name!r} cannot be used: its {what} fails ({reason}).")


def _record(examined: Examined) -> dict[str, Any]:
    """As JSON, but for the databases, which are written to files beside it."""
    return {
        "initial": _write(examined.initial),
        "untouched": {suffix: _write(content) for suffix, content in examined.untouched.items()},
        "operations": examined.operations,
        "faults": examined.faults,
        "verdicts": examined.verdicts,
    }


def _write(content: bytes) -> str:
    name = f"{sha256(content).hexdigest()}.db"
    write_whole(cache_dir() / FOLDER / name, content)
    return name


def _read(name: str) -> bytes:
    return (cache_dir() / FOLDER / name).read_bytes()


def _whole(record: Mapping[str, Any]) -> bool:
    """Whether every file of a record is there, unchanged."""
    names = (record["initial"], *record["untouched"].values())
    return all(f"{sha256(_read(name)).hexdigest()}.db" == name for name in names)
