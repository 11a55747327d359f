"""Which statements order their rows."""

import json

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from lse_gym.envs.sql.ordered import is_ordered
from tests.sql.layouts import GEOQUERY


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
