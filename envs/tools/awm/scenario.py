"""What the files say of one scenario, read and checked: plain data, nothing of it executed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lse_gym.envs.errors import DataError
from lse_gym.envs.faults import Faults, shown
from lse_gym.envs.splits import normalised
from lse_gym.envs.tools.awm.files import FILES, VERIFIERS, Index, plain
from lse_gym.envs.tools.awm.interface import Endpoint, read_endpoint

JUDGED, NO_VERIFIER = "tasks that need a judge, not code", "tasks without a verifier"
REPEATED = "tasks that repeat another"
MALFORMED = "malformed entries"
MAX_TITLE_CHARS = 200


class Task(NamedTuple):
    """A user's request, by its number in the file, and the code that verifies what came of it."""

    number: int
    text: str
    code: str


class Scenario(NamedTuple):
    """One world: its database as statements, the source of its service, what it offers, and what is asked of it.

    ``tables`` has the statements of each table, which depend on each other; ``rows`` has those that fill them.
    """

    name: str
    title: str
    description: str
    tables: list[list[str]]
    rows: list[str]
    code: str
    endpoints: list[Endpoint]
    tasks: list[Task]


def read_scenario(index: Index, name: str, faults: Faults) -> Scenario:
    """Read one scenario; what cannot be used of it is left out, and recorded in ``faults``.

    Raises:
        DataError: a whole file's part of it cannot be used.
    """
    rows = {kind: _rows(index, name, kind) for kind in FILES}
    tables = [_statements(table, ("ddl", "indexes", "examples"), faults) for table in _tables(rows["db"], "db_schema")]
    samples = [_statements(table, ("insert_statements",), faults) for table in _tables(rows["sample"], "sample_data")]
    code = rows["envs"][0].get("full_code")
    if not isinstance(code, str) or not tables:
        raise DataError(f"scenario {name!r} has no {'tables' if isinstance(code, str) else 'full_code'}.")
    if not rows["sample"]:
        faults.add(MALFORMED, FILES["sample"][0], "the scenario is not in it: its tables are empty")
    title = plain(rows["tasks"][0]["scenario"], MAX_TITLE_CHARS)
    description = rows["scenario"][0].get("description") if rows["scenario"] else ""
    return Scenario(
        name,
        title,
        description if isinstance(description, str) else "",
        tables,
        [statement for statements in samples for statement in statements],
        code,
        _endpoints(rows["spec"][0], faults),
        _tasks(rows, faults),
    )


def is_code_mode(code: str) -> bool:
    """Whether a verifier decides by itself: the one that a judge reads has another name and takes no final answer.

    >>> is_code_mode("def verify_task(initial_db_path, final_db_path):")
    False
    """
    return (
        "def verify_task_completion" in code or "final_answer" in code.partition("def verify_")[2].partition(":\n")[0]
    )


def _rows(index: Index, name: str, kind: str) -> list[dict[str, Any]]:
    try:
        return index.rows(name, kind)
    except (ValueError, RecursionError) as error:
        raise DataError(f"scenario {name!r}: its row of {FILES[kind][0]} is no JSON ({error}).") from None


def _tables(rows: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    """The list under ``key`` and "tables" of the first row."""
    inner = rows[0].get(key) if rows else None
    found = inner.get("tables") if isinstance(inner, dict) else None
    return found if isinstance(found, list) else []


def _statements(table: Any, keys: Sequence[str], faults: Faults) -> list[str]:
    """The statements under some keys of a table, each a text or a list of texts."""
    if not isinstance(table, dict):
        faults.add(MALFORMED, "tables", f"{shown(table)}, expected an object")
        return []
    found = []
    for key in keys:
        value = table.get(key) or []
        for statement in value if isinstance(value, list) else [value]:
            if isinstance(statement, str):
                found.append(statement)
            else:
                faults.add(MALFORMED, key, f"{shown(statement)}, expected SQL")
    return found


def _endpoints(row: Mapping[str, Any], faults: Faults) -> list[Endpoint]:
    found: dict[str, Endpoint] = {}
    for entry in _entries(row):
        endpoint = read_endpoint(entry)
        if isinstance(endpoint, str):
            faults.add(MALFORMED, "endpoints", endpoint)
        elif found.setdefault(endpoint.name, endpoint) is not endpoint:
            faults.add(MALFORMED, "endpoints", f"operation_id {endpoint.name!r} is there twice; the first one counts")
    return [*found.values()]


def _entries(row: Mapping[str, Any]) -> Iterator[Any]:
    spec = row.get("api_spec")
    groups = spec.get("api_groups") if isinstance(spec, dict) else None
    for group in groups if isinstance(groups, list) else ():
        entries = group.get("endpoints") if isinstance(group, dict) else None
        yield from entries if isinstance(entries, list) else [group]


def _tasks(rows: Mapping[str, list[dict[str, Any]]], faults: Faults) -> list[Task]:
    """The tasks that code verifies, without those of equal wording."""
    texts = rows["tasks"][0].get("tasks")
    found: dict[str, Task] = {}
    for number, text in enumerate(texts if isinstance(texts, list) else ()):
        if not isinstance(text, str) or not text.strip():
            faults.add(MALFORMED, f"task {number}", f"{shown(text)}, expected text")
            continue
        codes = [code for kind in VERIFIERS for row in rows[kind] if (code := _code(row, number, text))]
        code = next(filter(is_code_mode, codes), None)
        if code is None:
            faults.add(JUDGED if codes else NO_VERIFIER, "", str(number))
        elif found.setdefault(normalised(text), Task(number, text.strip(), code)).number != number:
            faults.add(REPEATED, "", str(number))
    return [*found.values()]


def _code(row: Mapping[str, Any], number: int, text: str) -> str:
    """The verifier in a row, if it is that of a task: by number, or by its text where the row has no number."""
    verification = row.get("verification")
    code = verification.get("code") if isinstance(verification, dict) else None
    about = row["task_idx"] == number if "task_idx" in row else row.get("task") == text
    return code if about and isinstance(code, str) and "def verify_" in code else ""
