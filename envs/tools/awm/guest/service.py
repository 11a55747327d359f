"""A scenario's service, executed once in the warm process; each box, a fork of it, calls it on a database of its own.

No socket is opened: the application is called as servers call it, through ASGI. Its engine connects anew for each
request, so nothing that belongs to a database is shared between forks.
"""

import asyncio
import os
import sqlite3
import sys
import types
import warnings
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from lse_gym.envs.extras import needs
from lse_gym.envs.tools.awm.guest.asgi import request
from lse_gym.envs.tools.awm.guest.clock import freeze
from lse_gym.envs.tools.awm.guest.openapi import operations
from lse_gym.envs.tools.awm.names import WORK

with needs("tools", "LSE/AWM-v0"):
    import sqlalchemy
    import sqlalchemy.engine
    from sqlalchemy.pool import NullPool

URL = f"sqlite:///{WORK}"
IN_MEMORY = "file:start?mode=memory&cache=shared"
MODULE = "awm_service"


class Service:
    """What the warm process holds, and each fork after it.

    Args:
        code: the source of the service.
        database: the content of the scenario's database. What the service does to it when it is executed, such as
            making tables, happens to a copy in memory, and is part of what each fork begins with.
    """

    def __init__(self, code: str, database: bytes):
        self.tick = freeze()
        warnings.simplefilter("ignore")
        self.connect: Callable[[], sqlite3.Connection] = partial(sqlite3.connect, IN_MEMORY, uri=True)
        with closing(self.connect()) as kept, closing(sqlite3.connect(":memory:")) as copy:
            copy.deserialize(database)
            copy.backup(kept)
            self.app = self._execute(code)
            kept.backup(copy)
            self.database = copy.serialize()
        self.operations = operations(self.app.openapi())
        self.connect = _connect
        self.loop: asyncio.AbstractEventLoop | None = None

    def _execute(self, code: str) -> Any:
        make = partial(_make_engine, sqlalchemy.create_engine, lambda: self.connect())
        sqlalchemy.create_engine = sqlalchemy.engine.create_engine = make
        os.environ.update(DATABASE_PATH=URL, HOST="127.0.0.1", PORT="8000")
        module, server = types.ModuleType(MODULE), types.ModuleType("uvicorn")
        server.__dict__["run"] = lambda *_, **__: None  # nothing is served: whoever calls the application is here
        sys.modules |= {MODULE: module, "uvicorn": server}
        exec(compile(code, f"{MODULE}.py", "exec"), module.__dict__)  # noqa: S102 - foreign: that is why it is here
        return module.__dict__["app"]

    def begin(self) -> asyncio.AbstractEventLoop:
        """Write this fork's database, and start the application as a server would."""
        Path(WORK).write_bytes(self.database)
        loop = asyncio.new_event_loop()
        self.lifespan = self.app.router.lifespan_context(self.app)
        loop.run_until_complete(self.lifespan.__aenter__())
        return loop

    def call(self, name: str, arguments: dict[str, Any]) -> tuple[int, str]:
        """Status and body of one call, a second after the one before."""
        self.loop = self.loop or self.begin()
        self.tick(1)
        return self.loop.run_until_complete(request(self.app, self.operations[name], arguments))


SERVICE: Service | None = None


def start(argument: dict[str, str]) -> None:
    """Execute the service ``code`` over the ``database`` (hexadecimal): what a sandbox is set up with."""
    global SERVICE
    SERVICE = Service(argument["code"], bytes.fromhex(argument["database"]))


def call(argument: dict[str, Any]) -> list[Any]:
    """Call the operation ``name`` with ``arguments``: status and body of the response."""
    assert SERVICE is not None
    return [*SERVICE.call(argument["name"], argument["arguments"])]


def inspect(argument: dict[str, str]) -> dict[str, list[str] | None]:
    """As :func:`start`, and begin: the arguments of each operation, None for any.

    ``work.db`` is what an attempt that does nothing leaves.
    """
    start(argument)
    assert SERVICE is not None
    SERVICE.begin()
    return {name: operation.arguments for name, operation in SERVICE.operations.items()}


def _connect() -> sqlite3.Connection:
    connection = sqlite3.connect(WORK, check_same_thread=False)
    connection.execute("PRAGMA synchronous = OFF")  # nobody needs the file after a power cut
    return connection


def _make_engine(create: Callable[..., Any], creator: Callable[[], sqlite3.Connection], *_: Any, **options: Any) -> Any:
    """What ``sqlalchemy.create_engine`` is for a service: whatever database it names, it gets the attempt's."""
    kept = {name: options[name] for name in ("echo", "execution_options", "isolation_level") if name in options}
    return create(URL, creator=creator, poolclass=NullPool, **kept)
