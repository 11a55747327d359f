"""The log of a board and that of a host: hashes are what they always were, and whatever is changed shows."""

import sqlite3

import pytest

from lse_gym.leaderboard.errors import BoardError
from lse_gym.leaderboard.log import append, append_only, check

AT = "2026-01-02T03:04:05+00:00"
# what boards and hosts have written since their first version
AUDIT = [
    ({"at": AT, "entry": None, "action": "begun", "details": ""}, "0e08114da963aa28"),
    ({"at": AT, "entry": 7, "action": "submitted", "details": "é — one"}, "f0aea4d7a11a0aa9"),
]
PLAYED = [
    ({"at": AT, "team": None, "play": None, "action": "begun", "details": ""}, "8a89268582dc9ce2"),
    ({"at": AT, "team": "team", "play": "play", "action": "described", "details": "é — one"}, "ac57e6d33660daf7"),
]


@pytest.fixture(params=[AUDIT, PLAYED], ids=["board", "host"])
def known(request):
    return request.param


@pytest.fixture
def db(known):
    db = sqlite3.connect(":memory:")
    db.execute(f"CREATE TABLE log (id INTEGER PRIMARY KEY, {', '.join(known[0][0])}, hash)")
    for row, _ in known:
        append(db, "log", row)
    return db


def rows(db):
    return db.execute("SELECT * FROM log ORDER BY id").fetchall()


def test_hashes_are_those_of_every_log_there_is(db, known):
    assert [row[-1][:16] for row in rows(db)] == [link for _, link in known]
    check(rows(db), "the log")
    assert rows(db)[1][-2] == "é — one"


@pytest.mark.parametrize("column", ["at", "action", "details", "hash"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_row_that_was_changed_is_told(db, column, number):
    db.execute(f"UPDATE log SET {column} = 'x' WHERE id = ?", [number])
    with pytest.raises(BoardError, match=f"row {number} of the log was tampered with"):
        check(rows(db), "the log")


def test_a_row_that_is_gone_is_told(db):
    db.execute("DELETE FROM log WHERE id = 1")
    with pytest.raises(BoardError, match="row 2 of the log"):
        check(rows(db), "the log")


def test_rows_stay(db):
    for statement in append_only("log"):
        db.execute(statement)
    for statement in ("UPDATE log SET details = ''", "DELETE FROM log"):
        with pytest.raises(sqlite3.IntegrityError, match="log is append-only"):
            db.execute(statement)
