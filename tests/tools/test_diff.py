"""What changed in a database: rows added, removed and changed, whatever a table is like and however it came about."""

import json
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.tools.diff import canonical, difference, is_difference, shortened, snapshot

SETUP = """
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, height REAL, twice GENERATED ALWAYS AS (id * 2));
CREATE TABLE links (a INT, b INT);
CREATE TABLE pairs (k TEXT, n INT, v, PRIMARY KEY (k, n)) WITHOUT ROWID;
CREATE TABLE "odd ""name" (x TEXT PRIMARY KEY, y);
CREATE VIEW names AS SELECT name FROM people;
CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT);
INSERT INTO people VALUES (1, 'Ann', 1.5), (2, 'Bo', NULL);
INSERT INTO links VALUES (1, 1), (1, 1), (2, 3);
INSERT INTO pairs VALUES ('a', 1, x'00ff'), ('a', 2, 'z');
INSERT INTO "odd ""name" VALUES ('p', 1);
INSERT INTO counted DEFAULT VALUES;
"""


def after(script):
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SETUP)
        before = snapshot(connection)
        connection.executescript(script)
        return difference(before, snapshot(connection))


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("", {}),
        ("UPDATE people SET name = 'Bo' WHERE id = 2", {}),
        ("DELETE FROM people WHERE id = 2; INSERT INTO people VALUES (2, 'Bo', NULL)", {}),
        ("DELETE FROM links; INSERT INTO links VALUES (2, 3), (1, 1), (1, 1)", {}),
        (
            "UPDATE people SET name = 'Bob', height = 2 WHERE id = 2",
            {
                "people": {
                    "changed": [
                        {"row": {"id": 2}, "from": {"name": "Bo", "height": None}, "to": {"name": "Bob", "height": 2.0}}
                    ]
                }
            },
        ),
        (
            "INSERT INTO people VALUES (9, 'É', 9e999); DELETE FROM people WHERE id = 1",
            {
                "people": {
                    "added": [{"id": 9, "name": "É", "height": {"number": "inf"}, "twice": 18}],
                    "removed": [{"id": 1, "name": "Ann", "height": 1.5, "twice": 2}],
                }
            },
        ),
        (
            "DELETE FROM links WHERE rowid = 1; UPDATE links SET b = 4 WHERE a = 2",
            {"links": {"added": [{"a": 2, "b": 4}], "removed": [{"a": 1, "b": 1}, {"a": 2, "b": 3}]}},
        ),
        (
            "UPDATE pairs SET v = x'01' WHERE n = 1; UPDATE pairs SET v = CAST(x'ff' AS TEXT) WHERE n = 2",
            {
                "pairs": {
                    "changed": [
                        {"row": {"k": "a", "n": 1}, "from": {"v": {"bytes": "00ff"}}, "to": {"v": {"bytes": "01"}}},
                        {"row": {"k": "a", "n": 2}, "from": {"v": "z"}, "to": {"v": {"bytes": "ff"}}},
                    ]
                }
            },
        ),
        (
            "INSERT INTO \"odd \"\"name\" VALUES (NULL, 2), (NULL, 3)",
            {'odd "name': {"added": [{"x": None, "y": 2}, {"x": None, "y": 3}]}},
        ),
        ("INSERT INTO counted DEFAULT VALUES", {"counted": {"added": [{"id": 2}]}}),
        ("CREATE TABLE new (id INTEGER PRIMARY KEY); INSERT INTO new VALUES (4)", {"new": {"added": [{"id": 4}]}}),
        ("DROP TABLE \"odd \"\"name\"", {'odd "name': {"removed": [{"x": "p", "y": 1}]}}),
        (
            "ALTER TABLE counted ADD COLUMN more DEFAULT 5",
            {"counted": {"changed": [{"row": {"id": 1}, "from": {}, "to": {"more": 5}}]}},
        ),
    ],
)  # fmt: skip
def test_what_is_different(script, found):
    assert after(script) == found
    assert json.loads(canonical(after(script))) == found
    assert is_difference(found)


VALUES = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text("aé\x00'\"", max_size=3) | st.binary()


@settings(max_examples=60)
@given(st.dictionaries(st.integers(0, 5), VALUES), st.dictionaries(st.integers(0, 5), VALUES), st.randoms())
def test_equal_states_are_equal_and_a_difference_is_as_canonical_as_its_rows(one, other, random):
    def state(rows):
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
            order = [*rows.items()]
            random.shuffle(order)
            connection.executemany("INSERT INTO t VALUES (?, ?)", order)
            return snapshot(connection)

    assert difference(state(one), state(one)) == {}
    assert is_difference(difference(state(one), state(other)))
    found = difference(state(one), state(other))
    assert canonical(found) == canonical(difference(state(one), state(other)))
    told = found.get("t", {})
    assert len(told.get("added", ())) == len(other.keys() - one.keys())
    assert len(told.get("removed", ())) == len(one.keys() - other.keys())


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"t": {}},
        {"t": {"added": []}},
        {"t": {"new": [{"id": 1}]}},
        {"t": {"added": [1]}},
        {"t": {"added": [{"id": 2}, {"id": 1}]}},
        {"t": {"changed": [{"key": {"id": 1}, "values": {"v": [1, 2]}}]}},
        {"t": {"changed": [{"row": {"id": 1}, "from": {"v": 1}}]}},
        {"t": {"changed": [{"row": 1, "from": {"v": 1}, "to": {"v": 2}}]}},
    ],
)
def test_what_no_two_databases_differ_by(value):
    assert not is_difference(value)


def test_a_snapshot_leaves_the_connection_as_it_was():
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SETUP)
        connection.row_factory = sqlite3.Row
        state = snapshot(connection)
        assert sorted(state) == ["counted", "links", 'odd "name', "pairs", "people"]
        assert connection.execute("SELECT name FROM people").fetchone()["name"] == "Ann"


def test_a_long_difference_is_told_short():
    found = after(
        "WITH RECURSIVE n(i) AS (SELECT 10 UNION SELECT i + 1 FROM n WHERE i < 50) INSERT INTO links SELECT i, i FROM n"
    )
    shown = shortened(found, 3)
    assert shown == {"links": {"added": found["links"]["added"][:3], "more": 38}}
    assert shortened(found, 0) == {"links": {"more": 41}}
    assert shortened(found, 100) == found
