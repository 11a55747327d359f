"""Worked examples as the writer keeps them: equivalent short SQL, a hard cap, and what they are worth on GeoQuery."""

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.offline.examples import Example, find_examples, render_examples
from lse_gym.envs.offline.reader.sql.analogy import answer_by_analogy
from lse_gym.envs.offline.writer.sql.compact import compact_sql
from lse_gym.envs.offline.writer.sql.examples import merge_examples
from tests.sql.layouts import GEOQUERY

SCHEMA = "CREATE TABLE city (city_name TEXT, state_name TEXT, population INT);\nCREATE TABLE state (state_name TEXT);"


class Geo(NamedTuple):
    """GeoQuery: its database, the schema as text, and the questions with their gold SQL."""

    database: sqlite3.Connection
    schema: str
    examples: list[Example]

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        return self.database.execute(sql).fetchall()

    def right(self, sql: str, gold: str) -> bool:
        try:
            return set(self.rows(sql)) == set(self.rows(gold))
        except sqlite3.Error:
            return False


@pytest.fixture(scope="module")
def geo() -> Iterator[Geo]:
    if not GEOQUERY.exists():
        pytest.skip(f"{GEOQUERY} is absent")
    path = GEOQUERY / "dev_databases" / "geography" / "geography.sqlite"
    questions = json.loads((GEOQUERY / "dev.json").read_text(encoding="utf-8"))
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        statements = database.execute("SELECT sql FROM sqlite_master WHERE type = 'table'").fetchall()
        examples = [Example(question["question"].strip(), question["SQL"]) for question in questions]
        yield Geo(database, "\n".join(sql for (sql,) in statements), examples)


def test_compact_sql_gives_the_same_rows_in_half_the_room(geo: Geo) -> None:
    long = short = 0
    for _, gold in geo.examples:
        with_schema = compact_sql(gold, geo.schema)
        assert geo.rows(with_schema) == geo.rows(gold), with_schema
        assert geo.rows(compact_sql(gold)) == geo.rows(gold)
        assert compact_sql(with_schema, geo.schema) == with_schema
        long, short = long + len(gold), short + len(with_schema)
    assert short < 0.6 * long


@pytest.mark.parametrize(
    ("sql", "short"),
    [
        (
            'SELECT C.city_name\n FROM city AS C -- all\nWHERE C.state_name = "new york" ;',
            'SELECT city_name FROM city WHERE state_name="new york"',
        ),
        ('SELECT "state_name" FROM city', 'SELECT "state_name" FROM city'),
        ("SELECT 'a  b', \"x y\" FROM city", "SELECT 'a  b',\"x y\" FROM city"),
        (
            "SELECT first.city_name FROM city AS first WHERE EXISTS (SELECT 1 FROM city AS other "
            "WHERE other.population > first.population)",
            "SELECT c.city_name FROM city c WHERE EXISTS (SELECT 1 FROM city WHERE population>c.population)",
        ),
        (
            "SELECT T1.city_name FROM city AS T1 JOIN state AS T2 ON T1.state_name = T2.state_name",
            "SELECT T1.city_name FROM city AS T1 JOIN state AS T2 ON T1.state_name=T2.state_name",
        ),
        (
            "SELECT -x.population AS population FROM city AS x ORDER BY x.population",
            "SELECT -x.population AS population FROM city AS x ORDER BY x.population",
        ),
        ("SELECT 1 - -2", "SELECT 1 - -2"),
        ("not  SQL ( at all", "not SQL (at all"),
    ],
)
def test_compact_sql_shortens_what_it_understands(sql: str, short: str) -> None:
    assert compact_sql(sql, SCHEMA) == short


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT alpha.city_name FROM city AS alpha UNION SELECT beta.state_name FROM state AS beta",
        "SELECT alpha.city_name FROM city AS alpha UNION SELECT alpha.state_name FROM state AS alpha ORDER BY 1",
        "WITH big AS (SELECT alpha.city_name AS n FROM city AS alpha WHERE alpha.population > 4) SELECT n FROM big",
        "SELECT alpha.city_name FROM city AS alpha WHERE alpha.population = (SELECT MAX(beta.population) "
        "FROM city AS beta WHERE beta.state_name = alpha.state_name)",
        "SELECT alpha.city_name FROM city AS alpha, state AS beta WHERE alpha.state_name = beta.state_name",
        "SELECT derived.total FROM (SELECT COUNT(alpha.city_name) AS total FROM city AS alpha) AS derived",
        "SELECT COUNT(*) AS a_rather_long_name FROM city AS alpha HAVING a_rather_long_name > 1",
        "SELECT alpha.population + 1 AS population FROM city AS alpha ORDER BY alpha.population DESC",
        "SELECT city.city_name FROM city JOIN state AS sta ON city.state_name = sta.state_name",
        "SELECT city.city_name FROM city AS alpha JOIN city ON city.population > alpha.population ORDER BY 1",
        "SELECT alpha.* FROM city AS alpha",
        "SELECT CAST(alpha.population AS CHARACTER) FROM city AS alpha",
        'SELECT city_name FROM city WHERE state_name IN ("ohio", "tex""as") OR "population" > 6',
        'SELECT city_name "a name" FROM city ORDER BY "a name"',
        'SELECT city_name AS "a name" FROM city ORDER BY "a name" DESC',
        "SELECT (SELECT beta.state_name FROM state AS beta LIMIT 1), alpha.city_name FROM city AS alpha",
        "SELECT SUM(alpha.population) OVER (ORDER BY alpha.city_name) FROM city AS alpha",
        "SELECT alpha.city_name FROM city alpha WHERE EXISTS(SELECT 1 FROM state WHERE state_name = alpha.state_name)",
        "SELECT city_name FROM city AS alpha WHERE 'alpha.x' <> alpha.city_name -- alpha.y",
    ],
)
def test_compact_sql_means_the_same_wherever_names_could_be_mistaken(sql: str) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(SCHEMA)
        cities = [("reno", "ohio", 5), ("troy", "texas", 9), ("rome", "ohio", 7), ('tex"as', 'tex"as', 1)]
        database.executemany("INSERT INTO city VALUES (?, ?, ?)", cities)
        database.executemany("INSERT INTO state VALUES (?)", [("ohio",), ("texas",)])
        wanted = database.execute(sql).fetchall()
        assert wanted
        for short in (compact_sql(sql, SCHEMA), compact_sql(sql)):
            assert database.execute(short).fetchall() == wanted, short
            assert len(short) <= len(sql)


@settings(max_examples=150)
@given(st.text(), st.text())
def test_compact_sql_never_raises(sql: str, schema: str) -> None:
    assert isinstance(compact_sql(sql, schema), str)


TEXTS = st.text("abc ?'%", min_size=1, max_size=40).map(str.strip).filter(bool)
EXAMPLES = st.lists(st.builds(Example, TEXTS, TEXTS.map("SELECT {} FROM t".format)), max_size=8)


@settings(max_examples=60)
@given(EXAMPLES, EXAMPLES, st.integers(0, 400), st.integers(0, 2**32))
def test_merge_never_exceeds_the_cap(old: list[Example], new: list[Example], max_chars: int, seed: int) -> None:
    merged = merge_examples(old, new, max_chars, seed)
    assert len(render_examples(merged)) <= max_chars
    assert merged == merge_examples(old, new, max_chars, seed)


def test_merge_stores_only_what_the_examples_cannot_answer() -> None:
    texas = Example("Which cities are in Texas?", "SELECT city_name FROM city WHERE state_name='Texas'")
    ohio = Example("Which cities are in Ohio?", "SELECT city_name FROM city WHERE state_name='Ohio'")
    count = Example("How many people live in Reno?", "SELECT population FROM city WHERE city_name='Reno'")
    assert set(merge_examples([texas], [ohio, count], 1000, 0, SCHEMA)) == {texas, count}


def test_merge_believes_the_newer_answer_to_the_same_question() -> None:
    wrong = Example("Which cities are in Texas?", "SELECT state_name FROM state")
    right = Example("Which cities are in Texas?", "SELECT city_name FROM city WHERE state_name='Texas'")
    assert merge_examples([wrong], [right], 1000, 0, SCHEMA) == [right]


def test_twenty_rounds_of_feedback_on_geoquery_answer_most_of_what_was_never_seen(geo: Geo) -> None:
    """Measured over seeds 0-5: mean 0.56 within the cap (0.49 to 0.61), 0.65 with all 200 examples."""
    scores = []
    for seed in (0, 1):
        examples = random.Random(seed).sample(geo.examples, len(geo.examples))
        feedback, test = examples[:200], examples[590:]
        kept: list[Example] = []
        for start in range(0, 200, 10):
            kept = merge_examples(kept, feedback[start : start + 10], 7700, seed, geo.schema)
        text = render_examples(kept)
        assert len(text) <= 7700
        assert find_examples(text) == kept
        answers = [answer_by_analogy(question, kept, geo.schema) for question, _ in test]
        right = [a is not None and geo.right(a.sql, gold) for a, (_, gold) in zip(answers, test, strict=True)]
        scores.append(sum(right) / len(right))
    assert min(scores) >= 0.43
    assert sum(scores) / len(scores) >= 0.48
