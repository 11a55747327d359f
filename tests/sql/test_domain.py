"""A SQL domain scores by execution: two flavours, limits for predictions, golds computed once."""

import sqlite3
from contextlib import closing

import pytest

from lse_gym.envs.domain import Question
from lse_gym.envs.errors import DataError, UnknownNameError
from lse_gym.envs.sql import domain as module
from lse_gym.envs.sql.domain import WRONG_RESULT, SQLDomain
from lse_gym.envs.sql.executor import Limits

ORDERED = Question("ordered", "Names by age?", "SELECT name FROM people ORDER BY age")
PLAIN = Question("plain", "Ages?", "SELECT age FROM people")
HEAVY = Question("heavy", "Pairs?", "SELECT COUNT(*) FROM people a, people b, people c")


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "people.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE people (name TEXT, age INTEGER)")
        connection.executemany("INSERT INTO people VALUES (?, ?)", [("Ann", 3), ("Bob", 1), ("Cy", 1)])
        connection.commit()
    return path


def make(database, **arguments):
    splits = {"feedback": [ORDERED], "held_out": [PLAIN], "test": [HEAVY]}
    return SQLDomain("people", database, "CREATE TABLE people (name TEXT, age INTEGER);", splits, **arguments)


def scores(domain, question, *statements):
    outcomes = domain.score([question] * len(statements), [f"<answer>{sql}</answer>" for sql in statements])
    return [outcome.score for outcome in outcomes]


def test_set_flavour_ignores_order_and_repeats(database):
    domain = make(database)
    assert scores(domain, ORDERED, "SELECT name FROM people ORDER BY name DESC") == [1.0]
    assert scores(domain, PLAIN, "SELECT DISTINCT age FROM people", "SELECT 1.0 UNION SELECT 3") == [1.0, 1.0]


def test_strict_flavour_minds_both(database):
    domain = make(database, scoring="strict")
    assert scores(domain, ORDERED, "SELECT name FROM people ORDER BY name", ORDERED.gold) == [0.0, 1.0]
    assert scores(domain, PLAIN, "SELECT DISTINCT age FROM people", "SELECT age FROM people ORDER BY 1") == [0.0, 1.0]


def test_errors_are_told_and_score_nothing(database):
    first, second = make(database).score(
        [PLAIN] * 2, ["<answer>SELECT agge FROM people</answer>", "SELECT name FROM people"]
    )
    assert (first.score, second.score) == (0.0, 0.0)
    assert "agge" in first.error
    assert second.error == WRONG_RESULT


def test_limits_hold_for_predictions_not_for_golds(database):
    domain = make(database, limits=Limits(max_steps=10))
    (outcome,) = domain.score([HEAVY], [domain.gold_response(HEAVY)])
    assert outcome.score == 0.0
    assert "steps" in outcome.error
    assert domain.verify() == ["ordered", "plain", "heavy"]
    assert make(database).verify() == []


def test_a_broken_gold_is_an_error_not_a_score(database):
    broken = PLAIN._replace(id="broken", gold="SELECT agge FROM people")
    with pytest.raises(DataError, match=r"'broken'.*exclude"):
        make(database).score([broken], ["SELECT 1"])


def test_golds_and_statements_run_once(database, monkeypatch):
    ran = []

    def spy(path, statements, limits):
        ran.extend(statements)
        return digest_many(path, statements, limits)

    digest_many = module.digest_many
    monkeypatch.setattr(module, "digest_many", spy)
    domain = make(database)
    for _ in range(3):
        scores(domain, PLAIN, "SELECT 1", "SELECT 2")
    assert ran == [PLAIN.gold, "SELECT 1", "SELECT 2"]


def test_fingerprint_covers_data_and_questions(database):
    before = make(database).fingerprint()
    assert make(database).fingerprint() == before
    changed = SQLDomain("people", database, "", {"feedback": [PLAIN], "held_out": [ORDERED], "test": [HEAVY]})
    assert changed.fingerprint() != before
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("DELETE FROM people WHERE age = 3")
        connection.commit()
    assert make(database).fingerprint() != before


def test_unknown_scoring(database):
    with pytest.raises(UnknownNameError, match="Did you mean 'strict'"):
        make(database, scoring="stricct")
