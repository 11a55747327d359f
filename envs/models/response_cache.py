"""The response cache: an SQLite file that every process of a user shares, so that no call is paid for twice."""

import os
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lse_gym.envs.cache import cache_dir
from lse_gym.envs.errors import DataError
from lse_gym.envs.models.base import KeptResponse, Response, TaskModel
from lse_gym.envs.models.stored import StoredModel, checked

if TYPE_CHECKING:
    from sqlite_utils import Database

TABLE = "responses"
COLUMNS = {
    "key": str,
    "model": str,
    "revision": str,
    "text": bytes,  # any text, lone surrogates included
    "prompt_tokens": int,
    "completion_tokens": int,
    "cached_tokens": int,
    "created": float,
    "finish_reason": str,
    "thinking_tokens": int,
    "estimated": int,
}
DEFAULTS = {"cached_tokens": 0, "finish_reason": "", "thinking_tokens": 0, "estimated": 0}  # of files without them
REST = ", ".join(Response._fields[1:])
CHUNK = 500  # keys a query: below SQLite's limit on variables
WAIT_S = 60.0  # for another process's write
MAX_TRIES = 20  # to bring a file to its form, besides waiting for others
OFF = ("0", "off", "no", "false")


def cache_path() -> Path | None:
    """The cache file: ``$LSE_GYM_RESPONSE_CACHE``, else one in the cache folder; None where that says "off"."""
    given = os.environ.get("LSE_GYM_RESPONSE_CACHE", "")
    if given.lower() in OFF:
        return None
    return Path(given) if given else cache_dir() / "responses.sqlite"


@contextmanager
def open_cache(path: Path) -> "Generator[Database]":
    """The cache as a database of sqlite-utils; made where it is missing.

    Raises:
        DataError: the file is no response cache, is damaged, or cannot be opened.
    """
    import sqlite3

    from sqlite_utils import Database
    from sqlite_utils.db import NoTable

    connection = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=WAIT_S, isolation_level="IMMEDIATE")
        database = Database(connection)
        _make(database)
        yield database
    except (sqlite3.Error, NoTable, OSError, ValueError) as error:
        raise DataError(
            f"the response cache {str(path)!r} cannot be used: {error}. Move it out of the way (its answers are then "
            "paid for again), or set LSE_GYM_RESPONSE_CACHE to another file, or to off."
        ) from error
    finally:
        if connection is not None:
            connection.close()


def _make(database: "Database") -> None:
    """Bring the database to its form, several processes at once."""
    import sqlite3

    deadline, tries = time.monotonic() + WAIT_S, 0
    while not _ready(database):
        failure: sqlite3.Error = sqlite3.DatabaseError("it holds other tables")
        try:
            database.enable_wal()
            table = database.table(TABLE)
            table.create(COLUMNS, pk="key", not_null=DEFAULTS, defaults=DEFAULTS, if_not_exists=True)
            for column in DEFAULTS.keys() - table.columns_dict.keys():  # a file of an earlier version
                table.add_column(column, COLUMNS[column], not_null_default=DEFAULTS[column])
            tries += 1
        except sqlite3.OperationalError as error:  # another process is at it: SQLite does not wait where it could hang
            database.conn.rollback()
            failure = error
            tries += error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            time.sleep(0.01)
        if tries > MAX_TRIES or time.monotonic() > deadline:
            raise failure


def _ready(database: "Database") -> bool:
    there = TABLE in database.table_names() and database.table(TABLE).columns_dict.keys() >= COLUMNS.keys()
    return there and database.journal_mode == "wal"


class CachedModel(StoredModel):
    """Keeps responses in the response cache.

    Args:
        model: the model that answers what the cache does not.
        path: the cache file; safe for several processes at once.
    """

    def __init__(self, model: TaskModel, path: Path):
        super().__init__(model)
        self.path = path

    def lookup(self, keys: Sequence[str]) -> Mapping[str, Response]:
        """The cached responses among ``keys``."""
        found = {}
        with open_cache(self.path) as database:
            for start in range(0, len(keys), CHUNK):
                part = keys[start : start + CHUNK]
                marks = ",".join("?" * len(part))
                query = f"SELECT key, created, text, {REST} FROM {TABLE} WHERE key IN ({marks})"
                for key, made, text, *rest, estimated in database.execute(query, part):
                    text = text.decode("utf-8", "surrogatepass") if isinstance(text, bytes) else text
                    found[key] = KeptResponse.of(checked(text, *rest, bool(estimated)), made)
        return found

    def store(self, responses: Mapping[str, Response]) -> None:
        """Add responses in one transaction."""
        now = time.time()
        rows = (
            {
                "key": key,
                "model": self.name,
                "revision": self.revision,
                "created": now,
                **response._asdict(),
                "text": response.text.encode("utf-8", "surrogatepass"),
            }
            for key, response in responses.items()
        )
        with open_cache(self.path) as database:
            database.table(TABLE).insert_all(rows, ignore=True, batch_size=len(responses))


def contents(path: Path) -> list[dict[str, Any]]:
    """One row a model and revision: responses, tokens, and the times of the oldest and the newest one."""
    with open_cache(path) as database:
        return list(
            database.query(
                f"SELECT model, revision, COUNT(*) AS responses, SUM(prompt_tokens) AS prompt_tokens, "
                f"SUM(completion_tokens) AS completion_tokens, MIN(created) AS oldest, MAX(created) AS newest "
                f"FROM {TABLE} GROUP BY model, revision ORDER BY model, revision"
            )
        )


def prune(path: Path, *, model: str | None = None, older_than_days: float = 0.0) -> int:
    """Delete responses, of one model or of all, that are older than some days; returns how many."""
    limit = time.time() - older_than_days * 86_400
    with open_cache(path) as database:
        table = database.table(TABLE)
        before = table.count
        table.delete_where("created <= ? AND (? IS NULL OR model = ?)", [limit, model, model])
        after = table.count
        database.vacuum()
    return before - after
