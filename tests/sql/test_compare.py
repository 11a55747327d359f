"""Row comparison: BIRD's set flavour, the strict flavour, and which statements order their rows."""

import json

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from lse_gym.envs.sql.compare import is_ordered, same_set, same_strict
from tests.sql.layouts import GEOQUERY

VALUES = st.none() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=2) | st.binary(max_size=2)
ROWS = st.lists(st.tuples(VALUES, VALUES), max_size=8)


@given(ROWS, st.booleans())
def test_rows_equal_themselves(rows, ordered):
    assert same_set(rows, rows)
    assert same_strict(rows, list(rows), ordered)


@given(ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_order_counts_only_when_asked(pair):
    rows, shuffled = pair
    assert same_set(shuffled, rows)
    assert same_strict(shuffled, rows, ordered=False)
    assert same_strict(shuffled, rows, ordered=True) == (shuffled == rows)


@given(ROWS, ROWS, st.booleans())
def test_strict_implies_set_and_both_are_symmetric(left, right, ordered):
    assert same_set(left, right) or not same_strict(left, right, ordered)
    assert same_strict(left, right, False) or not same_strict(left, right, True)
    assert same_set(left, right) == same_set(right, left)
    assert same_strict(left, right, ordered) == same_strict(right, left, ordered)


@given(ROWS.filter(bool))
def test_duplicates_count_only_strictly(rows):
    twice = [*rows, rows[0]]
    assert same_set(twice, rows)
    assert not same_strict(twice, rows, ordered=False)


def test_known_pairs():
    assert same_set([], [])
    assert same_strict([], [], ordered=True)
    assert not same_set([], [(None,)])
    assert same_set([(1,)], [(1.0,)])
    assert same_strict([(1,)], [(1.0,)], ordered=True)
    assert not same_set([("1",)], [(1,)])
    assert not same_set([(1, 2)], [(2, 1)])
    assert not same_set([(1,)], [(1, 1)])
    assert not same_set([(b"a",)], [("a",)])


@pytest.mark.parametrize(
    ("sql", "ordered"),
    [
        ("SELECT a FROM t ORDER BY a", True),
        ("select a from t order\n\tby a desc limit 1;", True),
        ("SELECT a FROM t ORDER/* x */BY a", True),
        ("SELECT a FROM t ORDER -- x\n BY a", True),
        ("SELECT a FROM t UNION SELECT b FROM u ORDER BY 1", True),
        ("WITH x AS (SELECT 1) SELECT * FROM x ORDER BY 1", True),
        ("WITH x AS (SELECT a FROM t ORDER BY a) SELECT * FROM x", False),
        ("SELECT a FROM (SELECT a FROM t ORDER BY a)", False),
        ("SELECT row_number() OVER (ORDER BY a) FROM t", False),
        ("SELECT row_number() OVER w FROM t WINDOW w AS (ORDER BY a)", False),
        ("SELECT a FROM t WHERE b = (SELECT b FROM t ORDER BY b LIMIT 1)", False),
        ("SELECT 'ORDER BY' FROM t", False),
        ("SELECT 'it''s ORDER BY' FROM t", False),
        ('SELECT "a ORDER BY b", [c ORDER BY d], `e ORDER BY f` FROM t', False),
        ("SELECT a FROM t -- ORDER BY a", False),
        ("SELECT a FROM t /* ORDER BY a */", False),
        ("SELECT ')' FROM t ORDER BY a", True),
        ("SELECT a FROM t WHERE b = '(' ORDER BY a", True),
        ('SELECT "ORDER" BY FROM t', False),
        ("SELECT a AS border FROM t", False),
        ("", False),
    ],
)
def test_is_ordered(sql, ordered):
    assert is_ordered(sql) is ordered


@given(st.text())
def test_is_ordered_takes_any_text(text):
    assert is_ordered(text) in (True, False)


def test_is_ordered_agrees_with_a_parser_on_real_queries():
    if not GEOQUERY.is_dir():
        pytest.skip("no ../shared/data/bird_layout_geoquery beside the project")
    statements = {question["SQL"] for question in json.loads((GEOQUERY / "dev.json").read_text())}
    extra = {f"{sql} ORDER BY 1" for sql in statements if "ORDER" not in sql and "LIMIT" not in sql}
    for sql in sorted(statements | extra)[::5]:
        assert is_ordered(sql) == bool(sqlglot.parse_one(sql.rstrip("; "), read="sqlite").args.get("order")), sql
