"""A clock that stands still and chance that repeats: an attempt that is repeated sees the same texts, to the byte."""

import os
import random
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from lse_gym.envs.extras import require
from lse_gym.envs.tools.awm.names import START

SQL_CLOCKS = {"current_timestamp": "%Y-%m-%d %H:%M:%S", "current_date": "%Y-%m-%d", "current_time": "%H:%M:%S"}
SQL_DATES = ("date", "time", "datetime", "julianday", "strftime", "unixepoch")  # sqlite.org/lang_datefunc.html


def freeze() -> Callable[[float], None]:
    """Stop the clock of this process, SQLite's included, and seed its chance; returns what moves the clock by seconds.

    ``time.monotonic`` goes on: event loops need it.
    """
    os.environ["TZ"] = "UTC"
    time.tzset()
    for module, name in ((os, "urandom"), (random, "_urandom")):  # what uuid4 and secrets draw from
        setattr(module, name, random.Random(0).randbytes)
    random.seed(0)
    plain = sqlite3.connect(":memory:", check_same_thread=False)
    sqlite3.connect = sqlite3.dbapi2.connect = partial(_connect, sqlite3.connect, plain)
    time_machine = require("time_machine", "tools", "LSE/AWM-v0")
    return time_machine.travel(START, tick=False).start().shift


def _connect(
    connect: Callable[..., sqlite3.Connection], plain: sqlite3.Connection, *args: Any, **options: Any
) -> sqlite3.Connection:
    """A connection whose SQL sees the clock that stands still; ``plain`` does the arithmetic of dates."""
    connection = connect(*args, **options)
    for name, form in SQL_CLOCKS.items():
        connection.create_function(name, 0, partial(time.strftime, form), deterministic=True)
    for name in SQL_DATES:
        connection.create_function(name, -1, partial(_date, plain, name), deterministic=True)
    return connection


def _date(plain: sqlite3.Connection, name: str, *args: Any) -> Any:
    """A date function of SQLite, with the time that stands still where it means now."""
    now = time.strftime(SQL_CLOCKS["current_timestamp"])
    given = [now if isinstance(arg, str) and arg.lower() == "now" else arg for arg in args]
    if len(given) == (name == "strftime"):
        given.append(now)
    return plain.execute(f"SELECT {name}({', '.join('?' * len(given))})", given).fetchone()[0]
