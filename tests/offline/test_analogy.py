"""Answering by analogy with worked examples, on made-up databases and on arbitrary text."""

import os
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.offline.examples import Example, find_examples, render_examples, strip_examples
from lse_gym.envs.offline.reader.sql.analogy import answer_by_analogy

SCHEMA = """
CREATE TABLE books (
  book_id INTEGER PRIMARY KEY,
  title TEXT,
  author TEXT,
  pages INTEGER,
  weight REAL,
  shelf TEXT
);
CREATE TABLE members (member_id INTEGER, full_name TEXT, town TEXT, joined TEXT);
"""
EXAMPLES = [
    Example("Who wrote Dune?", "SELECT author FROM books WHERE title='Dune'"),
    Example("How many books did Ann Lee write?", "SELECT COUNT(*) FROM books WHERE author='Ann Lee'"),
    Example("How many pages does Emma have?", "SELECT pages FROM books WHERE title='Emma'"),
    Example(
        "Which books by Iris Murdoch have more than 300 pages?",
        "SELECT title FROM books WHERE author='Iris Murdoch' AND pages>300",
    ),
    Example("Which members live in Leeds?", "SELECT full_name FROM members WHERE town='leeds'"),
    Example("What is the longest book?", "SELECT title FROM books WHERE pages=(SELECT MAX(pages) FROM books)"),
    Example(
        "Which book by Poe is the heaviest, and is it Poe's longest?",
        "SELECT title FROM books WHERE author='Poe' ORDER BY weight=(SELECT MAX(weight) FROM books WHERE author='Poe')",
    ),
    Example("Who wrote the books on shelf B7?", "SELECT author FROM books WHERE shelf='B7'"),
    Example("Which titles contain love?", "SELECT title FROM books WHERE title LIKE '%love%'"),
]
CONTEXT = (
    "Return one statement.\n\n"
    "Q: Who wrote Dune?\nSQL: SELECT author FROM books WHERE title='Dune'\n"
    'The word "overdue" means loans.returned_on IS NULL.\n'
)


def sql_of(question: str) -> str:
    analogy = answer_by_analogy(question, EXAMPLES, SCHEMA)
    assert analogy is not None
    return analogy.sql


@pytest.mark.parametrize(
    ("question", "sql"),
    [
        ("Who wrote Ulysses?", "SELECT author FROM books WHERE title='Ulysses'"),
        ("Who wrote The Magic Mountain?", "SELECT author FROM books WHERE title='The Magic Mountain'"),
        ("How many books did Jo van Gogh Smith write?", "SELECT COUNT(*) FROM books WHERE author='Jo van Gogh Smith'"),
        (
            "Which books by O'Brien have more than 1,250 pages?",
            "SELECT title FROM books WHERE author='O''Brien' AND pages>1250",
        ),
        ("Which members live in York?", "SELECT full_name FROM members WHERE town='york'"),
        ("Which titles contain war?", "SELECT title FROM books WHERE title LIKE '%war%'"),
    ],
)
def test_the_same_question_with_other_values_has_similarity_one(question: str, sql: str) -> None:
    found = answer_by_analogy(question, EXAMPLES, SCHEMA)
    assert found is not None
    assert found.sql == sql
    assert found.similarity == 1.0


def test_an_example_answers_its_own_question() -> None:
    for example in EXAMPLES:
        found = answer_by_analogy(example.question, EXAMPLES, SCHEMA)
        assert found is not None
        assert (found.sql, round(found.similarity, 6)) == (example.sql, 1.0)


@pytest.mark.parametrize(
    ("question", "sql"),
    [
        ("Give me the members who live in York", "SELECT full_name FROM members WHERE town='york'"),
        ("What is the shortest book?", "SELECT title FROM books WHERE pages=(SELECT MIN(pages) FROM books)"),
        ("How many members live in York?", "SELECT COUNT(full_name) FROM members WHERE town='york'"),
        ("Who is the author of the books on shelf C9?", "SELECT author FROM books WHERE shelf='C9'"),
    ],
)
def test_a_question_near_an_example_is_answered_like_it(question: str, sql: str) -> None:
    assert sql_of(question) == sql


def test_a_value_that_occurs_twice_is_exchanged_twice() -> None:
    sql = sql_of("Which book by Kafka is the heaviest, and is it Kafka's longest?")
    assert sql.count("'Kafka'") == 2
    assert "Poe" not in sql


def test_two_examples_combine_where_one_describes_the_value_of_the_other() -> None:
    schema = f"{SCHEMA}CREATE TABLE loans (title TEXT, full_name TEXT);"
    examples = [
        *EXAMPLES,
        Example("What is the town of Al Ott?", "SELECT town FROM members WHERE full_name='Al Ott'"),
        Example("Which member borrowed Dune?", "SELECT full_name FROM loans WHERE title='Dune'"),
    ]
    found = answer_by_analogy("What is the town of the member who borrowed Emma?", examples, schema)
    assert found is not None
    assert found.sql == ("SELECT town FROM members WHERE full_name IN (SELECT full_name FROM loans WHERE title='Emma')")
    assert found.similarity < 1.0


def test_nothing_to_go_by_gives_nothing() -> None:
    assert answer_by_analogy("Who wrote Dune?", [], SCHEMA) is None
    assert answer_by_analogy("", EXAMPLES, SCHEMA) is None
    assert answer_by_analogy("zzz qqq", EXAMPLES, SCHEMA) is None


@pytest.mark.parametrize(
    "text",
    [
        "Q: Who wrote Dune?\nSQL: SELECT a FROM b",
        "- Question: Who wrote Dune?\n  Answer: SELECT a FROM b",
        "1. **Q:** Who wrote Dune?\n   **A:** SELECT a FROM b",
        "Example 3:\nWho wrote Dune?\nSELECT a\nFROM b",
        "Example: Q: Who wrote Dune?\nSQL:\n```sql\nSELECT a\nFROM b\n```",
        "Query: Who wrote Dune?\n\n```\nSELECT a FROM b\n```",
        "Q: Who wrote Dune? | SQL: SELECT a FROM b",
        "* Who wrote Dune? -> SELECT a FROM b",
        "Who wrote Dune? => `SELECT a FROM b`",
        "Q: Who wrote Dune?  SQL: SELECT a FROM b",
    ],
)
def test_examples_are_found_in_the_forms_people_write(text: str) -> None:
    found = find_examples(f"Be brief.\n\n{text}\n\nUse COUNT(*) for numbers.")
    assert found == [Example("Who wrote Dune?", "SELECT a FROM b")]
    assert strip_examples(f"Be brief.\n{text}\n\nUse COUNT(*).").split() == ["Be", "brief.", "Use", "COUNT(*)."]


@pytest.mark.parametrize(
    "text",
    [
        'The word "overdue" means loans.returned_on IS NULL.',
        "Note: select the columns asked for, with no others.",
        "Q: is short for question.\nAnswer: briefly.",
        "SELECT DISTINCT where rows repeat.",
    ],
)
def test_rules_are_no_examples(text: str) -> None:
    assert find_examples(text) == []
    assert strip_examples(text) == text


def test_rules_beside_examples_survive() -> None:
    assert find_examples(CONTEXT) == EXAMPLES[:1]
    assert strip_examples(CONTEXT) == ('Return one statement.\n\nThe word "overdue" means loans.returned_on IS NULL.')


LINES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])).map(str.strip).filter(bool)


@given(st.lists(st.builds(Example, LINES, LINES.map(lambda text: f"SELECT ({text.replace('(', '').strip(';`')})"))))
def test_what_is_rendered_is_found(examples: list[Example]) -> None:
    text = render_examples(examples)
    assert find_examples(text) == examples
    assert strip_examples(text) == ""


@settings(max_examples=150)
@given(st.text(), st.lists(st.builds(Example, st.text(), st.text())), st.text())
def test_no_text_raises(question: str, examples: list[Example], schema: str) -> None:
    find_examples(question)
    strip_examples(schema)
    for found in (answer_by_analogy(question, examples, schema), answer_by_analogy(question, EXAMPLES, schema)):
        assert found is None or 0.0 <= found.similarity <= 1.0


TOKENS = [
    *["Q:", "SQL:", "select", "SELECT", "FROM", "```", "->", "'a", "'", "(", ")", "a?", "Dune", "of", "the", "7", "%"],
    '"',
    "\n",
]
PHRASES = st.lists(st.sampled_from(TOKENS))


@settings(max_examples=150)
@given(PHRASES.map(" ".join), PHRASES.map(" ".join))
def test_no_jumble_of_examples_raises(context: str, question: str) -> None:
    found = answer_by_analogy(question, [*find_examples(context), *EXAMPLES], context)
    assert found is None or 0.0 <= found.similarity <= 1.0


HOSTILE = ["a ", "Q: ", "'", '"', "(", "-> ", "SELECT a? ", "* ", "x", " ", "\n", "Q: a\n", "1. ", "a(\n", "a.", "`"]


@pytest.mark.parametrize("unit", HOSTILE)
def test_long_hostile_text_takes_no_time(unit: str) -> None:
    text = unit * (8000 // len(unit))
    start = time.process_time()
    examples = find_examples(text)
    answer_by_analogy(text, [*examples, Example(text, text)], text)
    assert time.process_time() - start < 2.0


def test_answers_do_not_depend_on_the_hash_seed() -> None:
    script = (
        "from lse_gym.envs.offline.reader.sql.analogy import answer_by_analogy as a\n"
        f"from lse_gym.envs.offline.examples import Example\nexamples = {EXAMPLES!r}\n"
        f"schema, questions = {SCHEMA!r}, ['Who wrote the longest book?', 'books in Leeds', 'how many pages']\n"
        "print([a(question, examples, schema) for question in questions])"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    ]
    assert outputs[0].strip()
    assert len(set(outputs)) == 1
